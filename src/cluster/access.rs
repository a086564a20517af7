//! What the user of a kubeconfig may do: asked of the API server before anything is made.

use std::collections::BTreeMap;

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
/// What charts with Jobs need besides: those are made, and removed before an upgrade.
const NEEDED_FOR_JOBS: [(&str, &str, &[&str]); 1] = [("batch", "jobs", ALL)];
const ALL: &[&str] = &["create", "delete", "get", "list", "patch"];
const ALL_WATCHED: &[&str] = &["create", "delete", "get", "list", "patch", "watch"];

impl Cluster {
    /// The rights that this user lacks for an environment in `namespace`, as `resource: verb, verb`; for a new namespace also the
    /// right to make it, and for a chart with Jobs those to them.
    ///
    /// # Errors
    /// The API server does not answer.
    pub async fn missing_rights(
        &self,
        namespace: &str,
        makes_namespace: bool,
        has_jobs: bool,
    ) -> Result<Vec<String>, Failure> {
        let for_jobs = NEEDED_FOR_JOBS.iter().filter(|_| has_jobs);
        let namespaced = NEEDED.iter().chain(for_jobs).flat_map(|(group, resource, verbs)| {
            verbs.iter().map(|verb| right(Some(namespace), group, resource, verb))
        });
        let creation = makes_namespace.then(|| right(None, "", "namespaces", "create"));
        let asked = namespaced.chain(creation).map(|attributes| self.may(attributes));
        let answers = try_join_all(asked).await?;
        Ok(in_words(answers.into_iter().flatten()))
    }

    /// Whether this user may look at the volumes of the cluster, which belong to no namespace.
    pub(super) async fn may_see_volumes(&self) -> Result<bool, Failure> {
        let asked = ["list", "watch"].map(|verb| self.may(right(None, "", "persistentvolumes", verb)));
        Ok(try_join_all(asked).await?.iter().all(Option::is_none))
    }

    /// The right if it is missing.
    async fn may(&self, attributes: ResourceAttributes) -> Result<Option<ResourceAttributes>, Failure> {
        let reviews: Api<SelfSubjectAccessReview> = Api::all(self.client.clone());
        let spec = SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes.clone()), ..Default::default() };
        let review = SelfSubjectAccessReview { spec, ..Default::default() };
        let answer = reviews
            .create(&PostParams::default(), &review)
            .await
            .during(Kind::Cluster, "cannot ask the API server what this user may do")?;
        Ok((!answer.status.is_some_and(|status| status.allowed)).then_some(attributes))
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

/// Rights resource by resource, the resource as `kubectl auth can-i` takes it.
fn in_words(rights: impl Iterator<Item = ResourceAttributes>) -> Vec<String> {
    let mut verbs: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for right in rights {
        let group = right.group.filter(|group| !group.is_empty()).map(|group| format!(".{group}"));
        let below = right.subresource.map(|name| format!("/{name}"));
        let resource =
            [right.resource.unwrap_or_default(), below.unwrap_or_default(), group.unwrap_or_default()].concat();
        verbs.entry(resource).or_default().extend(right.verb);
    }
    verbs.into_iter().map(|(resource, verbs)| format!("{resource}: {}", verbs.join(", "))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_are_told_resource_by_resource() {
        let rights = [("", "pods/log", "get"), ("apps", "deployments", "patch"), ("apps", "deployments", "watch")];
        let told = in_words(rights.into_iter().map(|(group, resource, verb)| right(Some("a"), group, resource, verb)));
        assert_eq!(told, ["deployments.apps: patch, watch", "pods/log: get"]);
    }
}
