//! The verdict: from observed objects to *progressing*, *ready*, or the named cause that keeps a release from becoming ready.
//!
//! Pure: the objects, the time and the logs are handed in, nothing is asked for and nothing is printed. A cause is *terminal* when waiting
//! longer cannot help; each file says from when on. A verdict that is not terminal yet is the suspicion that a deadline or a survey reports.

mod admission;
mod crash;
mod dns;
mod image;
mod job;
mod log_source;
mod mount;
mod namespace;
mod node;
#[cfg(test)]
mod others;
mod probe;
mod progress;
mod readiness;
#[cfg(test)]
mod recorded;
mod release;
mod root;
mod said;
#[cfg(test)]
mod samples;
mod schedule;
mod service;
mod stall;
mod start;
mod starts;
mod view;
mod volume;
pub(super) mod worker;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use serde::Serialize;

use super::workload::{Expected, Workload, WorkloadKind};
use crate::codes::Code;
use crate::error::{Failure, Kind};
pub use admission::refused;
pub use log_source::LogSource;
pub(super) use log_source::wanted as wanted_logs;
pub(super) use namespace::{is_held, judge as judge_namespace};
pub(super) use progress::PULLING;
pub use progress::PodState;
pub(super) use progress::{last_seen, summary};
pub(super) use readiness::count;
pub use release::judge as judge_release;
pub(super) use root::is_refusal;
pub(super) use said::lacks_names;
pub(super) use service::judge as judge_service;
pub use starts::Starts;
pub(super) use view::{Observed, View, containers, is_ready};

/// How many lines of a container's log are read for a verdict; few of them are quoted.
pub const LOG_LINES: u32 = 120;

/// What is to be said about a release now.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Judgement {
    /// Not ready, and nothing says that it cannot become so.
    Progressing {
        /// One state for each container that is not ready, in the order of the workloads.
        states: Vec<PodState>,
        /// What may become terminal if it stays.
        suspicion: Option<Verdict>,
    },
    /// All workloads are ready.
    Ready {
        /// How many pods that is.
        pods: usize,
    },
    /// A terminal cause.
    Stopped(Verdict),
}

/// A named cause.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Verdict {
    /// The cause.
    #[serde(flatten)]
    pub code: Code,
    /// The object it is about, in words.
    pub object: String,
    /// What is wrong with the object: a fragment that follows the object's name.
    pub message: String,
    /// Quoted messages and log lines.
    pub evidence: Vec<String>,
    /// What to do next, commands in backticks.
    pub hints: Vec<String>,
    /// Whether waiting longer cannot help.
    pub terminal: bool,
}

impl Verdict {
    /// The object and what is wrong with it.
    #[must_use]
    pub fn line(&self) -> String {
        format!("{}: {}", self.object, self.message)
    }

    /// A terminal cause with nothing but its words.
    pub fn new(code: Code, object: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code,
            object: object.into(),
            message: message.into(),
            evidence: Vec::new(),
            hints: Vec::new(),
            terminal: true,
        }
    }

    /// Adds a line that proves it; an empty one is left out.
    #[must_use]
    pub fn evidence(mut self, line: impl Into<String>) -> Self {
        let line: String = line.into();
        if !line.trim().is_empty() {
            self.evidence.push(line.trim().to_owned());
        }
        self
    }

    /// Adds what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Terminal only if so.
    #[must_use]
    pub fn terminal_if(mut self, terminal: bool) -> Self {
        self.terminal = terminal;
        self
    }
}

impl From<Verdict> for Failure {
    fn from(verdict: Verdict) -> Self {
        let failure = Self::new(Kind::Verdict, verdict.line()).code(verdict.code);
        let failure = failure.evidence_lines(verdict.evidence);
        verdict.hints.into_iter().fold(failure, Self::hint)
    }
}

/// Judges a release by what is observed at the time `now`.
pub(super) fn judge(expected: Expected<'_>, observed: &Observed, now: Timestamp) -> Judgement {
    let view = View { expected, observed, now };
    let unready: Vec<&Workload> =
        expected.workloads.iter().filter(|workload| !count(&view, workload).ready()).collect();
    if unready.is_empty() {
        return Judgement::Ready {
            pods: expected.workloads.iter().map(|workload| count(&view, workload).wanted).sum(),
        };
    }
    let mut causes = node::judge(&view);
    causes.extend(unready.iter().flat_map(|workload| workload_causes(&view, workload)));
    // Stable: of two that are equally near to the root, the one of the workload that the other needs stays first.
    causes.sort_by_key(|cause| root::distance(cause.code));
    match causes.iter().position(|cause| cause.terminal) {
        Some(first) => Judgement::Stopped(causes.swap_remove(first)),
        None => Judgement::Progressing {
            states: unready.iter().flat_map(|workload| progress::states(&view, workload)).collect(),
            suspicion: causes.into_iter().next(),
        },
    }
}

fn workload_causes(view: &View<'_>, workload: &Workload) -> Vec<Verdict> {
    let mut causes: Vec<Verdict> = admission::judge(view, workload).into_iter().collect();
    causes.extend(job::judge(view, workload));
    causes.extend(node::judge_evictions(view, workload));
    for pod in view.pods(workload) {
        let mut found = placement_causes(view, pod);
        for container in containers(pod) {
            let cause = image::judge(view, pod, &container)
                .or_else(|| start::judge(view, pod, &container))
                .or_else(|| probe::judge(view, pod, &container))
                .or_else(|| crash::judge(view, workload, pod, &container))
                .or_else(|| stall::judge(view, workload, pod, &container));
            found.extend(cause);
        }
        let stuck = workload.kind == WorkloadKind::StatefulSet && !view.is_of_current_revision(workload, pod);
        causes.extend(found.into_iter().map(|cause| if stuck { of_an_earlier_revision(view, cause) } else { cause }));
    }
    causes
}

/// What keeps a pod from a node, or from its volumes there.
fn placement_causes(view: &View<'_>, pod: &Pod) -> Vec<Verdict> {
    let mut found = volume::judge(view, pod);
    found.extend(schedule::judge(view, pod));
    found.extend(mount::judge(view, pod));
    found
}

/// A `StatefulSet` does not replace a pod that never became ready, even when its template has been repaired since
/// (kubernetes/kubernetes#67250): what is wrong with the pod is then not what is wrong with the release.
fn of_an_earlier_revision(view: &View<'_>, cause: Verdict) -> Verdict {
    let removal =
        format!("remove the environment and make it again: {}, then {}", view.command("down"), view.command("up"));
    let mut cause = cause.evidence(
        "the pod is of an earlier revision, and Kubernetes does not replace a broken pod of a stateful set by itself \
         (kubernetes/kubernetes#67250)",
    );
    cause.hints = vec![format!("delete the pod, which lets the new revision come; or {removal}")];
    cause
}

#[cfg(test)]
mod tests;
