//! `windtunnel why`: usage and what is said when Airflow itself is not well. What it makes of a run is tested beside it.

use crate::context::{TestContext, assert_run};
use crate::objects;

#[test]
fn what_is_wrong_with_airflow_is_told_first() {
    let context = TestContext::new();
    context.up();
    context.airflow.make_unhealthy("scheduler");
    let run = context.run(&["why", "etl"]);
    assert!(run.code == 1 && run.stderr.contains("error[WT824]: the scheduler is not healthy"), "{run}");
    context.api.change(|store| objects::break_image(store, "airflow-cluster"));
    let run = context.run(&["why", "etl"]);
    assert!(run.code == 7 && run.stderr.contains("error[WT301]"), "{run}");
}

#[test]
fn no_environment() {
    let context = TestContext::new();
    let run = context.run(&["why", "etl", "load"]);
    assert!(run.code == 10 && run.stderr.contains("there is no environment `airflow-cluster`"), "{run}");
    assert_eq!(context.run(&["why"]).code, 2);
}

#[test]
fn a_broken_file_is_a_cause_whether_airflow_knows_its_dag_or_not() {
    let context = TestContext::new();
    context.up();
    context.airflow.break_file("etl.py");
    assert_run!(context, &["why", "etl"]);
    context.airflow.fail_task();
    assert_run!(context, &["why", "etl"]);
}

#[test]
fn a_log_that_cannot_be_reached_is_told_with_its_code() {
    let context = TestContext::new();
    context.up();
    context.airflow.fail_task();
    context.airflow.lose_log();
    assert_run!(context, &["why", "etl"]);
    let log = "HTTP response body: {\"message\":\"pods \\\"etl-load-x\\\" is forbidden: exceeded quota: small\",\"code\":403}\n";
    context.api.log(&objects::airflow_pod("airflow-cluster"), "scheduler", log);
    let run = context.run(&["why", "etl"]);
    assert!(run.stdout.contains("[WT858]") && run.stdout.contains("exceeded quota: small"), "{run}");
}
