//! DAGs, runs, task instances and import errors, as far as a smoke run and a log reader need them.

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::import_error::ImportError;
use super::{Answer, Client, segment};
use crate::error::Failure;
use crate::profile::Generation;

/// A DAG that Airflow has in its database.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
pub struct Dag {
    /// Its id.
    pub dag_id: String,
    /// The DAG bundle that its file is in.
    pub bundle_name: Option<String>,
    /// Its file within that bundle; Airflow 2 does not say.
    #[serde(default)]
    pub relative_fileloc: Option<String>,
    /// Its file in Airflow's containers.
    #[serde(default)]
    pub fileloc: Option<String>,
    /// Whether its runs wait until it is unpaused.
    #[serde(default)]
    pub is_paused: bool,
    /// How many of its runs may be running at a time.
    #[serde(default)]
    pub max_active_runs: Option<u32>,
}

/// A run of a DAG.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
pub struct DagRun {
    /// Its id within the DAG.
    pub dag_run_id: String,
    /// `queued`, `running`, `success` or `failed`.
    #[serde(default)]
    pub state: Option<String>,
}

/// A task of a run.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
pub struct TaskInstance {
    /// The task's id within the DAG.
    pub task_id: String,
    /// `queued`, `running`, `success`, `failed` and so on; `None` before the scheduler has looked at it.
    pub state: Option<String>,
    /// How often it was tried; 0 before it is first queued.
    pub try_number: u32,
    /// Which copy of a mapped task; -1 where the task is not mapped, and before Airflow 2.3.
    #[serde(default = "not_mapped")]
    pub map_index: i64,
    /// The pool whose slot it needs.
    #[serde(default)]
    pub pool: Option<String>,
    /// When it was handed to the executor last.
    #[serde(default)]
    pub queued_when: Option<Timestamp>,
    /// When its last try began.
    #[serde(default)]
    pub start_date: Option<Timestamp>,
}

const fn not_mapped() -> i64 {
    -1
}

/// A DAG that can be triggered; `None` where there is none.
///
/// `details` and not the DAG itself: it needs the serialized DAG, as a trigger does, and the bare row can be there before that
/// (`get_latest_version_of_dag` in `airflow-core/src/airflow/api_fastapi/common/dagbag.py`).
///
/// # Errors
/// Unhealthy where Airflow does not answer or refuses.
pub async fn dag(client: &Client, dag_id: &str) -> Result<Option<Dag>, Failure> {
    let path = client.rest(&format!("/dags/{}", segment(dag_id)));
    // Airflow 2's web server remembers a DAG that was deleted, and fails at its details.
    if client.generation() == Generation::Two && found::<Dag>(client.get(&path).await?)?.is_none() {
        return Ok(None);
    }
    found(client.get(&format!("{path}/details")).await?)
}

/// At most 100 DAGs whose ids contain `part`, those without a file included.
///
/// # Errors
/// As [`dag`].
pub async fn dags(client: &Client, part: &str) -> Result<Vec<Dag>, Failure> {
    #[derive(Deserialize)]
    struct Page {
        dags: Vec<Dag>,
    }
    let path = match client.generation() {
        Generation::Two => "/dags?limit=100&only_active=false".to_owned(),
        Generation::Three => {
            format!("/dags?limit=100&order_by=dag_id&exclude_stale=false&dag_id_pattern={}", segment(part))
        }
    };
    let mut dags = client.get(&client.rest(&path)).await?.accept::<Page>()?.dags;
    dags.retain(|dag| dag.dag_id.contains(part));
    Ok(dags)
}

/// Triggers a run of this id, now.
///
/// # Errors
/// As [`dag`].
pub async fn trigger(client: &Client, dag_id: &str, run_id: &str) -> Result<DagRun, Failure> {
    let path = client.rest(&format!("/dags/{}/dagRuns", segment(dag_id)));
    let run = match client.generation() {
        Generation::Two => serde_json::json!({ "dag_run_id": run_id }),
        Generation::Three => serde_json::json!({ "dag_run_id": run_id, "logical_date": null }),
    };
    client.post(&path, &run).await?.accept()
}

/// One run; `None` where there is none.
///
/// # Errors
/// As [`dag`].
pub async fn run(client: &Client, dag_id: &str, run_id: &str) -> Result<Option<DagRun>, Failure> {
    found(client.get(&run_path(client, dag_id, run_id)).await?)
}

/// At most `limit` runs of a DAG, the newest first.
///
/// # Errors
/// As [`dag`].
pub async fn newest_runs(client: &Client, dag_id: &str, limit: u32) -> Result<Vec<DagRun>, Failure> {
    #[derive(Deserialize)]
    struct Page {
        dag_runs: Vec<DagRun>,
    }
    let order = match client.generation() {
        Generation::Two => "-execution_date",
        Generation::Three => "-run_after",
    };
    let path = client.rest(&format!("/dags/{}/dagRuns?limit={limit}&order_by={order}", segment(dag_id)));
    Ok(client.get(&path).await?.accept::<Page>()?.dag_runs)
}

/// Ends a run as failed, and with it whatever its tasks do.
///
/// # Errors
/// As [`dag`].
pub async fn fail_run(client: &Client, dag_id: &str, run_id: &str) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct Patch {
        state: &'static str,
    }
    client.patch(&run_path(client, dag_id, run_id), &Patch { state: "failed" }).await?.succeed()
}

/// The task instances of a run, at most 100.
///
/// # Errors
/// As [`dag`].
pub async fn task_instances(client: &Client, dag_id: &str, run_id: &str) -> Result<Vec<TaskInstance>, Failure> {
    #[derive(Deserialize)]
    struct Page {
        task_instances: Vec<TaskInstance>,
    }
    let path = format!("{}/taskInstances?limit=100", run_path(client, dag_id, run_id));
    Ok(client.get(&path).await?.accept::<Page>()?.task_instances)
}

/// One task instance, or one copy of a mapped one; `None` where there is none.
///
/// # Errors
/// As [`dag`].
pub async fn task_instance(
    client: &Client,
    dag_id: &str,
    run_id: &str,
    task_id: &str,
    map_index: Option<u32>,
) -> Result<Option<TaskInstance>, Failure> {
    let mut path = format!("{}/taskInstances/{}", run_path(client, dag_id, run_id), segment(task_id));
    if let Some(index) = map_index {
        path = format!("{path}/{index}");
    }
    found(client.get(&path).await?)
}

/// The files of a bundle that cannot be read, or those of all bundles, at most 100.
///
/// # Errors
/// As [`dag`].
pub async fn import_errors(client: &Client, bundle: Option<&str>) -> Result<Vec<ImportError>, Failure> {
    #[derive(Deserialize)]
    struct Page {
        import_errors: Vec<ImportError>,
    }
    let path = match client.generation() {
        Generation::Two => "/importErrors?limit=100&order_by=-import_error_id",
        Generation::Three => "/importErrors?limit=100&order_by=-id",
    };
    let mut errors = client.get(&client.rest(path)).await?.accept::<Page>()?.import_errors;
    // Airflow 2 has no bundles.
    if let (Some(bundle), Generation::Three) = (bundle, client.generation()) {
        errors.retain(|error| error.bundle_name.as_deref() == Some(bundle));
    }
    Ok(errors)
}

/// What came of deleting a DAG.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Deleted {
    /// It is gone, or was not there.
    Yes,
    /// Not yet: a task instance of it is running.
    Busy,
}

/// Deletes a DAG with its runs. While its file is there, Airflow soon reads it anew.
///
/// # Errors
/// As [`dag`].
pub async fn delete(client: &Client, dag_id: &str) -> Result<Deleted, Failure> {
    let answer = client.delete(&client.rest(&format!("/dags/{}", segment(dag_id)))).await?;
    match answer.status {
        404 => Ok(Deleted::Yes),
        409 => Ok(Deleted::Busy),
        _ => answer.succeed().map(|()| Deleted::Yes),
    }
}

pub(super) fn run_path(client: &Client, dag_id: &str, run_id: &str) -> String {
    client.rest(&format!("/dags/{}/dagRuns/{}", segment(dag_id), segment(run_id)))
}

fn found<T: DeserializeOwned>(answer: Answer) -> Result<Option<T>, Failure> {
    if answer.status == 404 { Ok(None) } else { answer.accept().map(Some) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::airflow::scripted::{Script, serve};

    #[tokio::test]
    async fn what_is_not_there_is_none_and_deleted() {
        let (port, requests) = serve([Script::json(404, r#"{"detail":"not found"}"#)]).await;
        let client = Client::new(port);
        assert_eq!(dag(&client, "nope").await.unwrap(), None);
        assert_eq!(run(&client, "nope", "manual__2026-11-22T21:58:05+00:00").await.unwrap(), None);
        assert_eq!(delete(&client, "nope").await.unwrap(), Deleted::Yes);
        assert!(
            requests.lock().unwrap()[1]
                .starts_with("GET /api/v2/dags/nope/dagRuns/manual__2026-11-22T21%3A58%3A05%2B00%3A00 ")
        );
    }

    #[tokio::test]
    async fn a_dag_with_a_running_task_is_busy() {
        let body = r#"{"detail":"Task instances of dag with id: 'failing' are still running"}"#;
        let (port, _) = serve([Script::json(409, body)]).await;
        assert_eq!(delete(&Client::new(port), "failing").await.unwrap(), Deleted::Busy);
    }

    #[tokio::test]
    async fn import_errors_of_other_bundles_are_left_out() {
        let body = r#"{"import_errors":[
            {"import_error_id":1,"timestamp":"2026-11-22T21:59:19.467763Z","filename":"broken.py","bundle_name":"windtunnel","stack_trace":"boom"},
            {"import_error_id":2,"timestamp":"2026-11-22T21:59:19.467763Z","filename":"mine.py","bundle_name":"dags-folder","stack_trace":"bang"}
        ],"total_entries":2}"#;
        let (port, _) = serve([Script::json(200, body)]).await;
        let errors = import_errors(&Client::new(port), Some("windtunnel")).await.unwrap();
        assert_eq!(errors.iter().map(|error| error.filename.as_str()).collect::<Vec<_>>(), ["broken.py"]);
    }
}
