//! The direct route: straight to the address of a node, once it is proven to be a node of this very cluster.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use k8s_openapi::api::core::v1::Node;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::{Api, ListParams};
use kube::core::PartialObjectMeta;
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};

use super::backends::Backends;
use crate::cluster::Cluster;
use crate::error::chain;

/// How long one attempt may take. Where Docker runs in a virtual machine the node's address just never answers.
const PROBE: Duration = Duration::from_secs(3);
/// The pause after a failed attempt, doubled up to the longest: kube-proxy lags a little behind the readiness of a pod.
const SHORTEST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_mins(1);

/// What is known of the direct route.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Direct {
    /// The proven address and node port.
    pub address: Option<SocketAddr>,
    /// Why there is none.
    pub obstacle: Option<String>,
}

impl Direct {
    /// Whether it was tried and cannot be used.
    pub(super) const fn unusable(&self) -> bool {
        self.address.is_none() && self.obstacle.is_some()
    }
}

/// Proves the route, and proves it again when the cluster was reached anew, the port changed or a connection failed.
pub(super) async fn keep(mut backends: watch::Receiver<Backends>, direct: watch::Sender<Direct>, failed: &Notify) {
    let mut pause = SHORTEST;
    loop {
        let Ok(now) = backends.wait_for(Backends::ready).await.map(|now| now.clone()) else { return };
        let changed = |next: &Backends| !next.reached() || next.epoch != now.epoch || next.node_port != now.node_port;
        match attempt(&now).await {
            Ok(address) => {
                pause = SHORTEST;
                set(&direct, Direct { address: Some(address), obstacle: None });
                tokio::select! {
                    // Most often it is the pod that is overrun, not the node: the route stays until the proof fails.
                    () = async { failed.notified().await; sleep(SHORTEST).await } => {}
                    changed = backends.wait_for(changed) => match changed {
                        Ok(_) => set_obstacle(&direct, "the cluster changed".to_owned()),
                        Err(_) => return,
                    },
                }
            }
            Err(obstacle) => {
                set_obstacle(&direct, obstacle);
                tokio::select! {
                    () = sleep(pause) => pause = (pause * 2).min(LONGEST),
                    changed = backends.wait_for(changed) => match changed {
                        Ok(_) => pause = SHORTEST,
                        Err(_) => return,
                    },
                }
            }
        }
    }
}

fn set_obstacle(direct: &watch::Sender<Direct>, obstacle: String) {
    set(direct, Direct { address: None, obstacle: Some(obstacle) });
}

fn set(direct: &watch::Sender<Direct>, next: Direct) {
    direct.send_if_modified(|now| {
        let modified = *now != next;
        *now = next;
        modified
    });
}

async fn attempt(backends: &Backends) -> Result<SocketAddr, String> {
    let (Some(cluster), Some(port)) = (&backends.cluster, backends.node_port) else {
        return Err("the Service has no node port".to_owned());
    };
    timeout(PROBE, prove(cluster, port)).await.unwrap_or_else(|_| Err("the node's address does not answer".to_owned()))
}

/// Finds the address of a control-plane node and proves that it belongs to this cluster: the API server that answers
/// *there* has a certificate for this address by the cluster's own authority, and knows the node by the same UID.
///
/// kubeadm puts the node's address into that certificate (Kubernetes, `cmd/kubeadm/app/phases/certs`).
async fn prove(cluster: &Cluster, port: u16) -> Result<SocketAddr, String> {
    let nodes = Api::<Node>::all(cluster.client.clone()).list(&ListParams::default()).await.map_err(|e| line(&e))?;
    let mut obstacle = "the API server's own address is that of no node".to_owned();
    for server in api_servers(cluster).await? {
        let Some((name, uid)) = nodes.items.iter().find_map(|node| named_at(node, server.ip())) else { continue };
        match answers_as(cluster, server, &name, &uid).await {
            Ok(()) => {
                let address = SocketAddr::new(server.ip(), port);
                return TcpStream::connect(address).await.map(|_| address).map_err(|e| format!("{address}: {e}"));
            }
            Err(reason) => obstacle = format!("{server}: {reason}"),
        }
    }
    Err(obstacle)
}

/// The addresses of the API servers as the cluster itself knows them.
async fn api_servers(cluster: &Cluster) -> Result<Vec<SocketAddr>, String> {
    let selected = ListParams::default().labels("kubernetes.io/service-name=kubernetes");
    let slices = Api::<EndpointSlice>::namespaced(cluster.client.clone(), "default").list(&selected).await;
    let mut servers = Vec::new();
    for slice in slices.map_err(|error| line(&error))?.items {
        let ports: Vec<u16> = slice.ports.iter().flatten().filter_map(|port| u16::try_from(port.port?).ok()).collect();
        let addresses = slice.endpoints.iter().flatten().flat_map(|endpoint| &endpoint.addresses);
        for address in addresses.filter_map(|address| address.parse::<IpAddr>().ok()) {
            servers.extend(ports.iter().map(|port| SocketAddr::new(address, *port)));
        }
    }
    Ok(servers)
}

/// Name and UID of the node, if this is one of its addresses.
fn named_at(node: &Node, address: IpAddr) -> Option<(String, String)> {
    let addresses = node.status.as_ref()?.addresses.as_ref()?;
    let internal = addresses.iter().filter(|candidate| candidate.type_ == "InternalIP");
    internal.filter_map(|candidate| candidate.address.parse::<IpAddr>().ok()).find(|ip| *ip == address)?;
    Some((node.metadata.name.clone()?, node.metadata.uid.clone()?))
}

async fn answers_as(cluster: &Cluster, server: SocketAddr, name: &str, uid: &str) -> Result<(), String> {
    let there = cluster.at(server).map_err(|failure| failure.message)?;
    let nodes = Api::<PartialObjectMeta<Node>>::all(there.client);
    let node = nodes.get(name).await.map_err(|error| line(&error))?;
    if node.metadata.uid.as_deref() == Some(uid) { Ok(()) } else { Err("another cluster answers there".to_owned()) }
}

fn line(error: &dyn std::error::Error) -> String {
    chain(error).join(": ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_node_is_found_by_its_internal_address_only() {
        let node: Node = serde_json::from_value(json!({
            "metadata": {"name": "kind-control-plane", "uid": "u-1"},
            "status": {"addresses": [
                {"type": "InternalIP", "address": "172.18.0.2"},
                {"type": "ExternalIP", "address": "10.1.1.1"},
                {"type": "Hostname", "address": "kind-control-plane"}
            ]}
        }))
        .unwrap();
        let found = named_at(&node, "172.18.0.2".parse().unwrap());
        assert_eq!(found, Some(("kind-control-plane".to_owned(), "u-1".to_owned())));
        assert_eq!(named_at(&node, "10.1.1.1".parse().unwrap()), None);
    }

    #[test]
    fn unusable_is_only_what_was_tried() {
        assert!(!Direct::default().unusable());
        assert!(Direct { address: None, obstacle: Some("refused".to_owned()) }.unusable());
    }
}
