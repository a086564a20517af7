//! Taking an environment, or Airflow alone, out of a cluster that stays.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, PersistentVolume, PersistentVolumeClaim, Pod, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, ListParams, Preconditions};
use kube::core::{NamespaceResourceScope, PartialObjectMeta};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;

use super::observe::Pause;
use super::owner::{ENVIRONMENT_LABEL, Owner};
use super::{Cluster, observe};
use crate::error::{During, Failure, Kind};

/// How long pods may take to end.
const PODS_END: Duration = Duration::from_mins(2);
/// The grace of a pod whose data goes too, in seconds: none at all would leave nobody to wait for its end.
const NOTHING_TO_SAVE: u32 = 1;
/// The label that says what a pod is for.
const COMPONENT: &str = "app.kubernetes.io/component";

/// How much of an environment goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Extent {
    /// Airflow, without its database, task logs and keys.
    Release,
    /// All that is in the namespace.
    Data,
}

impl Extent {
    /// The labels of what goes.
    fn selector(self, environment: &str) -> String {
        match self {
            // Where the database is of another Helm release than Airflow, its pods run on.
            Self::Release => format!("{ENVIRONMENT_LABEL}={environment},{COMPONENT} notin (database, redis)"),
            Self::Data => format!("{ENVIRONMENT_LABEL}={environment}"),
        }
    }
}

/// What goes with the data, in this order: claims with their volumes, and what has settings and keys.
fn data() -> [ApiResource; 3] {
    [
        ApiResource::erase::<PersistentVolumeClaim>(&()),
        ApiResource::erase::<ConfigMap>(&()),
        ApiResource::erase::<Secret>(&()),
    ]
}

/// An object that goes with the data.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Data {
    /// Its kind, in lower case.
    pub kind: String,
    /// Its name.
    pub name: String,
}

impl Cluster {
    /// What [`Cluster::remove_data`] removes, object by object.
    ///
    /// # Errors
    /// The API server refuses.
    pub async fn data(&self, namespace: &str, owner: Owner<'_>) -> Result<Vec<Data>, Failure> {
        let which = Extent::Data.selector(owner.environment);
        let mut found = Vec::new();
        for resource in data() {
            for object in self.labelled(namespace, &resource, &which, owner).await? {
                found.push(Data { kind: resource.kind.to_lowercase(), name: object.name_any() });
            }
        }
        Ok(found)
    }

    /// The volumes with claims of a namespace that outlive their claims, data and all, because their class says so: name of the volume and
    /// of its claim. None where this user may not list volumes, which belong to no namespace.
    ///
    /// # Errors
    /// The API server does not answer.
    pub async fn retained_volumes(&self, namespace: &str) -> Result<Vec<(String, String)>, Failure> {
        let volumes: Api<PersistentVolume> = Api::all(self.client.clone());
        let listed = match volumes.list(&ListParams::default()).await {
            Err(kube::Error::Api(status)) if status.is_forbidden() => return Ok(Vec::new()),
            listed => listed.during(Kind::Cluster, "cannot list the volumes")?,
        };
        let retained = listed.items.into_iter().filter_map(|volume| {
            let name = volume.name_any();
            let spec = volume.spec?;
            let claim = spec.claim_ref.filter(|claim| claim.namespace.as_deref() == Some(namespace))?;
            let is_retained = spec.persistent_volume_reclaim_policy.as_deref() == Some("Retain");
            is_retained.then(|| (name, claim.name.unwrap_or_default()))
        });
        Ok(retained.collect())
    }

    /// Removes the pods of the environment, which its controllers do not make again, and waits until none is left.
    ///
    /// # Errors
    /// The API server refuses; timeout after two minutes, naming a pod that is left.
    pub async fn end_pods(&self, namespace: &str, owner: Owner<'_>, extent: Extent) -> Result<(), Failure> {
        let which = extent.selector(owner.environment);
        let grace = (extent == Extent::Data).then_some(NOTHING_TO_SAVE);
        self.remove_all(namespace, &ApiResource::erase::<Pod>(&()), &which, owner, grace).await?;
        self.await_none::<Pod>(namespace, &which, owner, PODS_END, "pod").await
    }

    /// Removes what Helm leaves: claims with their volumes, `ConfigMaps` and Secrets that have the environment's label. No pod may use
    /// a claim any more. Returns the volumes that are left after another `deadline`, as far as this user may see volumes: to remove
    /// one, with what is stored in it, is for whoever provided it.
    ///
    /// # Errors
    /// The API server refuses; timeout after `deadline`, naming a claim that is left.
    pub async fn remove_data(
        &self,
        namespace: &str,
        owner: Owner<'_>,
        deadline: Duration,
    ) -> Result<Vec<String>, Failure> {
        let which = Extent::Data.selector(owner.environment);
        let volumes = self.volumes(namespace, &which, owner).await?;
        for resource in data() {
            self.remove_all(namespace, &resource, &which, owner, None).await?;
        }
        self.await_none::<PersistentVolumeClaim>(namespace, &which, owner, deadline, "volume claim").await?;
        self.volumes_left(&volumes, deadline).await
    }

    /// The names of the volumes that claims have.
    async fn volumes(&self, namespace: &str, which: &str, owner: Owner<'_>) -> Result<Vec<String>, Failure> {
        let claims: Api<PersistentVolumeClaim> = Api::namespaced(self.client.clone(), namespace);
        let listed = claims.list(&ListParams::default().labels(which)).await;
        let listed = listed.during(Kind::Cluster, format!("cannot list the volume claims with {which}"))?;
        let ours = listed.into_iter().filter(|claim| owner.owns(&claim.metadata));
        Ok(ours.filter_map(|claim| claim.spec?.volume_name).collect())
    }

    /// Those of the volumes that have not gone within `deadline`, but for those that their class keeps.
    async fn volumes_left(&self, names: &[String], deadline: Duration) -> Result<Vec<String>, Failure> {
        if names.is_empty() || !self.may_see_volumes().await? {
            return Ok(Vec::new());
        }
        let goes = |volume: &PersistentVolume| {
            let policy = volume.spec.as_ref().and_then(|spec| spec.persistent_volume_reclaim_policy.as_deref());
            policy == Some("Delete") && names.contains(&volume.name_any())
        };
        let volumes: Api<PersistentVolume> = Api::all(self.client.clone());
        let are_gone = |volumes: &[Arc<PersistentVolume>]| !volumes.iter().any(|volume| goes(volume));
        let Err(left) = observe::until(volumes, watcher::Config::default(), deadline, are_gone).await else {
            return Ok(Vec::new());
        };
        Ok(left.iter().filter(|volume| goes(volume)).map(|volume| volume.name_any()).collect())
    }

    async fn await_none<K>(
        &self,
        namespace: &str,
        which: &str,
        owner: Owner<'_>,
        deadline: Duration,
        noun: &str,
    ) -> Result<(), Failure>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + Debug
            + DeserializeOwned
            + Send
            + Sync
            + 'static,
    {
        let objects: Api<K> = Api::namespaced(self.client.clone(), namespace);
        let ours = watcher::Config::default().labels(which);
        let is_own = |object: &Arc<K>| owner.owns(object.meta());
        let is_none = |objects: &[Arc<K>]| !objects.iter().any(is_own);
        let Err(left) = observe::until(objects, ours, deadline, is_none).await else { return Ok(()) };
        let name = left.iter().find(|object| is_own(object)).map(|object| object.name_any()).unwrap_or_default();
        let message = format!("the {noun} `{name}` has not ended within {} s", deadline.as_secs());
        Err(Failure::new(Kind::Timeout, message))
    }

    /// Those of the environment's own objects that have the labels.
    async fn labelled(
        &self,
        namespace: &str,
        resource: &ApiResource,
        which: &str,
        owner: Owner<'_>,
    ) -> Result<Vec<PartialObjectMeta<DynamicObject>>, Failure> {
        let objects: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), namespace, resource);
        let listed = objects.list_metadata(&ListParams::default().labels(which)).await;
        let listed = listed.during(Kind::Cluster, format!("cannot list the {} with {which}", resource.plural))?;
        Ok(listed.items.into_iter().filter(|object| owner.owns(&object.metadata)).collect())
    }

    /// Removes those of the environment's own objects that have the labels; pods have `grace` seconds to end, or those that they ask for.
    pub(super) async fn remove_all(
        &self,
        namespace: &str,
        resource: &ApiResource,
        which: &str,
        owner: Owner<'_>,
        grace: Option<u32>,
    ) -> Result<(), Failure> {
        let objects: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), namespace, resource);
        let doing = || format!("cannot remove the {} with {which}", resource.plural);
        // One by one: the right to delete a whole collection is another one, which fewer users have.
        for object in self.labelled(namespace, resource, which, owner).await? {
            let parameters = DeleteParams { grace_period_seconds: grace, ..this_very(&object.metadata) };
            match objects.delete(&object.name_any(), &parameters).await {
                Err(kube::Error::Api(status)) if status.is_not_found() => {}
                deleted => drop(deleted.during(Kind::Cluster, doing())?),
            }
        }
        Ok(())
    }

    /// Removes a namespace with all that is in it, and waits until it is gone.
    ///
    /// # Errors
    /// The API server refuses; foreign, where it is not the environment's own; timeout after `deadline`, with what keeps the namespace.
    pub async fn remove_namespace(&self, name: &str, owner: Owner<'_>, deadline: Duration) -> Result<(), Failure> {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        let doing = || format!("cannot remove the namespace `{name}`");
        let Some(found) = namespaces.get_metadata_opt(name).await.during(Kind::Cluster, doing())? else {
            return Ok(());
        };
        if !owner.owns(&found.metadata) {
            return Err(Failure::new(
                Kind::Foreign,
                format!("the namespace `{name}` was not made by this environment"),
            ));
        }
        match namespaces.delete(name, &this_very(&found.metadata)).await {
            Err(kube::Error::Api(status)) if status.is_not_found() => return Ok(()),
            deleted => drop(deleted.during(Kind::Cluster, doing())?),
        }
        let only = watcher::Config::default().fields(&format!("metadata.name={name}"));
        let mut changes = watcher(namespaces, only).backoff(Pause).boxed();
        let mut last: Option<Namespace> = None;
        let gone = async {
            let mut listed = None;
            while let Some(change) = changes.next().await {
                match change {
                    Ok(watcher::Event::Init) => listed = None,
                    Ok(watcher::Event::InitApply(namespace)) => listed = Some(namespace),
                    Ok(watcher::Event::Apply(namespace)) => last = Some(namespace),
                    Ok(watcher::Event::InitDone) if listed.is_some() => last.clone_from(&listed),
                    Ok(watcher::Event::InitDone | watcher::Event::Delete(_)) => return,
                    Err(_) => {}
                }
            }
        };
        if tokio::time::timeout(deadline, gone).await.is_ok() {
            return Ok(());
        }
        Err(Failure::new(
            Kind::Timeout,
            format!("the namespace `{name}` is still being deleted after {} s", deadline.as_secs()),
        )
        .evidence_lines(obstacles(last.as_ref())))
    }
}

/// Deletes the very object that was looked at, with what goes with it: one that somebody made in its place since stays.
pub(super) fn this_very(looked_at: &ObjectMeta) -> DeleteParams {
    let preconditions = Preconditions { uid: looked_at.uid.clone(), resource_version: None };
    DeleteParams { preconditions: Some(preconditions), ..DeleteParams::background() }
}

/// What Kubernetes says keeps a namespace.
fn obstacles(namespace: Option<&Namespace>) -> Vec<String> {
    let finalizers = |metadata: &ObjectMeta| metadata.finalizers.clone().unwrap_or_default();
    let Some(namespace) = namespace else { return Vec::new() };
    let conditions = namespace.status.as_ref().and_then(|status| status.conditions.clone()).unwrap_or_default();
    let told =
        conditions.into_iter().filter(|condition| condition.status == "True").filter_map(|condition| condition.message);
    told.chain(finalizers(&namespace.metadata).into_iter().map(|finalizer| format!("finalizer {finalizer}"))).collect()
}
