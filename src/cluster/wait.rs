//! The wait for a release: judged after every change and twice a second, ended by readiness, a terminal cause, or the deadline.
//!
//! The deadline is for the whole wait, whether there is progress or not: a wait that cannot help ends by its cause long before.

use std::collections::BTreeMap;
use std::pin::pin;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use kube::ResourceExt;

use super::observe::Watch;
use super::verdict::{Judgement, LOG_LINES, Observed, PodState, Verdict, View, is_ready, judge, last_seen};
use super::workload::Expected;
use super::{Cluster, logs};
use crate::codes::Code;
use crate::error::{Failure, Kind};
use crate::ui::Step;

/// How long an API server may fail or be silent, as a young one does.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two judgements when nothing changes: causes become terminal with time.
const TICK: Duration = Duration::from_millis(500);
/// How long a terminal cause must stand: the watches are separate streams, and what they show may not be of one moment.
const STANDING: Duration = Duration::from_millis(500);
/// How much of the states fits on the moving line, in characters.
const LINE_WIDTH: usize = 70;

/// What is ready.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ready {
    /// How many pods.
    pub pods: usize,
}

/// Waits until all workloads are ready. What it waits for is shown on `step`.
///
/// # Errors
/// A verdict as soon as a cause is terminal; a timeout with the last thing seen after `deadline`; a cluster failure when the API server fails
/// or is silent for 30 s.
pub async fn until_ready(
    cluster: &Cluster,
    expected: Expected<'_>,
    deadline: Duration,
    step: &Step<'_>,
) -> Result<Ready, Failure> {
    let mut watch = Watch::open(cluster, expected.namespace, PATIENCE);
    let mut tick = tokio::time::interval(TICK);
    let mut end = pin!(tokio::time::sleep(deadline));
    let mut shown = Shown::default();
    let mut standing: Option<(Verdict, Instant)> = None;
    let mut last: Option<Observed> = None;
    loop {
        tokio::select! {
            () = watch.changed() => {}
            _ = tick.tick() => {}
            () = &mut end => return Err(late(cluster, expected, deadline, last, watch.last_error()).await),
        }
        if let Some(failure) = watch.trouble() {
            return Err(failure);
        }
        let Some(observed) = watch.observed() else {
            shown.trouble(step, watch.last_error());
            continue;
        };
        shown.ready(step, &observed);
        match judge(expected, &observed, Timestamp::now()) {
            Judgement::Ready { pods } => return Ok(Ready { pods }),
            Judgement::Progressing { states, .. } => {
                standing = None;
                shown.states(step, &states);
            }
            Judgement::Stopped(verdict) => {
                let before = standing
                    .take()
                    .filter(|(before, _)| (before.code, &before.object) == (verdict.code, &verdict.object));
                let since = before.map_or_else(Instant::now, |(_, since)| since);
                if since.elapsed() >= STANDING {
                    return Err(with_log(cluster, expected, observed, verdict).await.into());
                }
                standing = Some((verdict, since));
            }
        }
        last = Some(observed);
    }
}

/// Reads the log that a verdict asks for and judges again: the log is evidence, and may name the cause better.
pub(super) async fn with_log(
    cluster: &Cluster,
    expected: Expected<'_>,
    mut observed: Observed,
    verdict: Verdict,
) -> Verdict {
    let Some(source) = verdict.log.clone() else { return verdict };
    let lines = logs::tail(cluster, expected.namespace, &source, LOG_LINES).await;
    observed.logs.insert(source, lines);
    match judge(expected, &observed, Timestamp::now()) {
        Judgement::Stopped(better) | Judgement::Progressing { suspicion: Some(better), .. } => better,
        Judgement::Progressing { .. } | Judgement::Ready { .. } => verdict,
    }
}

/// The failure at the deadline: what was seen last, and what may be the cause.
async fn late(
    cluster: &Cluster,
    expected: Expected<'_>,
    deadline: Duration,
    last: Option<Observed>,
    trouble: Option<String>,
) -> Failure {
    let seconds = deadline.as_secs();
    let failure =
        Failure::new(Kind::Timeout, format!("the pods are not ready after {seconds} s")).code(Code::NotReadyInTime);
    let failure = failure.evidence(trouble.unwrap_or_default());
    let Some(observed) = last else { return failure.evidence("the API server has not told about the pods") };
    let view = View { expected, observed: &observed, now: Timestamp::now() };
    let failure = failure
        .evidence_lines(last_seen(&view))
        .hint(format!("see what it does now: {}", view.command("status")))
        .hint(format!("go on waiting: {}", view.command(&format!("up --timeout {}", seconds.saturating_mul(2)))));
    let Judgement::Progressing { suspicion: Some(suspicion), .. } = judge(expected, &observed, view.now) else {
        return failure;
    };
    let suspicion = with_log(cluster, expected, observed, suspicion).await;
    let failure = failure.evidence(format!("{}: {}", suspicion.object, suspicion.message));
    let failure = failure.evidence_lines(suspicion.evidence);
    suspicion.hints.into_iter().fold(failure, Failure::hint)
}

/// What has been shown, so that only what is new is shown again where nothing moves.
#[derive(Default)]
struct Shown {
    /// By pod and subject.
    states: BTreeMap<(String, String), String>,
    is_in_trouble: bool,
}

impl Shown {
    fn states(&mut self, step: &Step<'_>, states: &[PodState]) {
        self.is_in_trouble = false;
        for state in states {
            let key = (state.pod.clone(), state.subject.clone());
            if self.states.insert(key, state.state.clone()).as_ref() == Some(&state.state) {
                continue;
            }
            let words = format!("{}: {}", state.subject, state.state);
            step.note(&words);
            if !state.pod.is_empty() {
                step.pod(&state.pod, &words);
            }
        }
        let line = states.iter().map(PodState::to_string).collect::<Vec<_>>().join(" · ");
        step.doing(shorten(&line));
    }

    /// Tells once of each pod that was told about and is ready now.
    fn ready(&mut self, step: &Step<'_>, observed: &Observed) {
        for pod in observed.pods.iter().filter(|pod| is_ready(pod)) {
            let name = pod.name_any();
            let count = self.states.len();
            self.states.retain(|(pod, _), _| *pod != name);
            if self.states.len() < count {
                step.pod(&name, "ready");
            }
        }
    }

    /// Tells once of an API server that fails, whichever watch it shows in.
    fn trouble(&mut self, step: &Step<'_>, error: Option<String>) {
        let Some(error) = error else { return step.doing("asking the API server") };
        if !self.is_in_trouble {
            step.note(&error);
        }
        self.is_in_trouble = true;
        step.doing(shorten(&error));
    }
}

fn shorten(line: &str) -> String {
    if line.chars().count() <= LINE_WIDTH {
        return line.to_owned();
    }
    line.chars().take(LINE_WIDTH - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests;
