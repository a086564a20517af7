//! `windtunnel status`: one screen that says what is there, and whether all of it is healthy.

use std::time::Duration;

use serde::Serialize;

use super::remembered;
use crate::airflow;
use crate::airflow::health::Health;
use crate::airflow::import_error::{Broken, ImportError};
use crate::cluster::Cluster;
use crate::cluster::forward::supervise;
use crate::cluster::survey::{self, Survey};
use crate::cluster::verdict::Verdict;
use crate::cluster::workload::Expected;
use crate::error::{During, Failure, Kind};
use crate::plan;
use crate::providers;
use crate::stacks;
use crate::state::{EnvironmentPaths, ForwardStatus, Record, USER};
use crate::steps::unhealthy;
use crate::surroundings::Surroundings;
use crate::ui::Ui;

/// How long Airflow may take to answer for its health.
const HEALTH_PATIENCE: Duration = Duration::from_secs(5);

/// How many lines of evidence go with the cause: all of it is to fit on a small screen, and `windtunnel up` tells the rest.
const EVIDENCE: usize = 2;
/// How many notes are shown.
const NOTES: usize = 2;

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
    /// The DAG files that cannot be imported; `null` where Airflow could not be asked.
    import_errors: Option<Vec<Broken>>,
    /// What is wrong, one sentence each.
    problems: Vec<String>,
    /// What is worth knowing and keeps nothing from being healthy: a file of the user's that is broken is no fault of Airflow, which runs all
    /// other DAGs.
    notes: Vec<String>,
}

/// Looks at everything and prints it.
///
/// # Errors
/// Unhealthy, where anything is not well; the screen has been printed then.
pub async fn status(name: &str, ui: &Ui, surroundings: &Surroundings) -> Result<(), Failure> {
    let paths = surroundings.paths.environment(name);
    let record = remembered::require(name, ui, surroundings).await?;
    let status = take(&record, &paths, surroundings, ui).await?;
    if ui.is_json() {
        ui.document(&status);
    } else {
        ui.data(&render(&status));
    }
    if status.healthy {
        return Ok(());
    }
    Err(failure(name, &status))
}

/// The first problem; where it is one with a name, its code, what shows it and its own next command, as `up` tells it.
fn failure(name: &str, status: &Status) -> Failure {
    let problem = status.problems.first().cloned().unwrap_or_default();
    if let Some(cause) = status.survey.as_ref().and_then(Survey::cause).filter(|cause| cause.message == problem) {
        let (evidence, hints) = (cause.evidence.into_iter().take(EVIDENCE), cause.hints);
        let failure =
            Failure { code: cause.code, hints, ..Failure::new(Kind::Unhealthy, format!("{name}: {problem}")) };
        return failure.evidence_lines(evidence);
    }
    let is_stopped = status.cluster == "stopped" || status.survey.as_ref().is_some_and(Survey::is_stopped);
    let hint = if is_stopped { "to let it run: `windtunnel start`" } else { "to repair: `windtunnel up`" };
    let failure = Failure::new(Kind::Unhealthy, format!("{name}: {problem}")).hint(hint);
    match &status.cause {
        Some(cause) => failure.code(cause.code),
        None => failure,
    }
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
            Ok((revision, seen)) => (release, survey) = (revision, Some(seen)),
            Err(failure) => problems.push(in_a_line(failure)),
        }
    } else {
        problems.push(format!("the cluster is {cluster}"));
    }
    let hindrance = survey.as_ref().and_then(|survey| problem(survey, record));
    if survey.is_some() && release.is_none() {
        problems.push("Airflow is not installed".to_owned());
    } else {
        problems.extend(hindrance.clone());
    }
    let forward = supervise::status(paths).unwrap_or_else(|failure| {
        problems.push(in_a_line(failure));
        None
    });
    let (mut health, mut cause, mut import_errors, mut notes) = (None, None, None, Vec::new());
    if forward.is_none() {
        problems.push("the forward does not run".to_owned());
    } else if cluster == "running" && hindrance.is_none() {
        // Without ready pods the forward would hold the question until there are some.
        let client = airflow::Client::to(record).with_deadline(HEALTH_PATIENCE);
        match airflow::health::look(&client).await {
            Ok(mut seen) => {
                if let Some(survey) = &survey {
                    seen = unhealthy::of_this_run(seen, record.into(), &survey.starts);
                    let expected = Expected { environment: &record.name, namespace: &record.namespace, workloads: &[] };
                    cause = unhealthy::judge(&seen, record.into(), expected, &survey.starts);
                }
                problems.extend(seen.complaints());
                health = Some(seen);
                match broken_files(&client, record, paths).await {
                    Ok(broken) => {
                        notes.extend(broken.iter().map(|broken| format!("cannot be imported: {broken}")));
                        import_errors = Some(broken);
                    }
                    Err(failure) => notes.push(format!("not looked at: {}", in_a_line(failure))),
                }
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
        import_errors,
        problems,
        notes,
    }
}

/// The DAG files that Airflow cannot import, the newest first.
async fn broken_files(
    client: &airflow::Client,
    record: &Record,
    paths: &EnvironmentPaths,
) -> Result<Vec<Broken>, Failure> {
    let credentials = super::credentials::read(paths, &record.name)?;
    let client = client.sign_in(USER, &credentials.admin_password).await?;
    let errors = airflow::dags::import_errors(&client, None).await?;
    Ok(errors.iter().map(ImportError::broken).collect())
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
    lines.extend(status.notes.iter().take(NOTES).map(|note| format!("{:12} {note}", "DAG file")));
    match status.notes.len().saturating_sub(NOTES) {
        0 => {}
        more => lines.push(format!("{:12} {more} more: `windtunnel status -o json`", "")),
    }
    lines.push(format!("{:12} {}", "URL", status.url));
    lines.join("\n") + "\n"
}

/// What keeps the release from being ready, in one sentence.
fn problem(survey: &Survey, record: &Record) -> Option<String> {
    match survey.cause() {
        Some(cause) => Some(cause.message),
        None if survey.is_stopped() => Some("Airflow is stopped".to_owned()),
        None if !survey.ready => Some("not every pod is ready".to_owned()),
        None => survey.stopped(&stacks::needed(record.into())).map(|workload| format!("the {workload} is stopped")),
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
