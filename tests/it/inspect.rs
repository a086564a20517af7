//! `logs`.

use crate::context::{TestContext, assert_run};
use crate::objects::airflow_pod;

#[test]
fn of_a_component() {
    let context = TestContext::new();
    context.up();
    context.api.log(&airflow_pod("airflow-cluster"), "scheduler", "first line\nsecond line\n");
    assert_run!(context, &["logs"]);
}

#[test]
fn of_an_unknown_component() {
    let context = TestContext::new();
    context.up();
    assert_run!(context, &["logs", "webserver"]);
}

#[test]
fn of_the_forward() {
    let context = TestContext::new();
    context.up();
    let run = context.run(&["logs", "forward"]);
    assert_eq!(run.code, 0, "{run}");
}

#[test]
fn without_an_environment() {
    let context = TestContext::new();
    assert_run!(context, &["logs"]);
}
