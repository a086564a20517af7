//! After a node was started again, the API server goes on telling what was true before: pods are ready that do not run.
//!
//! Until the node's kubelet reports, Services lead to addresses of pods that are gone; what answers there, if anything, is a stranger.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::watcher;
use kube::{Api, ResourceExt};

use super::{Cluster, observe};
use crate::error::{Failure, Kind};

impl Cluster {
    /// Waits until no container of the namespace is said to run since before `ended`, when its node ended, by the node's clock.
    ///
    /// # Errors
    /// Timeout after `deadline`, naming the pod that nothing has been heard of.
    pub async fn await_restart(&self, namespace: &str, ended: Timestamp, deadline: Duration) -> Result<(), Failure> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        let is_news = |pods: &[Arc<Pod>]| !pods.iter().any(|pod| is_of_before(pod, ended));
        let Err(pods) = observe::until(pods, watcher::Config::default(), deadline, is_news).await else {
            return Ok(());
        };
        let silent = pods.iter().find(|pod| is_of_before(pod, ended)).map(|pod| pod.name_any());
        let what = silent.map_or_else(|| "the pods".to_owned(), |pod| format!("the pod `{pod}`"));
        let seconds = deadline.as_secs();
        Err(Failure::new(
            Kind::Timeout,
            format!("the node has not told of {what} for {seconds} s since it was started"),
        ))
    }
}

fn is_of_before(pod: &Pod, ended: Timestamp) -> bool {
    let containers = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
    let mut since = containers.filter_map(|container| container.state.as_ref()?.running.as_ref()?.started_at.as_ref());
    since.any(|since| since.0 < ended)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn running_since(time: &str) -> Pod {
        let container = json!({"name": "a", "image": "a", "imageID": "a", "ready": true, "restartCount": 0,
            "state": {"running": {"startedAt": time}}});
        serde_json::from_value(json!({"metadata": {"name": "a"}, "status": {"containerStatuses": [container]}}))
            .unwrap()
    }

    #[test]
    fn what_runs_since_before_the_node_ended_is_old_news() {
        let ended = "2026-11-22T23:14:38.5Z".parse().unwrap();
        assert!(is_of_before(&running_since("2026-11-22T23:14:38Z"), ended));
        assert!(!is_of_before(&running_since("2026-11-22T23:14:45Z"), ended));
        assert!(!is_of_before(&Pod::default(), ended));
    }
}
