//! `status` and `forward`: what is said of an environment, and by which exit code.

use serde_json::Value;

use crate::context::{TestContext, assert_run};
use crate::objects;

#[test]
fn healthy() {
    let context = TestContext::new();
    context.up();
    assert_run!(context, &["status"]);
}

#[test]
fn healthy_as_json() {
    let context = TestContext::new();
    context.up();
    let run = assert_run!(context, &["status", "-o", "json"]);
    let document: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(document["healthy"], true);
}

#[test]
fn a_part_of_airflow_is_unhealthy() {
    let context = TestContext::new();
    context.up();
    context.airflow.make_unhealthy("scheduler");
    assert_run!(context, &["status"]);
}

#[test]
fn a_pod_is_not_ready() {
    let context = TestContext::new();
    context.up();
    context.api.change(|store| objects::break_image(store, "airflow-cluster"));
    context.await_forward("to see it", |state| state.to_string().contains("no pod of service"));
    let run = assert_run!(context, &["status"]);
    assert!(run.stdout.lines().count() + run.stderr.lines().count() <= 15, "more than a small screen: {run}");
}

#[test]
fn a_file_that_cannot_be_imported_is_told_and_nothing_is_unhealthy_for_it() {
    let context = TestContext::new();
    context.up();
    context.airflow.break_file("broken.py");
    assert_run!(context, &["status"]);
    let run = context.run(&["status", "-o", "json"]);
    let document: Value = serde_json::from_str(&run.stdout).unwrap();
    let told = serde_json::json!([{"file": "broken.py", "line": 3, "message": "ZeroDivisionError: division by zero"}]);
    assert_eq!((&document["healthy"], &document["import_errors"]), (&Value::from(true), &told), "{run}");
}

#[test]
fn the_node_is_stopped() {
    let context = TestContext::new();
    context.up();
    context.describe_node("exited", Some(&context.environment("smoke")));
    assert_run!(context, &["status"]);
}

#[test]
fn the_cluster_is_gone() {
    let context = TestContext::new();
    context.up();
    std::fs::remove_file(context.path("tools/node")).unwrap();
    let run = assert_run!(context, &["status", "-o", "json"]);
    let document: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(document["healthy"], false);
}

#[test]
fn no_environment() {
    let context = TestContext::new();
    assert_run!(context, &["status", "--name", "other"]);
}

#[test]
fn the_forward_is_stopped_and_started() {
    let context = TestContext::new();
    context.up();
    assert_run!(context, &["forward", "status"]);
    assert_run!(context, &["forward", "stop"]);
    assert_run!(context, &["forward", "status"]);
    assert_run!(context, &["status"]);
    // Which route it takes is not known yet.
    let run = context.run(&["forward", "start"]);
    assert!(run.code == 0 && run.stdout.starts_with("forward: running"), "{run}");
    let run = context.run(&["status"]);
    assert_eq!(run.code, 0, "{run}");
}
