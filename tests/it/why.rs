//! `windtunnel why`: usage and what is said when Airflow itself is not well. What it makes of a run is tested beside it.

use crate::context::TestContext;
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
