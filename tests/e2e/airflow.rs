//! Airflow as its own clients see it: health and REST interface through the forwarded port.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::docker::kubectl;
use crate::http::{get, request};
use crate::until::until;

const DEADLINE: Duration = Duration::from_secs(30);

/// Insists that Airflow itself says that all of it is healthy.
pub(crate) fn assert_healthy(port: u16) {
    health(port).unwrap();
}

/// Waits until Airflow says so: a scheduler's heart beats some time after the web server answers.
pub(crate) fn await_healthy(port: u16) {
    until("Airflow to be healthy", Duration::from_mins(2), || health(port));
}

fn health(port: u16) -> Result<(), String> {
    let health = get(&format!("http://127.0.0.1:{port}/api/v2/monitor/health"), DEADLINE)?.json();
    let is_sick = |part: &&&str| health[part]["status"] != "healthy";
    match ["metadatabase", "scheduler", "dag_processor", "triggerer"].iter().find(is_sick) {
        Some(sick) => Err(format!("{sick}: {health}")),
        None => Ok(()),
    }
}

/// The password of a connection, as Airflow's own command reads it: its REST interface shows none.
pub(crate) fn connection_password(cluster: &str, name: &str) -> String {
    let pod = format!("deployment/{cluster}-airflow");
    let exec = ["exec", "--namespace", cluster, &pod, "--container", "scheduler", "--"];
    let get = ["airflow", "connections", "get", name, "--output", "json"];
    let shown = kubectl(cluster, &[&exec[..], &get].concat()).succeeded();
    let connections: Value = serde_json::from_str(shown.stdout.lines().last().unwrap()).unwrap();
    connections[0]["password"].as_str().unwrap_or_else(|| panic!("no password\n{shown}")).to_owned()
}

/// A logged-in client.
pub(crate) struct Airflow {
    url: String,
    token: String,
}

impl Airflow {
    /// Logs in.
    pub(crate) fn log_in(url: &str, user: &str, password: &str) -> Self {
        let body = json!({"username": user, "password": password});
        let answer = request("POST", &format!("{url}/auth/token"), None, Some(&body), DEADLINE).unwrap();
        assert_eq!(answer.status, 201, "{}", answer.body);
        Self { url: url.to_owned(), token: answer.json()["access_token"].as_str().unwrap().to_owned() }
    }

    /// Waits until Airflow knows a DAG.
    pub(crate) fn await_dag(&self, dag: &str) {
        until(&format!("the DAG {dag}"), Duration::from_secs(90), || self.call("GET", &format!("dags/{dag}"), None));
    }

    /// Runs a DAG to its end and returns the run's name.
    pub(crate) fn run_dag(&self, dag: &str) -> String {
        let run = self.start_dag(dag);
        until(&format!("the run {run}"), Duration::from_mins(3), || {
            let state = self.call("GET", &format!("dags/{dag}/dagRuns/{}", run.replace('+', "%2B")), None)?;
            match state["state"].as_str() {
                Some("success") => Ok(()),
                Some("failed") => panic!("{dag} failed: {state}"),
                other => Err(format!("it is {other:?}")),
            }
        });
        run
    }

    /// Begins to run a DAG and returns the run's name.
    pub(crate) fn start_dag(&self, dag: &str) -> String {
        self.call("PATCH", &format!("dags/{dag}"), Some(&json!({"is_paused": false}))).unwrap();
        let run = self.call("POST", &format!("dags/{dag}/dagRuns"), Some(&json!({"logical_date": null}))).unwrap();
        run["dag_run_id"].as_str().unwrap().to_owned()
    }

    /// Ends a run, and with it its worker pods.
    pub(crate) fn fail_run(&self, dag: &str, run: &str) {
        let path = format!("dags/{dag}/dagRuns/{}", run.replace('+', "%2B"));
        self.call("PATCH", &path, Some(&json!({"state": "failed"}))).unwrap();
    }

    /// The names of a DAG's runs.
    pub(crate) fn runs(&self, dag: &str) -> Vec<String> {
        let runs = self.call("GET", &format!("dags/{dag}/dagRuns?order_by=id"), None).unwrap();
        let names = runs["dag_runs"].as_array().unwrap().iter().map(|run| run["dag_run_id"].as_str().unwrap());
        names.map(str::to_owned).collect()
    }

    /// When Airflow found that it cannot import this file.
    pub(crate) fn import_error(&self, file: &str) -> SystemTime {
        let errors = self.call("GET", "importErrors", None).unwrap();
        let is_it = |error: &&Value| error["filename"].as_str().is_some_and(|name| name.ends_with(file));
        let error = errors["import_errors"].as_array().unwrap().iter().find(is_it).unwrap();
        error["timestamp"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap().into()
    }

    /// Makes a variable.
    pub(crate) fn set_variable(&self, key: &str, value: &str) {
        self.call("POST", "variables", Some(&json!({"key": key, "value": value}))).unwrap();
    }

    /// The value of a variable, if there is one.
    pub(crate) fn variable(&self, key: &str) -> Option<String> {
        let variable = self.call("GET", &format!("variables/{key}"), None).ok()?;
        variable["value"].as_str().map(str::to_owned)
    }

    /// Makes a connection, whose password only the Fernet key of now makes readable.
    pub(crate) fn set_connection(&self, name: &str, password: &str) {
        let connection = json!({
            "connection_id": name, "conn_type": "postgres", "host": "shop.example", "login": "me", "password": password,
        });
        self.call("POST", "connections", Some(&connection)).unwrap();
    }

    /// Asks its REST interface.
    pub(crate) fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, String> {
        let answer = request(method, &format!("{}/api/v2/{path}", self.url), Some(&self.token), body, DEADLINE)?;
        if answer.status < 300 { Ok(answer.json()) } else { Err(format!("{}: {}", answer.status, answer.body)) }
    }
}
