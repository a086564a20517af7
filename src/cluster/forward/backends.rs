//! What the Service leads to right now, made from what the watch brings. Pure.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::ResourceExt;
use kube::runtime::watcher::Event;

use crate::cluster::Cluster;

/// One ready pod of the Service.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct PodPort {
    /// The pod's name.
    pub pod: String,
    /// Tells a pod from its successor of the same name.
    pub uid: String,
    /// The port inside the pod.
    pub port: u16,
}

/// What a connection can be led to.
#[derive(Clone, Default)]
pub(super) struct Backends {
    /// The cluster, while its API server answers.
    pub cluster: Option<Cluster>,
    /// How often the API server has been reached anew: what was true of an earlier one must be proven again.
    pub epoch: u64,
    /// The port of every node that leads to the Service, if it has one.
    pub node_port: Option<u16>,
    /// The pods that are ready.
    pub pods: Vec<PodPort>,
    /// Why nothing is known, in one line.
    pub trouble: Option<String>,
}

impl Backends {
    /// Whether the API server answers.
    pub(super) const fn reached(&self) -> bool {
        self.cluster.is_some()
    }

    /// Whether a connection that comes now can be served.
    pub(super) const fn ready(&self) -> bool {
        self.reached() && !self.pods.is_empty()
    }

    /// What a connection waits for.
    pub(super) fn missing(&self, service: &str) -> String {
        match (&self.trouble, &self.cluster) {
            (Some(trouble), _) => trouble.clone(),
            (None, None) => "the API server has not answered yet".to_owned(),
            (None, Some(_)) => format!("no pod of service {service} is ready"),
        }
    }
}

/// The watched objects, reduced to the few fields that count.
#[derive(Default)]
pub(super) struct Objects {
    service: Option<ServicePort>,
    slices: BTreeMap<String, Slice>,
    /// A list that is coming in and not complete yet.
    listed: BTreeMap<String, Slice>,
    service_listed: bool,
    slices_listed: bool,
}

/// The one port of the Service that is forwarded.
struct ServicePort {
    /// Kubernetes matches the ports of slices by name; a lone port may have none.
    name: Option<String>,
    node_port: Option<u16>,
}

struct Slice {
    ports: Vec<(Option<String>, u16)>,
    pods: Vec<(String, String)>,
}

impl Objects {
    /// Takes in what happened to the Service whose port is `port`.
    pub(super) fn service(&mut self, event: Event<Service>, port: u16) {
        match event {
            Event::Apply(service) | Event::InitApply(service) => self.service = service_port(&service, port),
            Event::Init | Event::Delete(_) => self.service = None,
            Event::InitDone => self.service_listed = true,
        }
    }

    /// Takes in what happened to a slice of its endpoints.
    pub(super) fn slice(&mut self, event: Event<EndpointSlice>) {
        match event {
            Event::Apply(slice) => {
                self.slices.insert(slice.name_any(), reduced(&slice));
            }
            Event::Delete(slice) => {
                self.slices.remove(&slice.name_any());
            }
            Event::Init => self.listed.clear(),
            Event::InitApply(slice) => {
                self.listed.insert(slice.name_any(), reduced(&slice));
            }
            Event::InitDone => {
                self.slices = std::mem::take(&mut self.listed);
                self.slices_listed = true;
            }
        }
    }

    /// Whether both lists are in.
    pub(super) const fn complete(&self) -> bool {
        self.service_listed && self.slices_listed
    }

    /// The node port of the Service.
    pub(super) fn node_port(&self) -> Option<u16> {
        self.service.as_ref()?.node_port
    }

    /// The ready pods, each with the port that the Service's port stands for there.
    pub(super) fn pods(&self) -> Vec<PodPort> {
        let Some(service) = &self.service else { return Vec::new() };
        let mut pods = Vec::new();
        for slice in self.slices.values() {
            let Some((_, port)) = slice.ports.iter().find(|(name, _)| *name == service.name) else { continue };
            let pods_of_slice = slice.pods.iter().cloned();
            pods.extend(pods_of_slice.map(|(pod, uid)| PodPort { pod, uid, port: *port }));
        }
        pods.sort_by(|one, two| one.pod.cmp(&two.pod));
        // A dual-stack Service has a slice for each address family, with the same pods.
        pods.dedup();
        pods
    }
}

fn service_port(service: &Service, port: u16) -> Option<ServicePort> {
    let ports = service.spec.as_ref()?.ports.as_ref()?;
    let found = ports.iter().find(|candidate| candidate.port == i32::from(port))?;
    let node_port = found.node_port.and_then(|number| u16::try_from(number).ok()).filter(|number| *number > 0);
    Some(ServicePort { name: named(found.name.as_deref()), node_port })
}

fn reduced(slice: &EndpointSlice) -> Slice {
    let ports = slice.ports.iter().flatten().filter_map(|port| {
        Some((named(port.name.as_deref()), port.port.and_then(|number| u16::try_from(number).ok())?))
    });
    // An unknown condition is to be read as ready: k8s.io/api/discovery/v1, EndpointConditions.
    let ready = slice
        .endpoints
        .iter()
        .flatten()
        .filter(|endpoint| endpoint.conditions.as_ref().and_then(|conditions| conditions.ready).unwrap_or(true));
    let pods = ready.filter_map(|endpoint| {
        let target = endpoint.target_ref.as_ref().filter(|target| target.kind.as_deref() == Some("Pod"))?;
        Some((target.name.clone()?, target.uid.clone().unwrap_or_default()))
    });
    Slice { ports: ports.collect(), pods: pods.collect() }
}

/// In a Service a lone port has no name, in its slices the empty one.
fn named(name: Option<&str>) -> Option<String> {
    name.filter(|name| !name.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn service() -> Service {
        serde_json::from_value(json!({
            "metadata": {"name": "airflow-web"},
            "spec": {"ports": [
                {"name": "metrics", "port": 9102, "targetPort": 9102},
                {"name": "web", "port": 8080, "targetPort": "http", "nodePort": 30080}
            ]}
        }))
        .unwrap()
    }

    fn slice(name: &str, pods: &[(&str, bool)]) -> EndpointSlice {
        let endpoints: Vec<_> = pods
            .iter()
            .map(|(pod, ready)| {
                json!({"addresses": ["10.244.0.5"], "conditions": {"ready": ready},
                       "targetRef": {"kind": "Pod", "name": pod, "uid": format!("uid-{pod}")}})
            })
            .collect();
        serde_json::from_value(json!({
            "metadata": {"name": name}, "addressType": "IPv4", "endpoints": endpoints,
            "ports": [{"name": "metrics", "port": 9102}, {"name": "web", "port": 8793}]
        }))
        .unwrap()
    }

    fn names(objects: &Objects) -> Vec<String> {
        objects.pods().into_iter().map(|pod| format!("{}:{}", pod.pod, pod.port)).collect()
    }

    #[test]
    fn only_ready_pods_count_and_the_target_port_comes_from_the_slice() {
        let mut objects = Objects::default();
        objects.service(Event::Apply(service()), 8080);
        objects.slice(Event::Apply(slice("a", &[("one", true), ("two", false)])));
        assert_eq!(names(&objects), ["one:8793"]);
        assert_eq!(objects.node_port(), Some(30080));
    }

    #[test]
    fn a_new_list_replaces_what_was_known_when_it_is_complete() {
        let mut objects = Objects::default();
        objects.service(Event::Apply(service()), 8080);
        objects.slice(Event::Apply(slice("a", &[("one", true)])));
        objects.slice(Event::Init);
        objects.slice(Event::InitApply(slice("b", &[("two", true)])));
        assert_eq!(names(&objects), ["one:8793"]);
        assert!(!objects.complete());
        objects.slice(Event::InitDone);
        objects.service(Event::InitDone, 8080);
        assert_eq!(names(&objects), ["two:8793"]);
        assert!(objects.complete());
    }

    #[test]
    fn a_pod_in_the_slices_of_two_address_families_counts_once() {
        let mut objects = Objects::default();
        objects.service(Event::Apply(service()), 8080);
        objects.slice(Event::Apply(slice("v4", &[("one", true)])));
        objects.slice(Event::Apply(slice("v6", &[("one", true)])));
        assert_eq!(names(&objects), ["one:8793"]);
    }

    #[test]
    fn without_the_service_or_its_port_there_is_nothing() {
        let mut objects = Objects::default();
        objects.slice(Event::Apply(slice("a", &[("one", true)])));
        assert!(objects.pods().is_empty());
        objects.service(Event::Apply(service()), 80);
        assert!(objects.pods().is_empty());
        objects.service(Event::Apply(service()), 8080);
        objects.service(Event::Delete(service()), 8080);
        assert!(objects.pods().is_empty() && objects.node_port().is_none());
    }
}
