//! Objects as the API server gives them, from YAML documents: `testdata/`.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_yaml::Value;

use super::{LogSource, Observed};

/// The log of one run of a container.
#[derive(Deserialize)]
struct Run {
    pod: String,
    container: String,
    previous: bool,
    restarts: i32,
    running: bool,
    lines: Vec<String>,
}

/// The node, the database and the Deployment that most cases add a pod to.
pub(super) const BASE: &str = include_str!("testdata/base.yaml");

/// The objects of all documents, a pod before its logs; one of a kind and name replaces an earlier one.
pub(super) fn observed(texts: &[&str]) -> Observed {
    let mut observed = Observed::default();
    for document in texts.iter().flat_map(|text| serde_yaml::Deserializer::from_str(text)) {
        add(&mut observed, Value::deserialize(document).unwrap());
    }
    observed
}

fn add(observed: &mut Observed, value: Value) {
    match value["kind"].as_str().unwrap() {
        "Deployment" => put(&mut observed.deployments, value),
        "Dns" => {
            let pods: Vec<Pod> = serde_yaml::from_value(value["items"].clone()).unwrap();
            observed.dns = Some(pods.into_iter().map(Arc::new).collect());
        }
        "Event" => put(&mut observed.events, value),
        "Log" => {
            let run: Run = serde_yaml::from_value(value).unwrap();
            let Run { pod, container, previous, restarts, running, lines } = run;
            let uid = observed.pods.iter().find(|found| found.name_any() == pod).and_then(|found| found.uid());
            let uid = uid.unwrap_or_default();
            observed.logs.insert(LogSource { pod, uid, container, previous, restarts, running }, lines);
        }
        // What the objects were recorded of, and what is judged by itself, for the test.
        "Recording" | "Leaving" | "Namespace" | "Secret" => {}
        "List" => value["items"].as_sequence().unwrap().iter().for_each(|item| add(observed, item.clone())),
        "Job" => put(&mut observed.jobs, value),
        "Node" => put(&mut observed.nodes, value),
        "PersistentVolumeClaim" => put(&mut observed.claims, value),
        "Pod" => put(&mut observed.pods, value),
        "ReplicaSet" => put(&mut observed.replica_sets, value),
        "StatefulSet" => put(&mut observed.stateful_sets, value),
        kind => panic!("no test needs a {kind}"),
    }
}

fn put<K: ResourceExt + DeserializeOwned>(objects: &mut Vec<Arc<K>>, value: Value) {
    let object: K = serde_yaml::from_value(value).unwrap();
    objects.retain(|other| other.name_any() != object.name_any());
    objects.push(Arc::new(object));
}
