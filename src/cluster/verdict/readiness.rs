//! Ready *now*: as many pods of the current template as wanted are ready, and none of an earlier one is left.
//!
//! Not the Deployment's own `Progressing` condition, which stays true when the pods crash later
//! (kube's `is_deployment_completed`, `kubectl rollout status` and Helm's `--wait` look at it).

use k8s_openapi::api::core::v1::Pod;

use super::super::workload::{Workload, WorkloadKind};
use super::view::{ContainerView, View, containers, is_ready};

/// Seconds that a container must run that no probe vouches for: one that ends at once is ready for a moment as well.
const UNPROBED: u64 = 3;

/// How far a workload is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::cluster) struct Count {
    /// Pods that the object asks for; none when there is no such object.
    pub(in crate::cluster) wanted: usize,
    /// Pods of the current template that are ready.
    pub(in crate::cluster) ready: usize,
    /// The object is there, its controller has seen its latest form and says the same, and no pod of an earlier form is left.
    pub(in crate::cluster) settled: bool,
    /// Pods of an earlier form are left.
    pub(in crate::cluster) outdated: bool,
}

impl Count {
    /// Nothing is left to wait for.
    pub(in crate::cluster) const fn ready(self) -> bool {
        self.settled && self.ready >= self.wanted
    }
}

/// Counts a workload's pods.
pub(in crate::cluster) fn count(view: &View<'_>, workload: &Workload) -> Count {
    // The pods themselves are asked too: the controller's numbers lag behind a pod that has just crashed.
    let ready = view.pods(workload).into_iter().filter(|pod| is_ready(pod) && has_settled(view, pod)).count();
    if workload.optional && !view.is_there(workload) {
        return Count { wanted: 0, ready: 0, settled: true, outdated: false };
    }
    let (wanted, settled, outdated) = match workload.kind {
        // It is there as long as a pod of it is at work.
        WorkloadKind::Job => (0, false, false),
        WorkloadKind::Deployment => deployment(view, &workload.name),
        WorkloadKind::StatefulSet => stateful_set(view, &workload.name),
    };
    Count { wanted: usize::try_from(wanted).unwrap_or_default(), ready, settled, outdated }
}

/// Whether the containers without a probe have run for a while. Those with one take longer, so this seldom costs time.
fn has_settled(view: &View<'_>, pod: &Pod) -> bool {
    let unprobed = |container: &ContainerView<'_>| {
        !container.init && container.spec.readiness_probe.is_none() && container.spec.startup_probe.is_none()
    };
    containers(pod).iter().filter(|container| unprobed(container)).all(|container| {
        let state = container.status.and_then(|status| status.state.as_ref());
        let running = state.and_then(|state| state.running.as_ref());
        running.is_some_and(|running| view.seconds_since(running.started_at.as_ref()) >= UNPROBED)
    })
}

fn deployment(view: &View<'_>, name: &str) -> (i32, bool, bool) {
    let Some(deployment) = view.deployment(name) else { return (0, false, false) };
    let wanted = deployment.spec.replicas.unwrap_or(1);
    let Some(status) = &deployment.status else { return (wanted, false, false) };
    let settled = status.observed_generation >= deployment.metadata.generation
        && status.updated_replicas.unwrap_or(0) >= wanted
        && status.available_replicas.unwrap_or(0) >= wanted
        && status.replicas.unwrap_or(0) <= wanted;
    (wanted, settled, status.replicas > status.updated_replicas)
}

fn stateful_set(view: &View<'_>, name: &str) -> (i32, bool, bool) {
    let Some(set) = view.stateful_set(name) else { return (0, false, false) };
    let wanted = set.spec.replicas.unwrap_or(1);
    let Some(status) = &set.status else { return (wanted, false, false) };
    let settled = status.observed_generation >= set.metadata.generation
        && status.updated_replicas.unwrap_or(0) >= wanted
        && status.ready_replicas.unwrap_or(0) >= wanted
        && status.replicas <= wanted;
    (wanted, settled, status.replicas > status.updated_replicas.unwrap_or(0))
}
