//! Taking an environment out of a cluster that stays.

use std::fmt::Debug;
use std::time::Duration;

use futures_util::StreamExt;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, PersistentVolumeClaim, Pod, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Api, DeleteParams, ListParams};
use kube::core::NamespaceResourceScope;
use kube::runtime::{WatchStreamExt, reflector, watcher};
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;

use super::Cluster;
use super::namespace::ENVIRONMENT_LABEL;
use super::observe::Pause;
use crate::error::{During, Failure, Kind};

impl Cluster {
    /// Removes what Helm does not: worker pods, claims with their volumes, Secrets and ConfigMaps that have the environment's label.
    ///
    /// # Errors
    /// The API server refuses.
    pub async fn remove_labelled(&self, namespace: &str, environment: &str) -> Result<(), Failure> {
        // Pods first: a claim stays for as long as one uses it.
        self.remove_all::<Pod>(namespace, environment).await?;
        self.remove_all::<PersistentVolumeClaim>(namespace, environment).await?;
        self.remove_all::<ConfigMap>(namespace, environment).await?;
        self.remove_all::<Secret>(namespace, environment).await
    }

    /// Waits until no pod of the environment is left, and with the pods their hold on the claims is gone.
    ///
    /// # Errors
    /// Timeout after `deadline`, naming a pod that is left.
    pub async fn await_no_pods(&self, namespace: &str, environment: &str, deadline: Duration) -> Result<(), Failure> {
        self.await_none(namespace, &format!("{ENVIRONMENT_LABEL}={environment}"), deadline).await
    }

    /// Waits until no pod with these labels is left.
    ///
    /// # Errors
    /// As [`Cluster::await_no_pods`].
    pub(super) async fn await_none(&self, namespace: &str, labels: &str, deadline: Duration) -> Result<(), Failure> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        let (reader, writer) = reflector::store();
        let config = watcher::Config::default().labels(labels);
        let mut changes = watcher(pods, config).backoff(Pause).reflect(writer).boxed();
        let gone = async {
            while let Some(change) = changes.next().await {
                // Before the first list is complete the store is empty.
                let listed = !matches!(change, Ok(watcher::Event::Init | watcher::Event::InitApply(_)) | Err(_));
                if listed && reader.is_empty() {
                    return;
                }
            }
        };
        if tokio::time::timeout(deadline, gone).await.is_ok() {
            return Ok(());
        }
        let left = reader.state().first().map(|pod| pod.name_any()).unwrap_or_default();
        let message = format!("the pod `{left}` has not ended within {} s", deadline.as_secs());
        Err(Failure::new(Kind::Timeout, message))
    }

    async fn remove_all<K>(&self, namespace: &str, environment: &str) -> Result<(), Failure>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
    {
        let objects: Api<K> = Api::namespaced(self.client.clone(), namespace);
        let doing = || format!("cannot remove the {} of `{environment}`", K::plural(&()));
        let selector = ListParams::default().labels(&format!("{ENVIRONMENT_LABEL}={environment}"));
        // One by one: the right to delete a whole collection is another one, which fewer users have.
        for object in objects.list_metadata(&selector).await.during(Kind::Cluster, doing())? {
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
