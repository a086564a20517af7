//! Stopped, started, reset: what is to stay stays, what is to go goes.

use crate::airflow::assert_healthy;
use crate::artefacts::say;
use crate::docker::{docker, helm_revisions, node};
use crate::environment::Environment;
use crate::main_path::log_in;

/// Nothing runs after `stop`; after `start` all is as it was.
pub(crate) fn stop_and_start(environment: &Environment, dag: &str, run: &str) {
    let before = log_in(environment);
    before.set_variable("kept", "as it was");
    let runs = before.runs(dag);
    assert!(runs.iter().any(|name| name == run), "{runs:?}");
    environment.windtunnel(&["stop"]).succeeded();
    let state = docker(&["container", "inspect", "--format", "{{.State.Status}}", &node(&environment.name)]);
    assert_eq!(state.stdout.trim(), "exited", "{state}");
    environment.windtunnel(&["status"]).ended_with(1).says(&["the cluster is stopped", "windtunnel start"]);
    let start = environment.windtunnel(&["start"]).succeeded();
    say(&format!("`start` after `stop`: {:.1} s", start.took.as_secs_f64()));
    assert_healthy(environment.port);
    let after = log_in(environment);
    assert_eq!(after.runs(dag), runs);
    assert_eq!(after.variable("kept").as_deref(), Some("as it was"));
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

    environment
        .up(&["--set", "env.AIRFLOW__CORE__DEFAULT_TIMEZONE=Europe/Berlin"])
        .succeeded()
        .says(&["DEFAULT_TIMEZONE"]);
    assert_healthy(environment.port);
}

/// Airflow is another one, its database the same.
pub(crate) fn reset_release(environment: &Environment, dag: &str) {
    let (credentials, runs) = (credentials(environment), log_in(environment).runs(dag));
    let dry_run = environment.windtunnel(&["reset", "release", "--dry-run"]).succeeded();
    dry_run.says(&["This goes:", "the Helm release", "This stays:", "volumes with database and task logs"]);
    environment.windtunnel(&["reset", "release", "--no-input"]).ended_with(2).says(&["--yes"]);
    environment.windtunnel(&["reset", "release", "--yes"]).succeeded();
    assert_healthy(environment.port);
    assert_eq!(self::credentials(environment), credentials);
    assert_eq!(log_in(environment).runs(dag), runs);
}

/// The database is another one, and so are the keys; the node is the same.
pub(crate) fn reset_data(environment: &Environment, dag: &str) {
    let credentials = credentials(environment);
    let identity = || docker(&["container", "inspect", "--format", "{{.Id}}", &node(&environment.name)]).stdout;
    let before = identity();
    let reset = environment.windtunnel(&["reset", "data", "--yes"]).succeeded();
    say(&format!("`reset data`: {:.1} s", reset.took.as_secs_f64()));
    assert_healthy(environment.port);
    assert_eq!(identity(), before);
    assert_ne!(self::credentials(environment), credentials);
    let airflow = log_in(environment);
    airflow.await_dag(dag);
    assert!(airflow.runs(dag).is_empty(), "a run is left");
    assert_eq!(airflow.variable("kept"), None);
    let volumes = docker(&[
        "exec",
        &node(&environment.name),
        "kubectl",
        "--kubeconfig=/etc/kubernetes/admin.conf",
        "get",
        "persistentvolumes",
        "--output=jsonpath={.items[*].status.phase}",
    ]);
    let bound = volumes.stdout.split_whitespace().filter(|phase| *phase == "Bound").count();
    assert_eq!(bound, 2, "{volumes}");
}

fn credentials(environment: &Environment) -> String {
    environment.windtunnel(&["credentials", "--output", "json"]).succeeded().stdout
}
