//! "Checking the web server": all of Airflow is healthy, as seen through the forward.
//!
//! Airflow itself calls a part healthy for 30 s after its last heartbeat, whoever gave it. Here one of before the start of the part's container
//! is none: after `reset release` it is that of the Airflow that was removed.
//!
//! As the wait for pods, it ends on health, on a terminal cause, or when nothing has moved for a stated time. The pods are judged on: what was
//! ready may fail again. What moves is a pod, a part's state, or the heartbeat of a part that is not healthy.

use std::cell::Cell;
use std::time::{Duration, Instant};

use super::prerequisites::Prerequisites;
use super::unhealthy::{self, Late};
use super::{Context, node};
use crate::airflow::Client;
use crate::airflow::health::{self, Health};
use crate::cluster::Cluster;
use crate::cluster::verdict::Starts;
use crate::cluster::wait::beside::{Beside, Judged};
use crate::cluster::workload::Expected;
use crate::error::{Failure, Kind};
use crate::stacks::{Release, Shape};
use crate::state::Record;
use crate::ui::{Step, Ui};

/// The pause between two looks.
///
/// Airflow writes its heartbeats into its database and offers no way to wait for one: looking again is all there is.
const PAUSE: Duration = Duration::from_millis(250);
/// How long the web server may be silent before its Service is looked at, and between two looks.
const SILENT: Duration = Duration::from_secs(3);

/// What is looked at.
struct Web<'a> {
    client: Client,
    cluster: &'a Cluster,
    expected: Expected<'a>,
    shape: Shape<'a>,
    /// The Service of the web interface, and its port.
    service: (&'a str, u16),
    /// For how long nothing may move.
    stall: Duration,
    /// How long a late heartbeat may last.
    lasting: Duration,
}

/// Waits until the web server of the environment as `record` has it calls metadatabase, scheduler, DAG processor and triggerer healthy, by
/// heartbeats of the containers that run since `starts`: some seconds later, when the first ones are written.
///
/// # Errors
/// Foreign, at once, where it is not Airflow that answers; a verdict as soon as a cause is terminal, of a pod, of the web interface's Service
/// or of a heartbeat; unhealthy where a part is not healthy and nothing has moved for the plan's timeout, timeout where there was no answer
/// by then; what a look at the node finds.
pub async fn ensure(
    context: Context<'_>,
    ready: &Prerequisites,
    cluster: &Cluster,
    record: &Record,
    release: &Release,
    starts: Starts,
) -> Result<Health, Failure> {
    let Context { plan, ui, .. } = context;
    let web = Web {
        client: Client::to(record),
        cluster,
        expected: Expected { environment: &plan.name, namespace: &plan.namespace, workloads: &release.workloads },
        shape: record.into(),
        service: (&release.service, release.service_port),
        stall: plan.timeout,
        lasting: unhealthy::LASTING,
    };
    let look = async || node::look(context, ready).await;
    let held = async || node::held(context, ready).await;
    check(&web, starts, look, held, ui).await
}

async fn check(
    web: &Web<'_>,
    starts: Starts,
    look: impl AsyncFn() -> Result<(), Failure>,
    held: impl AsyncFn() -> Option<u64>,
    ui: &Ui,
) -> Result<Health, Failure> {
    let step = ui.step("check_web", "Checking the web server");
    let (beside, answered) = (Beside::after(starts), Cell::new(Instant::now()));
    let judged = Judged { cluster: web.cluster, expected: web.expected, dag_id: None };
    let health = tokio::select! {
        health = await_health(web, &beside, &answered, &step) => health?,
        failure = beside.judge(judged, &step, look, held) => return Err(failure),
        failure = watch_service(web, &beside, &answered) => return Err(failure),
    };
    let parts: Vec<&str> = health.parts().into_iter().map(|(name, _)| name).collect();
    step.done(format!("{} healthy", parts.join(", ")));
    Ok(health)
}

/// Looks until all parts are healthy. `answered` is when the web server last said anything.
async fn await_health(
    web: &Web<'_>,
    beside: &Beside,
    answered: &Cell<Instant>,
    step: &Step<'_>,
) -> Result<Health, Failure> {
    let client = web.client.clone().with_deadline(web.stall.clamp(PAUSE, Duration::from_secs(5)));
    let mut late = Late::new(web.shape, web.expected, web.lasting);
    let mut reason = String::new();
    loop {
        let look = health::look(&client).await;
        let look = look.map(|health| unhealthy::of_this_run(health, web.shape, &beside.starts()));
        let now = match &look {
            Ok(health) => {
                let missing = health.missing();
                if missing.is_empty() {
                    return look;
                }
                answered.set(Instant::now());
                tell(health, beside);
                if let Some(failure) = late.see(health, beside, Instant::now(), step) {
                    return Err(failure);
                }
                format!("waiting for: {}", missing.join(", "))
            }
            Err(failure) if failure.kind == Kind::Unhealthy => "waiting for: an answer of the web server".to_owned(),
            Err(_) => return look,
        };
        if beside.ended_before(web.stall) {
            return Err(stalled(look, web, beside));
        }
        if now != reason {
            step.note(&now);
            reason = now;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// What moves of Airflow's parts: not the heartbeats of those that are well, which would go on for ever.
fn tell(health: &Health, beside: &Beside) {
    for (name, part) in health.parts() {
        beside.moved(&format!("{name}: {part}"));
    }
}

/// Ends with the verdict where the web server says nothing because its Service leads to no pod.
async fn watch_service(web: &Web<'_>, beside: &Beside, answered: &Cell<Instant>) -> Failure {
    loop {
        tokio::time::sleep(SILENT).await;
        if answered.get().elapsed() < SILENT || !beside.is_ready() {
            continue;
        }
        let (name, port) = web.service;
        // That it cannot be asked for is told by the judge of the pods, who asks the same API server.
        if let Ok(Some(verdict)) = web.cluster.misled_service(web.expected, name, port).await {
            return verdict.into();
        }
    }
}

fn stalled(look: Result<Health, Failure>, web: &Web<'_>, beside: &Beside) -> Failure {
    let seconds = web.stall.as_secs();
    match look {
        Ok(health) => {
            let missing = health.missing();
            let verb = if missing.len() == 1 { "is" } else { "are" };
            let message = format!("{} {verb} not healthy, and nothing has moved for {seconds} s", missing.join(", "));
            let causes = unhealthy::judge_all(&health, web.shape, web.expected, &beside.starts());
            Failure {
                code: causes.first().map(|cause| cause.code),
                hints: causes.first().map(|cause| cause.hints.clone()).unwrap_or_default(),
                ..Failure::new(Kind::Unhealthy, message)
            }
            .evidence(beside.last_movement())
            .evidence_lines(causes.into_iter().flat_map(|cause| cause.evidence))
        }
        Err(failure) => Failure {
            kind: Kind::Timeout,
            message: format!("the web server does not answer, and nothing has moved for {seconds} s"),
            evidence: [vec![beside.last_movement(), failure.message], failure.evidence].concat(),
            hints: vec![
                "to see why: `windtunnel logs api-server`".to_owned(),
                "to see the connection to it: `windtunnel forward status`".to_owned(),
            ],
            ..failure
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::airflow::scripted::{Script, serve};
    use crate::codes::Code;
    use crate::profile::{Executor, Generation, StackName};
    use crate::ui::{Level, Manner};

    const HEALTHY: &str = r#"{"metadatabase":{"status":"healthy"},"scheduler":{"status":"healthy"},"triggerer":{"status":"healthy"},"dag_processor":{"status":"healthy"}}"#;

    /// The check, where nothing is known of the pods.
    async fn checked(port: u16, stall: Duration) -> Result<Health, Failure> {
        checked_after(port, stall, Starts::default()).await
    }

    async fn checked_after(port: u16, stall: Duration, starts: Starts) -> Result<Health, Failure> {
        let cluster = Cluster::unreachable();
        let web = Web {
            client: Client::new(port),
            cluster: &cluster,
            expected: Expected { environment: "airflow-cluster", namespace: "airflow-cluster", workloads: &[] },
            shape: Shape {
                name: "airflow-cluster",
                id: None,
                stack: StackName::Lite,
                generation: Generation::Three,
                executor: Executor::Kubernetes,
            },
            service: ("airflow-cluster-web", 8080),
            stall,
            lasting: unhealthy::LASTING,
        };
        let quiet = Ui::new(Manner { level: Level::Quiet, ..Manner::default() });
        check(&web, starts, async || Ok(()), async || None, &quiet).await
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
        let health = checked(port, Duration::from_secs(20)).await.unwrap();
        assert!(health.missing().is_empty());
        assert_eq!(requests.lock().unwrap().len(), 4);
    }

    /// As after `reset release`, which takes less than the 30 s for which Airflow lets the one of before count.
    #[tokio::test]
    async fn a_heartbeat_of_before_the_start_is_not_that_of_what_runs() {
        let beat = |time: &str| {
            let scheduler = format!(r#""scheduler":{{"status":"healthy","latest_scheduler_heartbeat":"{time}"}}"#);
            Script::json(200, &HEALTHY.replace(r#""scheduler":{"status":"healthy"}"#, &scheduler))
        };
        let starts = || Starts::known("airflow-cluster-airflow", "scheduler", "2026-11-22T21:57:36Z".parse().unwrap());
        let script = [beat("2026-11-22T21:57:20+00:00"), beat("2026-11-22T21:57:41+00:00")];
        let (port, requests) = serve(script).await;
        checked_after(port, Duration::from_secs(20), starts()).await.unwrap();
        assert_eq!(requests.lock().unwrap().len(), 2);
        let (port, _) = serve([beat("2026-11-22T21:57:20+00:00")]).await;
        let failure = checked_after(port, Duration::from_millis(300), starts()).await.unwrap_err();
        assert_eq!(failure.message, "scheduler is not healthy, and nothing has moved for 0 s");
        let line =
            "scheduler: unhealthy, last heartbeat 2026-11-22T21:57:20Z, its container runs since 2026-11-22T21:57:36Z";
        assert_eq!(failure.evidence.last().unwrap(), line);
    }

    #[tokio::test]
    async fn a_part_that_stays_unhealthy_is_named_with_heartbeat_log_and_what_moved_last() {
        let dead = HEALTHY.replace(
            r#""dag_processor":{"status":"healthy"}"#,
            r#""dag_processor":{"status":"unhealthy","latest_dag_processor_heartbeat":"2026-11-22T21:57:36+00:00"}"#,
        );
        let (port, _) = serve([Script::json(200, &dead)]).await;
        let failure = checked(port, Duration::from_millis(300)).await.unwrap_err();
        // That its container has run since before that heartbeat is not known here.
        assert_eq!((failure.kind, failure.code), (Kind::Unhealthy, Some(Code::AirflowUnhealthy)));
        assert_eq!(failure.message, "dag processor is not healthy, and nothing has moved for 0 s");
        let complaint = "dag processor: unhealthy, last heartbeat 2026-11-22T21:57:36Z";
        assert!(failure.evidence[0].starts_with("moved last, 0 s ago: "), "{:?}", failure.evidence);
        assert_eq!(failure.evidence[1..], [complaint]);
        assert_eq!(failure.hints, ["to see why: `windtunnel logs dag-processor`"]);
    }

    /// Ten looks, each of which shows another heartbeat, of a part whose heartbeats are late each time: it lives.
    #[tokio::test]
    async fn what_moves_is_waited_for() {
        let slow = (10..20).map(|second| {
            let heartbeat = format!(
                r#""dag_processor":{{"status":"unhealthy","latest_dag_processor_heartbeat":"2026-11-22T21:57:{second}+00:00"}}"#
            );
            Script::json(200, &HEALTHY.replace(r#""dag_processor":{"status":"healthy"}"#, &heartbeat))
        });
        let (port, requests) = serve(slow.chain([Script::json(200, HEALTHY)])).await;
        checked(port, Duration::from_secs(1)).await.unwrap();
        assert_eq!(requests.lock().unwrap().len(), 11, "more than two seconds");
    }

    #[tokio::test]
    async fn silence_is_a_timeout_with_the_last_error() {
        let (port, _) = serve([Script::slow(Duration::from_secs(5))]).await;
        let failure = checked(port, Duration::from_millis(300)).await.unwrap_err();
        assert_eq!(failure.kind, Kind::Timeout);
        let silence = failure.evidence.iter().find(|line| line.ends_with("/api/v2/monitor/health: no answer"));
        assert!(silence.is_some(), "{:?}", failure.evidence);
    }

    #[tokio::test]
    async fn a_stranger_ends_the_wait_at_once() {
        let (port, requests) = serve([Script::of(200, "content-type: text/html", "<html>")]).await;
        let failure = checked(port, Duration::from_secs(20)).await.unwrap_err();
        assert_eq!(failure.kind, Kind::Foreign);
        assert_eq!(requests.lock().unwrap().len(), 1);
    }
}
