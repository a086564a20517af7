//! One release, judged look after look. A terminal cause ends it once it has stood for a moment.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::time::{Interval, interval};

use super::super::Cluster;
use super::super::evidence::Evidence;
use super::super::observe::Watch;
use super::super::verdict::{Judgement, Observed, PodState, Verdict, is_refusal, judge};
use super::super::workload::Expected;
use super::shown::Shown;
use super::standing::Standing;
use crate::error::Failure;
use crate::ui::Step;

/// How long an API server may fail or be silent: one that starts again takes a minute on a small machine.
const PATIENCE: Duration = Duration::from_mins(2);
/// Between two judgements when nothing changes: causes become terminal with time.
const TICK: Duration = Duration::from_millis(500);
/// How long a terminal cause must stand: the watches are separate streams, and what they show may not be of one moment.
pub(super) const STANDING: Duration = Duration::from_millis(500);
/// The same for a refusal: a controller that was asked again has its answer by then.
const ANSWERED: Duration = Duration::from_millis(1500);
/// How often the node is looked at while the API server is silent.
const LOOK: Duration = Duration::from_secs(3);

/// The judge of one release.
pub(super) struct Judging<'a> {
    cluster: &'a Cluster,
    expected: Expected<'a>,
    watch: Watch,
    tick: Interval,
    evidence: Evidence,
    standing: Standing,
    shown: Shown,
    looked: Instant,
    asked_again: bool,
    last: Option<Observed>,
}

impl<'a> Judging<'a> {
    /// Begins to watch.
    pub(super) fn open(cluster: &'a Cluster, expected: Expected<'a>) -> Self {
        Self {
            cluster,
            expected,
            watch: Watch::open(cluster, expected.namespace, PATIENCE),
            tick: interval(TICK),
            evidence: Evidence::default(),
            standing: Standing::default(),
            shown: Shown::default(),
            looked: Instant::now(),
            asked_again: false,
            last: None,
        }
    }

    /// Waits for the next look and judges; nothing while the API server does not answer, when `look` tells whether that is because the node or
    /// its engine is gone. A cause that is terminal and has not stood long enough is returned as `Stopped`.
    ///
    /// # Errors
    /// The verdict; what `look` finds; a cluster failure when the API server fails or is silent for two minutes.
    pub(super) async fn next(
        &mut self,
        step: &Step<'_>,
        look: &impl AsyncFn() -> Result<(), Failure>,
    ) -> Result<Option<Judgement>, Failure> {
        tokio::select! {
            () = self.watch.changed() => {}
            () = self.evidence.changed() => {}
            _ = self.tick.tick() => {}
        }
        if let Some(failure) = self.watch.trouble() {
            return Err(failure);
        }
        let Some(mut observed) = self.watch.observed() else {
            self.shown.trouble(step, self.watch.last_error());
            if self.looked.elapsed() >= LOOK {
                self.looked = Instant::now();
                look().await?;
            }
            return Ok(None);
        };
        self.shown.recovered(step);
        self.evidence.complete(self.cluster, self.expected, &mut observed).await;
        self.shown.ready(step, &observed);
        let judgement = judge(self.expected, &observed, Timestamp::now());
        self.last = Some(observed);
        match &judgement {
            Judgement::Stopped(verdict) if self.stands(verdict, step).await => Err(verdict.clone().into()),
            Judgement::Stopped(_) => Ok(Some(judgement)),
            Judgement::Ready { .. } | Judgement::Progressing { .. } => {
                self.standing.end();
                Ok(Some(judgement))
            }
        }
    }

    /// Whether a terminal cause has stood for long enough. Who refuses is asked again once: what is known of that may be old.
    async fn stands(&mut self, verdict: &Verdict, step: &Step<'_>) -> bool {
        let since = self.standing.since(verdict, Instant::now());
        let is_refusal = is_refusal(verdict.code);
        if is_refusal && !self.asked_again {
            self.asked_again = true;
            if let Err(failure) = self.cluster.ask_again(self.expected.namespace, self.expected.workloads).await {
                step.note(&failure.message);
            }
        }
        since.elapsed() >= if is_refusal { ANSWERED } else { STANDING }
    }

    /// Shows what is being done, and what may stand in the way.
    pub(super) fn show(&mut self, step: &Step<'_>, states: &[PodState], suspicion: Option<&Verdict>) {
        self.shown.states(step, states, suspicion);
    }

    /// What was there at the last look.
    pub(super) const fn observed(&self) -> Option<&Observed> {
        self.last.as_ref()
    }

    /// The last error of the API server, where it fails now.
    pub(super) fn trouble(&self) -> Option<String> {
        self.watch.last_error()
    }
}
