//! Whether anything still moves: a wait goes on as long as something happens that has not happened before.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use kube::ResourceExt;

use super::super::verdict::{Observed, PodState, is_ready};

/// All that has been seen to happen.
pub(super) struct Movement {
    /// A crash loop goes through the same states again and again; that is no progress.
    seen: BTreeSet<String>,
    when: Instant,
    /// What it was.
    what: String,
}

impl Movement {
    /// Nothing yet, but for the beginning.
    pub(super) fn begin() -> Self {
        Self { seen: BTreeSet::new(), when: Instant::now(), what: String::new() }
    }

    /// Takes in what is there now.
    pub(super) fn take_in(&mut self, states: &[PodState], observed: Option<&Observed>) {
        let pods = observed.into_iter().flat_map(|observed| &observed.pods);
        let ready = pods.filter(|pod| is_ready(pod)).map(|pod| {
            let name = pod.name_any();
            (format!("{}/ready", pod.uid().unwrap_or_default()), format!("pod `{name}`: ready"))
        });
        let states = states.iter().map(|state| {
            let said = if state.detail.is_empty() { String::new() } else { format!(", {}", state.detail) };
            let what = format!("{}: {}{said}", state.subject, state.state);
            (format!("{}/{what}", state.pod), what)
        });
        for (key, what) in ready.chain(states) {
            self.see(key, what);
        }
    }

    /// Takes in something else; `key` tells it from all that has happened before.
    pub(super) fn see(&mut self, key: String, what: String) {
        if self.seen.insert(key) {
            self.when = Instant::now();
            self.what = what;
        }
    }

    /// Whether nothing has moved for so long.
    pub(super) fn ended_before(&self, stall: Duration) -> bool {
        self.when.elapsed() >= stall
    }

    /// What moved last, and when.
    pub(super) fn last(&self) -> String {
        let seconds = self.when.elapsed().as_secs();
        if self.what.is_empty() { String::new() } else { format!("moved last, {seconds} s ago: {}", self.what) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(state: &str, detail: &str) -> [PodState; 1] {
        let (pod, subject) = ("airflow-1".to_owned(), "migrate".to_owned());
        [PodState { pod, subject, state: state.to_owned(), detail: detail.to_owned(), seconds: 3, of: None }]
    }

    #[test]
    fn what_has_been_there_before_is_no_movement() {
        let mut movement = Movement::begin();
        movement.take_in(&state("running", ""), None);
        movement.take_in(&state("crashed", ""), None);
        movement.when = Instant::now().checked_sub(Duration::from_secs(9)).unwrap();
        movement.take_in(&state("running", ""), None);
        assert!(movement.ended_before(Duration::from_secs(9)));
        assert_eq!(movement.last(), "moved last, 9 s ago: migrate: crashed");
        movement.take_in(&state("running", "Running upgrade a -> b"), None);
        assert!(!movement.ended_before(Duration::from_secs(9)));
    }
}
