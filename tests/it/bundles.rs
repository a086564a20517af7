//! Bundles that cannot be used: each is refused before anything is touched.

use serde_json::Value;

use crate::context::{TestContext, assert_run};

fn refused(context: &TestContext) {
    assert!(!context.environment("environment.json").exists());
    assert!(!context.path("project/dags").exists());
    assert!(!context.path("tools/node").exists());
}

#[test]
fn missing() {
    let context = TestContext::new();
    assert_run!(context, &["up", "--bundle", "nowhere"]);
    refused(&context);
}

#[test]
fn a_folder_without_a_manifest() {
    let context = TestContext::new();
    assert_run!(context, &["up", "--bundle", "."]);
    refused(&context);
}

#[test]
fn of_another_architecture() {
    let context = TestContext::new();
    context.bundle.edit(|manifest| manifest["entries"][1]["platform"] = "linux/arm64".into());
    assert_run!(context, &["up"]);
    refused(&context);
}

#[test]
fn truncated() {
    let context = TestContext::new();
    context.write_file("bundle/airflow.tar", "this");
    assert_run!(context, &["up"]);
    refused(&context);
}

#[test]
fn without_a_file() {
    let context = TestContext::new();
    std::fs::remove_file(context.path("bundle/database.tar")).unwrap();
    assert_run!(context, &["up"]);
    refused(&context);
}

#[test]
fn with_a_changed_file() {
    let context = TestContext::new();
    let text = std::fs::read_to_string(context.path("bundle/airflow.tar")).unwrap();
    context.write_file("bundle/airflow.tar", &text.replace("this", "that"));
    assert_run!(context, &["up"]);
    refused(&context);
}

#[test]
fn changed_after_it_was_found_right() {
    let context = TestContext::new();
    let run = context.run(&["up", "--dry-run"]);
    assert_eq!(run.code, 0, "{run}");
    let text = std::fs::read_to_string(context.path("bundle/airflow.tar")).unwrap();
    context.write_file("bundle/airflow.tar", &text.replace("this", "that"));
    let run = context.run(&["up"]);
    assert!(run.code == 5 && run.stderr.contains("wrong digest"), "{run}");
}

#[test]
fn with_a_broken_manifest() {
    let context = TestContext::new();
    context.write_file("bundle/bundle.json", "{\n  \"format\": 1,\n  \"entries\": [}\n");
    assert_run!(context, &["up"]);
    refused(&context);
}

#[test]
fn with_an_unknown_key() {
    let context = TestContext::new();
    context.bundle.edit(|manifest| manifest["entries"][0]["sise"] = 1.into());
    assert_run!(context, &["up"]);
}

#[test]
fn of_a_newer_format() {
    let context = TestContext::new();
    context.bundle.edit(|manifest| manifest["format"] = 2.into());
    assert_run!(context, &["up"]);
}

#[test]
fn that_points_outside() {
    let context = TestContext::new();
    context.bundle.edit(|manifest| manifest["entries"][0]["file"] = "../project/node.tar".into());
    assert_run!(context, &["up"]);
}

#[test]
fn without_airflow() {
    let context = TestContext::new();
    context.bundle.edit(|manifest| {
        manifest["entries"].as_array_mut().unwrap().retain(|entry: &Value| entry["role"] != "airflow");
    });
    assert_run!(context, &["up"]);
    refused(&context);
}
