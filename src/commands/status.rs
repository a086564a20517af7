//! `windtunnel status`: one screen that says what is there, and whether all of it is healthy.

use std::time::Duration;

use serde::Serialize;

use super::remembered;
use crate::airflow;
use crate::airflow::health::Health;
use crate::cluster::Cluster;
use crate::cluster::forward::supervise;
use crate::cluster::survey::{self, Survey};
use crate::cluster::verdict::Verdict;
use crate::cluster::workload::Expected;
use crate::error::{During, Failure, Kind};
use crate::plan;
use crate::providers;
use crate::stacks;
use crate::state::{EnvironmentPaths, ForwardStatus, Record};
use crate::steps::unhealthy;
use crate::surroundings::Surroundings;
use crate::ui::Ui;

/// How long Airflow may take to answer for its health.
const HEALTH_PATIENCE: Duration = Duration::from_secs(5);

/// The document of `-o json`.
#[derive(Serialize)]
struct Status {
    /// The environment's name.
    name: String,
    /// Whether everything below is well.
    healthy: bool,
    /// `running`, `stopped` or `absent`; of a cluster that exists, `running` or `unreachable`.
    cluster: &'static str,
    /// The kubeconfig context.
    context: String,
    /// The namespace of the release.
    namespace: String,
    /// The newest Helm revision, as `number status`.
    release: Option<String>,
    /// Nodes, workloads and pods; `null` where the cluster does not answer.
    survey: Option<Survey>,
    /// The forward; `null` where none runs.
    forward: Option<ForwardStatus>,
    /// Airflow's own health, through the forward; `null` where it does not answer.
    health: Option<Health>,
    /// What keeps Airflow from being healthy; `null` where it is, or is not asked.
    cause: Option<Verdict>,
    /// Where the web interface is.
    url: String,
    /// What is wrong, one sentence each.
    problems: Vec<String>,
}

/// Looks at everything and prints it.
///
/// # Errors
/// Unhealthy, where anything is not well; the screen has been printed then.
pub async fn status(name: &str, ui: &Ui, surroundings: &Surroundings) -> Result<(), Failure> {
    let paths = surroundings.paths.environment(name);
    let record = remembered::require(&paths, name, ui).await?;
    let status = take(&record, &paths, surroundings, ui).await?;
    if ui.is_json() {
        ui.document(&status);
    } else {
        ui.data(&render(&status));
    }
    if status.healthy {
        return Ok(());
    }
    let problem = status.problems.first().cloned().unwrap_or_default();
    let is_stopped = status.cluster == "stopped" || status.survey.as_ref().is_some_and(Survey::is_stopped);
    let hint = if is_stopped { "to let it run: `windtunnel start`" } else { "to repair: `windtunnel up`" };
    let failure = Failure::new(Kind::Unhealthy, format!("{name}: {problem}")).hint(hint);
    Err(match &status.cause {
        Some(cause) => failure.code(cause.code),
        None => failure,
    })
}

/// What `-o json` prints, for a report.
pub(super) async fn document(
    record: &Record,
    paths: &EnvironmentPaths,
    surroundings: &Surroundings,
    ui: &Ui,
) -> Result<serde_json::Value, Failure> {
    let status = take(record, paths, surroundings, ui).await?;
    serde_json::to_value(status).during(Kind::Bug, "cannot write the status")
}

async fn take(
    record: &Record,
    paths: &EnvironmentPaths,
    surroundings: &Surroundings,
    ui: &Ui,
) -> Result<Status, Failure> {
    let cluster = match providers::find(record, paths, surroundings, ui).await? {
        Some(found) => found.state(),
        None if answers(record, paths).await => "running",
        None => "unreachable",
    };
    Ok(look(record, cluster, paths).await)
}

/// Whether a cluster that windtunnel did not make answers: all that is known of how it is.
async fn answers(record: &Record, paths: &EnvironmentPaths) -> bool {
    match Cluster::open(&paths.kubeconfig(), &record.context).await {
        Ok(cluster) => cluster.version().await.is_ok(),
        Err(_) => false,
    }
}

async fn look(record: &Record, cluster: &'static str, paths: &EnvironmentPaths) -> Status {
    let mut problems = Vec::new();
    let mut release = None;
    let mut survey = None;
    if cluster == "running" {
        match Box::pin(look_into(record, paths)).await {
            Ok((revision, seen)) => {
                release = revision;
                if release.is_some() {
                    problems.extend(problem(&seen));
                } else {
                    problems.push("Airflow is not installed".to_owned());
                }
                survey = Some(seen);
            }
            Err(failure) => problems.push(in_a_line(failure)),
        }
    } else {
        problems.push(format!("the cluster is {cluster}"));
    }
    let forward = supervise::status(paths).unwrap_or_else(|failure| {
        problems.push(in_a_line(failure));
        None
    });
    let (mut health, mut cause) = (None, None);
    if forward.is_none() {
        problems.push("the forward does not run".to_owned());
    } else if cluster == "running" && survey.as_ref().is_none_or(|survey| survey.ready && !survey.is_stopped()) {
        // Without ready pods the forward would hold the question until there are some.
        match airflow::health::look(&airflow::Client::to(record).with_deadline(HEALTH_PATIENCE)).await {
            Ok(seen) => {
                if let Some(survey) = &survey {
                    let expected = Expected { environment: &record.name, namespace: &record.namespace, workloads: &[] };
                    cause = unhealthy::judge(&seen, record.into(), expected, &survey.starts);
                }
                problems.extend(seen.complaints());
                health = Some(seen);
            }
            Err(failure) => problems.push(in_a_line(failure)),
        }
    }
    Status {
        name: record.name.clone(),
        healthy: problems.is_empty(),
        cluster,
        context: record.context.clone(),
        namespace: record.namespace.clone(),
        release,
        survey,
        forward,
        health,
        cause,
        url: plan::url(record.port),
        problems,
    }
}

async fn look_into(record: &Record, paths: &EnvironmentPaths) -> Result<(Option<String>, Survey), Failure> {
    let cluster = Cluster::open(&paths.kubeconfig(), &record.context).await?;
    // First of all: where nobody answers, each of the others would wait, and say it in words of its own.
    cluster.version().await?;
    let workloads = stacks::workloads(record.into());
    let expected = Expected { environment: &record.name, namespace: &record.namespace, workloads: &workloads };
    let (revision, survey) =
        tokio::join!(cluster.release(&record.namespace, &record.name), survey::take(&cluster, expected));
    Ok((revision?.map(|revision| format!("{} {}", revision.number, revision.status)), survey?))
}

/// A failure as one problem among others: what happened, and the innermost reason.
fn in_a_line(failure: Failure) -> String {
    std::iter::once(failure.message).chain(failure.evidence.into_iter().next_back()).collect::<Vec<_>>().join(": ")
}

fn render(status: &Status) -> String {
    let mut lines = vec![format!("{:12} {} ({})", "cluster", status.context, status.cluster)];
    lines.push(format!("{:12} {}", "namespace", status.namespace));
    if let Some(release) = &status.release {
        lines.push(format!("{:12} {} (revision {release})", "release", status.name));
    }
    lines.extend(status.survey.iter().flat_map(survey_lines));
    lines.push(match &status.forward {
        Some(forward) => format!("{:12} {forward}", "forward"),
        None => format!("{:12} not running", "forward"),
    });
    lines.extend(status.forward.iter().flat_map(ForwardStatus::also).map(|also| format!("{:12} {also}", "")));
    if let Some(health) = &status.health {
        let complaints = health.complaints();
        let parts = health.parts().into_iter().map(|(name, _)| name).collect::<Vec<_>>().join(", ");
        let health = if complaints.is_empty() { format!("{parts} healthy") } else { complaints.join("; ") };
        lines.push(format!("{:12} {health}", "health"));
    }
    lines.push(format!("{:12} {}", "URL", status.url));
    lines.join("\n") + "\n"
}

/// What keeps the release from being ready, in one sentence.
fn problem(survey: &Survey) -> Option<String> {
    match &survey.verdict {
        Some(verdict) => Some(verdict.line()),
        None if survey.is_stopped() => Some("Airflow is stopped".to_owned()),
        None if !survey.ready => Some("not every pod is ready".to_owned()),
        None => None,
    }
}

/// A line for each node and each workload, and one for each pod that is not ready.
fn survey_lines(survey: &Survey) -> Vec<String> {
    let mark = |ready| if ready { "ready" } else { "not ready" };
    let nodes =
        survey.nodes.iter().map(|node| format!("{:12} {} ({}, {})", "node", node.name, node.version, mark(node.ready)));
    let workloads = survey.workloads.iter().map(|workload| {
        format!("{:12} {} {}/{} {}", "workload", workload.name, workload.ready, workload.wanted, workload.state)
    });
    let pods = survey
        .pods
        .iter()
        .filter(|pod| pod.ready < pod.containers)
        .map(|pod| format!("{:12} {} {}/{} {}", "pod", pod.name, pod.ready, pod.containers, pod.state));
    nodes.chain(workloads).chain(pods).collect()
}
