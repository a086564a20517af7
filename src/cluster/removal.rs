//! Taking an environment, or Airflow alone, out of a cluster that stays.

use std::fmt::Debug;
use std::time::Duration;

use futures_util::StreamExt;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, PersistentVolume, PersistentVolumeClaim, Pod, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, ListParams};
use kube::core::{NamespaceResourceScope, PartialObjectMeta};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;

use super::namespace::ENVIRONMENT_LABEL;
use super::observe::Pause;
use super::{Cluster, observe};
use crate::error::{During, Failure, Kind};

/// How long pods may take to end.
const PODS_END: Duration = Duration::from_mins(2);
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
    pub async fn data(&self, namespace: &str, environment: &str) -> Result<Vec<Data>, Failure> {
        let which = Extent::Data.selector(environment);
        let mut found = Vec::new();
        for resource in data() {
            for object in self.labelled(namespace, &resource, &which).await? {
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
    pub async fn end_pods(&self, namespace: &str, environment: &str, extent: Extent) -> Result<(), Failure> {
        let which = extent.selector(environment);
        self.remove_all(namespace, &ApiResource::erase::<Pod>(&()), &which).await?;
        self.await_none::<Pod>(namespace, &which, PODS_END, "pod").await
    }

    /// Removes what Helm leaves: claims with their volumes, `ConfigMaps` and Secrets that have the environment's label. No pod may use
    /// a claim any more.
    ///
    /// # Errors
    /// The API server refuses; timeout after `deadline`, naming a claim that is left.
    pub async fn remove_data(&self, namespace: &str, environment: &str, deadline: Duration) -> Result<(), Failure> {
        let which = Extent::Data.selector(environment);
        for resource in data() {
            self.remove_all(namespace, &resource, &which).await?;
        }
        self.await_none::<PersistentVolumeClaim>(namespace, &which, deadline, "volume claim").await
    }

    async fn await_none<K>(&self, namespace: &str, which: &str, deadline: Duration, noun: &str) -> Result<(), Failure>
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
        let Err(left) = observe::until(objects, ours, deadline, <[_]>::is_empty).await else { return Ok(()) };
        let name = left.first().map(|object| object.name_any()).unwrap_or_default();
        let message = format!("the {noun} `{name}` has not ended within {} s", deadline.as_secs());
        Err(Failure::new(Kind::Timeout, message))
    }

    async fn labelled(
        &self,
        namespace: &str,
        resource: &ApiResource,
        which: &str,
    ) -> Result<Vec<PartialObjectMeta<DynamicObject>>, Failure> {
        let objects: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), namespace, resource);
        let listed = objects.list_metadata(&ListParams::default().labels(which)).await;
        let listed = listed.during(Kind::Cluster, format!("cannot list the {} with {which}", resource.plural))?;
        Ok(listed.items)
    }

    async fn remove_all(&self, namespace: &str, resource: &ApiResource, which: &str) -> Result<(), Failure> {
        let objects: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), namespace, resource);
        let doing = || format!("cannot remove the {} with {which}", resource.plural);
        // One by one: the right to delete a whole collection is another one, which fewer users have.
        for object in self.labelled(namespace, resource, which).await? {
            let Some(name) = object.metadata.name else { continue };
            match objects.delete(&name, &DeleteParams::background()).await {
                Err(kube::Error::Api(status)) if status.is_not_found() => {}
                deleted => drop(deleted.during(Kind::Cluster, doing())?),
            }
        }
        Ok(())
    }

    /// Removes a namespace with all that is in it, and waits until it is gone.
    ///
    /// # Errors
    /// The API server refuses; timeout after `deadline`, with what keeps the namespace.
    pub async fn remove_namespace(&self, name: &str, deadline: Duration) -> Result<(), Failure> {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        match namespaces.delete(name, &DeleteParams::default()).await {
            Err(kube::Error::Api(status)) if status.is_not_found() => return Ok(()),
            deleted => drop(deleted.during(Kind::Cluster, format!("cannot remove the namespace `{name}`"))?),
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

/// What Kubernetes says keeps a namespace.
fn obstacles(namespace: Option<&Namespace>) -> Vec<String> {
    let finalizers = |metadata: &ObjectMeta| metadata.finalizers.clone().unwrap_or_default();
    let Some(namespace) = namespace else { return Vec::new() };
    let conditions = namespace.status.as_ref().and_then(|status| status.conditions.clone()).unwrap_or_default();
    let told =
        conditions.into_iter().filter(|condition| condition.status == "True").filter_map(|condition| condition.message);
    told.chain(finalizers(&namespace.metadata).into_iter().map(|finalizer| format!("finalizer {finalizer}"))).collect()
}
