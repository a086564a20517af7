//! What has been seen of a smoke run so far, and what is waited for next. Pure.

use std::time::{Duration, Instant};

use crate::cluster::worker::{Phase, Worker};
use crate::profile::Executor;

/// The moments of one run, as they were seen from here.
#[derive(Clone, Debug, Default)]
pub(super) struct Moments {
    /// The worker pod's name.
    pub(super) pod: Option<String>,
    /// When the pod was first seen.
    pub(super) pod_seen: Option<Instant>,
    /// When it ran.
    pub(super) running: Option<Instant>,
    /// When Airflow said that the task succeeded.
    pub(super) success: Option<Instant>,
    /// When the pod was deleted.
    pub(super) gone: Option<Instant>,
    /// How far the pod was when last seen.
    pub(super) phase: Option<Phase>,
    /// Why the pod does not run yet, as last said.
    pub(super) pending_reason: Option<String>,
    /// The task's state, as last said.
    pub(super) state: Option<String>,
    /// The task runs in a process of others, and no pod is to be seen.
    pub(super) without_pod: bool,
}

/// What is waited for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Part {
    /// The executor makes a pod.
    Pod,
    /// The pod is scheduled and its container started.
    Running,
    /// The task succeeds.
    Success,
    /// The executor deletes the pod.
    Gone,
}

impl Part {
    /// For how long nothing may move until it is so, on a busy laptop.
    pub(super) const fn patience(self) -> Duration {
        Duration::from_secs(match self {
            Self::Running => 180,
            Self::Pod | Self::Success => 120,
            Self::Gone => 60,
        })
    }
}

impl Moments {
    /// Nothing seen yet of a task that this executor runs.
    pub(super) fn of(executor: Executor) -> Self {
        Self { without_pod: executor != Executor::Kubernetes, ..Self::default() }
    }

    /// What is waited for next; nothing once all was seen.
    pub(super) const fn next(&self) -> Option<Part> {
        if self.without_pod {
            return if self.success.is_none() { Some(Part::Success) } else { None };
        }
        match (self.pod_seen, self.running, self.success, self.gone) {
            (None, ..) => Some(Part::Pod),
            (_, None, ..) => Some(Part::Running),
            (_, _, None, _) => Some(Part::Success),
            (_, _, _, None) => Some(Part::Gone),
            _ => None,
        }
    }

    /// Takes in what happened to the pod. A moment that was missed is that of the next one.
    pub(super) fn saw(&mut self, worker: &Worker, now: Instant) {
        self.pod = Some(worker.pod.clone());
        self.phase = Some(worker.phase.clone());
        self.pod_seen.get_or_insert(now);
        match &worker.phase {
            Phase::Pending { reason } => self.pending_reason.clone_from(reason),
            Phase::Running | Phase::Succeeded | Phase::Failed { .. } => {
                self.running.get_or_insert(now);
            }
            Phase::Gone => {
                self.running.get_or_insert(now);
                self.gone.get_or_insert(now);
            }
        }
    }

    /// Takes in what Airflow says of the task.
    pub(super) fn heard(&mut self, state: Option<&str>, now: Instant) {
        self.state = state.map(str::to_owned);
        if state == Some("success") {
            self.success.get_or_insert(now);
        }
    }

    /// Whether the task succeeded some time ago, and no pod was seen yet, of which the watch would have told by now.
    pub(super) fn ran_elsewhere(&self) -> bool {
        !self.without_pod
            && self.pod.is_none()
            && self.success.is_some_and(|success| success.elapsed() > Duration::from_secs(5))
    }

    /// The wait, in words.
    pub(super) fn reason(&self) -> String {
        let pod = self.pod.as_deref().unwrap_or("the worker pod");
        match self.next() {
            Some(Part::Pod) => format!("waiting for a worker pod (task {})", self.state()),
            Some(Part::Running) => match &self.pending_reason {
                Some(reason) => format!("{pod} is pending: {reason}"),
                None => format!("{pod} is starting"),
            },
            Some(Part::Success) if self.without_pod => format!("waiting for the task ({})", self.state()),
            Some(Part::Success) => format!("{pod} runs the task"),
            Some(Part::Gone) => format!("waiting for Airflow to delete {pod}"),
            None => String::new(),
        }
    }

    /// The task and its pod as they are now: another one is a movement.
    pub(super) fn now(&self) -> String {
        format!("task {}, {}", self.state(), self.reason())
    }

    /// The task's state in Airflow's word, for people.
    pub(super) fn state(&self) -> &str {
        self.state.as_deref().unwrap_or("not scheduled yet")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker(phase: Phase) -> Worker {
        Worker { pod: "w".to_owned(), phase }
    }

    #[test]
    fn one_part_follows_the_other() {
        let (mut moments, now) = (Moments::default(), Instant::now());
        assert_eq!(moments.next(), Some(Part::Pod));
        moments.heard(Some("queued"), now);
        assert_eq!(moments.reason(), "waiting for a worker pod (task queued)");
        moments.saw(&worker(Phase::Pending { reason: Some("Unschedulable: full".to_owned()) }), now);
        assert_eq!(moments.next(), Some(Part::Running));
        assert_eq!(moments.reason(), "w is pending: Unschedulable: full");
        moments.saw(&worker(Phase::Running), now);
        assert_eq!(moments.next(), Some(Part::Success));
        moments.heard(Some("success"), now);
        assert_eq!(moments.next(), Some(Part::Gone));
        moments.saw(&worker(Phase::Gone), now);
        assert_eq!(moments.next(), None);
    }

    #[test]
    fn without_a_pod_only_the_success_is_waited_for() {
        let (mut moments, now) = (Moments::of(Executor::Local), Instant::now());
        assert_eq!(moments.next(), Some(Part::Success));
        moments.heard(Some("running"), now);
        assert_eq!(moments.reason(), "waiting for the task (running)");
        moments.heard(Some("success"), now);
        assert_eq!((moments.next(), moments.ran_elsewhere()), (None, false));
        assert_eq!(Moments::of(Executor::Kubernetes).next(), Some(Part::Pod));
    }

    #[test]
    fn a_pod_that_went_before_airflow_was_asked_is_waited_for_no_more() {
        let (mut moments, now) = (Moments::default(), Instant::now());
        moments.saw(&worker(Phase::Gone), now);
        assert_eq!(moments.next(), Some(Part::Success));
        moments.heard(Some("success"), now);
        assert_eq!(moments.next(), None);
    }
}
