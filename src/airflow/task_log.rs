//! The log of one task's latest try, for `windtunnel logs --task DAG/RUN/TASK`.

use std::cmp::Reverse;

use super::dags::{self, TaskInstance, run_path};
use super::log_lines::TaskLog;
use super::{Client, segment};
use crate::codes::Code;
use crate::error::{Failure, Kind};

/// How many names are shown when one is unknown.
const KNOWN_SHOWN: usize = 8;

/// What the user named.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Address<'a> {
    dag: &'a str,
    run: &'a str,
    task: &'a str,
    map_index: Option<u32>,
}

impl<'a> Address<'a> {
    /// None of Airflow's ids can have a `/` in it, so the parts cannot be mistaken.
    fn parse(text: &'a str) -> Result<Self, Failure> {
        let wrong = |why: String| {
            Failure::usage(format!("`{text}` names no task: {why}"))
                .hint("a task is named by DAG, run and task: `windtunnel logs --task my_dag/latest/my_task`")
                .hint("one copy of a mapped task: `windtunnel logs --task my_dag/latest/my_task/0`")
        };
        let parts: Vec<&str> = text.split('/').collect();
        if parts.iter().any(|part| part.is_empty()) {
            return Err(wrong("a part of it is empty".to_owned()));
        }
        match parts[..] {
            [dag, run, task] => Ok(Self { dag, run, task, map_index: None }),
            [dag, run, task, index] => {
                let index = index.parse().map_err(|_| wrong(format!("`{index}` is not the number of a copy")))?;
                Ok(Self { dag, run, task, map_index: Some(index) })
            }
            _ => Err(wrong(format!("it has {} parts, DAG/RUN/TASK has three", parts.len()))),
        }
    }
}

/// One try of a task, by Airflow's own names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Try<'a> {
    /// The DAG's id.
    pub dag: &'a str,
    /// The run's id.
    pub run: &'a str,
    /// The task's id.
    pub task: &'a str,
    /// Counts from 1.
    pub number: u32,
    /// Which copy of a mapped task; -1 where it is not mapped.
    pub map_index: i64,
}

/// The log of the latest try of `DAG/RUN/TASK`, as lines; the run `latest` is the newest one. A copy of a mapped task is
/// `DAG/RUN/TASK/INDEX`. `client` is signed in.
///
/// # Errors
/// Usage where the name has another form, or there is no such DAG, run, task or try, naming those that there are; unhealthy
/// where Airflow does not answer.
pub async fn task_log(client: &Client, name: &str) -> Result<String, Failure> {
    let address = Address::parse(name)?;
    let run = find_run(client, address).await?;
    let instance = find_task(client, address, &run).await?;
    if instance.try_number == 0 {
        let state = instance.state.as_deref().unwrap_or("not scheduled yet");
        return Err(Failure::usage(format!("task `{name}` has no log: it has not been tried (state: {state})")));
    }
    let (number, map_index) = (instance.try_number, instance.map_index);
    read_log(client, Try { dag: address.dag, run: &run, task: address.task, number, map_index }).await
}

/// That what a task printed is not to be had.
#[must_use]
pub fn log_lost(message: impl Into<String>) -> Failure {
    Failure::new(Kind::Unhealthy, message)
        .code(Code::TaskLogLost)
        .hint("worker pods and the API server must share the volume for logs: `windtunnel logs api-server`")
}

/// The log of one try, as lines, where Airflow can reach it.
///
/// # Errors
/// Unhealthy with the code `task_log_lost` where Airflow has no such log or none of its sources can be read; see also [`read_try`].
pub async fn read_log(client: &Client, tried: Try<'_>) -> Result<String, Failure> {
    let Try { run, task, number, .. } = tried;
    let message = || format!("the log of task `{task}` in run `{run}`, try {number}, cannot be read");
    let log = fetch(client, tried).await.map_err(|failure| match failure.code {
        // Nobody answers, or the login is refused: not the log is at fault.
        Some(_) => failure,
        None => log_lost(message()).evidence(failure.message).evidence_lines(failure.evidence),
    })?;
    let unread = log.unread();
    if unread.is_empty() { Ok(log.to_string()) } else { Err(log_lost(message()).evidence_lines(unread)) }
}

/// The log of one try, as lines, whatever is in it so far.
///
/// # Errors
/// Unhealthy where Airflow does not answer or has no such try.
pub async fn read_try(client: &Client, tried: Try<'_>) -> Result<String, Failure> {
    Ok(fetch(client, tried).await?.to_string())
}

async fn fetch(client: &Client, tried: Try<'_>) -> Result<TaskLog, Failure> {
    let Try { dag, run, task, number, map_index } = tried;
    let path = format!(
        "{}/taskInstances/{}/logs/{number}?map_index={map_index}&full_content=true",
        run_path(client, dag, run),
        segment(task)
    );
    client.get(&path).await?.accept()
}

async fn find_run(client: &Client, address: Address<'_>) -> Result<String, Failure> {
    let dag = address.dag;
    if dags::dag(client, dag).await?.is_none() {
        let known = dags::dags(client, "").await?.into_iter().map(|dag| dag.dag_id).collect();
        return Err(unknown(format!("there is no DAG `{dag}`"), dag, "DAGs", known));
    }
    if address.run != "latest" {
        if let Some(run) = dags::run(client, dag, address.run).await? {
            return Ok(run.dag_run_id);
        }
        let known = dags::newest_runs(client, dag, 100).await?.into_iter().map(|run| run.dag_run_id).collect();
        return Err(unknown(format!("DAG `{dag}` has no run `{}`", address.run), address.run, "its runs", known)
            .hint(format!("the newest run: `windtunnel logs --task {dag}/latest/{}`", address.task)));
    }
    let newest = dags::newest_runs(client, dag, 1).await?.into_iter().next();
    newest.map(|run| run.dag_run_id).ok_or_else(|| Failure::usage(format!("DAG `{dag}` has not run yet")))
}

async fn find_task(client: &Client, address: Address<'_>, run: &str) -> Result<TaskInstance, Failure> {
    let Address { dag, task, map_index, .. } = address;
    if let Some(instance) = dags::task_instance(client, dag, run, task, map_index).await? {
        return Ok(instance);
    }
    let instances = dags::task_instances(client, dag, run).await?;
    let copies = instances.iter().filter(|instance| instance.task_id == task && instance.map_index >= 0).count();
    if copies > 0 {
        return Err(Failure::usage(format!(
            "task `{task}` of DAG `{dag}` is mapped: it has {copies} copies in run `{run}`"
        ))
        .hint(format!("the log of the first: `windtunnel logs --task {dag}/{run}/{task}/0`")));
    }
    let known = instances.into_iter().map(|instance| instance.task_id).collect();
    Err(unknown(format!("run `{run}` of DAG `{dag}` has no task `{task}`"), task, "its tasks", known))
}

/// Usage: what is unknown, and what is known, the most alike first.
fn unknown(message: String, wanted: &str, what: &str, mut known: Vec<String>) -> Failure {
    let alike = |name: &str| wanted.chars().zip(name.chars()).take_while(|(one, other)| one == other).count();
    known.sort_by_key(|name| Reverse(alike(name)));
    known.dedup();
    if known.is_empty() {
        return Failure::usage(message).evidence(format!("{what}: none"));
    }
    let more = known.len().saturating_sub(KNOWN_SHOWN);
    known.truncate(KNOWN_SHOWN);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    Failure::usage(message).evidence(format!("{what}: {}{more}", known.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::airflow::scripted::{Script, serve};

    const LOAD: Try<'_> = Try { dag: "etl", run: "r1", task: "load", number: 2, map_index: -1 };

    #[test]
    fn a_task_is_named_by_three_parts_or_four() {
        let address = Address::parse("etl/manual__2026-11-22T21:58:05+00:00/load.rows/3").unwrap();
        assert_eq!((address.dag, address.task, address.map_index), ("etl", "load.rows", Some(3)));
        for (text, why) in
            [("etl/load", "it has 2 parts"), ("etl//load", "is empty"), ("a/b/c/d", "`d` is not the number")]
        {
            let failure = Address::parse(text).unwrap_err();
            assert!(failure.message.contains(why), "{text}: {}", failure.message);
        }
    }

    #[tokio::test]
    async fn latest_is_the_newest_run_and_the_latest_try_is_read() {
        let script = [
            Script::json(200, r#"{"dag_id":"etl","bundle_name":"dags-folder"}"#),
            Script::json(200, r#"{"dag_runs":[{"dag_run_id":"manual__2026-11-22T21:58:05+00:00"}],"total_entries":1}"#),
            Script::json(200, r#"{"task_id":"load","state":"success","try_number":2,"map_index":-1}"#),
            Script::json(
                200,
                r#"{"content":[{"event":"hello","level":"info","timestamp":null}],"continuation_token":null}"#,
            ),
        ];
        let (port, requests) = serve(script).await;
        assert_eq!(task_log(&Client::new(port), "etl/latest/load").await.unwrap(), "INFO     hello\n");
        let last = requests.lock().unwrap()[3].clone();
        let path = "GET /api/v2/dags/etl/dagRuns/manual__2026-11-22T21%3A58%3A05%2B00%3A00/taskInstances/load/logs/2?";
        assert!(last.starts_with(path), "{last}");
    }

    #[tokio::test]
    async fn a_log_that_cannot_be_reached_has_a_code_and_a_cure() {
        let unread = r#"{"content":[{"event":"::group::Log message source details"},{"event":"Could not read served logs: no route"},{"event":"::endgroup::"}]}"#;
        for (answer, evidence) in [
            (Script::json(200, unread), "Could not read served logs: no route"),
            (Script::json(404, r#"{"detail":"TaskInstance not found"}"#), "404: TaskInstance not found"),
            (Script::json(500, "{}"), "500: {}"),
        ] {
            let (port, _) = serve([answer]).await;
            let failure = read_log(&Client::new(port), LOAD).await.unwrap_err();
            assert_eq!((failure.kind, failure.code), (Kind::Unhealthy, Some(Code::TaskLogLost)));
            assert_eq!(failure.message, "the log of task `load` in run `r1`, try 2, cannot be read");
            assert!(failure.evidence[0].ends_with(evidence), "{:?}", failure.evidence);
            assert!(failure.hints[0].contains("share the volume for logs"), "{:?}", failure.hints);
        }
        let failure = read_log(&Client::new(1), LOAD).await.unwrap_err();
        assert_eq!(failure.code, Some(Code::NoAnswer), "not the log is at fault");
    }

    #[tokio::test]
    async fn an_unknown_dag_is_named_with_those_most_alike() {
        let script = [
            Script::json(404, r#"{"detail":"not found"}"#),
            Script::json(
                200,
                r#"{"dags":[{"dag_id":"alpha","bundle_name":null},{"dag_id":"etl_daily","bundle_name":null}]}"#,
            ),
        ];
        let (port, _) = serve(script).await;
        let failure = task_log(&Client::new(port), "etl_dayly/latest/load").await.unwrap_err();
        assert_eq!((failure.kind, failure.message.as_str()), (Kind::Usage, "there is no DAG `etl_dayly`"));
        assert_eq!(failure.evidence, ["DAGs: etl_daily, alpha"]);
    }

    #[tokio::test]
    async fn a_mapped_task_asks_for_the_copy() {
        let script = [
            Script::json(200, r#"{"dag_id":"etl","bundle_name":null}"#),
            Script::json(200, r#"{"dag_run_id":"r1"}"#),
            Script::json(404, r#"{"detail":"Task instance is mapped, add the map_index value to the URL"}"#),
            Script::json(
                200,
                r#"{"task_instances":[{"task_id":"load","state":null,"try_number":0,"map_index":0},{"task_id":"load","state":null,"try_number":0,"map_index":1}]}"#,
            ),
        ];
        let (port, _) = serve(script).await;
        let failure = task_log(&Client::new(port), "etl/r1/load").await.unwrap_err();
        assert!(failure.message.contains("is mapped: it has 2 copies"), "{}", failure.message);
        assert!(failure.hints[0].contains("etl/r1/load/0"), "{:?}", failure.hints);
    }
}
