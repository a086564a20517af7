//! What the user of a kubeconfig may do: asked of the API server before anything is made.

use futures_util::future::try_join_all;
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use kube::api::{Api, PostParams};

use super::Cluster;
use crate::error::{During, Failure, Kind};

/// API group, resource and verbs that an environment needs in its namespace: what Helm makes and removes, what is watched,
/// the forward, and what Airflow's own Role grants, since nobody may grant what he may not do himself.
const NEEDED: [(&str, &str, &[&str]); 15] = [
    ("", "namespaces", &["get"]),
    ("", "configmaps", ALL),
    ("", "events", &["list", "watch"]),
    ("", "persistentvolumeclaims", ALL_WATCHED),
    ("", "pods", ALL_WATCHED),
    ("", "pods/log", &["get", "list"]),
    ("", "pods/portforward", &["create"]),
    ("", "secrets", ALL),
    ("", "serviceaccounts", ALL),
    ("", "services", ALL_WATCHED),
    ("apps", "deployments", ALL_WATCHED),
    ("apps", "replicasets", &["list", "watch"]),
    ("apps", "statefulsets", ALL_WATCHED),
    ("rbac.authorization.k8s.io", "rolebindings", ALL),
    ("rbac.authorization.k8s.io", "roles", ALL),
];
const ALL: &[&str] = &["create", "delete", "get", "list", "patch"];
const ALL_WATCHED: &[&str] = &["create", "delete", "get", "list", "patch", "watch"];

impl Cluster {
    /// The rights that this user lacks for an environment in `namespace`, as `verb resource`; for a new namespace also the right to make it.
    ///
    /// # Errors
    /// The API server does not answer.
    pub async fn missing_rights(&self, namespace: &str, makes_namespace: bool) -> Result<Vec<String>, Failure> {
        let namespaced = NEEDED.iter().flat_map(|(group, resource, verbs)| {
            verbs.iter().map(|verb| right(Some(namespace), group, resource, verb))
        });
        let creation = makes_namespace.then(|| right(None, "", "namespaces", "create"));
        let asked = namespaced.chain(creation).map(|attributes| self.may(attributes));
        let answers = try_join_all(asked).await?;
        Ok(answers.into_iter().flatten().collect())
    }

    /// The right in words if it is missing.
    async fn may(&self, attributes: ResourceAttributes) -> Result<Option<String>, Failure> {
        let reviews: Api<SelfSubjectAccessReview> = Api::all(self.client.clone());
        let words = words(&attributes);
        let spec = SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), ..Default::default() };
        let review = SelfSubjectAccessReview { spec, ..Default::default() };
        let answer = reviews
            .create(&PostParams::default(), &review)
            .await
            .during(Kind::Cluster, "cannot ask the API server what this user may do")?;
        Ok((!answer.status.is_some_and(|status| status.allowed)).then_some(words))
    }
}

fn right(namespace: Option<&str>, group: &str, resource: &str, verb: &str) -> ResourceAttributes {
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    ResourceAttributes {
        namespace: namespace.map(str::to_owned),
        group: Some(group.to_owned()),
        resource: Some(resource.to_owned()),
        subresource: Some(subresource.to_owned()).filter(|name| !name.is_empty()),
        verb: Some(verb.to_owned()),
        ..Default::default()
    }
}

fn words(attributes: &ResourceAttributes) -> String {
    let part = |part: &Option<String>| part.clone().unwrap_or_default();
    let group = attributes.group.as_deref().filter(|group| !group.is_empty()).map(|group| format!(".{group}"));
    let below = attributes.subresource.as_ref().map(|name| format!("/{name}"));
    format!(
        "{} {}{}{}",
        part(&attributes.verb),
        part(&attributes.resource),
        below.unwrap_or_default(),
        group.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_is_told_as_kubectl_auth_can_i_takes_it() {
        assert_eq!(words(&right(Some("a"), "", "pods/log", "get")), "get pods/log");
        assert_eq!(words(&right(Some("a"), "apps", "deployments", "patch")), "patch deployments.apps");
        assert_eq!(words(&right(None, "", "namespaces", "create")), "create namespaces");
    }
}
