//! Since when containers run: what they did before that was done by an earlier run.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::View;
use super::view::containers;

/// The starts of the containers that a release has now.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Starts(BTreeMap<(String, String), Option<Timestamp>>);

impl Starts {
    /// The starts of every container of these workloads.
    pub(in crate::cluster) fn of(view: &View<'_>) -> Self {
        let mut starts = BTreeMap::new();
        for workload in view.expected.workloads {
            for container in view.pods(workload).into_iter().flat_map(containers) {
                let state = container.status.and_then(|status| status.state.as_ref());
                let running = state.and_then(|state| state.running.as_ref());
                let started = running.and_then(|running| running.started_at.as_ref()).map(|time| time.0);
                let key = (workload.name.clone(), container.spec.name.clone());
                // Of several replicas the newest counts, and one that does not run at all more than that.
                let newest =
                    |known: &mut Option<Timestamp>| *known = known.zip(started).map(|(one, other)| one.max(other));
                starts.entry(key).and_modify(newest).or_insert(started);
            }
        }
        Self(starts)
    }

    /// As if this container alone ran.
    #[cfg(test)]
    pub(crate) fn known(workload: &str, container: &str, started: Timestamp) -> Self {
        Self(BTreeMap::from([((workload.to_owned(), container.to_owned()), Some(started))]))
    }

    /// Since when this container of a workload runs; none where it does not, or where nothing is known of it.
    #[must_use]
    pub fn running_since(&self, workload: &str, container: &str) -> Option<Timestamp> {
        self.0.get(&(workload.to_owned(), container.to_owned())).copied().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{BASE, observed};
    use super::*;
    use crate::cluster::workload::{Expected, Workload};

    #[test]
    fn a_container_runs_since_its_last_start() {
        let workloads = [Workload::deployment("airflow")];
        let expected = Expected { environment: "airflow-cluster", namespace: "airflow-cluster", workloads: &workloads };
        let starts = |texts: &[&str]| Starts::of(&View { expected, observed: &observed(texts), now: Timestamp::now() });
        let running = include_str!("testdata/starting.yaml");
        assert!(starts(&[BASE, running]).running_since("airflow", "scheduler").is_some());
        assert_eq!(starts(&[BASE, running]).running_since("airflow", "another"), None);
        assert_eq!(
            starts(&[BASE, include_str!("testdata/crash_loop.yaml")]).running_since("airflow", "scheduler"),
            None
        );
    }
}
