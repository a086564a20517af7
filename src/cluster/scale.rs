//! Taking the pods of workloads away for a while.

use std::fmt::Debug;
use std::time::Duration;

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::Resource;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams};
use kube::core::NamespaceResourceScope;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::workload::{Workload, WorkloadKind};
use super::{Cluster, FIELD_MANAGER};
use crate::error::{During, Failure, Kind};

/// Seconds that a pod has to end: less than its own, for nothing that it would still write is kept.
const GRACE: u32 = 5;

/// A workload that is there, and how many pods it is to have.
#[derive(Clone, Debug)]
pub struct Scale {
    workload: Workload,
    pods: i32,
    /// The labels by which its pods are found.
    selector: String,
}

impl Cluster {
    /// How many pods each of these workloads is to have. Jobs, and what is not there, are left out.
    ///
    /// # Errors
    /// The API server does not answer.
    pub async fn scales(&self, namespace: &str, workloads: &[Workload]) -> Result<Vec<Scale>, Failure> {
        let mut scales = Vec::new();
        for workload in workloads {
            let doing = || format!("cannot look at {workload}");
            let (name, client) = (workload.name.as_str(), self.client.clone());
            let found = match workload.kind {
                WorkloadKind::Deployment => {
                    let found = Api::<Deployment>::namespaced(client, namespace).get_opt(name).await;
                    found.during(Kind::Cluster, doing())?.map(|found| (found.spec.replicas, found.spec.selector))
                }
                WorkloadKind::StatefulSet => {
                    let found = Api::<StatefulSet>::namespaced(client, namespace).get_opt(name).await;
                    found.during(Kind::Cluster, doing())?.map(|found| (found.spec.replicas, found.spec.selector))
                }
                WorkloadKind::Job => None,
            };
            scales.extend(found.map(|(pods, selector)| Scale {
                workload: workload.clone(),
                pods: pods.unwrap_or(1),
                selector: labels(selector),
            }));
        }
        Ok(scales)
    }

    /// Takes the pods away, and waits until they are gone.
    ///
    /// # Errors
    /// The API server refuses; timeout after `deadline` for each workload, naming a pod that is left.
    pub async fn scale_down(&self, namespace: &str, scales: &[Scale], deadline: Duration) -> Result<(), Failure> {
        for scale in scales {
            self.scale(namespace, &scale.workload, 0).await?;
        }
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        for Scale { workload, selector, .. } in scales {
            let doing = || format!("cannot end the pods of {workload}");
            let listed = pods.list_metadata(&ListParams::default().labels(selector)).await;
            for pod in listed.during(Kind::Cluster, doing())?.items {
                let Some(name) = pod.metadata.name else { continue };
                match pods.delete(&name, &DeleteParams::default().grace_period(GRACE)).await {
                    Err(kube::Error::Api(status)) if status.is_not_found() => {}
                    deleted => drop(deleted.during(Kind::Cluster, doing())?),
                }
            }
            self.await_none(namespace, selector, deadline).await?;
        }
        Ok(())
    }

    /// Lets every workload have as many pods as it had. Their start is not waited for.
    ///
    /// # Errors
    /// The API server refuses.
    pub async fn scale_up(&self, namespace: &str, scales: &[Scale]) -> Result<(), Failure> {
        for scale in scales {
            self.scale(namespace, &scale.workload, scale.pods).await?;
        }
        Ok(())
    }

    async fn scale(&self, namespace: &str, workload: &Workload, pods: i32) -> Result<(), Failure> {
        match workload.kind {
            WorkloadKind::Deployment => self.set_replicas::<Deployment>(namespace, workload, pods).await,
            WorkloadKind::StatefulSet => self.set_replicas::<StatefulSet>(namespace, workload, pods).await,
            WorkloadKind::Job => Ok(()),
        }
    }

    async fn set_replicas<K>(&self, namespace: &str, workload: &Workload, pods: i32) -> Result<(), Failure>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned,
    {
        let objects: Api<K> = Api::namespaced(self.client.clone(), namespace);
        let patch = json!({"spec": {"replicas": pods}});
        let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let patched = objects.patch(&workload.name, &parameters, &Patch::Merge(&patch)).await;
        patched.map(drop).during(Kind::Cluster, format!("cannot scale {workload} to {pods}"))
    }
}

fn labels(selector: LabelSelector) -> String {
    let labels = selector.match_labels.unwrap_or_default();
    labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
}
