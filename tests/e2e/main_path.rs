//! From a bare machine to a healthy Airflow, through a working day, and away again.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use crate::airflow::{Airflow, assert_healthy};
use crate::artefacts::{self, say, stage};
use crate::browser::Browser;
use crate::docker::{helm_revisions, pod_identities};
use crate::environment::Environment;
use crate::sockets::server;
use crate::traces::{Stranger, Traces};
use crate::until::until;
use crate::{endurance, forward, lifecycle, readme};

/// The DAG that README shows, its task, and what that prints.
const DAG: &str = "hello";
const TASK: &str = "greet";
const WORDS: &str = "hello from a pod of my own";

/// Its one task asks for more memory than any machine has.
const LARGE_DAG: &str = r#"from airflow.sdk import dag, task
from kubernetes.client import models as k8s

@dag
def large():
    resources = k8s.V1ResourceRequirements(requests={"memory": "900Gi"})
    container = k8s.V1Container(name="base", resources=resources)

    @task(executor_config={"pod_override": k8s.V1Pod(spec=k8s.V1PodSpec(containers=[container]))})
    def load():
        pass

    load()

large()
"#;

#[test]
fn main_path() {
    let environment = Environment::claim("main");
    let mut traces = Traces::before(&environment);
    let test = |title: &str, part: &dyn Fn(&Environment)| stage("main path", title, || part(&environment));

    test("status without an environment", &|place| drop(place.windtunnel(&["status"]).ended_with(10)));
    test("up --dry-run changes nothing", &dry_run);
    test("up", &up);
    traces.see(&environment);
    test("health through the forward", &|place| assert_healthy(place.port));
    test("listeners on 127.0.0.1 only", &forward::listens_only_on_localhost);
    test("status", &status);
    test("smoke", &|place| place.windtunnel(&["smoke"]).succeeded().says(&["worker pod"]));
    let airflow = stage("main path", "credentials", || log_in(&environment));
    let run = stage("main path", "a DAG file appears, and runs", || dag_file(&environment, &airflow));
    test("logs", &|place| logs(place, &run));
    test("why a task waits", &|place| why(place, &airflow));
    test("a browser logs in and sees the DAG", &browser);
    test("up again changes nothing", &up_again);
    test("README's commands", &|place| readme::commands_work(place, &format!("{DAG}/{run}/{TASK}")));
    test("the web pod is deleted", &forward::survives_the_pod);
    test("a web pod is deleted again and again", &endurance::survives_many_pods);
    test("the API server starts again", &endurance::survives_the_api_server);
    test("the machine sleeps", &endurance::survives_a_sleep);
    test("the node's cable is pulled", &endurance::survives_a_pulled_cable);
    test("the forward is killed", &forward::is_repaired);
    test("the node is stopped", &forward::survives_the_node);
    test("an upgrade that fails, and one that does not", &lifecycle::upgrade);
    test("stop, and start", &|place| lifecycle::stop_and_start(place, DAG, &run));
    test("reset release", &reset_release);
    test("reset data", &reset_data);
    test("other people's clusters are refused", &foreign);
    test("down", &|place| down(place, &traces));
}

/// A task that asks for more memory than the node has: Airflow says that it is queued, Kubernetes why.
fn why(environment: &Environment, airflow: &Airflow) {
    environment.windtunnel(&["why", DAG, TASK]).succeeded().says(&["succeeded"]);
    environment.windtunnel(&["why", "no_such_dag"]).ended_with(2).says(&["Airflow has no DAG `no_such_dag`"]);
    let file = environment.project().join("dags/large.py");
    std::fs::write(&file, LARGE_DAG).unwrap();
    airflow.await_dag("large");
    let run = airflow.start_dag("large");
    until("the cause to be named", Duration::from_mins(1), || {
        let told = environment.windtunnel(&["why", "large", "-o", "json"]).succeeded();
        let told: Value = serde_json::from_str(&told.stdout).map_err(|error| error.to_string())?;
        let reason = told["evidence"][0].as_str().unwrap_or_default();
        let is_named = told["cause"] == "worker_pod_pending" && reason.contains("Insufficient memory");
        if is_named { Ok(()) } else { Err(told.to_string()) }
    });
    airflow.fail_run("large", &run);
    std::fs::remove_file(file).unwrap();
}

fn dry_run(environment: &Environment) {
    environment.up(&["--dry-run"]).succeeded().says(&["Nothing was changed."]);
    assert!(!environment.state().join("environments").exists(), "`--dry-run` made files");
    assert!(!environment.project().join("dags").exists(), "`--dry-run` made the DAG folder");
}

fn up(environment: &Environment) {
    let up = environment.up(&[]).succeeded();
    artefacts::keep("up.txt", &up.stderr);
    let port = environment.port;
    let forwarding = format!("Forwarding 127.0.0.1:{port}");
    let titles = [
        "Checking prerequisites",
        "Starting kind cluster",
        "Creating namespace",
        "Installing Airflow",
        "Waiting for pods",
        &forwarding,
        "Checking the web server",
    ];
    let mut lines = up.stderr.lines();
    for title in titles {
        // In this order, each with its mark.
        let line = lines.find(|line| line.trim_start().starts_with(title));
        assert!(line.is_some_and(|line| line.contains('✓')), "`{title}` is missing or out of order\n{up}");
    }
    up.says(&[
        "Loading images",
        &format!("Airflow is ready:  http://127.0.0.1:{port}   user admin"),
        &format!("windtunnel credentials --name {}", environment.name),
    ]);
    assert_eq!(up.stdout, "", "talk belongs on stderr");
}

fn status(environment: &Environment) {
    environment.windtunnel(&["status"]).succeeded().says(&[&environment.name, "running", "health"]);
    let status = environment.windtunnel(&["status", "--output", "json"]).succeeded().document();
    assert_eq!(status["healthy"], true, "{status}");
    assert_eq!(status["problems"].as_array().map(Vec::len), Some(0), "{status}");
    assert_eq!(status["url"], format!("http://127.0.0.1:{}", environment.port), "{status}");
}

pub(crate) fn log_in(environment: &Environment) -> Airflow {
    let (url, user, password) = credentials(environment);
    assert_eq!(url, format!("http://127.0.0.1:{}", environment.port));
    let status = environment.windtunnel(&["status", "--verbose"]);
    assert!(!status.to_string().contains(&password), "the password is shown by `status`");
    Airflow::log_in(&url, &user, &password)
}

fn credentials(environment: &Environment) -> (String, String, String) {
    let document = environment.windtunnel(&["credentials", "--output", "json"]).succeeded().document();
    let entry = |name: &str| document[name].as_str().unwrap_or_else(|| panic!("no {name} in {document}")).to_owned();
    (entry("url"), entry("user"), entry("password"))
}

fn dag_path(environment: &Environment) -> PathBuf {
    environment.project().join("dags").join(format!("{DAG}.py"))
}

fn dag_file(environment: &Environment, airflow: &Airflow) -> String {
    readme::write_dag(environment);
    stage("main path", "  … it appears", || airflow.await_dag(DAG));
    airflow.run_dag(DAG)
}

fn logs(environment: &Environment, run: &str) {
    for component in ["api-server", "scheduler", "dag-processor", "triggerer", "database"] {
        let log = environment.windtunnel(&["logs", component, "--tail", "20"]).succeeded();
        assert!(!log.stdout.is_empty(), "no line of {component}");
    }
    environment.windtunnel(&["logs", "forward"]).succeeded();
    environment.windtunnel(&["logs", "--task", &format!("{DAG}/{run}/{TASK}")]).succeeded().says(&[WORDS]);
}

fn browser(environment: &Environment) {
    let (url, user, password) = credentials(environment);
    let browser = Browser::start(&environment.folder);
    browser.open(&url);
    browser.await_address("/auth/login", true);
    browser.type_into("input[name=username]", &user);
    browser.type_into("input[name=password]", &password);
    browser.click("button[type=submit]");
    browser.await_address("/auth/login", false);
    browser.open(&format!("{url}/dags"));
    browser.await_text(DAG);
    let picture = artefacts::folder().join("dags.png");
    browser.screenshot(&picture);
    say(&format!("the picture: {}", picture.display()));
}

fn up_again(environment: &Environment) {
    let name = &environment.name;
    let look = || (helm_revisions(name, name), pod_identities(name, name), server(environment.port));
    let before = look();
    let up = environment.up(&[]).succeeded();
    assert_eq!(look(), before, "{up}");
    say(&format!("`up` when everything is there: {:.2} s", up.took.as_secs_f64()));
    // Port, bundle and profile are remembered.
    environment.windtunnel(&["up"]).succeeded();
    assert_eq!(look(), before);
}

fn reset_release(environment: &Environment) {
    let runs = log_in(environment).runs(DAG);
    lifecycle::reset_release(environment);
    assert_healthy(environment.port);
    assert_eq!(log_in(environment).runs(DAG), runs);
}

fn reset_data(environment: &Environment) {
    lifecycle::reset_data(environment);
    assert_healthy(environment.port);
    let airflow = log_in(environment);
    airflow.await_dag(DAG);
    assert!(airflow.runs(DAG).is_empty(), "a run is left");
    assert_eq!(airflow.variable("kept"), None);
}

fn foreign(environment: &Environment) {
    let stranger = Stranger::create(environment);
    environment.up(&["--name", &stranger.cluster]).ended_with(9).says(&[&stranger.cluster, "not made by windtunnel"]);
    environment.windtunnel(&["down", "--yes", "--name", &stranger.cluster]).ended_with(9);
    stranger.assert_untouched();
}

fn down(environment: &Environment, traces: &Traces) {
    environment.windtunnel(&["down", "--no-input"]).ended_with(2).says(&["--yes"]);
    environment.windtunnel(&["down", "--yes"]).succeeded();
    traces.assert_gone(environment, &[dag_path(environment)]);
    environment.windtunnel(&["down", "--yes"]).ended_with(10);
}
