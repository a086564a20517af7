//! The wait for a release: judged after every change and twice a second.
//!
//! It has no fixed total. Readiness ends it, a terminal cause, or that nothing has moved for a stated time, however long it has lasted: what
//! makes progress is let be. An API server that does not answer is waited for, and its silence is shown.

mod movement;
mod pulled;
mod shown;
mod standing;
mod suspected;

use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::Cluster;
use super::evidence::Evidence;
use super::observe::Watch;
use super::verdict::{Judgement, Observed, View, is_refusal, judge, last_seen};
use super::workload::Expected;
use crate::codes::Code;
use crate::error::{Failure, Kind};
use crate::ui::Step;
use movement::Movement;
use pulled::Pulled;
use shown::Shown;
use standing::Standing;

/// How long an API server may fail or be silent: one that starts again takes a minute on a small machine.
const PATIENCE: Duration = Duration::from_mins(2);
/// Between two judgements when nothing changes: causes become terminal with time.
const TICK: Duration = Duration::from_millis(500);
/// How long a terminal cause must stand: the watches are separate streams, and what they show may not be of one moment.
const STANDING: Duration = Duration::from_millis(500);
/// The same for a refusal: a controller that was asked again has its answer by then.
const ANSWERED: Duration = Duration::from_millis(1500);
/// How often the node is looked at while the API server is silent.
const LOOK: Duration = Duration::from_secs(3);

/// What is ready.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ready {
    /// How many pods.
    pub pods: usize,
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
    let mut watch = Watch::open(cluster, expected.namespace, PATIENCE);
    let mut tick = tokio::time::interval(TICK);
    let mut shown = Shown::default();
    let mut movement = Movement::begin();
    let mut pulled = Pulled::default();
    let mut evidence = Evidence::default();
    let mut standing = Standing::default();
    let mut last: Option<Observed> = None;
    let mut looked = Instant::now();
    let mut asked_again = false;
    loop {
        tokio::select! {
            () = watch.changed() => {}
            () = evidence.changed() => {}
            _ = tick.tick() => {}
        }
        if movement.ended_before(stall) {
            return Err(late(expected, stall, last, &movement, watch.last_error()));
        }
        if let Some(failure) = watch.trouble() {
            return Err(failure);
        }
        let Some(mut observed) = watch.observed() else {
            shown.trouble(step, watch.last_error());
            if looked.elapsed() >= LOOK {
                looked = Instant::now();
                look().await?;
            }
            continue;
        };
        shown.recovered(step);
        evidence.complete(cluster, expected, &mut observed).await;
        shown.ready(step, &observed);
        match judge(expected, &observed, Timestamp::now()) {
            Judgement::Ready { pods } => return Ok(Ready { pods }),
            Judgement::Progressing { mut states, suspicion } => {
                standing.end();
                pulled.complete(&mut states, &held).await;
                movement.take_in(&states, &observed);
                shown.states(step, &states, suspicion.as_ref());
            }
            Judgement::Stopped(verdict) => {
                let since = standing.since(&verdict, Instant::now());
                let is_refusal = is_refusal(verdict.code);
                if is_refusal && !asked_again {
                    asked_again = true;
                    if let Err(failure) = cluster.ask_again(expected.namespace, expected.workloads).await {
                        step.note(&failure.message);
                    }
                }
                if since.elapsed() >= if is_refusal { ANSWERED } else { STANDING } {
                    return Err(verdict.into());
                }
            }
        }
        last = Some(observed);
    }
}

/// The failure when nothing moves any more: what moved last, what was seen last, and what may be the cause.
fn late(
    expected: Expected<'_>,
    stall: Duration,
    last: Option<Observed>,
    movement: &Movement,
    trouble: Option<String>,
) -> Failure {
    let seconds = stall.as_secs();
    let failure = Failure::new(Kind::Timeout, format!("the pods are not ready, and nothing has moved for {seconds} s"));
    let failure = failure.code(Code::NotReadyInTime).evidence(trouble.unwrap_or_default());
    let Some(observed) = last else { return failure.evidence("the API server has not told about the pods") };
    let view = View { expected, observed: &observed, now: Timestamp::now() };
    let failure = failure
        .evidence(movement.last())
        .evidence_lines(last_seen(&view))
        .hint(format!("see what it does now: {}", view.command("status")))
        .hint(format!("go on waiting: {}", view.command(&format!("up --timeout {}", seconds.saturating_mul(2)))));
    let Judgement::Progressing { suspicion: Some(suspicion), .. } = judge(expected, &observed, view.now) else {
        return failure;
    };
    let failure = failure.evidence(suspicion.line());
    let failure = failure.evidence_lines(suspicion.evidence);
    suspicion.hints.into_iter().fold(failure, Failure::hint)
}

#[cfg(test)]
mod tests;
