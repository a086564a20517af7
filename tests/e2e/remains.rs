//! What is in a cluster and on its node's disk, by identity: what must be another after a reset, and what the same.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::docker::{container, docker, objects};

/// Where the node keeps the volumes.
const VOLUMES: &str = "/var/local-path-provisioner";
/// The components that keep data, and stay when Airflow alone goes.
const DATA: [&str; 2] = ["database", "redis"];

/// What there was at one moment.
pub(crate) struct Remains {
    /// Pods of Airflow and of tasks, and Jobs.
    passing: BTreeSet<String>,
    /// Claims and volumes.
    data: BTreeSet<String>,
    /// How many volumes.
    volumes: usize,
}

impl Remains {
    /// Looks, and insists that every volume is in use and every folder a volume's.
    pub(crate) fn of(cluster: &str) -> Self {
        let list = |kind| objects(cluster, cluster, kind);
        let is_airflow = |object: &Value| {
            let component = object["metadata"]["labels"]["app.kubernetes.io/component"].as_str();
            !component.is_some_and(|component| DATA.contains(&component))
        };
        let passing: Vec<_> = ["pods", "jobs"].into_iter().flat_map(list).filter(is_airflow).collect();
        let volumes = list("persistentvolumes");
        let idle: Vec<_> = volumes.iter().filter(|volume| volume["status"]["phase"] != "Bound").collect();
        assert!(idle.is_empty(), "volumes are left: {idle:?}");
        let folder = |volume: &Value| volume["spec"]["hostPath"]["path"].as_str().unwrap().to_owned();
        let folders: BTreeSet<_> = volumes.iter().map(folder).collect();
        let listed = docker(&["exec", &container(cluster), "find", VOLUMES, "-mindepth", "1", "-maxdepth", "1"]);
        let listed: BTreeSet<_> = listed.succeeded().stdout.lines().map(str::to_owned).collect();
        assert_eq!(listed, folders, "folders without a volume");
        let claims = list("persistentvolumeclaims");
        Self {
            passing: passing.iter().map(identity).collect(),
            data: claims.iter().chain(&volumes).map(identity).collect(),
            volumes: volumes.len(),
        }
    }

    /// Insists that of Airflow and its tasks nothing is left, and all of the data.
    pub(crate) fn assert_data_alone_left(&self, cluster: &str) {
        let now = Self::of(cluster);
        self.assert_passed(&now);
        assert_eq!(now.data, self.data, "claims and volumes");
    }

    /// Insists that nothing is left, and that there are as many volumes anew.
    pub(crate) fn assert_none_left(&self, cluster: &str) {
        let now = Self::of(cluster);
        self.assert_passed(&now);
        assert!(now.data.is_disjoint(&self.data), "left: {:?}", now.data.intersection(&self.data));
        assert_eq!(now.volumes, self.volumes);
    }

    fn assert_passed(&self, now: &Self) {
        let left: Vec<_> = now.passing.intersection(&self.passing).collect();
        assert!(left.is_empty(), "pods or Jobs are left: {left:?}");
    }
}

/// Kind, name and uid.
fn identity(object: &Value) -> String {
    ["/kind", "/metadata/name", "/metadata/uid"].map(|path| object.pointer(path).unwrap().as_str().unwrap()).join(" ")
}
