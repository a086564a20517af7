//! Files for Airflow's pods where no folder of this machine is mounted: a `ConfigMap`, which every Airflow container and worker sees.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::{Api, ListParams, Patch, PatchParams};
use serde_json::json;

use super::owner::{Owner, foreign};
use super::{Cluster, FIELD_MANAGER};
use crate::error::{During, Failure, Kind};

/// A kubelet mounts a `ConfigMap` through folders whose names begin with two dots, in which Airflow would find every file again and
/// end with `Detected recursive loop` (apache/airflow, `airflow/utils/file.py`).
const IGNORE: (&str, &str) = (".airflowignore", "..*\n");

impl Cluster {
    /// Makes `files`, names and texts, what the `ConfigMap` holds.
    ///
    /// # Errors
    /// The API server refuses; foreign, where a `ConfigMap` of that name is not of this environment.
    pub async fn write_smoke_files(
        &self,
        namespace: &str,
        name: &str,
        owner: Owner<'_>,
        files: &[(String, String)],
    ) -> Result<(), Failure> {
        let doing = || format!("cannot write the ConfigMap `{name}`");
        let config_maps: Api<ConfigMap> = Api::namespaced(self.client.clone(), namespace);
        let found = config_maps.get_metadata_opt(name).await.during(Kind::Cluster, doing())?;
        if let Some(found) = found.filter(|found| !owner.owns(&found.metadata)) {
            return Err(foreign(&format!("the ConfigMap `{name}`"), namespace, &found.metadata));
        }
        let ignore = (IGNORE.0.to_owned(), IGNORE.1.to_owned());
        let data: BTreeMap<String, String> = files.iter().cloned().chain([ignore]).collect();
        let metadata = json!({"name": name, "labels": owner.labels()});
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data});
        let apply = PatchParams::apply(FIELD_MANAGER).force();
        config_maps.patch(name, &apply, &Patch::Apply(&object)).await.during(Kind::Cluster, doing())?;
        Ok(())
    }

    /// The same, and has the kubelet look at once instead of within a minute.
    ///
    /// # Errors
    /// As [`Cluster::write_smoke_files`].
    pub async fn put_smoke_files(
        &self,
        namespace: &str,
        name: &str,
        owner: Owner<'_>,
        files: &[(String, String)],
    ) -> Result<(), Failure> {
        self.write_smoke_files(namespace, name, owner, files).await?;
        let doing = || format!("cannot have the ConfigMap `{name}` looked at");
        // A kubelet brings a pod's volumes up to date when the pod changes, if only in an annotation.
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        let touch = json!({"metadata": {"annotations": {"windtunnel.dev/files": Timestamp::now().to_string()}}});
        let listed = pods.list(&ListParams::default()).await.during(Kind::Cluster, doing())?;
        for pod in listed.items.into_iter().filter(|pod| owner.owns(&pod.metadata) && mounts(pod, name)) {
            let Some(pod) = pod.metadata.name else { continue };
            match pods.patch_metadata(&pod, &PatchParams::default(), &Patch::Merge(&touch)).await {
                Err(kube::Error::Api(status)) if status.is_not_found() => {}
                touched => drop(touched.during(Kind::Cluster, doing())?),
            }
        }
        Ok(())
    }
}

fn mounts(pod: &Pod, config_map: &str) -> bool {
    let volumes = pod.spec.as_ref().and_then(|spec| spec.volumes.as_deref()).unwrap_or_default();
    volumes.iter().filter_map(|volume| volume.config_map.as_ref()).any(|source| source.name == config_map)
}
