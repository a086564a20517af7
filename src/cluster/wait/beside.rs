//! The judge of the pods beside another wait: what was ready may fail again, and then what is waited for never comes.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::super::Cluster;
use super::super::verdict::{Judgement, Starts, Verdict, View, worker};
use super::super::workload::Expected;
use super::judging::{Judging, STANDING};
use super::movement::Movement;
use super::pulled::Pulled;
use super::standing::Standing;
use super::suspected::{Suspected, Suspicion};
use crate::error::Failure;
use crate::ui::Step;

/// What is judged.
#[derive(Clone, Copy)]
pub struct Judged<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// The release.
    pub expected: Expected<'a>,
    /// The DAG whose worker pods are judged as well.
    pub dag_id: Option<&'a str>,
}

/// What the judge and the other wait tell each other: what has moved, and how the pods are.
pub struct Beside(Mutex<Seen>);

struct Seen {
    movement: Movement,
    ready: bool,
    starts: Starts,
    /// What keeps a worker pod from running, terminal or not.
    worker: Option<Verdict>,
}

impl Beside {
    /// Nothing has been seen yet.
    #[must_use]
    pub fn begin() -> Self {
        let (movement, starts) = (Movement::begin(), Starts::default());
        Self(Mutex::new(Seen { movement, ready: false, starts, worker: None }))
    }

    /// Everything is ready, and its containers run since then.
    #[must_use]
    pub fn after(starts: Starts) -> Self {
        Self(Mutex::new(Seen { movement: Movement::begin(), ready: true, starts, worker: None }))
    }

    /// Judges until a cause is terminal, which it returns: for a `select!` with the other wait. `look` and `held` are those of
    /// [`super::until_ready`].
    pub async fn judge(
        &self,
        judged: Judged<'_>,
        step: &Step<'_>,
        look: impl AsyncFn() -> Result<(), Failure>,
        held: impl AsyncFn() -> Option<u64>,
    ) -> Failure {
        let Judged { cluster, expected, dag_id } = judged;
        let mut judging = Judging::open(cluster, expected);
        let (mut pulled, mut standing, mut suspected) = (Pulled::default(), Standing::default(), Suspected::default());
        loop {
            let judgement = match judging.next(step, &look).await {
                Ok(judgement) => judgement,
                Err(failure) => return failure,
            };
            let Some(observed) = judging.observed().filter(|_| judgement.is_some()) else {
                self.seen().ready = false;
                continue;
            };
            let view = View { expected, observed, now: Timestamp::now() };
            let workers = dag_id.and_then(|dag_id| worker::judge(&view, dag_id));
            let starts = Starts::of(&view);
            let mut states = match &judgement {
                Some(Judgement::Progressing { states, .. }) => states.clone(),
                _ => Vec::new(),
            };
            // What is known of a worker pod is kept where Airflow has deleted it since.
            let mut cause = self.worker();
            if let Some((mut of_workers, found)) = workers {
                states.append(&mut of_workers);
                cause = found;
            }
            pulled.complete(&mut states, &held).await;
            {
                let mut seen = self.seen();
                seen.movement.take_in(&states, judging.observed());
                seen.ready = matches!(judgement, Some(Judgement::Ready { .. }));
                seen.starts = starts;
                seen.worker.clone_from(&cause);
            }
            if let Some(Judgement::Progressing { suspicion, .. }) = &judgement {
                judging.show(step, &states, suspicion.as_ref());
            }
            if suspected.see(cause.as_ref(), Instant::now()) == Suspicion::New
                && let Some(Verdict { code, object, message, evidence, .. }) = &cause
            {
                step.suspicion(*code, object, message, evidence);
            }
            match cause.filter(|cause| cause.terminal) {
                Some(cause) if standing.since(&cause, Instant::now()).elapsed() >= STANDING => return cause.into(),
                Some(_) => {}
                None => standing.end(),
            }
        }
    }

    /// Something else has happened; what has been told before is no movement.
    pub fn moved(&self, what: &str) {
        self.seen().movement.see(what.to_owned(), what.to_owned());
    }

    /// Whether nothing has moved for so long.
    #[must_use]
    pub fn ended_before(&self, stall: Duration) -> bool {
        self.seen().movement.ended_before(stall)
    }

    /// What moved last, and when; empty where nothing has.
    #[must_use]
    pub fn last_movement(&self) -> String {
        self.seen().movement.last()
    }

    /// Whether every pod is ready.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.seen().ready
    }

    /// Since when the containers run.
    #[must_use]
    pub fn starts(&self) -> Starts {
        self.seen().starts.clone()
    }

    /// What keeps a worker pod from running, though it may pass yet.
    #[must_use]
    pub fn worker(&self) -> Option<Verdict> {
        self.seen().worker.clone()
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
