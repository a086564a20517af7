//! The namespace of a release: whose it is, what is in it, and making it.

use futures_util::future::try_join_all;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams};
use kube::discovery::{Discovery, Scope, verbs};
use serde_json::json;

use super::{Cluster, FIELD_MANAGER};
use crate::error::{During, Failure, Kind};

/// The label that names the environment an object was made for.
pub const ENVIRONMENT_LABEL: &str = "windtunnel.dev/environment";

/// What there is under the name of a namespace.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Found {
    /// Nothing.
    Absent,
    /// It is being deleted.
    Terminating,
    /// windtunnel made it for this environment.
    Ours,
    /// Somebody else made it; these objects are in it, as `kind/name`.
    Foreign(Vec<String>),
}

impl Cluster {
    /// Looks at a namespace; what is in it is only asked for where windtunnel did not make it.
    ///
    /// # Errors
    /// The API server does not answer.
    pub async fn namespace(&self, name: &str, environment: &str) -> Result<Found, Failure> {
        let doing = || format!("cannot look at the namespace `{name}`");
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        let Some(namespace) = namespaces.get_opt(name).await.during(Kind::Cluster, doing())? else {
            return Ok(Found::Absent);
        };
        if namespace.metadata.deletion_timestamp.is_some() {
            return Ok(Found::Terminating);
        }
        let labels = namespace.metadata.labels.unwrap_or_default();
        if labels.get(ENVIRONMENT_LABEL).map(String::as_str) == Some(environment) {
            return Ok(Found::Ours);
        }
        Ok(Found::Foreign(self.objects_in(name).await.during(Kind::Cluster, doing())?))
    }

    /// Makes a namespace, labelled as ours.
    ///
    /// # Errors
    /// The API server refuses.
    pub async fn create_namespace(&self, name: &str, environment: &str) -> Result<(), Failure> {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        let labels = json!({"app.kubernetes.io/managed-by": "windtunnel", ENVIRONMENT_LABEL: environment});
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}});
        namespaces
            .patch(name, &PatchParams::apply(FIELD_MANAGER), &Patch::Apply(&namespace))
            .await
            .map(drop)
            .during(Kind::Cluster, format!("cannot make the namespace `{name}`"))
    }

    /// Everything that somebody put into a namespace: objects of every kind that can be listed, but those that Kubernetes itself puts
    /// into every namespace and those that only tell what happened.
    async fn objects_in(&self, namespace: &str) -> Result<Vec<String>, kube::Error> {
        let discovery = Discovery::new(self.client.clone()).run_aggregated().await?;
        let listable = discovery.groups().flat_map(kube::discovery::ApiGroup::recommended_resources).filter(
            |(_, capabilities)| capabilities.scope == Scope::Namespaced && capabilities.supports_operation(verbs::LIST),
        );
        let lists = listable.map(|(resource, _)| {
            let objects: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), namespace, &resource);
            async move {
                let list = objects.list_metadata(&ListParams::default()).await?;
                let names = list.items.into_iter().filter_map(|object| object.metadata.name);
                Ok::<_, kube::Error>(names.map(|name| (resource.kind.clone(), name)).collect::<Vec<_>>())
            }
        });
        let mut objects: Vec<String> = try_join_all(lists)
            .await?
            .into_iter()
            .flatten()
            .filter(|(kind, name)| !belongs_to_every_namespace(kind, name))
            .map(|(kind, name)| format!("{}/{name}", kind.to_lowercase()))
            .collect();
        objects.sort();
        objects.dedup();
        Ok(objects)
    }
}

fn belongs_to_every_namespace(kind: &str, name: &str) -> bool {
    matches!(
        (kind, name),
        ("Event" | "PodMetrics", _) | ("ServiceAccount", "default") | ("ConfigMap", "kube-root-ca.crt")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_somebody_made_counts_as_use() {
        assert!(belongs_to_every_namespace("ConfigMap", "kube-root-ca.crt"));
        assert!(belongs_to_every_namespace("ServiceAccount", "default"));
        assert!(!belongs_to_every_namespace("ConfigMap", "settings"));
        assert!(!belongs_to_every_namespace("Secret", "default"));
    }
}
