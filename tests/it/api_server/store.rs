//! The objects of the fake API server, in memory, with a log of what became of them: what a watch tells.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::address::Address;

/// Resources that the fake knows: group and version, plural, kind, and whether they live in a namespace.
pub(crate) const RESOURCES: [(&str, &str, &str, bool); 18] = [
    ("v1", "configmaps", "ConfigMap", true),
    ("v1", "events", "Event", true),
    ("v1", "namespaces", "Namespace", false),
    ("v1", "nodes", "Node", false),
    ("v1", "persistentvolumeclaims", "PersistentVolumeClaim", true),
    ("v1", "persistentvolumes", "PersistentVolume", false),
    ("v1", "pods", "Pod", true),
    ("v1", "secrets", "Secret", true),
    ("v1", "serviceaccounts", "ServiceAccount", true),
    ("v1", "services", "Service", true),
    ("apps/v1", "daemonsets", "DaemonSet", true),
    ("apps/v1", "deployments", "Deployment", true),
    ("apps/v1", "replicasets", "ReplicaSet", true),
    ("apps/v1", "statefulsets", "StatefulSet", true),
    ("batch/v1", "jobs", "Job", true),
    ("discovery.k8s.io/v1", "endpointslices", "EndpointSlice", true),
    ("events.k8s.io/v1", "events", "Event", true),
    ("storage.k8s.io/v1", "storageclasses", "StorageClass", false),
];

/// One thing that happened to an object.
pub(crate) struct Change {
    pub(crate) version: u64,
    /// `ADDED`, `MODIFIED`, `DELETED`.
    pub(crate) what: &'static str,
    pub(crate) address: Address,
    pub(crate) object: Value,
}

/// All objects, by where they are.
#[derive(Default)]
pub(crate) struct Store {
    objects: BTreeMap<Address, Value>,
    changes: Vec<Change>,
}

impl Store {
    /// The version of the newest change.
    pub(crate) fn version(&self) -> u64 {
        self.changes.last().map_or(1, |change| change.version)
    }

    /// What happened after a version.
    pub(crate) fn changes_after(&self, version: u64) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(move |change| change.version > version)
    }

    /// The object at an address.
    pub(crate) fn get(&self, address: &Address) -> Option<&Value> {
        self.objects.get(address)
    }

    /// The objects of a collection; all namespaces where the address names none.
    pub(crate) fn list<'s>(&'s self, collection: &'s Address) -> impl Iterator<Item = &'s Value> {
        self.objects.iter().filter(|(address, _)| collection.holds(address)).map(|(_, object)| object)
    }

    /// Where the objects are that are meant.
    pub(crate) fn addresses(&self, is_meant: impl Fn(&Value) -> bool) -> Vec<Address> {
        let meant = self.objects.iter().filter(|(_, object)| is_meant(object));
        meant.map(|(address, _)| address.clone()).collect()
    }

    /// Stores an object, merged over what is there: near enough to a server-side apply.
    pub(crate) fn put(&mut self, mut object: Value) -> Value {
        let address = Address::of(&object);
        let what = if self.objects.contains_key(&address) { "MODIFIED" } else { "ADDED" };
        let version = self.version() + 1;
        complete(&mut object, version);
        self.objects.insert(address.clone(), object.clone());
        self.changes.push(Change { version, what, address, object: object.clone() });
        object
    }

    /// Changes every pod.
    pub(crate) fn edit_pods(&mut self, change: impl Fn(&mut Value)) {
        let pods: Vec<Address> = self.addresses(|object| object["kind"] == "Pod");
        for address in pods {
            let mut pod = self.get(&address).unwrap().clone();
            change(&mut pod);
            self.put(pod);
        }
    }

    /// Removes an object and returns it; with a namespace goes what is in it.
    pub(crate) fn delete(&mut self, address: &Address) -> Option<Value> {
        let object = self.objects.remove(address)?;
        if address.resource == "namespaces" {
            let is_inside = |inside: &&Address| inside.namespace == address.name;
            let inside: Vec<Address> = self.objects.keys().filter(is_inside).cloned().collect();
            for address in inside {
                self.delete(&address);
            }
        }
        let version = self.version() + 1;
        self.changes.push(Change { version, what: "DELETED", address: address.clone(), object: object.clone() });
        Some(object)
    }
}

/// What the API server adds to every object.
fn complete(object: &mut Value, version: u64) {
    if let Some(plain) = object.as_object_mut().and_then(|object| object.remove("stringData")) {
        use base64::Engine;
        for (key, value) in plain.as_object().into_iter().flatten() {
            let text = value.as_str().unwrap_or_default();
            object["data"][key] = base64::engine::general_purpose::STANDARD.encode(text).into();
        }
    }
    let metadata = &mut object["metadata"];
    metadata["resourceVersion"] = version.to_string().into();
    for (key, value) in [
        ("uid", json!(format!("00000000-0000-0000-0000-{version:012}"))),
        ("creationTimestamp", json!(now())),
        ("generation", json!(1)),
    ] {
        if metadata[key].is_null() {
            metadata[key] = value;
        }
    }
}

/// The time as Kubernetes writes it, in whole seconds.
pub(crate) fn now() -> String {
    let now = jiff::Timestamp::now();
    now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
