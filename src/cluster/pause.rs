//! Stopping an environment in a cluster that stays: no pod of it runs, and all else is left as it is.
//!
//! A workload that is stopped keeps its number of replicas in an annotation, which goes when it runs again. One that somebody scaled to none
//! by hand gets as many as Helm installed.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::Cluster;
use super::owner::{Owner, foreign};
use super::workload::{Workload, WorkloadKind};
use crate::error::{During, Failure, Kind};

/// How many replicas a stopped workload has when it runs.
const REPLICAS: &str = "windtunnel.dev/replicas";

/// The workloads of an environment.
#[derive(Clone, Copy, Debug)]
pub struct Paused<'a> {
    /// The namespace.
    pub namespace: &'a str,
    /// The environment.
    pub owner: Owner<'a>,
    /// Its Helm releases, known to be its own.
    pub releases: &'a [String],
    /// What is stopped, or runs again.
    pub workloads: &'a [Workload],
}

impl Cluster {
    /// Stops those of the workloads that run; how many did.
    ///
    /// # Errors
    /// The API server refuses; foreign, where a workload of that name is not of this environment.
    pub async fn pause(&self, what: Paused<'_>) -> Result<usize, Failure> {
        let mut stopped = 0;
        for (workload, api) in self.scalable(what) {
            let Some(object) = find(&api, workload, what).await? else { continue };
            let replicas = object.data.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(1);
            if replicas > 0 {
                scale(&api, workload, 0, &json!(replicas.to_string())).await?;
                stopped += 1;
            }
        }
        Ok(stopped)
    }

    /// Lets those of the workloads run again that [`Cluster::pause`] or somebody's hand stopped; how many there were.
    ///
    /// # Errors
    /// As [`Cluster::pause`].
    pub async fn resume(&self, what: Paused<'_>) -> Result<usize, Failure> {
        let (mut resumed, installed) = (0, OnceCell::new());
        for (workload, api) in self.scalable(what) {
            let Some(object) = find(&api, workload, what).await? else { continue };
            let annotation = object.metadata.annotations.as_ref().and_then(|annotations| annotations.get(REPLICAS));
            let replicas = match annotation.and_then(|replicas| replicas.parse().ok()) {
                None if object.data.pointer("/spec/replicas") == Some(&json!(0)) => {
                    let installed = installed.get_or_try_init(|| self.installed(what)).await?;
                    installed.get(&(workload.kind, workload.name.clone())).copied()
                }
                before => before,
            };
            if let Some(replicas) = replicas {
                scale(&api, workload, replicas, &Value::Null).await?;
                resumed += 1;
            }
        }
        Ok(resumed)
    }

    /// How many replicas Helm installed of each workload that its chart wants any of.
    async fn installed(&self, what: Paused<'_>) -> Result<BTreeMap<(WorkloadKind, String), i64>, Failure> {
        let mut installed = BTreeMap::new();
        for release in what.releases {
            installed.extend(replicas(&self.manifest(what.namespace, release).await?));
        }
        installed.retain(|_, replicas| *replicas > 0);
        Ok(installed)
    }

    fn scalable<'a>(&self, what: Paused<'a>) -> Vec<(&'a Workload, Api<DynamicObject>)> {
        let api = |resource| Api::namespaced_with(self.client.clone(), what.namespace, &resource);
        let scalable = what.workloads.iter().filter_map(|workload| match workload.kind {
            WorkloadKind::Deployment => Some((workload, api(ApiResource::erase::<Deployment>(&())))),
            WorkloadKind::StatefulSet => Some((workload, api(ApiResource::erase::<StatefulSet>(&())))),
            // It ends by itself.
            WorkloadKind::Job => None,
        });
        scalable.collect()
    }
}

/// How many replicas these manifests want of each workload. What is not YAML wants none.
fn replicas(manifests: &str) -> Vec<((WorkloadKind, String), i64)> {
    let objects = serde_yaml::Deserializer::from_str(manifests).map_while(|document| Value::deserialize(document).ok());
    let wanted = objects.filter_map(|object| {
        let kind = match object["kind"].as_str()? {
            "Deployment" => WorkloadKind::Deployment,
            "StatefulSet" => WorkloadKind::StatefulSet,
            _ => return None,
        };
        let name = object["metadata"]["name"].as_str()?.to_owned();
        Some(((kind, name), object["spec"]["replicas"].as_i64().unwrap_or(1)))
    });
    wanted.collect()
}

async fn find(
    api: &Api<DynamicObject>,
    workload: &Workload,
    what: Paused<'_>,
) -> Result<Option<DynamicObject>, Failure> {
    let found = api.get_opt(&workload.name).await.during(Kind::Cluster, format!("cannot look at the {workload}"))?;
    match found {
        Some(object) if !what.owner.has(&object.metadata, what.releases) => {
            Err(foreign(&format!("the {workload}"), what.namespace, &object.metadata))
        }
        found => Ok(found),
    }
}

async fn scale(
    api: &Api<DynamicObject>,
    workload: &Workload,
    replicas: i64,
    annotation: &Value,
) -> Result<(), Failure> {
    let patch = json!({"metadata": {"annotations": {REPLICAS: annotation}}, "spec": {"replicas": replicas}});
    let patched = api.patch(&workload.name, &PatchParams::default(), &Patch::Merge(&patch)).await;
    patched.map(drop).during(Kind::Cluster, format!("cannot scale the {workload}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_installed_is_read_from_helms_manifests() {
        let manifests = "---\n# Source: lite/templates/web.yaml\nkind: Service\nmetadata: {name: web}\n---\nkind: Deployment\n\
            metadata: {name: a}\nspec: {replicas: 2}\n---\nkind: StatefulSet\nmetadata: {name: a}\nspec: {}\n---\n- neither\n";
        let name = || "a".to_owned();
        let expected = [((WorkloadKind::Deployment, name()), 2), ((WorkloadKind::StatefulSet, name()), 1)];
        assert_eq!(replicas(manifests), expected);
        assert_eq!(replicas(""), []);
        assert_eq!(replicas("{"), []);
    }
}
