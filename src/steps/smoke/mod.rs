//! "Running a DAG": proof that all of it works together. A DAG file is seen, triggered, run by `KubernetesExecutor` in a pod of its
//! own, and its task log read back.

mod dag_file;
mod follow;
mod moments;
mod place;
mod report;
mod tidy;

use std::time::{Duration, Instant};

use crate::airflow::{Client, dags, health, log_lost, read_try};
use crate::cluster::Cluster;
use crate::cluster::owner::Owner;
use crate::cluster::worker::Workers;
use crate::codes::Code;
use crate::error::{Failure, Kind};
use crate::profile::{Executor, Generation};
use crate::state::{Credentials, USER};
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
/// How long Airflow may take to find a new file: it reads the bundle's folder anew every few seconds.
const DAG_PATIENCE: Duration = Duration::from_mins(2);
/// How long the log of a task that ended may take to be there.
const LOG_PATIENCE: Duration = Duration::from_secs(30);

/// What a smoke run needs.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    /// The forward's port on 127.0.0.1; it answers.
    pub port: u16,
    /// Which Airflow answers there.
    pub generation: Generation,
    /// What runs the task.
    pub executor: Executor,
    /// The environment's credentials.
    pub credentials: &'a Credentials,
    /// What Airflow reads as the bundle `windtunnel`.
    pub place: Place<'a>,
    /// The cluster that the worker pod is to appear in.
    pub cluster: &'a Cluster,
    /// The namespace of the release.
    pub namespace: &'a str,
    /// The environment.
    pub owner: Owner<'a>,
}

/// Runs a DAG and reads its log back; leaves nothing of it behind, whatever comes of it.
///
/// # Errors
/// Verdict where a terminal cause was found: the file is not importable, the worker pod cannot start or failed; unhealthy where the
/// task failed, the log has not what it printed, or Airflow refuses; timeout, naming the part, where one took too long.
pub async fn run(inputs: &Inputs<'_>, ui: &Ui) -> Result<SmokeReport, Failure> {
    let step = ui.step("smoke", "Running a DAG");
    let client = Client::new(inputs.port).of(inputs.generation);
    require_scheduling(&client).await?;
    let client = client.sign_in(USER, &inputs.credentials.admin_password).await?;
    inputs.place.remove_leftovers()?;
    tidy::remove_leftovers(&client, inputs).await?;
    let dag = SmokeDag::random()?;
    let file = inputs.place.put(&dag, inputs.generation, inputs.cluster).await?;
    let proof = prove(&client, inputs, &dag, &step).await;
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
    step.done(match inputs.executor {
        Executor::Kubernetes => "windtunnel_smoke ran in a worker pod, log read back",
        Executor::Local | Executor::Celery => "windtunnel_smoke ran, log read back",
    });
    ui.say(&format!("    {}", report.summary()));
    Ok(report)
}

async fn prove(client: &Client, inputs: &Inputs<'_>, dag: &SmokeDag, step: &Step<'_>) -> Result<SmokeReport, Failure> {
    let written = Instant::now();
    step.note("waiting for the DAG processor to see the file");
    await_dag(client, &dag.id, &dag.file(), DAG_PATIENCE).await?;
    let dag_seen = Instant::now();
    let workers = Workers::watch(inputs.cluster, inputs.namespace, &dag.id);
    dags::trigger(client, &dag.id, RUN).await?;
    let triggered = Instant::now();
    let run = Run { client, inputs, dag_id: &dag.id };
    let moments = run.follow(workers, step).await?;
    let followed = Instant::now();
    step.note("reading the task log");
    await_log(&run, &dag.marker).await?;
    let course = Course { written, dag_seen, triggered, followed, log_read: Instant::now() };
    Ok(SmokeReport::new(&dag.id, course, &moments))
}

/// Nothing would be seen or run without these two: better said now than at a deadline.
async fn require_scheduling(client: &Client) -> Result<(), Failure> {
    let missing = health::look(client).await?.missing();
    match missing.into_iter().find(|part| ["scheduler", "dag processor"].contains(part)) {
        None => Ok(()),
        Some(part) => Err(Failure::new(Kind::Unhealthy, format!("the {part} is not healthy: no DAG would run"))
            .code(Code::AirflowUnhealthy)
            .evidence_lines(health_lines(client).await)
            .hint(format!("to see why: `windtunnel logs {}`", part.replace(' ', "-")))),
    }
}

async fn await_dag(client: &Client, dag_id: &str, file: &str, patience: Duration) -> Result<(), Failure> {
    let deadline = Instant::now() + patience;
    while dags::dag(client, dag_id).await?.is_none() {
        let errors = dags::import_errors(client, Some(BUNDLE)).await?;
        if let Some(error) = errors.into_iter().find(|error| error.filename.ends_with(file)) {
            return Err(Failure::new(Kind::Verdict, "Airflow cannot import the smoke DAG")
                .code(Code::DagImportError)
                .evidence_lines(error.stack_trace.lines())
                .hint("to see what the DAG processor says: `windtunnel logs dag-processor`"));
        }
        if Instant::now() >= deadline {
            return Err(Failure::new(
                Kind::Timeout,
                format!("Airflow did not see the new DAG file `{file}` within {} s", patience.as_secs()),
            )
            .code(Code::SmokeLate)
            .evidence_lines(health_lines(client).await)
            .hint("to see what the DAG processor does: `windtunnel logs dag-processor`"));
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

async fn await_log(run: &Run<'_>, marker: &str) -> Result<(), Failure> {
    let deadline = Instant::now() + LOG_PATIENCE;
    loop {
        let log = read_try(run.client, run.dag_id, RUN, TASK, 1, -1).await?;
        if log.contains(marker) {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(log_lost("the task ran, but what it printed is not in its log")
                .evidence(format!("looked for `{marker}` for {} s", LOG_PATIENCE.as_secs()))
                .evidence_lines(tail(&log)));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::airflow::scripted::{Script, serve};

    #[tokio::test]
    async fn a_file_that_cannot_be_imported_is_a_verdict_with_the_traceback() {
        let errors = r#"{"import_errors":[
            {"filename":"windtunnel_smoke_ffffffff.py","bundle_name":"windtunnel","stack_trace":"of an earlier one"},
            {"filename":"windtunnel_smoke_00112233.py","bundle_name":"windtunnel","stack_trace":"Traceback:\n  ModuleNotFoundError: x\n"}
        ]}"#;
        let (port, _) = serve([Script::json(404, r#"{"detail":"not found"}"#), Script::json(200, errors)]).await;
        let client = Client::new(port);
        let failure = await_dag(&client, "windtunnel_smoke_00112233", "windtunnel_smoke_00112233.py", DAG_PATIENCE)
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
        let failure = await_dag(&Client::new(port), "a", "a.py", Duration::ZERO).await.unwrap_err();
        assert_eq!((failure.kind, failure.code), (Kind::Timeout, Some(Code::SmokeLate)));
        assert_eq!(failure.message, "Airflow did not see the new DAG file `a.py` within 0 s");
        let beat = "dag processor: unhealthy, last heartbeat 2026-11-22T21:57:36Z".to_owned();
        assert!(failure.evidence.contains(&beat), "{failure:?}");
        assert_eq!(failure.hints, ["to see what the DAG processor does: `windtunnel logs dag-processor`"]);
    }

    #[tokio::test]
    async fn without_a_scheduler_nothing_is_begun() {
        let health = r#"{"metadatabase":{"status":"healthy"},"scheduler":{"status":"unhealthy","latest_scheduler_heartbeat":"2026-11-22T21:57:36+00:00"},"triggerer":{"status":null},"dag_processor":{"status":"healthy"}}"#;
        let (port, _) = serve([Script::json(200, health)]).await;
        let failure = require_scheduling(&Client::new(port)).await.unwrap_err();
        assert_eq!(failure.message, "the scheduler is not healthy: no DAG would run");
        assert_eq!(failure.evidence[0], "scheduler: unhealthy, last heartbeat 2026-11-22T21:57:36Z");
    }
}
