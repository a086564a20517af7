//! Waiting for pods: a cause ends it at once, nothing to see ends it at the deadline.

use std::time::{Duration, Instant};

use crate::context::{TestContext, assert_run};
use crate::objects;

#[test]
fn an_image_that_does_not_exist() {
    let context = TestContext::new();
    context.api.effect("install", |store, arguments| {
        objects::install(store, arguments);
        objects::break_image(store, &arguments[2]);
    });
    let started = Instant::now();
    let run = assert_run!(context, &["up"]);
    assert!(run.code == 7 && started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[test]
fn a_cause_as_json() {
    let context = TestContext::new();
    context.api.effect("install", |store, arguments| {
        objects::install(store, arguments);
        objects::break_image(store, &arguments[2]);
    });
    let run = context.run(&["up", "-o", "json"]);
    let last: serde_json::Value = serde_json::from_str(run.stdout.lines().last().unwrap()).unwrap();
    assert_eq!((last["event"].as_str(), last["kind"].as_str()), (Some("failure"), Some("verdict")), "{run}");
    assert!(last["code"].is_string() && run.stderr.is_empty(), "{run}");
}

#[test]
fn nothing_happens_until_the_deadline() {
    let context = TestContext::new();
    context.api.effect("install", |store, arguments| {
        objects::install(store, arguments);
        objects::delay_start(store, &arguments[2]);
    });
    assert_run!(context, &["up", "--timeout", "1"]);
}

#[test]
fn the_web_server_is_up_but_the_scheduler_is_not() {
    let context = TestContext::new();
    context.airflow.make_unhealthy("scheduler");
    let run = context.run_with(&["up"], &[("WINDTUNNEL_TIMEOUT", "2")]);
    assert!(run.code == 1 && run.stderr.contains("scheduler"), "{run}");
}
