//! Follows one run from its trigger to the deletion of its worker pod.

use std::time::{Duration, Instant};

use super::dag_file::TASK;
use super::moments::{Moments, Part};
use super::{Inputs, PAUSE, RUN, only_try, refused};
use crate::airflow::{Client, dags, health, read_try};
use crate::cluster::wait::beside::Beside;
use crate::cluster::worker::{Phase, Worker, Workers, worker_output};
use crate::codes::Code;
use crate::error::{Failure, Kind};
use crate::ui::Step;

/// How many lines of a log are evidence.
const TAIL: usize = 15;
/// How often the scheduler's log is asked for a refusal while no pod comes.
const REFUSED: Duration = Duration::from_secs(2);
/// States of a task that no success follows; Airflow's `State.finished` without `success`.
const LOST: [&str; 4] = ["failed", "removed", "skipped", "upstream_failed"];

/// A run being followed.
pub(super) struct Run<'a> {
    pub(super) client: &'a Client,
    pub(super) inputs: &'a Inputs<'a>,
    pub(super) dag_id: &'a str,
    pub(super) beside: &'a Beside,
}

impl Run<'_> {
    /// Waits for pod, running, success and the pod's end, in whatever order they are seen, for as long as anything moves.
    pub(super) async fn follow(&self, mut workers: Workers, step: &Step<'_>) -> Result<Moments, Failure> {
        let mut moments = Moments::of(self.inputs.shape.executor);
        let mut watch_error = None;
        let mut shown = String::new();
        let mut asked = Instant::now();
        while let Some(part) = moments.next() {
            self.beside.moved(&moments.now());
            if moments.reason() != shown {
                shown = moments.reason();
                step.note(&shown);
            }
            tokio::select! {
                seen = workers.next() => match seen {
                    Ok(worker) => {
                        watch_error = None;
                        self.see(&mut moments, &worker, step).await?;
                    }
                    // The watch mends itself; that it cannot is known when the deadline passes.
                    Err(failure) => watch_error = Some(failure),
                },
                // What the task's state is, only Airflow knows, and it offers no watch.
                () = tokio::time::sleep(PAUSE) => self.hear(&mut moments).await?,
            }
            if part == Part::Pod && moments.pod.is_none() && asked.elapsed() >= REFUSED {
                asked = Instant::now();
                if let Some(refused) = self.refused().await {
                    return Err(refused);
                }
            }
            if moments.ran_elsewhere() && watch_error.is_none() {
                return Err(Failure::new(Kind::Unhealthy, "the task ran, but no worker pod was seen in this cluster")
                    .code(Code::NoWorkerPod)
                    .hint("is its executor another than KubernetesExecutor? `windtunnel logs scheduler`"));
            }
            if self.beside.ended_before(part.patience()) && moments.next() == Some(part) {
                return Err(self.late(part, &moments, watch_error).await);
            }
        }
        Ok(moments)
    }

    async fn see(&self, moments: &mut Moments, worker: &Worker, step: &Step<'_>) -> Result<(), Failure> {
        let known = moments.phase.as_ref() == Some(&worker.phase);
        moments.saw(worker, Instant::now());
        if known {
            return Ok(());
        }
        let state = match &worker.phase {
            Phase::Failed { reason } => return Err(self.failed(moments, Some(reason)).await),
            Phase::Pending { reason } => reason.as_deref().unwrap_or("pending"),
            Phase::Running => "running",
            Phase::Succeeded => "succeeded",
            Phase::Gone => "deleted",
        };
        step.pod(&worker.pod, state);
        Ok(())
    }

    async fn hear(&self, moments: &mut Moments) -> Result<(), Failure> {
        let instance = dags::task_instance(self.client, self.dag_id, RUN, TASK, None).await?;
        let state = instance.and_then(|instance| instance.state);
        moments.heard(state.as_deref(), Instant::now());
        match state.as_deref() {
            Some(state) if LOST.contains(&state) => Err(self.failed(moments, None).await),
            _ => Ok(()),
        }
    }

    /// The task or its pod failed: the cause that has a name; or its log, and what the pod itself said where the task never began.
    async fn failed(&self, moments: &Moments, pod_reason: Option<&str>) -> Failure {
        let pod = moments.pod.as_deref();
        if moments.running.is_none() || pod_reason.is_some() {
            let named = if pod.is_some() { self.cause().await } else { self.refused().await };
            if let Some(failure) = named {
                return failure.evidence(format!("task {}", moments.state()));
            }
        }
        let (kind, code, message) = match (pod, pod_reason) {
            (Some(pod), Some(reason)) => {
                (Kind::Verdict, Code::WorkerPodFailed, format!("worker pod `{pod}` failed: {reason}"))
            }
            _ => (Kind::Unhealthy, Code::TaskFailed, format!("the task `{TASK}` ended as {}", moments.state())),
        };
        let log = self.log_tail().await;
        // The first line names the log's file. Without more, the task never began, and only the pod can tell why.
        let output = match pod {
            Some(pod) if log.len() <= 1 => self.pod_output(pod).await,
            _ => Vec::new(),
        };
        Failure::new(kind, message)
            .code(code)
            .evidence_lines(moments.pending_reason.clone())
            .evidence_lines(log)
            .evidence_lines(output)
            .hint("to see what the executor made of it: `windtunnel logs scheduler`")
    }

    /// What the judge of the pods says of the worker pod, which it sees by a watch of its own: a little later, or earlier.
    async fn cause(&self) -> Option<Failure> {
        for _ in 0..4 {
            if let Some(verdict) = self.beside.worker() {
                return Some(verdict.into());
            }
            tokio::time::sleep(PAUSE).await;
        }
        None
    }

    /// What the scheduler's log says of a worker pod that the API server did not take.
    async fn refused(&self) -> Option<Failure> {
        refused::look(self.inputs, self.dag_id).await
    }

    /// What the worker pod itself said last, or why that cannot be read.
    async fn pod_output(&self, pod: &str) -> Vec<String> {
        match worker_output(self.inputs.cluster, self.inputs.expected.namespace, pod, TAIL).await {
            Ok(lines) => std::iter::once(format!("output of pod `{pod}`:")).chain(lines).collect(),
            Err(failure) => vec![failure.message],
        }
    }

    async fn late(&self, part: Part, moments: &Moments, watch_error: Option<Failure>) -> Failure {
        let pod = moments.pod.as_deref().unwrap_or_default();
        let seconds = part.patience().as_secs();
        let what = match part {
            Part::Pod => "Airflow has made no worker pod".to_owned(),
            Part::Running => format!("worker pod `{pod}` does not run"),
            Part::Success if pod.is_empty() => "the task has not succeeded".to_owned(),
            Part::Success => format!("the task in worker pod `{pod}` has not succeeded"),
            Part::Gone => format!("Airflow has not deleted worker pod `{pod}`"),
        };
        let message = format!("{what}, and nothing has moved for {seconds} s");
        let log = if part == Part::Success { self.log_tail().await } else { Vec::new() };
        Failure::new(Kind::Timeout, message)
            .code(Code::SmokeLate)
            .evidence(self.beside.last_movement())
            .evidence(format!("task {}", moments.state()))
            .evidence_lines(moments.pending_reason.clone())
            .evidence_lines(health_lines(self.client).await)
            .evidence_lines(
                watch_error.into_iter().flat_map(|failure| [vec![failure.message], failure.evidence].concat()),
            )
            .evidence_lines(log)
            .hint("to see why: `windtunnel logs scheduler`")
    }

    /// The end of the task's log, or why it cannot be read.
    pub(super) async fn log_tail(&self) -> Vec<String> {
        match read_try(self.client, only_try(self.dag_id)).await {
            Ok(log) => tail(&log),
            Err(failure) => vec![failure.message],
        }
    }
}

/// The last lines of a log.
pub(super) fn tail(log: &str) -> Vec<String> {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(TAIL)..].iter().map(|&line| line.to_owned()).collect()
}

/// Which parts of Airflow are not healthy, or why that cannot be said.
pub(super) async fn health_lines(client: &Client) -> Vec<String> {
    match health::look(client).await {
        Ok(health) => health.complaints(),
        Err(failure) => vec![failure.message],
    }
}
