//! "Checking the web server": all of Airflow is healthy, as seen through the forward.

use std::time::{Duration, Instant};

use crate::airflow::Client;
use crate::airflow::health::{self, Health, Part, State};
use crate::codes::Code;
use crate::error::{Failure, Kind};
use crate::ui::Ui;

/// How long Airflow may take from ready pods to four healthy parts: the first heartbeats of a slow laptop.
pub const PATIENCE: Duration = Duration::from_mins(3);

/// The pause between two looks.
///
/// Airflow writes its heartbeats into its database and offers no way to wait for one: looking again is all there is.
const PAUSE: Duration = Duration::from_millis(250);

/// Waits until the web server calls metadatabase, scheduler, DAG processor and triggerer healthy:
/// some seconds after their start, when the first heartbeats are written.
///
/// # Errors
/// Foreign, at once, where it is not Airflow that answers; unhealthy where a part is not healthy when `patience` ends; timeout
/// where there was no answer by then.
pub async fn check(client: &Client, patience: Duration, ui: &Ui) -> Result<Health, Failure> {
    let step = ui.step("check_web", "Checking the web server");
    let deadline = Instant::now() + patience;
    let mut reason = String::new();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let look = health::look(&client.clone().with_deadline(left.clamp(PAUSE, Duration::from_secs(5)))).await;
        let now = match &look {
            Ok(health) if health.missing().is_empty() => {
                let parts: Vec<&str> = health.parts().into_iter().map(|(name, _)| name).collect();
                step.done(format!("{} healthy", parts.join(", ")));
                return look;
            }
            Ok(health) => format!("waiting for: {}", health.missing().join(", ")),
            Err(failure) if failure.kind == Kind::Unhealthy => "waiting for: an answer of the web server".to_owned(),
            Err(_) => return look,
        };
        if Instant::now() >= deadline {
            return Err(late(look, patience));
        }
        if now != reason {
            step.note(&now);
            reason = now;
        }
        tokio::time::sleep(PAUSE.min(left)).await;
    }
}

fn late(look: Result<Health, Failure>, patience: Duration) -> Failure {
    let seconds = patience.as_secs();
    match look {
        Ok(health) => {
            let missing = health.missing();
            let verb = if missing.len() == 1 { "is" } else { "are" };
            Failure::new(Kind::Unhealthy, format!("{} {verb} not healthy after {seconds} s", missing.join(", ")))
                .code(code(&health))
                .evidence_lines(health.complaints())
                .hint(format!("to see why: `windtunnel logs {}`", component(missing[0])))
        }
        Err(failure) => Failure {
            kind: Kind::Timeout,
            message: format!("the web server did not answer within {seconds} s"),
            evidence: std::iter::once(failure.message).chain(failure.evidence).collect(),
            hints: vec![
                "to see why: `windtunnel logs api-server`".to_owned(),
                "to see the connection to it: `windtunnel forward status`".to_owned(),
            ],
            ..failure
        },
    }
}

/// A part that once gave its heartbeat and does so no more is late; one that never did has not come so far.
fn code(health: &Health) -> Code {
    let parts = health.parts();
    let is_late = |part: &Part| part.state == State::Unhealthy && part.heartbeat.is_some();
    match parts.iter().find(|(_, part)| part.state != State::Healthy) {
        Some(("metadatabase", _)) => Code::DatabaseUnreachable,
        Some((_, part)) if is_late(part) => Code::HeartbeatLate,
        _ => Code::AirflowUnhealthy,
    }
}

/// What `windtunnel logs` calls a part.
fn component(part: &str) -> String {
    if part == "metadatabase" { "database".to_owned() } else { part.replace(' ', "-") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::airflow::scripted::{Script, serve};
    use crate::ui::{Level, Manner};

    const HEALTHY: &str = r#"{"metadatabase":{"status":"healthy"},"scheduler":{"status":"healthy"},"triggerer":{"status":"healthy"},"dag_processor":{"status":"healthy"}}"#;

    fn quiet() -> Ui {
        Ui::new(Manner { level: Level::Quiet, ..Manner::default() })
    }

    #[tokio::test]
    async fn waits_from_no_connection_through_unhealthy_to_healthy() {
        let starting = HEALTHY.replace(r#""dag_processor":{"status":"healthy"}"#, r#""dag_processor":{"status":null}"#);
        let script = [
            Script::raw(""),
            Script::of(500, "", "Internal Server Error"),
            Script::json(200, &starting),
            Script::json(200, HEALTHY),
        ];
        let (port, requests) = serve(script).await;
        let health = check(&Client::new(port), Duration::from_secs(20), &quiet()).await.unwrap();
        assert!(health.missing().is_empty());
        assert_eq!(requests.lock().unwrap().len(), 4);
    }

    #[tokio::test]
    async fn a_part_that_stays_unhealthy_is_named_with_heartbeat_and_log() {
        let dead = HEALTHY.replace(
            r#""dag_processor":{"status":"healthy"}"#,
            r#""dag_processor":{"status":"unhealthy","latest_dag_processor_heartbeat":"2026-11-22T21:57:36+00:00"}"#,
        );
        let (port, _) = serve([Script::json(200, &dead)]).await;
        let failure = check(&Client::new(port), Duration::from_millis(300), &quiet()).await.unwrap_err();
        assert_eq!((failure.kind, failure.code), (Kind::Unhealthy, Some(Code::HeartbeatLate)));
        assert_eq!(failure.message, "dag processor is not healthy after 0 s");
        assert_eq!(failure.evidence, ["dag processor: unhealthy, last heartbeat 2026-11-22T21:57:36Z"]);
        assert_eq!(failure.hints, ["to see why: `windtunnel logs dag-processor`"]);
    }

    #[tokio::test]
    async fn silence_is_a_timeout_with_the_last_error() {
        let (port, _) = serve([Script::slow(Duration::from_secs(5))]).await;
        let failure = check(&Client::new(port), Duration::from_millis(300), &quiet()).await.unwrap_err();
        assert_eq!(failure.kind, Kind::Timeout);
        assert!(failure.evidence[0].ends_with("/api/v2/monitor/health: no answer"), "{:?}", failure.evidence);
    }

    #[tokio::test]
    async fn a_stranger_ends_the_wait_at_once() {
        let (port, requests) = serve([Script::of(200, "content-type: text/html", "<html>")]).await;
        let failure = check(&Client::new(port), Duration::from_secs(20), &quiet()).await.unwrap_err();
        assert_eq!(failure.kind, Kind::Foreign);
        assert_eq!(requests.lock().unwrap().len(), 1);
    }
}
