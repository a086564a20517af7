//! `windtunnel why`: why a DAG or a task is not done, from Airflow's and Kubernetes' state together.

mod judge;

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use crate::airflow::dags::{self, Dag, DagRun, TaskInstance};
use crate::airflow::import_error::ImportError;
use crate::airflow::refusal::Refusal;
use crate::airflow::tasks::{self, Pool, Task};
use crate::airflow::{Client, Try, health, read_log};
use crate::cli::WhyArgs;
use crate::cluster::verdict::Verdict;
use crate::cluster::worker::{self, TaskPod};
use crate::cluster::workload::Expected;
use crate::cluster::{Cluster, survey};
use crate::codes::Code;
use crate::error::{Failure, Kind, name_environment};
use crate::profile::Executor;
use crate::stacks;
use crate::state::{Record, USER};
use crate::steps::{refusals, unhealthy};
use crate::surroundings::Surroundings;
use crate::ui::Ui;

/// How long Airflow may take to answer one question.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many lines of a task's log are quoted.
const LOG_LINES: usize = 12;
/// How many files that cannot be imported are told of in full: the newest first.
const FILES: usize = 2;
/// How many of the newest runs are counted.
const RUNS: u32 = 100;

/// What Airflow and Kubernetes know of a DAG.
#[derive(Clone, Debug, Default)]
struct Facts {
    dag: Dag,
    runs: Vec<DagRun>,
    /// The run in question.
    run: DagRun,
    instances: Vec<TaskInstance>,
    tasks: Vec<Task>,
    pools: Vec<Pool>,
    pods: Vec<TaskPod>,
    executor: Executor,
    /// The pods that the API server refused, as the scheduler's log has them.
    refusals: Vec<Refusal>,
    now: Timestamp,
}

/// What there is to say.
#[derive(Clone, Debug, Serialize)]
struct Answer {
    /// The cause, where it is one that has a name.
    #[serde(flatten)]
    code: Option<Code>,
    /// What it is about and how that is, in one sentence.
    message: String,
    /// What shows it.
    evidence: Vec<String>,
    /// What to do, commands in backticks.
    hints: Vec<String>,
    /// The task that failed, whose log tells more.
    #[serde(skip)]
    failed: Option<TaskInstance>,
}

impl Answer {
    fn new(message: impl Into<String>) -> Self {
        Self { code: None, message: message.into(), evidence: Vec::new(), hints: Vec::new(), failed: None }
    }

    fn of(code: Code, message: impl Into<String>) -> Self {
        Self { code: Some(code), ..Self::new(message) }
    }

    fn evidence(mut self, lines: impl IntoIterator<Item = String>) -> Self {
        self.evidence.extend(lines);
        self
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

/// Answers.
///
/// # Errors
/// There is no such environment, DAG, run or task; the environment itself is not well, which is told then.
pub async fn why(arguments: &WhyArgs, name: &str, ui: &Ui, surroundings: &Surroundings) -> Result<(), Failure> {
    let paths = surroundings.paths.environment(name);
    let record = Record::require(&paths, name)?;
    let cluster = Cluster::open(&paths.kubeconfig(), &record.context).await?;
    let workloads = stacks::workloads((&record).into());
    let expected = Expected { environment: &record.name, namespace: &record.namespace, workloads: &workloads };
    // What keeps Airflow itself from being well is the cause of all else.
    let survey = Box::pin(survey::take(&cluster, expected)).await?;
    if let Some(verdict) = survey.verdict.filter(|verdict| verdict.terminal) {
        return Err(verdict.into());
    }
    let client = Client::to(&record).with_deadline(PATIENCE);
    require_scheduler(&client, |health| unhealthy::judge(health, (&record).into(), expected, &survey.starts)).await?;
    let credentials = super::credentials::read(&paths, name)?;
    let client = client.sign_in(USER, &credentials.admin_password).await?;
    let dag_id = &arguments.dag;
    let errors = dags::import_errors(&client, None).await?;
    let Some(dag) = dags::dag(&client, dag_id).await? else { return Err(no_dag(&client, dag_id, &errors).await?) };
    // Airflow has it from before its file broke, starts no run of it, and each task fails as it reads the file.
    if let Some(error) = errors.iter().find(|error| error.is_of(&dag)) {
        return Err(broken(format!("the file of DAG `{dag_id}` cannot be imported"), std::slice::from_ref(error)));
    }
    let runs = dags::newest_runs(&client, dag_id, RUNS).await?;
    let mut answer = match find_run(runs.as_slice(), dag_id, arguments.run.as_deref())? {
        None => judge::never_run(&dag),
        Some(run) => {
            let mut facts = Facts {
                instances: dags::task_instances(&client, dag_id, &run.dag_run_id).await?,
                tasks: tasks::tasks(&client, dag_id).await?,
                pools: tasks::pools(&client).await?,
                pods: worker::list_workers(&cluster, &record.namespace, dag_id).await?,
                executor: record.executor,
                run: run.clone(),
                dag,
                runs,
                refusals: Vec::new(),
                now: Timestamp::now(),
            };
            if facts.lacks_a_pod() {
                facts.refusals = refusals::look(&cluster, expected, (&record).into()).await?;
            }
            let answer = judge::judge(&facts, arguments.task.as_deref())?;
            with_log(&client, &facts, answer).await
        }
    };
    if !surroundings.name_option(name).is_empty() {
        name_environment(&mut answer.hints, name);
    }
    show(&answer, dag_id, ui);
    Ok(())
}

impl Facts {
    /// A task was handed to the executor, and there is no pod of it. One that was refused fails at once, unless Airflow is told to try again
    /// (`task_publish_max_retries`).
    fn lacks_a_pod(&self) -> bool {
        let handed_over = ["queued", "failed", "up_for_retry"];
        let is_handed_over =
            |instance: &&TaskInstance| instance.state.as_deref().is_some_and(|state| handed_over.contains(&state));
        let mut waiting = self.instances.iter().filter(is_handed_over);
        self.executor == Executor::Kubernetes && waiting.any(|instance| self.pod(&instance.task_id).is_none())
    }

    /// Why the API server took no pod for a task, newest first.
    fn refusals_of<'a>(&'a self, instance: &'a TaskInstance) -> impl Iterator<Item = &'a Refusal> {
        let (dag, run) = (&self.dag.dag_id, &self.run.dag_run_id);
        self.refusals.iter().rev().filter(move |refusal| refusal.is_of_task(dag, run, &instance.task_id))
    }

    /// The worker pod of a task in the run in question.
    fn pod(&self, task_id: &str) -> Option<&TaskPod> {
        self.pods.iter().find(|pod| pod.run_id == self.run.dag_run_id && pod.task_id == task_id)
    }
}

/// Without a scheduler nothing runs, whatever the state of a DAG.
async fn require_scheduler(
    client: &Client,
    cause: impl FnOnce(&health::Health) -> Option<Verdict>,
) -> Result<(), Failure> {
    let health = health::look(client).await?;
    if !health.missing().contains(&"scheduler") {
        return Ok(());
    }
    Err(Failure::new(Kind::Unhealthy, "the scheduler is not healthy, so no task is started")
        .code(cause(&health).map_or(Code::AirflowUnhealthy, |cause| cause.code))
        .evidence_lines(health.complaints())
        .hint("to see why: `windtunnel logs scheduler`, `windtunnel status`"))
}

/// There is no such DAG: the files that cannot be read may be why.
async fn no_dag(client: &Client, dag_id: &str, errors: &[ImportError]) -> Result<Failure, Failure> {
    let mut known: Vec<String> = dags::dags(client, "").await?.into_iter().map(|dag| dag.dag_id).collect();
    known.sort_by(|one, other| strsim::jaro(other, dag_id).total_cmp(&strsim::jaro(one, dag_id)));
    known.truncate(8);
    let message = format!("Airflow has no DAG `{dag_id}`");
    let list = if known.is_empty() { String::new() } else { format!("it has {}", known.join(", ")) };
    if !errors.is_empty() {
        return Ok(broken(message, errors).evidence(list));
    }
    Ok(Failure::usage(message)
        .evidence(list)
        .hint("a new file is seen within a minute; a file without the words `dag` and `airflow` is not looked at")
        .hint("to see what is read: `windtunnel logs dag-processor`"))
}

/// A cause that no waiting mends, as where `smoke` finds its own DAG so: the same code and the same exit code.
fn broken(message: String, errors: &[ImportError]) -> Failure {
    let more = errors.len().saturating_sub(FILES);
    let more = if more == 0 { String::new() } else { format!("and {more} more files: `windtunnel status -o json`") };
    Failure::new(Kind::Verdict, message)
        .code(Code::DagImportError)
        .evidence_lines(errors.iter().take(FILES).flat_map(ImportError::told))
        .evidence(more)
        .hint("correct the file: Airflow reads it again by itself")
}

/// The run that was named, or the newest.
fn find_run<'a>(runs: &'a [DagRun], dag_id: &str, wanted: Option<&str>) -> Result<Option<&'a DagRun>, Failure> {
    let Some(wanted) = wanted.filter(|wanted| *wanted != "latest") else { return Ok(runs.first()) };
    let found = runs.iter().find(|run| run.dag_run_id == wanted);
    found.map(Some).ok_or_else(|| {
        let known: Vec<&str> = runs.iter().take(8).map(|run| run.dag_run_id.as_str()).collect();
        Failure::usage(format!("DAG `{dag_id}` has no run `{wanted}` among its newest {RUNS}"))
            .evidence(format!("it has {}", known.join(", ")))
    })
}

/// Adds the end of the log of a task that failed. That there is none does not make the answer worse.
async fn with_log(client: &Client, facts: &Facts, answer: Answer) -> Answer {
    let Some(failed) = answer.failed.clone().filter(|failed| failed.try_number > 0) else { return answer };
    let Facts { dag, run, .. } = facts;
    let tried = Try {
        dag: &dag.dag_id,
        run: &run.dag_run_id,
        task: &failed.task_id,
        number: failed.try_number,
        map_index: failed.map_index,
    };
    let log = read_log(client, tried).await;
    let lines: Vec<String> = match log {
        // A traceback's frames within Airflow and Python tell nothing of the DAG.
        Ok(log) => log.lines().filter(|line| !line.contains("/site-packages/")).map(str::to_owned).collect(),
        Err(failure) => {
            let number = failure.code.map_or_else(String::new, |code| format!(" [{}]", code.id()));
            let first = format!("{}{number}", failure.message);
            let answer = answer.evidence(std::iter::once(first).chain(failure.evidence));
            return failure.hints.into_iter().fold(answer, Answer::hint);
        }
    };
    let skipped = lines.len().saturating_sub(LOG_LINES);
    let answer = answer.evidence(lines.into_iter().skip(skipped));
    answer
        .hint(format!("all of its log: `windtunnel logs --task {}/{}/{}`", dag.dag_id, run.dag_run_id, failed.task_id))
}

fn show(answer: &Answer, dag_id: &str, ui: &Ui) {
    if ui.is_json() {
        ui.document(answer);
        return;
    }
    let code = answer.code.map_or_else(String::new, |code| format!(" [{}]", code.id()));
    let mut lines = vec![format!("{dag_id}: {}{code}", answer.message)];
    lines.extend(answer.evidence.iter().map(|line| format!("  {}", line.trim_end())));
    lines.extend(answer.hints.iter().map(|hint| format!("hint: {hint}")));
    ui.data(&format!("{}\n", lines.join("\n")));
}
