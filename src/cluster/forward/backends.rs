//! What the Service leads to right now.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::cluster::Cluster;

/// How long kube-proxy may take to learn of other pods; it writes its rules once a second at most (Kubernetes,
/// `pkg/proxy/apis/config/v1alpha1/defaults.go`, `MinSyncPeriod`). Until then a node port leads to addresses where nobody is
/// any more, or somebody else: what a node cannot reach it sends on to its gateway.
const SETTLE: Duration = Duration::from_secs(3);

/// The same after the API server was away: kube-proxy asks again after 30 s at most, and up to twice that by chance (client-go,
/// `tools/cache/reflector.go`, the backoff of `NewReflectorWithOptions`).
const SETTLE_ANEW: Duration = Duration::from_mins(1);

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
    /// The cluster, while its API server answers. Shared, because every connection takes what is known along.
    pub cluster: Option<Arc<Cluster>>,
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
    /// When the API server was last reached anew after it had been away.
    pub reached_anew: Option<Instant>,
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
        let Some(changed) = self.changed else { return self.node_port_agrees };
        let is_of_now = |anew: &Instant| changed >= *anew && anew.elapsed() < SETTLE_ANEW;
        self.node_port_agrees && changed.elapsed() >= SETTLE && !self.reached_anew.as_ref().is_some_and(is_of_now)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_port_is_trusted_when_kube_proxy_must_know_of_the_pods() {
        let now = Instant::now();
        let ago = |seconds| Some(now - Duration::from_secs(seconds));
        for (changed, reached_anew, is_sure) in [
            (None, None, true),
            (ago(1), None, false),
            (ago(4), None, true),
            // No other pods since before the API server was away.
            (ago(90), ago(10), true),
            (None, ago(10), true),
            (ago(5), ago(10), false),
            (ago(10), ago(10), false),
            (ago(5), ago(70), true),
        ] {
            let known = Backends { node_port_agrees: true, changed, reached_anew, ..Backends::default() };
            assert_eq!(known.node_port_is_sure(), is_sure, "{changed:?} {reached_anew:?}");
        }
    }
}
