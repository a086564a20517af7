//! What the Service leads to right now.

use std::time::Duration;

use tokio::time::Instant;

use crate::cluster::Cluster;

/// How long kube-proxy may take to learn of other pods; it writes its rules once a second at most (Kubernetes,
/// `pkg/proxy/apis/config/v1alpha1/defaults.go`, `MinSyncPeriod`). Until then a node port leads to addresses where nobody is
/// any more, or somebody else: what a node cannot reach it sends on to its gateway.
const SETTLE: Duration = Duration::from_secs(3);

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
    /// The UIDs of all its pods, ready or not, those that are going away too.
    pub exist: Vec<String>,
    /// Whether the node port leads to these pods and no others, as far as the cluster knows.
    pub node_port_agrees: bool,
    /// When other pods became ready than before, if that was seen: the node port follows a little later.
    pub changed: Option<Instant>,
    /// The API server was away, and the pods may have been ready only before that.
    pub stale: bool,
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
        self.reached() && !self.stale && !self.pods.is_empty()
    }

    /// Whether the node port may be trusted to lead to the ready pods.
    pub(super) fn node_port_is_sure(&self) -> bool {
        self.node_port_agrees && self.changed.is_none_or(|changed| changed.elapsed() >= SETTLE)
    }

    /// What a connection waits for.
    pub(super) fn missing(&self, service: &str) -> String {
        match (&self.trouble, &self.cluster) {
            (Some(trouble), _) => trouble.clone(),
            (None, None) => "the API server has not answered yet".to_owned(),
            (None, Some(_)) if self.stale => {
                "the cluster is back, and the node has yet to report on its pods".to_owned()
            }
            (None, Some(_)) => format!("no pod of service {service} is ready"),
        }
    }
}
