//! What each container that is not ready is doing, in a few words.

use std::fmt;

use k8s_openapi::api::core::v1::{ContainerStateRunning, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use serde::Serialize;

use super::super::workload::Workload;
use super::crash::{self, restarted};
use super::view::{ContainerView, View, condition, containers, is_ready, last_time, message};
use super::{LogSource, count, probe, schedule, volume};

/// What a container is doing whose image the node pulls.
pub(in crate::cluster) const PULLING: &str = "pulling image";

/// How much of a log line is shown as a step, in characters.
const STEP_WIDTH: usize = 50;

/// How Alembic tells of each step of a migration (`alembic/runtime/migration.py`).
const MIGRATING: &str = "Running upgrade ";

/// What one container is doing, or what is done for its pod.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct PodState {
    /// The pod; empty while there is none.
    pub pod: String,
    /// The container, or the workload while the pod is not on a node.
    pub subject: String,
    /// A few words: `pulling image`.
    pub state: String,
    /// What the container said last, where it is at work before the others; empty otherwise.
    pub detail: String,
    /// For how long.
    pub seconds: u64,
    /// After how many seconds its startup probe gives it up.
    pub of: Option<u64>,
}

impl fmt::Display for PodState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.subject, self.state)?;
        if self.seconds > 0 {
            write!(formatter, " {} s", self.seconds)?;
        }
        if let Some(of) = self.of.filter(|_| self.seconds > 0) {
            write!(formatter, " of {of} s")?;
        }
        if self.detail.is_empty() { Ok(()) } else { write!(formatter, " ({})", self.detail) }
    }
}

/// The states of a workload's containers that are not ready.
pub(super) fn states(view: &View<'_>, workload: &Workload) -> Vec<PodState> {
    let pods = view.pods(workload);
    let states: Vec<PodState> = pods.iter().flat_map(|pod| pod_states(view, &workload.name, pod)).collect();
    if !states.is_empty() {
        return states;
    }
    let count = count(view, workload);
    let state = match (view.is_there(workload), pods.is_empty()) {
        (false, _) => "waiting for it to be made",
        (true, true) => "waiting for its pod",
        (true, false) if count.outdated => "replacing pods of the release before",
        (true, false) => "has just started",
    };
    vec![PodState {
        pod: String::new(),
        subject: workload.name.clone(),
        state: state.to_owned(),
        detail: String::new(),
        seconds: 0,
        of: None,
    }]
}

/// The last thing seen of each workload that is not ready: what a deadline reports.
pub(in crate::cluster) fn last_seen(view: &View<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    for workload in view.expected.workloads {
        let count = count(view, workload);
        if count.ready() {
            continue;
        }
        lines.push(format!("{workload}: {} of {} pods ready", count.ready, count.wanted));
        lines.extend(states(view, workload).iter().map(|state| format!("  {state}")));
        for pod in view.pods(workload) {
            let unready =
                containers(pod).into_iter().filter(|container| container.status.is_some_and(|status| !status.ready));
            lines.extend(unready.filter_map(|container| {
                let said = probe::unhealthy(view, pod, &container.spec.name, &["Startup", "Readiness"])?;
                Some(format!("  {}: {said}", container.spec.name))
            }));
        }
    }
    lines
}

/// What a pod is doing, in one line; nothing of a pod that is ready.
pub(in crate::cluster) fn summary(view: &View<'_>, workload: &Workload, pod: &Pod) -> String {
    let states = pod_states(view, &workload.name, pod);
    states.iter().map(PodState::to_string).collect::<Vec<_>>().join(", ")
}

/// The states of a pod's containers that are not ready; `owner` is what the pod is called while it is on no node.
pub(super) fn pod_states(view: &View<'_>, owner: &str, pod: &Pod) -> Vec<PodState> {
    let containers = containers(pod);
    if is_ready(pod) {
        return Vec::new();
    }
    if condition(pod, "PodScheduled").is_none_or(|scheduled| scheduled.status != "True") {
        let subject = if let [only] = containers.as_slice() { only.spec.name.as_str() } else { owner };
        let seconds = view.seconds_since(pod.metadata.creation_timestamp.as_ref());
        return vec![PodState {
            pod: pod.name_any(),
            subject: subject.to_owned(),
            state: unscheduled(view, pod),
            detail: String::new(),
            seconds,
            of: None,
        }];
    }
    // Those that run before the others hide them: nothing else happens until they have ended.
    let initial = containers.iter().find(|container| container.init && !has_completed(container));
    let shown = containers
        .iter()
        .filter(|container| initial.map_or(!container.init, |first| first.spec.name == container.spec.name));
    shown.filter_map(|container| container_state(view, pod, container)).collect()
}

fn unscheduled(view: &View<'_>, pod: &Pod) -> String {
    let refused = condition(pod, "PodScheduled").and_then(|scheduled| scheduled.message.as_deref()).unwrap_or_default();
    if !volume::claims(view, pod).is_empty() {
        "creating volume".to_owned()
    } else if schedule::heals_by_itself(refused) {
        "waiting for the node to be ready".to_owned()
    } else {
        "waiting for a node".to_owned()
    }
}

fn has_completed(container: &ContainerView<'_>) -> bool {
    let state = container.status.and_then(|status| status.state.as_ref());
    state.and_then(|state| state.terminated.as_ref()).is_some_and(|ended| ended.exit_code == 0)
}

fn container_state(view: &View<'_>, pod: &Pod, container: &ContainerView<'_>) -> Option<PodState> {
    let said = said_last(view, pod, container);
    // A sidecar that no probe asks is ready while it migrates.
    if container.status.is_some_and(|status| status.ready) && !said.starts_with(MIGRATING) {
        return None;
    }
    let state = container.status.and_then(|status| status.state.as_ref());
    let running = state.and_then(|state| state.running.as_ref());
    let ended = state.and_then(|state| state.terminated.as_ref());
    let restarts = container.status.map_or(0, |status| status.restart_count);
    let (state, since) = match (container.waiting(), running, ended) {
        (_, Some(ContainerStateRunning { started_at }), _) => {
            let doing = if container.init || !said.is_empty() { "running" } else { "starting" };
            let times = if restarts > 0 { format!(", {}", restarted(restarts)) } else { String::new() };
            (format!("{doing}{times}"), started_at.clone())
        }
        (_, _, Some(ended)) => (format!("ended with exit code {}", ended.exit_code), ended.finished_at.clone()),
        (("" | "ContainerCreating" | "PodInitializing", _), ..) => creating(view, pod, container),
        (("ErrImagePull" | "ImagePullBackOff", _), ..) => ("cannot pull its image yet".to_owned(), None),
        (("CreateContainerConfigError", _), ..) => ("waiting for its configuration".to_owned(), None),
        (("CrashLoopBackOff", _), ..) => (format!("crashed, {}", restarted(restarts)), None),
        ((reason, _), ..) => (reason.to_owned(), None),
    };
    let seconds = view.seconds_since(since.as_ref());
    let is_running = running.is_some();
    Some(PodState {
        pod: pod.name_any(),
        subject: container.spec.name.clone(),
        state,
        detail: said,
        seconds,
        of: is_running.then(|| patience(container)).flatten(),
    })
}

/// The step that a container which the others wait for is at, in the last line of its log that was read.
fn said_last(view: &View<'_>, pod: &Pod, container: &ContainerView<'_>) -> String {
    if !container.init && !crash::MIGRATIONS.contains(&container.spec.name.as_str()) {
        return String::new();
    }
    let lines = LogSource::running(pod, container).and_then(|source| view.observed.logs.get(&source));
    let last = lines.and_then(|lines| lines.iter().rev().find(|line| !line.trim().is_empty()));
    last.map(|line| step_of(line)).unwrap_or_default()
}

/// A line of a log without its time, its level and where in the code it was written: `Running upgrade a -> b`.
fn step_of(line: &str) -> String {
    let words = line.split_once("] ").map_or(line, |(_, rest)| rest);
    let words = words.split("  [").next().unwrap_or_default().split(" [").next().unwrap_or_default();
    words.trim_start_matches("windtunnel: ").trim().chars().take(STEP_WIDTH).collect()
}

/// How many seconds a startup probe gives a container.
fn patience(container: &ContainerView<'_>) -> Option<u64> {
    let probe = container.spec.startup_probe.as_ref()?;
    let times = probe.failure_threshold.unwrap_or(3).saturating_mul(probe.period_seconds.unwrap_or(10));
    u64::try_from(times.saturating_add(probe.initial_delay_seconds.unwrap_or(0))).ok()
}

/// Before a container runs its image is pulled; before that its pod gets volumes and network.
fn creating(view: &View<'_>, pod: &Pod, container: &ContainerView<'_>) -> (String, Option<Time>) {
    let image = format!("\"{}\"", container.spec.image.as_deref().unwrap_or_default());
    let about_image = |reason: &str| {
        let events = view.events(&pod.metadata);
        let fitting = events.filter(|event| event.reason.as_deref() == Some(reason) && message(event).contains(&image));
        fitting.filter_map(last_time).max_by_key(|time| time.0)
    };
    let pulling = about_image("Pulling").filter(|began| about_image("Pulled").is_none_or(|ended| ended.0 < began.0));
    if let Some(began) = pulling {
        return (PULLING.to_owned(), Some(began));
    }
    let scheduled = condition(pod, "PodScheduled").and_then(|found| found.last_transition_time.clone());
    ("creating".to_owned(), scheduled)
}
