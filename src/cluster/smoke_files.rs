//! Files for Airflow's pods where no folder of this machine is mounted: a `ConfigMap`, which every Airflow container and worker sees.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::{Api, ListParams, Patch, PatchParams};
use serde_json::json;

use super::namespace::ENVIRONMENT_LABEL;
use super::{Cluster, FIELD_MANAGER};
use crate::error::{During, Failure, Kind};

/// A kubelet mounts a `ConfigMap` through folders whose names begin with two dots, in which Airflow would find every file again and
/// end with `Detected recursive loop` (apache/airflow, `airflow/utils/file.py`).
const IGNORE: (&str, &str) = (".airflowignore", "..*\n");

impl Cluster {
    /// Makes `files`, names and texts, what the mounted `ConfigMap` holds, and has the kubelet look at once instead of within a minute.
    ///
    /// # Errors
    /// The API server refuses.
    pub async fn put_smoke_files(
        &self,
        namespace: &str,
        name: &str,
        environment: &str,
        files: &[(String, String)],
    ) -> Result<(), Failure> {
        let doing = || format!("cannot write the ConfigMap `{name}`");
        let config_maps: Api<ConfigMap> = Api::namespaced(self.client.clone(), namespace);
        let ignore = (IGNORE.0.to_owned(), IGNORE.1.to_owned());
        let data: BTreeMap<String, String> = files.iter().cloned().chain([ignore]).collect();
        let labels = json!({"app.kubernetes.io/managed-by": "windtunnel", ENVIRONMENT_LABEL: environment});
        let object = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": labels}, "data": data,
        });
        let apply = PatchParams::apply(FIELD_MANAGER).force();
        config_maps.patch(name, &apply, &Patch::Apply(&object)).await.during(Kind::Cluster, doing())?;
        // A kubelet brings a pod's volumes up to date when the pod changes, if only in an annotation.
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        let selector = format!("{ENVIRONMENT_LABEL}={environment},app.kubernetes.io/component=airflow");
        let touch = json!({"metadata": {"annotations": {"windtunnel.dev/files": Timestamp::now().to_string()}}});
        for pod in pods.list_metadata(&ListParams::default().labels(&selector)).await.during(Kind::Cluster, doing())? {
            let Some(pod) = pod.metadata.name else { continue };
            match pods.patch_metadata(&pod, &PatchParams::default(), &Patch::Merge(&touch)).await {
                Err(kube::Error::Api(status)) if status.is_not_found() => {}
                touched => drop(touched.during(Kind::Cluster, doing())?),
            }
        }
        Ok(())
    }
}
