//! Which logs would tell more than the objects do.

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::super::workload::WorkloadKind;
use super::view::{ContainerView, View, containers, is_ready};
use super::{count, job, start};

/// Seconds after which a container of a pod that is not ready is asked what it does.
const SILENT: u64 = 2;

/// One run of one container.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct LogSource {
    /// The pod.
    pub pod: String,
    /// Its identity: that of a `StatefulSet` has the name of the one before it.
    pub uid: String,
    /// The container.
    pub container: String,
    /// The run before the one that is there now.
    pub previous: bool,
    /// How often it had been restarted: tells runs apart.
    pub restarts: i32,
    /// It goes on, and so does its log.
    pub running: bool,
}

impl LogSource {
    /// The run that ended last, of a container that has ended with a failure or is held back for that.
    pub(super) fn ended(pod: &Pod, container: &ContainerView<'_>) -> Option<Self> {
        let ended = start::ended(container)?;
        let state = container.status.and_then(|status| status.state.as_ref());
        let previous = state.is_none_or(|state| state.terminated.is_none());
        (ended.exit_code != 0 || previous).then(|| Self::of(pod, container, previous, false))
    }

    /// The run that goes on in a pod that is not ready. The container itself may be: what has no probe is ready as soon as it runs,
    /// whatever it waits for.
    pub(super) fn running(pod: &Pod, container: &ContainerView<'_>) -> Option<Self> {
        container.status.filter(|_| !is_ready(pod))?.state.as_ref()?.running.as_ref()?;
        Some(Self::of(pod, container, false, true))
    }

    fn of(pod: &Pod, container: &ContainerView<'_>, previous: bool, running: bool) -> Self {
        let restarts = container.status.map_or(0, |status| status.restart_count);
        let uid = pod.uid().unwrap_or_default();
        Self { pod: pod.name_any(), uid, container: container.spec.name.clone(), previous, restarts, running }
    }
}

/// The logs that are worth reading now; those of what has ended tell more and come first.
pub(in crate::cluster) fn wanted(view: &View<'_>) -> Vec<LogSource> {
    let mut sources = Vec::new();
    for workload in view.expected.workloads.iter().filter(|workload| !count(view, workload).ready()) {
        for pod in view.pods(workload) {
            for container in containers(pod) {
                let silent = || LogSource::running(pod, &container).filter(|_| runs_for(view, &container) >= SILENT);
                sources.extend(LogSource::ended(pod, &container).or_else(silent));
            }
        }
        if workload.kind == WorkloadKind::Job {
            sources.extend(job::failed_pod(view, workload).and_then(job::log_source));
        }
    }
    sources.sort_by_key(|source| source.running);
    sources
}

fn runs_for(view: &View<'_>, container: &ContainerView<'_>) -> u64 {
    let state = container.status.and_then(|status| status.state.as_ref());
    let running = state.and_then(|state| state.running.as_ref());
    running.map_or(0, |running| view.seconds_since(running.started_at.as_ref()))
}
