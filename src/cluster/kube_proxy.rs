//! kube-proxy's share of the processor, in a cluster that windtunnel made.
//!
//! kubeadm's kube-proxy asks for none. Where a node starts again with all its pods at once, every other container comes before it
//! then, and until it has written its rules no pod reaches a Service: `CoreDNS` fails to reach the API server and backs off, and
//! Airflow has no name for its database. On two processors that took 19 s in place of 9 s.

use k8s_openapi::api::apps::v1::DaemonSet;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;

use super::{Cluster, FIELD_MANAGER};
use crate::error::{During, Failure, Kind};

/// The name of the `DaemonSet` and of its container, as kubeadm makes them (Kubernetes, `cmd/kubeadm/app/phases/addons/proxy/manifests.go`).
const KUBE_PROXY: &str = "kube-proxy";
/// What it asks for, of the processor: as much as `CoreDNS`.
const CPU: &str = "100m";

impl Cluster {
    /// Lets kube-proxy ask for a share of the processor, unless it does. A cluster without kube-proxy is left as it is.
    ///
    /// # Errors
    /// The API server refuses.
    pub async fn favour_kube_proxy(&self) -> Result<(), Failure> {
        let doing = || "cannot give kube-proxy its share of the processor".to_owned();
        let daemon_sets: Api<DaemonSet> = Api::namespaced(self.client.clone(), "kube-system");
        let Some(daemon_set) = daemon_sets.get_opt(KUBE_PROXY).await.during(Kind::Cluster, doing())? else {
            return Ok(());
        };
        if asks_for_cpu(&daemon_set) {
            return Ok(());
        }
        let container = json!({"name": KUBE_PROXY, "resources": {"requests": {"cpu": CPU}}});
        let patch = Patch::Strategic(json!({"spec": {"template": {"spec": {"containers": [container]}}}}));
        let patched = daemon_sets.patch(KUBE_PROXY, &PatchParams::apply(FIELD_MANAGER), &patch).await;
        patched.map(drop).during(Kind::Cluster, doing())
    }
}

fn asks_for_cpu(daemon_set: &DaemonSet) -> bool {
    let template = daemon_set.spec.template.spec.iter();
    let mut containers = template.flat_map(|template| &template.containers);
    containers.any(|container| {
        let requests = container.resources.as_ref().and_then(|resources| resources.requests.as_ref());
        container.name == KUBE_PROXY && requests.is_some_and(|requests| requests.contains_key("cpu"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(requests: &serde_json::Value) -> DaemonSet {
        let containers = json!([{"name": KUBE_PROXY, "resources": {"requests": requests}}, {"name": "other"}]);
        let template = json!({"metadata": {}, "spec": {"containers": containers}});
        serde_json::from_value(json!({"metadata": {}, "spec": {"selector": {}, "template": template}})).unwrap()
    }

    #[test]
    fn what_kubeadm_makes_asks_for_nothing() {
        assert!(!asks_for_cpu(&made(&json!({}))));
        assert!(!asks_for_cpu(&made(&json!({"memory": "50Mi"}))));
        assert!(asks_for_cpu(&made(&json!({"cpu": "250m"}))));
    }
}
