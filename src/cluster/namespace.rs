//! The namespace of a release: whose it is, what is in it, and making it.

use futures_util::future::try_join_all;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams};
use kube::discovery::{Discovery, Scope, verbs};
use serde_json::json;

use super::owner::{ID_LABEL, Owner, RELEASE, label};
use super::{Cluster, FIELD_MANAGER};
use crate::error::{During, Failure, Kind};

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

/// What is in a namespace.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Holdings {
    /// What the environment and its releases brought.
    pub ours: Vec<Holding>,
    /// What somebody else did, as `kind/name`, without what only follows from it.
    pub others: Vec<String>,
}

/// An object of an environment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Holding {
    /// Its kind, in lower case.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The Helm release that it goes with.
    pub release: Option<String>,
    /// Whether it goes with another object, which made it.
    pub is_owned: bool,
}

impl Holding {
    fn new(kind: &str, metadata: &ObjectMeta) -> Self {
        let annotation = |key| metadata.annotations.as_ref().and_then(|annotations| annotations.get(key)).cloned();
        let is_kept = annotation("helm.sh/resource-policy").as_deref() == Some("keep");
        let of_revision = label(metadata, "name").filter(|_| label(metadata, "owner") == Some("helm"));
        Self {
            kind: kind.to_lowercase(),
            name: metadata.name.clone().unwrap_or_default(),
            release: annotation(RELEASE).filter(|_| !is_kept).or(of_revision.map(str::to_owned)),
            is_owned: metadata.owner_references.is_some(),
        }
    }
}

impl Cluster {
    /// Looks at a namespace; what is in it is only asked for where windtunnel did not make it.
    ///
    /// # Errors
    /// The API server does not answer.
    pub async fn namespace(&self, name: &str, owner: Owner<'_>) -> Result<Found, Failure> {
        let doing = || format!("cannot look at the namespace `{name}`");
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        let Some(namespace) = namespaces.get_opt(name).await.during(Kind::Cluster, doing())? else {
            return Ok(Found::Absent);
        };
        if namespace.metadata.deletion_timestamp.is_some() {
            return Ok(Found::Terminating);
        }
        if owner.owns(&namespace.metadata) {
            return Ok(Found::Ours);
        }
        let objects = self.objects_in(name).await.during(Kind::Cluster, doing())?;
        let mut names: Vec<String> =
            objects.iter().map(|(kind, metadata)| named(kind, metadata.name.as_deref().unwrap_or_default())).collect();
        names.dedup();
        Ok(Found::Foreign(names))
    }

    /// Whether there is a namespace of this name, as far as this user may know.
    ///
    /// # Errors
    /// The API server does not answer.
    pub async fn has_namespace(&self, name: &str) -> Result<bool, Failure> {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        match namespaces.get_metadata_opt(name).await {
            Err(kube::Error::Api(status)) if status.is_forbidden() => Ok(true),
            found => found
                .map(|found| found.is_some())
                .during(Kind::Cluster, format!("cannot look at the namespace `{name}`")),
        }
    }

    /// Makes a namespace, labelled as ours.
    ///
    /// # Errors
    /// The API server refuses.
    pub async fn create_namespace(&self, name: &str, owner: Owner<'_>) -> Result<(), Failure> {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        let metadata = json!({"name": name, "labels": owner.labels()});
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata});
        namespaces
            .patch(name, &PatchParams::apply(FIELD_MANAGER), &Patch::Apply(&namespace))
            .await
            .map(drop)
            .during(Kind::Cluster, format!("cannot make the namespace `{name}`"))
    }

    /// Gives the id to a namespace that was made before there were ids. Who may not change namespaces leaves it with its name.
    ///
    /// # Errors
    /// The API server refuses.
    pub async fn mark_namespace(&self, name: &str, owner: Owner<'_>) -> Result<(), Failure> {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        let doing = || format!("cannot label the namespace `{name}`");
        let found = namespaces.get_metadata_opt(name).await.during(Kind::Cluster, doing())?;
        if !found.is_some_and(|found| owner.owns(&found.metadata) && label(&found.metadata, ID_LABEL) != owner.id) {
            return Ok(());
        }
        let patch = json!({"metadata": {"labels": {ID_LABEL: owner.id}}});
        match namespaces.patch_metadata(name, &PatchParams::default(), &Patch::Merge(&patch)).await {
            Err(kube::Error::Api(status)) if status.is_forbidden() => Ok(()),
            patched => patched.map(drop).during(Kind::Cluster, doing()),
        }
    }

    /// What is in a namespace, told apart by whose it is: that of the environment and its Helm releases, and all else.
    ///
    /// # Errors
    /// The API server does not answer.
    pub async fn holdings(&self, namespace: &str, owner: Owner<'_>, releases: &[String]) -> Result<Holdings, Failure> {
        let objects = self
            .objects_in(namespace)
            .await
            .during(Kind::Cluster, format!("cannot look at the namespace `{namespace}`"))?;
        // What has an owner goes with it; so do the Endpoints of a Service, which have its name instead.
        let services: Vec<String> = objects
            .iter()
            .filter(|(kind, metadata)| kind == "Service" && owner.has(metadata, releases))
            .filter_map(|(_, metadata)| metadata.name.clone())
            .collect();
        let mut holdings = Holdings::default();
        for (kind, metadata) in objects {
            let name = metadata.name.clone().unwrap_or_default();
            if owner.has(&metadata, releases) {
                holdings.ours.push(Holding::new(&kind, &metadata));
            } else if !(metadata.owner_references.is_some() || kind == "Endpoints" && services.contains(&name)) {
                holdings.others.push(named(&kind, &name));
            }
        }
        Ok(holdings)
    }

    /// Everything that somebody put into a namespace: objects of every kind that can be listed, but those that Kubernetes itself puts
    /// into every namespace and those that only tell what happened. What this user may not list is left out.
    pub(super) async fn objects_in(&self, namespace: &str) -> Result<Vec<(String, ObjectMeta)>, kube::Error> {
        let discovery = Discovery::new(self.client.clone()).run_aggregated().await?;
        let listable = discovery.groups().flat_map(kube::discovery::ApiGroup::recommended_resources).filter(
            |(_, capabilities)| capabilities.scope == Scope::Namespaced && capabilities.supports_operation(verbs::LIST),
        );
        let lists = listable.map(|(resource, _)| {
            let objects: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), namespace, &resource);
            async move {
                let list = match objects.list_metadata(&ListParams::default()).await {
                    Err(kube::Error::Api(status)) if status.is_forbidden() => return Ok(Vec::new()),
                    listed => listed?,
                };
                let found = list.items.into_iter().map(|object| (resource.kind.clone(), object.metadata));
                Ok::<_, kube::Error>(found.collect::<Vec<_>>())
            }
        });
        let mut objects: Vec<(String, ObjectMeta)> = try_join_all(lists)
            .await?
            .into_iter()
            .flatten()
            .filter(|(kind, metadata)| !belongs_to_every_namespace(kind, metadata.name.as_deref().unwrap_or_default()))
            .collect();
        objects.sort_by(|(kind, metadata), (other_kind, other)| (kind, &metadata.name).cmp(&(other_kind, &other.name)));
        Ok(objects)
    }
}

/// An object as `kind/name`.
pub(super) fn named(kind: &str, name: &str) -> String {
    format!("{}/{name}", kind.to_lowercase())
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
