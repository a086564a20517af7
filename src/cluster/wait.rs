//! The wait for a release: judged after every change and twice a second.
//!
//! It has no fixed total. Readiness ends it, a terminal cause, or that nothing has moved for a stated time, however long it has lasted: what
//! makes progress is let be. An API server that does not answer is waited for, and its silence is shown. [`beside`] judges in the same way
//! while something else of the release is waited for.

pub mod beside;
mod judging;
mod movement;
mod pulled;
mod shown;
mod standing;
mod suspected;

use std::time::Duration;

use jiff::Timestamp;

use super::Cluster;
use super::verdict::{Judgement, Observed, Starts, View, judge, last_seen};
use super::workload::Expected;
use crate::codes::Code;
use crate::error::{Failure, Kind};
use crate::ui::Step;
use judging::Judging;
use movement::Movement;
use pulled::Pulled;

/// What is ready.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ready {
    /// How many pods.
    pub pods: usize,
    /// Since when their containers run.
    pub starts: Starts,
}

/// Waits until all workloads are ready. What it waits for is shown on `step`. While the API server does not answer, `look` tells whether
/// that is because the node or its engine is gone; while the node pulls images, `held` tells the bytes of images that it has, if anybody knows.
///
/// # Errors
/// A verdict as soon as a cause is terminal; a timeout with the last thing seen when nothing has moved for `stall`; what `look` finds; a
/// cluster failure when the API server fails or is silent for two minutes.
pub async fn until_ready(
    cluster: &Cluster,
    expected: Expected<'_>,
    stall: Duration,
    step: &Step<'_>,
    look: impl AsyncFn() -> Result<(), Failure>,
    held: impl AsyncFn() -> Option<u64>,
) -> Result<Ready, Failure> {
    let mut judging = Judging::open(cluster, expected);
    let mut movement = Movement::begin();
    let mut pulled = Pulled::default();
    loop {
        match judging.next(step, &look).await? {
            Some(Judgement::Ready { pods }) => {
                let of = |observed| Starts::of(&View { expected, observed, now: Timestamp::now() });
                return Ok(Ready { pods, starts: judging.observed().map(of).unwrap_or_default() });
            }
            Some(Judgement::Progressing { mut states, suspicion }) => {
                pulled.complete(&mut states, &held).await;
                movement.take_in(&states, judging.observed());
                judging.show(step, &states, suspicion.as_ref());
            }
            Some(Judgement::Stopped(_)) | None => {}
        }
        if movement.ended_before(stall) {
            return Err(late(expected, stall, judging.observed(), &movement, judging.trouble()));
        }
    }
}

/// The failure when nothing moves any more: what moved last, what was seen last, and what may be the cause.
fn late(
    expected: Expected<'_>,
    stall: Duration,
    last: Option<&Observed>,
    movement: &Movement,
    trouble: Option<String>,
) -> Failure {
    let seconds = stall.as_secs();
    let failure = Failure::new(Kind::Timeout, format!("the pods are not ready, and nothing has moved for {seconds} s"));
    let failure = failure.code(Code::NotReadyInTime).evidence(trouble.unwrap_or_default());
    let Some(observed) = last else { return failure.evidence("the API server has not told about the pods") };
    let view = View { expected, observed, now: Timestamp::now() };
    let failure = failure
        .evidence(movement.last())
        .evidence_lines(last_seen(&view))
        .hint(format!("see what it does now: {}", view.command("status")))
        .hint(format!("go on waiting: {}", view.command(&format!("up --timeout {}", seconds.saturating_mul(2)))));
    let Judgement::Progressing { suspicion: Some(suspicion), .. } = judge(expected, observed, view.now) else {
        return failure;
    };
    let failure = failure.evidence(suspicion.line());
    let failure = failure.evidence_lines(suspicion.evidence);
    suspicion.hints.into_iter().fold(failure, Failure::hint)
}

#[cfg(test)]
mod tests;
