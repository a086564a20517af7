//! Stopped, started, reset: what is to stay stays, what is to go goes.

use crate::airflow::{assert_healthy, connection_password};
use crate::artefacts::{say, stage};
use crate::docker::{container, docker, helm_revisions, kubectl};
use crate::environment::{Environment, reference};
use crate::main_path::log_in;
use crate::remains::Remains;
use crate::{forward, readme};

/// The DAG that README shows.
const DAG: &str = "hello";

#[test]
#[ignore = "part of main_path; by itself for whoever changes something in it"]
fn lifecycle() {
    let environment = Environment::claim("lifecycle");
    let test = |title: &str, part: &dyn Fn(&Environment)| stage("lifecycle", title, || part(&environment));
    test("up", &|place| drop(place.up(&[]).succeeded()));
    test("the node is stopped", &forward::survives_the_node);
    test("an upgrade that fails, and one that does not", &upgrade);
    let run = stage("lifecycle", "a DAG file appears, and runs", || {
        readme::write_dag(&environment);
        let airflow = log_in(&environment);
        airflow.await_dag(DAG);
        airflow.run_dag(DAG)
    });
    test("stop, and start", &|place| stop_and_start(place, DAG, &run));
    test("reset release", &reset_release);
    test("reset data", &reset_data);
}

/// Nothing runs after `stop`; after `start` all is as it was.
pub(crate) fn stop_and_start(environment: &Environment, dag: &str, run: &str) {
    let before = log_in(environment);
    before.set_variable("kept", "as it was");
    before.set_connection("shop", "s3cret");
    let runs = before.runs(dag);
    assert!(runs.iter().any(|name| name == run), "{runs:?}");
    environment.windtunnel(&["stop"]).succeeded();
    let state = docker(&["container", "inspect", "--format", "{{.State.Status}}", &container(&environment.name)]);
    assert_eq!(state.stdout.trim(), "exited", "{state}");
    environment.windtunnel(&["status"]).ended_with(1).says(&["the cluster is stopped", "windtunnel start"]);
    let start = environment.windtunnel(&["start"]).succeeded();
    say(&format!("`start` after `stop`: {:.1} s", start.took.as_secs_f64()));
    assert_healthy(environment.port);
    let after = log_in(environment);
    assert_eq!(after.runs(dag), runs);
    assert_eq!(after.variable("kept").as_deref(), Some("as it was"));
    assert_eq!(connection_password(&environment.name, "shop"), "s3cret");
    environment.windtunnel(&["logs", "--task", &format!("{dag}/{run}/greet")]).succeeded();
}

/// An upgrade that fails is named and taken back; one that does not, is told field by field.
pub(crate) fn upgrade(environment: &Environment) {
    let wrong = environment.up(&["--set", "env.AIRFLOW__CORE__AUTH_MANAGER=no_such.AuthManager"]).ended_with(7);
    wrong.says(&["AIRFLOW__CORE__AUTH_MANAGER", "Rolling back", "no_such", "brought back, and is healthy"]);
    assert_healthy(environment.port);
    environment.windtunnel(&["status"]).succeeded();
    // The environment is what it was, and needs no Helm to be so.
    let revisions = helm_revisions(&environment.name, &environment.name);
    environment.windtunnel(&["up"]).succeeded();
    assert_eq!(helm_revisions(&environment.name, &environment.name), revisions);

    forward::survives_an_upgrade(environment, || {
        let up = environment.up(&["--set", "env.AIRFLOW__CORE__DEFAULT_TIMEZONE=Europe/Berlin"]);
        up.succeeded().says(&["DEFAULT_TIMEZONE"]);
    });
    assert_healthy(environment.port);
}

/// Airflow is another one, its database the same. Of Airflow and its tasks nothing is left, as of a worker whose Airflow never saw its end.
pub(crate) fn reset_release(environment: &Environment) {
    let name = &environment.name;
    let credentials = credentials(environment);
    log_in(environment).set_variable("release", "another");
    leave_worker(environment);
    let before = Remains::of(name);
    let dry_run = environment.windtunnel(&["reset", "release", "--dry-run"]).succeeded();
    dry_run.says(&["This goes:", "the Helm release", "This stays:", "volumes with database and task logs"]);
    environment.windtunnel(&["reset", "release", "--no-input"]).ended_with(2).says(&["--yes"]);
    let reset = environment.windtunnel(&["reset", "release", "--yes"]).succeeded();
    say(&format!("`reset release`: {:.1} s", reset.took.as_secs_f64()));
    before.assert_data_alone_left(name);
    environment.windtunnel(&["status"]).succeeded();
    assert_eq!(self::credentials(environment), credentials);
    assert_eq!(log_in(environment).variable("release").as_deref(), Some("another"));
}

/// The database is another one, and so are the keys; the node is the same. No claim, volume, folder, Job or worker of before is left.
pub(crate) fn reset_data(environment: &Environment) {
    let name = &environment.name;
    let credentials = credentials(environment);
    log_in(environment).set_variable("data", "others");
    leave_worker(environment);
    let identity = || docker(&["container", "inspect", "--format", "{{.Id}}", &container(name)]).stdout;
    let (node, before) = (identity(), Remains::of(name));
    let reset = environment.windtunnel(&["reset", "data", "--yes"]).succeeded();
    say(&format!("`reset data`: {:.1} s", reset.took.as_secs_f64()));
    before.assert_none_left(name);
    environment.windtunnel(&["status"]).succeeded();
    assert_eq!(identity(), node);
    assert_ne!(self::credentials(environment), credentials);
    assert_eq!(log_in(environment).variable("data"), None);
}

/// A pod of a task as KubernetesExecutor makes it, which no controller and no Airflow removes.
fn leave_worker(environment: &Environment) {
    let name = &environment.name;
    let labels = format!("windtunnel.dev/environment={name},kubernetes_executor=True");
    let image = reference("database");
    let run = ["run", "left-over", "--namespace", name, "--restart=Never", "--labels", &labels, "--image", &image];
    // The first process of a container hears no signal that it has no word on.
    let script = "trap exit TERM; sleep infinity & wait";
    kubectl(name, &[&run[..], &["--command", "--", "sh", "-c", script]].concat()).succeeded();
}

fn credentials(environment: &Environment) -> String {
    environment.windtunnel(&["credentials", "--output", "json"]).succeeded().stdout
}
