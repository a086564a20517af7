//! Makes controllers try again at once what the API server has refused them.
//!
//! A controller whose pod is refused tries again after 10 ms, and then after twice as long each time, up to a quarter of an hour: when the
//! quota has been raised, what it says about the last refusal may be old. A change of the object makes it try at once.

use std::fmt::Debug;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use kube::api::{Api, Patch, PatchParams};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::workload::{Workload, WorkloadKind};
use super::{Cluster, FIELD_MANAGER};
use crate::error::{During, Failure, Kind};

/// The annotation that is changed: when somebody asked last. A Deployment hands it on to its `ReplicaSet`.
const ANNOTATION: &str = "windtunnel.dev/asked-again";

impl Cluster {
    /// Asks the controllers of these workloads to try again.
    ///
    /// # Errors
    /// The API server refuses.
    pub(super) async fn ask_again(&self, namespace: &str, workloads: &[Workload]) -> Result<(), Failure> {
        for workload in workloads {
            match workload.kind {
                WorkloadKind::Deployment => self.annotate::<Deployment>(namespace, workload).await?,
                WorkloadKind::StatefulSet => self.annotate::<StatefulSet>(namespace, workload).await?,
                WorkloadKind::Job => {}
            }
        }
        Ok(())
    }

    async fn annotate<K>(&self, namespace: &str, workload: &Workload) -> Result<(), Failure>
    where
        K: kube::Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>
            + Clone
            + Debug
            + DeserializeOwned,
    {
        let objects: Api<K> = Api::namespaced(self.client.clone(), namespace);
        let patch = json!({"metadata": {"annotations": {ANNOTATION: Timestamp::now().to_string()}}});
        let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        match objects.patch_metadata(&workload.name, &parameters, &Patch::Merge(&patch)).await {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            patched => patched.map(drop).during(Kind::Cluster, format!("cannot ask for the pods of {workload} again")),
        }
    }
}
