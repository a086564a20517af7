//! `windtunnel logs`: what is said where there is no log.

use serde_json::Value;

use crate::context::{TestContext, assert_run};
use crate::{objects, terminal};

#[test]
fn a_container_that_cannot_start_has_a_verdict_instead() {
    let context = TestContext::new();
    context.up();
    context.api.change(|store| objects::break_image(store, "airflow-cluster"));
    assert_run!(context, &["logs", "scheduler"]);
    let run = context.run(&["logs", "scheduler", "-o", "json"]);
    let text = if run.stdout.is_empty() { &run.stderr } else { &run.stdout };
    let event: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap_or_else(|_| panic!("{run}"));
    assert_eq!((&event["code"], &event["cause"]), (&Value::from("WT301"), &Value::from("image_not_found")), "{run}");
    assert_eq!(run.code, 7, "{run}");
}

#[test]
fn a_container_that_is_about_to_start_is_said_to_be() {
    let context = TestContext::new();
    context.up();
    context.api.change(|store| objects::delay_start(store, "airflow-cluster"));
    let run = context.run(&["logs", "scheduler"]);
    assert!(run.code == 1 && run.stderr.contains("has not started yet"), "{run}");
}

#[test]
fn the_log_of_a_task_that_cannot_be_reached() {
    let context = TestContext::new();
    context.up();
    context.airflow.fail_task();
    context.airflow.lose_log();
    assert_run!(context, &["logs", "--task", "etl/latest/load"]);
}

#[test]
fn whoever_follows_a_container_that_cannot_start_is_told_why() {
    let context = TestContext::new();
    context.up();
    context.api.change(|store| objects::break_image(store, "airflow-cluster"));
    assert_run!(context, &["logs", "scheduler", "--follow"]);
}

#[test]
fn whoever_follows_a_container_that_starts_late_sees_what_it_waits_for_and_then_its_log() {
    let context = TestContext::new();
    context.up();
    context.api.change(|store| objects::delay_start(store, "airflow-cluster"));
    context.api.log(&objects::airflow_pod("airflow-cluster"), "scheduler", "the first line\n");
    let mut session = terminal::spawn(&context, &["logs", "scheduler", "--follow"]);
    session.exp_string("Waiting for `scheduler`").unwrap();
    session.exp_string("creating").unwrap();
    context.api.change(|store| objects::finish_start(store, "airflow-cluster"));
    session.exp_string("the first line").unwrap();
    session.send_control('c').unwrap();
    session.exp_eof().unwrap();
}

#[test]
fn the_forward_is_not_a_component_that_is_followed() {
    let context = TestContext::new();
    context.up();
    let run = context.run(&["logs", "forward", "--follow"]);
    assert!(run.code == 2 && run.stderr.contains("hint: follow it: `tail -F "), "{run}");
}
