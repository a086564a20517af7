//! "Running a DAG": proof that all of it works together. A DAG file is seen, triggered, run by `KubernetesExecutor` in a pod of its
//! own, and its task log read back.

mod dag_file;
mod follow;
mod moments;
mod place;
mod refused;
mod report;
mod tidy;

use std::future::pending;
use std::time::{Duration, Instant};

use crate::airflow::{Client, Try, dags, health, log_lost, read_try};
use crate::cluster::owner::Owner;
use crate::cluster::wait::beside::{Beside, Judged};
use crate::cluster::worker::Workers;
use crate::cluster::workload::Expected;
use crate::cluster::{Cluster, survey};
use crate::codes::Code;
use crate::error::{Failure, Kind};
use crate::profile::Executor;
use crate::stacks::{self, Shape};
use crate::state::{Credentials, USER};
use crate::steps::unhealthy::{self, Late};
use crate::ui::{Step, Ui};
use dag_file::{SmokeDag, TASK};
use follow::{Run, health_lines, tail};
pub use place::Place;
use report::Course;
pub use report::SmokeReport;
use tidy::End;

/// The DAG bundle that the folder of smoke DAGs is to Airflow.
const BUNDLE: &str = "windtunnel";
/// The id of the one run; the DAG's own id makes it unique.
const RUN: &str = "smoke";
/// The pause between two looks at Airflow, which has no way to wait for anything.
const PAUSE: Duration = Duration::from_millis(250);
/// The pause between two looks at the health of all of Airflow while a part of it is followed.
const HEALTH_PAUSE: Duration = Duration::from_secs(2);
/// For how long nothing may move until Airflow has found a new file: it reads the bundle's folder anew every few seconds.
const DAG_PATIENCE: Duration = Duration::from_mins(2);
/// For how long nothing may come of the log of a task that ended.
const LOG_PATIENCE: Duration = Duration::from_secs(30);

/// What a smoke run needs.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    /// The forward's port on 127.0.0.1; it answers.
    pub port: u16,
    /// Which Airflow answers there, and what runs the task.
    pub shape: Shape<'a>,
    /// Its pods, which are judged meanwhile.
    pub expected: Expected<'a>,
    /// The environment's credentials.
    pub credentials: &'a Credentials,
    /// What Airflow reads as the bundle `windtunnel`.
    pub place: Place<'a>,
    /// The cluster that the worker pod is to appear in.
    pub cluster: &'a Cluster,
    /// The environment.
    pub owner: Owner<'a>,
}

/// Runs a DAG and reads its log back; leaves nothing of it behind, whatever comes of it. The pods, the worker pod's too, and Airflow's health
/// are judged meanwhile; `look` and `held` are those of [`crate::cluster::wait::until_ready`].
///
/// # Errors
/// Verdict where a terminal cause was found: the file is not importable, a pod or the worker pod cannot start or failed, a heartbeat is late;
/// unhealthy where the task failed, the log has not what it printed, or Airflow refuses; timeout, naming the part and what moved last, where
/// nothing has moved for too long.
pub async fn run(
    inputs: &Inputs<'_>,
    look: impl AsyncFn() -> Result<(), Failure>,
    held: impl AsyncFn() -> Option<u64>,
    ui: &Ui,
) -> Result<SmokeReport, Failure> {
    let step = ui.step("smoke", "Running a DAG");
    let client = Client::new(inputs.port).of(inputs.shape.generation);
    tokio::select! {
        required = require_scheduling(&client, inputs.shape, inputs.expected, inputs.cluster) => required?,
        failure = stopped(inputs) => return Err(failure),
    }
    let client = client.sign_in(USER, &inputs.credentials.admin_password).await?;
    inputs.place.remove_leftovers()?;
    tidy::remove_leftovers(&client, inputs).await?;
    let dag = SmokeDag::random()?;
    let file = inputs.place.put(&dag, inputs.shape.generation, inputs.cluster).await?;
    let beside = Beside::begin();
    let judged = Judged { cluster: inputs.cluster, expected: inputs.expected, dag_id: Some(&dag.id) };
    let proof = tokio::select! {
        proof = prove(&client, inputs, &dag, &beside, &step) => proof,
        failure = beside.judge(judged, &step, look, held) => Err(failure),
        failure = watch_health(&client, inputs, &beside, &step) => Err(failure),
    };
    step.doing("removing the DAG");
    let end = if proof.is_ok() { End::Well } else { End::Badly };
    let tidied = match inputs.place.take(file, inputs.cluster).await {
        Ok(()) => tidy::remove_dag(&client, inputs, &dag.id, end).await,
        unremoved => unremoved,
    };
    if let Err(failure) = tidied {
        let why = [vec![failure.message], failure.evidence].concat().join(": ");
        ui.warn(&format!("DAG `{}` is still there, the next smoke run removes it: {why}", dag.id));
    }
    let report = proof?;
    step.done(match inputs.shape.executor {
        Executor::Kubernetes => "windtunnel_smoke ran in a worker pod, log read back",
        Executor::Local | Executor::Celery => "windtunnel_smoke ran, log read back",
    });
    ui.say(&format!("    {}", report.summary()));
    Ok(report)
}

async fn prove(
    client: &Client,
    inputs: &Inputs<'_>,
    dag: &SmokeDag,
    beside: &Beside,
    step: &Step<'_>,
) -> Result<SmokeReport, Failure> {
    let written = Instant::now();
    step.note("waiting for the DAG processor to see the file");
    beside.moved("the DAG file is written");
    await_dag(client, &dag.id, &dag.file(), DAG_PATIENCE, beside).await?;
    beside.moved("the DAG is parsed");
    let dag_seen = Instant::now();
    let workers = Workers::watch(inputs.cluster, inputs.expected.namespace, &dag.id);
    dags::trigger(client, &dag.id, RUN).await?;
    let triggered = Instant::now();
    let run = Run { client, inputs, dag_id: &dag.id, beside };
    let moments = run.follow(workers, step).await?;
    let followed = Instant::now();
    step.note("reading the task log");
    await_log(&run, &dag.marker).await?;
    let course = Course { written, dag_seen, triggered, followed, log_read: Instant::now() };
    Ok(SmokeReport::new(&dag.id, course, &moments))
}

/// Ends with the cause where a heartbeat is late while something else is waited for.
async fn watch_health(client: &Client, inputs: &Inputs<'_>, beside: &Beside, step: &Step<'_>) -> Failure {
    let mut late = Late::new(inputs.shape, inputs.expected, unhealthy::LASTING);
    loop {
        tokio::time::sleep(HEALTH_PAUSE).await;
        // That there is no answer is told by whoever waits for one.
        if let Ok(health) = health::look(client).await
            && let Some(failure) = late.see(&health, beside, Instant::now(), step)
        {
            return failure;
        }
    }
}

/// Ends where nothing runs that could answer: the forward would wait for it.
async fn stopped(inputs: &Inputs<'_>) -> Failure {
    let needed = stacks::needed(inputs.shape);
    // Where there is no survey, whoever asks Airflow tells more.
    if let Ok(survey) = survey::take(inputs.cluster, inputs.expected).await
        && let Some(workload) = survey.stopped(&needed)
    {
        return Failure::new(Kind::Unhealthy, format!("the {workload} is stopped: no DAG would run"))
            .hint(format!("to let it run: {}", inputs.expected.command("start")));
    }
    pending().await
}

/// Nothing would be seen or run without these two: better said now than at a deadline.
async fn require_scheduling(
    client: &Client,
    shape: Shape<'_>,
    expected: Expected<'_>,
    cluster: &Cluster,
) -> Result<(), Failure> {
    let health = health::look(client).await?;
    match health.missing().into_iter().find(|part| ["scheduler", "dag processor"].contains(part)) {
        None => Ok(()),
        Some(part) => {
            let cause = unhealthy::look(&health, shape, expected, cluster).await;
            Err(Failure::new(Kind::Unhealthy, format!("the {part} is not healthy: no DAG would run"))
                .code(cause.map_or(Code::AirflowUnhealthy, |cause| cause.code))
                .evidence_lines(health.complaints())
                .hint(format!("to see why: `windtunnel logs {}`", unhealthy::component(part))))
        }
    }
}

async fn await_dag(
    client: &Client,
    dag_id: &str,
    file: &str,
    patience: Duration,
    beside: &Beside,
) -> Result<(), Failure> {
    while dags::dag(client, dag_id).await?.is_none() {
        let errors = dags::import_errors(client, Some(BUNDLE)).await?;
        if let Some(error) = errors.into_iter().find(|error| error.filename.ends_with(file)) {
            return Err(Failure::new(Kind::Verdict, "Airflow cannot import the smoke DAG")
                .code(Code::DagImportError)
                .evidence_lines(error.stack_trace.lines())
                .hint("to see what the DAG processor says: `windtunnel logs dag-processor`"));
        }
        if beside.ended_before(patience) {
            let seconds = patience.as_secs();
            let message =
                format!("Airflow has not seen the new DAG file `{file}`, and nothing has moved for {seconds} s");
            return Err(Failure::new(Kind::Timeout, message)
                .code(Code::SmokeLate)
                .evidence(beside.last_movement())
                .evidence_lines(health_lines(client).await)
                .hint("to see what the DAG processor does: `windtunnel logs dag-processor`"));
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

/// The task is tried once, and is not mapped.
const fn only_try(dag_id: &str) -> Try<'_> {
    Try { dag: dag_id, run: RUN, task: TASK, number: 1, map_index: -1 }
}

async fn await_log(run: &Run<'_>, marker: &str) -> Result<(), Failure> {
    loop {
        let log = read_try(run.client, only_try(run.dag_id)).await?;
        if log.contains(marker) {
            return Ok(());
        }
        run.beside.moved(&format!("the task log has {} lines", log.lines().count()));
        if run.beside.ended_before(LOG_PATIENCE) {
            return Err(log_lost("the task ran, but what it printed is not in its log")
                .evidence(format!("looked for `{marker}`, and nothing has come for {} s", LOG_PATIENCE.as_secs()))
                .evidence_lines(tail(&log)));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::airflow::scripted::{Script, serve};
    use crate::profile::{Generation, StackName};

    #[tokio::test]
    async fn a_file_that_cannot_be_imported_is_a_verdict_with_the_traceback() {
        let errors = r#"{"import_errors":[
            {"filename":"windtunnel_smoke_ffffffff.py","bundle_name":"windtunnel","stack_trace":"of an earlier one"},
            {"filename":"windtunnel_smoke_00112233.py","bundle_name":"windtunnel","stack_trace":"Traceback:\n  ModuleNotFoundError: x\n"}
        ]}"#;
        let (port, _) = serve([Script::json(404, r#"{"detail":"not found"}"#), Script::json(200, errors)]).await;
        let client = Client::new(port);
        let failure = await_dag(
            &client,
            "windtunnel_smoke_00112233",
            "windtunnel_smoke_00112233.py",
            DAG_PATIENCE,
            &Beside::begin(),
        )
        .await
        .unwrap_err();
        assert_eq!((failure.kind, failure.code), (Kind::Verdict, Some(Code::DagImportError)));
        assert_eq!(failure.evidence, ["Traceback:", "  ModuleNotFoundError: x"]);
    }

    #[tokio::test]
    async fn a_file_that_is_not_seen_in_time_is_late() {
        let health = r#"{"metadatabase":{"status":"healthy"},"scheduler":{"status":"healthy","latest_scheduler_heartbeat":null},"triggerer":{"status":null},"dag_processor":{"status":"unhealthy","latest_dag_processor_heartbeat":"2026-11-22T21:57:36+00:00"}}"#;
        let unknown = Script::json(404, r#"{"detail":"not found"}"#);
        let (port, _) = serve([unknown, Script::json(200, r#"{"import_errors":[]}"#), Script::json(200, health)]).await;
        let failure = await_dag(&Client::new(port), "a", "a.py", Duration::ZERO, &Beside::begin()).await.unwrap_err();
        assert_eq!((failure.kind, failure.code), (Kind::Timeout, Some(Code::SmokeLate)));
        assert_eq!(failure.message, "Airflow has not seen the new DAG file `a.py`, and nothing has moved for 0 s");
        let beat = "dag processor: unhealthy, last heartbeat 2026-11-22T21:57:36Z".to_owned();
        assert!(failure.evidence.contains(&beat), "{failure:?}");
        assert_eq!(failure.hints, ["to see what the DAG processor does: `windtunnel logs dag-processor`"]);
    }

    #[tokio::test]
    async fn without_a_scheduler_nothing_is_begun() {
        let health = r#"{"metadatabase":{"status":"healthy"},"scheduler":{"status":"unhealthy","latest_scheduler_heartbeat":"2026-11-22T21:57:36+00:00"},"triggerer":{"status":null},"dag_processor":{"status":"healthy"}}"#;
        let (port, _) = serve([Script::json(200, health)]).await;
        let expected = Expected { environment: "airflow-cluster", namespace: "airflow-cluster", workloads: &[] };
        let shape = Shape {
            name: "airflow-cluster",
            id: None,
            stack: StackName::Lite,
            generation: Generation::Three,
            executor: Executor::Kubernetes,
        };
        let cluster = Cluster::unreachable();
        let failure = require_scheduling(&Client::new(port), shape, expected, &cluster).await.unwrap_err();
        assert_eq!(failure.message, "the scheduler is not healthy: no DAG would run");
        assert_eq!(failure.evidence[0], "scheduler: unhealthy, last heartbeat 2026-11-22T21:57:36Z");
    }
}
