//! Why a part of Airflow is not healthy: the one place that says so, for the web check, `smoke`, `why` and `status`.
//!
//! A heartbeat that is too old by Airflow's own threshold is late only where the container that gave it still runs: one of before the
//! container's start, as after `stop` and `start`, is that of an earlier run, and the part has yet to give its first.

use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::airflow::health::{Health, Part, State};
use crate::cluster::verdict::{Starts, Verdict};
use crate::cluster::wait::beside::Beside;
use crate::cluster::workload::Expected;
use crate::cluster::{Cluster, survey};
use crate::codes::Code;
use crate::error::Failure;
use crate::stacks::{self, Shape};
use crate::ui::Step;

/// How long a late heartbeat must stand before it is told, as with other causes that may pass.
const TOLD: Duration = Duration::from_secs(3);
/// How long a part may be without another heartbeat once it is late: as long again as Airflow itself gives the scheduler. A laptop that slept
/// has beaten by then.
pub const LASTING: Duration = Duration::from_secs(30);

/// The document with every part unhealthy whose heartbeat is older than the start of its container: for 30 s Airflow calls a part healthy by
/// whatever heartbeat there is, and after `reset release` that is one of the Airflow that was removed.
#[must_use]
pub fn of_this_run(mut health: Health, shape: Shape<'_>, starts: &Starts) -> Health {
    let Health { scheduler, dag_processor, triggerer, .. } = &mut health;
    for (name, part) in [("scheduler", scheduler), ("dag processor", dag_processor), ("triggerer", triggerer)] {
        let is_of_before = |(heartbeat, started): (Timestamp, Timestamp)| heartbeat < started;
        if part.heartbeat.zip(started(name, shape, starts)).is_some_and(is_of_before) {
            part.state = State::Unhealthy;
        }
    }
    health
}

/// The part that keeps the others from being healthy: the database, then one whose heartbeat is late, then whatever else is not well.
#[must_use]
pub fn judge(health: &Health, shape: Shape<'_>, expected: Expected<'_>, starts: &Starts) -> Option<Verdict> {
    judge_all(health, shape, expected, starts).into_iter().next()
}

/// Why each part is not healthy: of the database first, then of those whose heartbeat is late, then of whatever else is not well. None is
/// terminal by itself: that it lasts makes it so, see `Late`.
pub(super) fn judge_all(health: &Health, shape: Shape<'_>, expected: Expected<'_>, starts: &Starts) -> Vec<Verdict> {
    let parts = health.parts();
    let unhealthy = parts.iter().filter(|(_, part)| part.state != State::Healthy);
    let mut verdicts: Vec<Verdict> =
        unhealthy.map(|(name, part)| verdict(name, part, shape, expected, starts)).collect();
    verdicts.sort_by_key(|verdict| match verdict.code {
        Code::DatabaseUnreachable => 0,
        Code::HeartbeatLate => 1,
        _ => 2,
    });
    verdicts
}

/// The same, where the pods have not been looked at; without them no heartbeat counts as late.
pub async fn look(health: &Health, shape: Shape<'_>, expected: Expected<'_>, cluster: &Cluster) -> Option<Verdict> {
    let starts = survey::take(cluster, expected).await.map(|survey| survey.starts).unwrap_or_default();
    judge(health, shape, expected, &starts)
}

/// What `windtunnel logs` calls a part.
pub(super) fn component(part: &str) -> String {
    if part == "metadatabase" { "database".to_owned() } else { part.replace(' ', "-") }
}

/// Since when the container of a part runs, if it does.
fn started(part: &str, shape: Shape<'_>, starts: &Starts) -> Option<Timestamp> {
    let found = stacks::component(shape, &component(part)).ok()?;
    starts.running_since(&found.workload.name, found.container)
}

fn verdict(name: &str, part: &Part, shape: Shape<'_>, expected: Expected<'_>, starts: &Starts) -> Verdict {
    let started = started(name, shape, starts);
    let (code, message) = match (name, part.heartbeat, started) {
        ("metadatabase", ..) => (Code::DatabaseUnreachable, "Airflow does not reach it"),
        (_, Some(heartbeat), Some(started)) if part.state == State::Unhealthy && heartbeat >= started => {
            (Code::HeartbeatLate, "it runs, and gives no heartbeat any more")
        }
        (_, _, Some(_)) => (Code::AirflowUnhealthy, "it has not given a heartbeat since its start"),
        (_, _, None) => (Code::AirflowUnhealthy, "it does not run, by Airflow's health document"),
    };
    let since = started.map_or_else(String::new, |started| format!(", its container runs since {started:.0}"));
    Verdict::new(code, format!("the {name}"), message)
        .evidence(if name == "metadatabase" {
            "metadatabase: unhealthy".to_owned()
        } else {
            format!("{name}: {part}{since}")
        })
        .hint(format!("to see why: {}", expected.command(&format!("logs {}", component(name)))))
        .terminal_if(false)
}

/// What has been late, look after look.
pub(super) struct Late<'a> {
    shape: Shape<'a>,
    expected: Expected<'a>,
    lasting: Duration,
    /// With its evidence: another heartbeat makes it another one.
    found: Option<(Verdict, Instant)>,
    told: bool,
}

impl<'a> Late<'a> {
    /// Nothing has been, yet; it ends what is done when it has lasted for `lasting`.
    pub(super) const fn new(shape: Shape<'a>, expected: Expected<'a>, lasting: Duration) -> Self {
        Self { shape, expected, lasting, found: None, told: false }
    }

    /// Takes in a look at Airflow: what is late is told on `step` once it has stood for 3 s, and is the failure to end with once it has lasted.
    pub(super) fn see(&mut self, health: &Health, beside: &Beside, now: Instant, step: &Step<'_>) -> Option<Failure> {
        let found = judge(health, self.shape, self.expected, &beside.starts()).filter(|found| match found.code {
            Code::HeartbeatLate => true,
            // While a pod is not ready that is the cause, and judged on its own.
            Code::DatabaseUnreachable => beside.is_ready(),
            _ => false,
        });
        let Some(found) = found else {
            self.found = None;
            return None;
        };
        if self.found.as_ref().is_none_or(|(before, _)| *before != found) {
            self.told = false;
            self.found = Some((found, now));
        }
        let (found, since) = self.found.as_ref()?;
        let stood = now.duration_since(*since);
        if stood >= self.lasting {
            return Some(Failure::from(found.clone()).evidence(format!("so for {} s", stood.as_secs())));
        }
        if stood >= TOLD && !self.told {
            self.told = true;
            step.suspicion(found.code, &found.object, &found.message, &found.evidence);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{Executor, Generation, StackName};
    use crate::ui::{Level, Manner, Ui};

    const SHAPE: Shape<'_> = Shape {
        name: "airflow-cluster",
        id: None,
        stack: StackName::Lite,
        generation: Generation::Three,
        executor: Executor::Kubernetes,
    };
    const EXPECTED: Expected<'_> =
        Expected { environment: "airflow-cluster", namespace: "airflow-cluster", workloads: &[] };

    fn health(scheduler: &str) -> Health {
        serde_json::from_str(&format!(
            r#"{{"metadatabase":{{"status":"healthy"}},"scheduler":{scheduler},"dag_processor":{{"status":null}},"triggerer":{{"status":"healthy"}}}}"#
        ))
        .unwrap()
    }

    fn started(time: &str) -> Starts {
        Starts::known("airflow-cluster-airflow", "scheduler", time.parse().unwrap())
    }

    const LATE: &str = r#"{"status":"unhealthy","latest_scheduler_heartbeat":"2026-11-22T21:57:36+00:00"}"#;

    #[test]
    fn a_heartbeat_of_before_the_start_is_not_late() {
        let code = |scheduler: &str, starts: &Starts| judge(&health(scheduler), SHAPE, EXPECTED, starts).unwrap().code;
        assert_eq!(code(LATE, &started("2026-11-22T21:50:00Z")), Code::HeartbeatLate);
        // As after `stop` and `start`.
        assert_eq!(code(LATE, &started("2026-11-22T21:58:00Z")), Code::AirflowUnhealthy);
        assert_eq!(code(LATE, &Starts::default()), Code::AirflowUnhealthy, "it does not run");
        let none = r#"{"status":"unhealthy","latest_scheduler_heartbeat":null}"#;
        assert_eq!(code(none, &started("2026-11-22T21:50:00Z")), Code::AirflowUnhealthy);
    }

    #[test]
    fn a_heartbeat_of_before_the_start_makes_nothing_healthy() {
        let beating = LATE.replace("unhealthy", "healthy");
        let missing = |start: &str| of_this_run(health(&beating), SHAPE, &started(start)).missing();
        assert_eq!(missing("2026-11-22T21:50:00Z"), ["dag processor"]);
        assert_eq!(missing("2026-11-22T21:58:00Z"), ["scheduler", "dag processor"]);
    }

    #[test]
    fn the_database_comes_before_what_follows_from_it() {
        let mut health = health(LATE);
        health.metadatabase.state = State::Unhealthy;
        let verdict = judge(&health, SHAPE, EXPECTED, &started("2026-11-22T21:50:00Z")).unwrap();
        assert_eq!((verdict.code, verdict.object.as_str()), (Code::DatabaseUnreachable, "the metadatabase"));
        assert_eq!(verdict.evidence, ["metadatabase: unhealthy"]);
    }

    #[test]
    fn what_is_late_is_told_and_ends_it_unless_it_beats_again() {
        let ui = Ui::new(Manner { level: Level::Quiet, ..Manner::default() });
        let step = ui.step("check_web", "Checking the web server");
        let beside = Beside::after(started("2026-11-22T21:50:00Z"));
        let (begin, mut late) = (Instant::now(), Late::new(SHAPE, EXPECTED, LASTING));
        let mut see = |scheduler: &str, seconds: u64| {
            let failure = late.see(&health(scheduler), &beside, begin + Duration::from_secs(seconds), &step);
            (failure, late.told)
        };
        assert!(!see(LATE, 0).1);
        assert!(see(LATE, 3).1);
        // Slow, but not dead.
        assert!(!see(&LATE.replace("21:57", "21:58"), 29).1);
        assert!(see(&LATE.replace("21:57", "21:58"), 58).0.is_none());
        let failure = see(&LATE.replace("21:57", "21:58"), 59).0.unwrap();
        assert_eq!(failure.code, Some(Code::HeartbeatLate));
        assert_eq!(failure.message, "the scheduler: it runs, and gives no heartbeat any more");
        assert!(see(r#"{"status":"healthy"}"#, 60).0.is_none());
        step.done("");
    }
}
