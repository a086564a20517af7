//! What is shown while pods are waited for: only what is new, where nothing moves on the screen.

use std::collections::BTreeMap;
use std::time::Instant;

use kube::ResourceExt;

use super::super::shortened;
use super::super::verdict::{Observed, PodState, Verdict, is_ready};
use super::suspected::{Suspected, Suspicion};
use crate::ui::Step;

/// How much of the states fits on the moving line, in characters.
const LINE_WIDTH: usize = 70;

/// What has been shown.
#[derive(Default)]
pub(super) struct Shown {
    /// By pod and subject.
    states: BTreeMap<(String, String), String>,
    suspected: Suspected,
    /// Since when the API server has failed.
    trouble: Option<Instant>,
}

impl Shown {
    pub(super) fn states(&mut self, step: &Step<'_>, states: &[PodState], suspicion: Option<&Verdict>) {
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
        let line = match (suspicion, self.suspected.see(suspicion, Instant::now())) {
            (None, _) | (_, Suspicion::None) => states.iter().map(PodState::to_string).collect::<Vec<_>>().join(" · "),
            (Some(verdict), Suspicion::Old) => verdict.line(),
            (Some(verdict), Suspicion::New) => {
                step.suspicion(verdict.code, &verdict.object, &verdict.message, &verdict.evidence);
                verdict.line()
            }
        };
        step.doing(shortened(&line, LINE_WIDTH));
    }

    /// Tells once of each pod that was told about and is ready now.
    pub(super) fn ready(&mut self, step: &Step<'_>, observed: &Observed) {
        for pod in observed.pods.iter().filter(|pod| is_ready(pod)) {
            let name = pod.name_any();
            let count = self.states.len();
            self.states.retain(|(pod, _), _| *pod != name);
            if self.states.len() < count {
                step.pod(&name, "ready");
            }
        }
    }

    /// Tells once of an API server that failed and does not any more.
    pub(super) fn recovered(&mut self, step: &Step<'_>) {
        if let Some(since) = self.trouble.take() {
            step.note(&format!("the API server answers again after {} s", since.elapsed().as_secs()));
        }
    }

    /// Tells once of an API server that fails, whichever watch it shows in, and for how long on the moving line.
    pub(super) fn trouble(&mut self, step: &Step<'_>, error: Option<String>) {
        let Some(error) = error else { return step.doing("asking the API server") };
        if self.trouble.is_none() {
            step.note(&format!("waiting for the API server: {error}"));
        }
        let since = *self.trouble.get_or_insert_with(Instant::now);
        let line = format!("the API server does not answer for {} s: {error}", since.elapsed().as_secs());
        step.doing(shortened(&line, LINE_WIDTH));
    }
}
