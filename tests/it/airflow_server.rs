//! Airflow's web server as far as windtunnel asks it: the health document, the sign-in, and whatever else a test lets it say.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use hyper::StatusCode;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::api_server::{json_answer, now, serve};

/// The server; it ends when this is dropped.
pub(crate) struct AirflowServer {
    pub(crate) address: SocketAddr,
    pub(crate) parts: Parts,
    /// What it answers, by path.
    answers: Arc<Mutex<BTreeMap<String, Value>>>,
    _stop: oneshot::Sender<()>,
}

/// The parts that are not healthy, and when they were last heard of.
#[derive(Clone, Default)]
pub(crate) struct Parts(Arc<Mutex<BTreeMap<String, String>>>);

impl Parts {
    /// From now on this part is not healthy, and gives no heartbeat.
    pub(crate) fn make_unhealthy(&self, part: &str) {
        self.0.lock().unwrap().insert(part.to_owned(), now());
    }

    /// From now on every part is healthy.
    pub(crate) fn heal(&self) {
        self.0.lock().unwrap().clear();
    }
}

impl AirflowServer {
    /// Starts it, healthy, without a DAG.
    pub(crate) fn start() -> Self {
        let parts = Parts::default();
        let answers = BTreeMap::from([
            ("/api/v2/version".to_owned(), json!({"version": "3.3.2", "git_version": null})),
            ("/auth/token".to_owned(), json!({"access_token": "a.token.of-airflow"})),
            ("/api/v2/dags".to_owned(), json!({"dags": [], "total_entries": 0})),
            ("/api/v2/importErrors".to_owned(), json!({"import_errors": [], "total_entries": 0})),
        ]);
        let answers = Arc::new(Mutex::new(answers));
        let (stop, stopped) = oneshot::channel();
        let (seen, known) = (parts.clone(), Arc::clone(&answers));
        let address = serve(stopped, move |request| {
            let unhealthy = seen.0.lock().unwrap().clone();
            let answer = known.lock().unwrap().get(request.uri().path()).cloned();
            async move {
                match (request.uri().path(), answer) {
                    ("/api/v2/monitor/health", _) => json_answer(StatusCode::OK, &health(&unhealthy)),
                    (_, Some(answer)) => json_answer(StatusCode::OK, &answer),
                    (_, None) => json_answer(StatusCode::NOT_FOUND, &json!({"detail": "Not Found"})),
                }
            }
        });
        Self { address, parts, answers, _stop: stop }
    }

    /// From now on this part is not healthy, and gives no heartbeat.
    pub(crate) fn make_unhealthy(&self, part: &str) {
        self.parts.make_unhealthy(part);
    }

    /// From now on a request for this path of the REST interface is answered so.
    pub(crate) fn answer(&self, path: &str, document: Value) {
        self.answers.lock().unwrap().insert(format!("/api/v2{path}"), document);
    }

    /// From now on Airflow cannot import this file of the DAG folder.
    pub(crate) fn break_file(&self, file: &str) {
        let trace = format!(
            "Traceback (most recent call last):\n  File \"<frozen importlib._bootstrap>\", line 241, in _call_with_frames_removed\n  \
             File \"/opt/airflow/dags/{file}\", line 3, in <module>\n    RATE = 1 / (2 - 2)\n           ~~^~~~~~~~~\n\
             ZeroDivisionError: division by zero\n"
        );
        let error = json!({"import_error_id": 1, "filename": file, "bundle_name": "dags-folder", "stack_trace": trace});
        self.answer("/importErrors", json!({"import_errors": [error], "total_entries": 1}));
    }

    /// From now on there is the DAG `etl` with one run, `r1`, whose task `load` failed.
    pub(crate) fn fail_task(&self) {
        let dag = json!({"dag_id": "etl", "bundle_name": "dags-folder", "relative_fileloc": "etl.py", "fileloc": "/opt/airflow/dags/etl.py"});
        self.answer("/dags/etl/details", dag);
        let run = json!({"dag_run_id": "r1", "state": "failed"});
        self.answer("/dags/etl/dagRuns/r1", run.clone());
        self.answer("/dags/etl/dagRuns", json!({"dag_runs": [run], "total_entries": 1}));
        let task = json!({"task_id": "load", "state": "failed", "try_number": 1, "map_index": -1});
        self.answer("/dags/etl/dagRuns/r1/taskInstances/load", task.clone());
        self.answer("/dags/etl/dagRuns/r1/taskInstances", json!({"task_instances": [task], "total_entries": 1}));
        self.answer("/dags/etl/tasks", json!({"tasks": [{"task_id": "load"}], "total_entries": 1}));
        self.answer("/pools", json!({"pools": [], "total_entries": 0}));
    }

    /// From now on the log of that task is on a volume that Airflow's web server does not see.
    pub(crate) fn lose_log(&self) {
        let words =
            "Could not read served logs: HTTPConnectionPool(host='etl-load-x', port=8793): Max retries exceeded";
        let events =
            json!([{"event": "::group::Log message source details"}, {"event": words}, {"event": "::endgroup::"}]);
        let path = "/dags/etl/dagRuns/r1/taskInstances/load/logs/1";
        self.answer(path, json!({"content": events, "continuation_token": null}));
    }
}

fn health(unhealthy: &BTreeMap<String, String>) -> Value {
    let state = |part: &str| if unhealthy.contains_key(part) { "unhealthy" } else { "healthy" };
    let last = |part: &str| unhealthy.get(part).cloned().unwrap_or_else(now);
    let beating = |part: &str, beat: &str| json!({"status": state(part), beat: last(part)});
    json!({
        "metadatabase": {"status": state("metadatabase")},
        "scheduler": beating("scheduler", "latest_scheduler_heartbeat"),
        "triggerer": beating("triggerer", "latest_triggerer_heartbeat"),
        "dag_processor": beating("dag_processor", "latest_dag_processor_heartbeat"),
    })
}
