//! The watched objects, reduced to the few fields that count. Pure.
//!
//! Which pods are ready is read from the pods themselves. Their endpoint slices say the same, but later: after a node
//! starts again they name the old addresses, by then those of other pods, until the controller manager has waited for its
//! predecessor's lease to run out, some 20 seconds. What they name is what a node port leads to.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::ResourceExt;
use kube::runtime::watcher::Event;

use super::backends::PodPort;

/// All that is watched.
#[derive(Default)]
pub(super) struct Objects {
    services: Listed<Option<ServicePort>>,
    pods: Listed<PodState>,
    slices: Listed<Vec<String>>,
}

/// The one port of the Service that is forwarded.
struct ServicePort {
    target: IntOrString,
    node_port: Option<u16>,
}

struct PodState {
    uid: String,
    version: Option<String>,
    ready: bool,
    addresses: Vec<String>,
    named_ports: Vec<(String, u16)>,
}

/// Objects of one kind by name, and a list of them that is coming in and not complete yet.
struct Listed<T> {
    now: BTreeMap<String, T>,
    incoming: BTreeMap<String, T>,
    complete: bool,
}

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Self { now: BTreeMap::new(), incoming: BTreeMap::new(), complete: false }
    }
}

impl<T> Listed<T> {
    fn take<K: ResourceExt>(&mut self, event: Event<K>, reduce: impl FnOnce(&K) -> T) {
        match event {
            Event::Apply(object) => {
                self.now.insert(object.name_any(), reduce(&object));
            }
            Event::Delete(object) => {
                self.now.remove(&object.name_any());
            }
            Event::Init => self.incoming.clear(),
            Event::InitApply(object) => {
                self.incoming.insert(object.name_any(), reduce(&object));
            }
            Event::InitDone => {
                self.now = std::mem::take(&mut self.incoming);
                self.complete = true;
            }
        }
    }
}

impl Objects {
    /// Takes in what happened to the Service whose port is `port`.
    pub(super) fn service(&mut self, event: Event<Service>, port: u16) {
        self.services.take(event, |service| service_port(service, port));
    }

    /// Takes in what happened to one of its pods.
    pub(super) fn pod(&mut self, event: Event<Pod>) {
        self.pods.take(event, pod_state);
    }

    /// Takes in what happened to a slice of its endpoints.
    pub(super) fn slice(&mut self, event: Event<EndpointSlice>) {
        self.slices.take(event, ready_addresses);
    }

    /// Whether all lists are in.
    pub(super) const fn complete(&self) -> bool {
        self.services.complete && self.pods.complete && self.slices.complete
    }

    /// What changes whenever one of the pods does.
    pub(super) fn versions(&self) -> Vec<String> {
        let pods = self.pods.now.values();
        pods.map(|pod| format!("{}@{}", pod.uid, pod.version.as_deref().unwrap_or_default())).collect()
    }

    /// The UIDs of all pods.
    pub(super) fn uids(&self) -> Vec<String> {
        self.pods.now.values().map(|pod| pod.uid.clone()).collect()
    }

    /// The node port of the Service.
    pub(super) fn node_port(&self) -> Option<u16> {
        self.forwarded()?.node_port
    }

    /// Whether the node port leads to ready pods only.
    pub(super) fn node_port_agrees(&self) -> bool {
        let mut endpoints = self.slices.now.values().flatten().peekable();
        let ready = |address| self.pods.now.values().any(|pod| pod.ready && pod.addresses.contains(address));
        endpoints.peek().is_some() && endpoints.all(ready)
    }

    /// The ready pods, each with the port that the Service's port stands for there.
    pub(super) fn ready_pods(&self) -> Vec<PodPort> {
        let Some(service) = self.forwarded() else { return Vec::new() };
        let ready = self.pods.now.iter().filter(|(_, pod)| pod.ready);
        ready
            .filter_map(|(name, pod)| {
                let port = match &service.target {
                    IntOrString::Int(number) => u16::try_from(*number).ok()?,
                    IntOrString::String(name) => pod.named_ports.iter().find(|(port, _)| port == name)?.1,
                };
                Some(PodPort { pod: name.clone(), uid: pod.uid.clone(), port })
            })
            .collect()
    }

    fn forwarded(&self) -> Option<&ServicePort> {
        self.services.now.values().next()?.as_ref()
    }
}

/// The labels of a Service's pods, as a selector; none where it has no pods of its own.
pub(super) fn selector(service: &Service) -> Option<String> {
    let labels = service.spec.as_ref()?.selector.as_ref().filter(|labels| !labels.is_empty())?;
    Some(labels.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(","))
}

fn service_port(service: &Service, port: u16) -> Option<ServicePort> {
    let ports = service.spec.as_ref()?.ports.as_ref()?;
    let found = ports.iter().find(|candidate| candidate.port == i32::from(port))?;
    let node_port = found.node_port.and_then(|number| u16::try_from(number).ok()).filter(|number| *number > 0);
    Some(ServicePort { target: found.target_port.clone().unwrap_or(IntOrString::Int(found.port)), node_port })
}

fn pod_state(pod: &Pod) -> PodState {
    let status = pod.status.as_ref();
    let mut conditions = status.into_iter().flat_map(|status| status.conditions.iter().flatten());
    let ready = conditions.any(|condition| condition.type_ == "Ready" && condition.status == "True");
    let addresses = status.into_iter().flat_map(|status| status.pod_ips.iter().flatten());
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let ports = containers.flat_map(|container| container.ports.iter().flatten());
    PodState {
        uid: pod.uid().unwrap_or_default(),
        version: pod.resource_version(),
        // A pod that is going away is told to no new client, though it may still be ready.
        ready: ready && pod.metadata.deletion_timestamp.is_none(),
        addresses: addresses.map(|address| address.ip.clone()).collect(),
        named_ports: ports
            .filter_map(|port| Some((port.name.clone()?, u16::try_from(port.container_port).ok()?)))
            .collect(),
    }
}

fn ready_addresses(slice: &EndpointSlice) -> Vec<String> {
    // An unknown condition is to be read as ready: k8s.io/api/discovery/v1, EndpointConditions.
    let ready = slice
        .endpoints
        .iter()
        .flatten()
        .filter(|endpoint| endpoint.conditions.as_ref().and_then(|conditions| conditions.ready).unwrap_or(true));
    ready.flat_map(|endpoint| endpoint.addresses.iter().cloned()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn service(target: &Value) -> Service {
        serde_json::from_value(json!({
            "metadata": {"name": "airflow-web"},
            "spec": {"selector": {"tier": "web", "release": "airflow"}, "ports": [
                {"name": "metrics", "port": 9102, "targetPort": 9102},
                {"name": "web", "port": 8080, "targetPort": target, "nodePort": 30080}
            ]}
        }))
        .unwrap()
    }

    fn pod(name: &str, address: &str, ready: &str) -> Pod {
        serde_json::from_value(json!({
            "metadata": {"name": name, "uid": format!("uid-{name}"), "resourceVersion": "7"},
            "spec": {"containers": [{"name": "web", "ports": [{"name": "http", "containerPort": 8793}]}]},
            "status": {"podIPs": [{"ip": address}], "conditions": [{"type": "Ready", "status": ready}]}
        }))
        .unwrap()
    }

    fn slice(name: &str, address: &str, ready: bool) -> EndpointSlice {
        serde_json::from_value(json!({
            "metadata": {"name": name}, "addressType": "IPv4",
            "endpoints": [{"addresses": [address], "conditions": {"ready": ready}}]
        }))
        .unwrap()
    }

    fn ready(objects: &Objects) -> Vec<String> {
        objects.ready_pods().into_iter().map(|pod| format!("{}:{}", pod.pod, pod.port)).collect()
    }

    #[test]
    fn only_ready_pods_count_and_a_port_may_be_a_name() {
        let mut objects = Objects::default();
        objects.service(Event::Apply(service(&json!("http"))), 8080);
        objects.pod(Event::Apply(pod("one", "10.244.0.5", "True")));
        objects.pod(Event::Apply(pod("two", "10.244.0.6", "False")));
        assert_eq!(ready(&objects), ["one:8793"]);
        objects.service(Event::Apply(service(&json!(8080))), 8080);
        assert_eq!(ready(&objects), ["one:8080"]);
        assert_eq!(objects.node_port(), Some(30080));
    }

    #[test]
    fn a_pod_that_is_going_away_does_not_count() {
        let mut objects = Objects::default();
        objects.service(Event::Apply(service(&json!(8080))), 8080);
        let mut going = serde_json::to_value(pod("one", "10.244.0.5", "True")).unwrap();
        going["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        objects.pod(Event::Apply(serde_json::from_value(going).unwrap()));
        assert!(ready(&objects).is_empty());
    }

    #[test]
    fn a_new_list_replaces_what_was_known_when_it_is_complete() {
        let mut objects = Objects::default();
        objects.service(Event::Apply(service(&json!(8080))), 8080);
        objects.pod(Event::Apply(pod("one", "10.244.0.5", "True")));
        objects.pod(Event::Init);
        objects.pod(Event::InitApply(pod("two", "10.244.0.6", "True")));
        assert_eq!(ready(&objects), ["one:8080"]);
        objects.pod(Event::InitDone);
        assert_eq!(ready(&objects), ["two:8080"]);
        assert!(!objects.complete());
        objects.service(Event::InitDone, 8080);
        objects.slice(Event::InitDone);
        assert!(objects.complete());
    }

    #[test]
    fn slices_that_lag_behind_the_pods_are_noticed() {
        let mut objects = Objects::default();
        objects.pod(Event::Apply(pod("one", "10.244.0.5", "True")));
        assert!(!objects.node_port_agrees());
        objects.slice(Event::Apply(slice("a", "10.244.0.4", true)));
        assert!(!objects.node_port_agrees());
        objects.slice(Event::Apply(slice("a", "10.244.0.5", true)));
        assert!(objects.node_port_agrees());
        objects.pod(Event::Apply(pod("one", "10.244.0.5", "False")));
        assert!(!objects.node_port_agrees());
    }

    #[test]
    fn without_the_service_or_its_port_there_is_nothing() {
        let mut objects = Objects::default();
        objects.pod(Event::Apply(pod("one", "10.244.0.5", "True")));
        assert!(objects.ready_pods().is_empty());
        objects.service(Event::Apply(service(&json!(8080))), 80);
        assert!(objects.ready_pods().is_empty());
        objects.service(Event::Delete(service(&json!(8080))), 8080);
        assert!(objects.ready_pods().is_empty() && objects.node_port().is_none());
    }

    #[test]
    fn the_selector_is_every_label() {
        assert_eq!(selector(&service(&json!(8080))).unwrap(), "release=airflow,tier=web");
        assert_eq!(selector(&Service::default()), None);
    }
}
