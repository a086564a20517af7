//! Waiting for pods: a cause ends it at once, nothing to see ends it at the deadline.

use std::time::{Duration, Instant};

use crate::api_server::Store;
use crate::context::{TestContext, assert_run};
use crate::objects;

/// A machine on which what has been installed is changed at once; the second argument is the release.
fn installing(change: fn(&mut Store, &str)) -> TestContext {
    let context = TestContext::new();
    context.api.effect("install", move |store, arguments| {
        objects::install(store, arguments);
        change(store, &arguments[2]);
    });
    context
}

#[test]
fn an_image_that_does_not_exist() {
    let context = installing(objects::break_image);
    let started = Instant::now();
    let run = assert_run!(context, &["up"]);
    assert!(run.code == 7 && started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[test]
fn a_cause_as_json() {
    let context = installing(objects::break_image);
    let run = context.run(&["up", "-o", "json"]);
    let last: serde_json::Value = serde_json::from_str(run.stdout.lines().last().unwrap()).unwrap();
    assert_eq!((last["event"].as_str(), last["kind"].as_str()), (Some("failure"), Some("verdict")), "{run}");
    assert!(last["code"].is_string() && run.stderr.is_empty(), "{run}");
}

#[test]
fn a_log_that_could_not_be_read_is_read_again() {
    let context = installing(objects::crash);
    let pod = objects::airflow_pod("airflow-cluster");
    context.api.log(&pod, "scheduler", "FATAL:  password authentication failed for user \"airflow\"\n");
    context.api.lose_logs(4);
    let run = context.run(&["up", "--timeout", "20"]);
    assert!(run.code == 7 && run.stderr.contains("error[WT815]"), "{run}");
}

#[test]
fn nothing_happens_until_the_deadline() {
    let context = installing(objects::delay_start);
    assert_run!(context, &["up", "--timeout", "1"]);
}

#[test]
fn the_web_server_is_up_but_the_scheduler_is_not() {
    let context = TestContext::new();
    context.airflow.make_unhealthy("scheduler");
    let run = context.run_with(&["up"], &[("WINDTUNNEL_TIMEOUT", "2")]);
    let stalled = "scheduler is not healthy, and nothing has moved for 2 s";
    assert!(run.code == 1 && run.stderr.contains(stalled) && run.stderr.contains("moved last, "), "{run}");
}

#[test]
fn what_fails_after_it_was_ready_ends_the_web_check_with_its_cause() {
    let context = TestContext::new();
    context.airflow.make_unhealthy("scheduler");
    let run = std::thread::scope(|scope| {
        let up = scope.spawn(|| context.run(&["up", "--timeout", "40"]));
        context.wait_for("state/environments/airflow-cluster/forward.json");
        context.api.change(|store| objects::break_image(store, "airflow-cluster"));
        up.join().unwrap()
    });
    assert!(run.code == 7 && run.stderr.contains("error[WT301]"), "{run}");
    let waited = "Waiting for pods              ✓";
    assert!(run.stderr.contains(waited) && run.stderr.contains("Checking the web server       ✗"), "{run}");
}

#[test]
fn a_service_that_leads_to_no_pod_is_named() {
    let context = installing(objects::mislead_web);
    let started = Instant::now();
    let run = context.run(&["up", "--timeout", "40"]);
    assert!(run.code == 7 && started.elapsed() < Duration::from_secs(30), "{:?} {run}", started.elapsed());
    let named = "error[WT825]: service `airflow-cluster-web`: it leads to no pod: none has the labels `app=nobody`";
    assert!(run.stderr.contains(named) && run.stderr.contains("windtunnel reset release"), "{run}");
}

/// Runs `up`, and lets the API server fail and this happen as soon as Helm has installed everything.
fn up_until(context: &TestContext, act: impl FnOnce()) -> crate::context::Run {
    let installed = context.path("tools/installed");
    context.api.effect("install", move |store, arguments| {
        objects::install(store, arguments);
        objects::delay_start(store, &arguments[2]);
        std::fs::write(&installed, "").unwrap();
    });
    std::thread::scope(|scope| {
        let up = scope.spawn(|| context.run(&["up"]));
        context.wait_for("tools/installed");
        act();
        context.api.fail_next(u32::MAX);
        up.join().unwrap()
    })
}

/// Caused for real by `tests/e2e/faults/engine.rs`, with an engine of the test's own, where root may start one; here wherever tests run.
#[test]
fn the_engine_is_stopped_while_pods_are_waited_for() {
    let context = TestContext::new();
    let run = up_until(&context, || {
        let error =
            "stderr Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?";
        context.on("docker", "container inspect", &[error, "exit 1"]);
        context.on("docker", "info", &[error, "exit 1"]);
    });
    assert_eq!(run.code, 3, "{run}");
    assert!(run.stderr.contains("the Docker Engine is not running") && run.stderr.contains("hint:"), "{run}");
}

#[test]
fn the_node_is_stopped_while_pods_are_waited_for() {
    let context = TestContext::new();
    let run = up_until(&context, || context.describe_node("exited", Some(&context.environment("smoke"))));
    assert_eq!(run.code, 4, "{run}");
    assert!(run.stderr.contains("error[WT709]") && run.stderr.contains("`windtunnel up`"), "{run}");
}

/// Whoever read that it was waited for reads that it came back, even where all is ready by then.
#[test]
fn an_api_server_that_comes_back_is_told_of() {
    let context = TestContext::new();
    let installed = context.path("tools/installed");
    context.api.effect("install", move |store, arguments| {
        objects::install(store, arguments);
        objects::delay_start(store, &arguments[2]);
        std::fs::write(&installed, "").unwrap();
    });
    let run = std::thread::scope(|scope| {
        let up = scope.spawn(|| context.run(&["up"]));
        context.wait_for("tools/installed");
        let before = context.api.requests();
        context.api.fail_next(u32::MAX);
        while context.api.requests() < before + 24 {
            std::thread::yield_now();
        }
        context.api.change(|store| objects::finish_start(store, "airflow-cluster"));
        context.api.fail_next(0);
        up.join().unwrap()
    });
    assert_eq!(run.code, 0, "{run}");
    assert!(run.stderr.contains("waiting for the API server") && run.stderr.contains("answers again"), "{run}");
}

#[test]
fn a_release_that_somebody_elses_helm_is_at_work_on_is_named() {
    let run = up_over("pending-upgrade");
    assert!(run.stderr.contains("helm --kubeconfig") && run.stderr.contains(" rollback airflow-cluster`"), "{run}");
    let run = up_over("pending-install");
    assert!(run.stderr.contains("helm --kubeconfig") && run.stderr.contains(" uninstall airflow-cluster`"), "{run}");
}

/// Runs `up` where somebody else's Helm has left the release in this state.
fn up_over(status: &'static str) -> crate::context::Run {
    let context = TestContext::new();
    context.up();
    context.api.change(|store| {
        let is_release = |object: &serde_json::Value| object["metadata"]["labels"]["owner"] == "helm";
        for address in store.addresses(is_release) {
            let mut secret = store.get(&address).unwrap().clone();
            let labels = secret["metadata"]["labels"].as_object_mut().unwrap();
            labels.insert("status".to_owned(), status.into());
            labels.remove("windtunnel-inputs");
            store.put(secret);
        }
    });
    let run = context.run(&["up"]);
    assert_eq!(run.code, 6, "{run}");
    assert!(run.stderr.contains("error[WT901]") && run.stderr.contains(status), "{run}");
    assert!(!run.journal.iter().any(|line| line.starts_with("helm upgrade")), "{run}");
    run
}
