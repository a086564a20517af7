//! Tools that fail in the middle, and two windtunnels at once.

use crate::context::{TestContext, assert_run};

#[test]
fn kind_fails() {
    let context = TestContext::new();
    let lines: Vec<String> = (1..=20).map(|number| format!("stderr line {number} of what kind says")).collect();
    let mut script: Vec<&str> = lines.iter().map(String::as_str).collect();
    script.extend([
        "stderr ERROR: failed to create cluster: could not find a log line that matches \"Reached target\"",
        "exit 1",
    ]);
    context.on("kind", "create cluster", &script);
    assert_run!(context, &["up"]);
}

#[test]
fn the_node_image_cannot_be_loaded() {
    let context = TestContext::new();
    context.on("docker", "image load", &["stderr open /var/lib/docker/tmp: no space left on device", "exit 1"]);
    assert_run!(context, &["up"]);
}

#[test]
fn an_image_cannot_be_imported() {
    let context = TestContext::new();
    let error = "stderr ctr: archive/tar: invalid tar header";
    context.on("docker", "exec ctr import airflow.tar", &[error, "exit 1"]);
    assert_run!(context, &["up"]);
}

#[test]
fn an_image_that_was_imported_is_not_there() {
    let context = TestContext::new();
    context.on("docker", "exec ctr import airflow.tar", &[]);
    assert_run!(context, &["up"]);
}

#[test]
fn helm_fails() {
    let context = TestContext::new();
    let error = "stderr Error: UPGRADE FAILED: unable to build kubernetes objects from release manifest: no matches for kind \"X\"";
    context.on("helm", "upgrade --install", &[error, "exit 1"]);
    assert_run!(context, &["up"]);
    assert_run!(context, &["status"]);
}

#[test]
fn a_second_up_at_once() {
    let context = TestContext::new();
    context.on("kind", "create cluster", &["mark creating", "await go", "stderr stopped by the test", "exit 1"]);
    std::thread::scope(|scope| {
        let first = scope.spawn(|| context.run(&["up"]));
        context.wait_for("tools/creating");
        assert_run!(context, &["up"]);
        let removal = context.run(&["down", "--yes"]);
        context.write_file("tools/go", "");
        assert_eq!(first.join().unwrap().code, 4);
        assert_eq!(removal.code, 11, "{removal}");
    });
}
