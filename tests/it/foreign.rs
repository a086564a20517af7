//! What is somebody else's stays as it is.

use serde_json::json;

use crate::context::{TestContext, assert_run};
use crate::objects::put_in;

#[test]
fn a_kind_cluster_of_that_name() {
    let context = TestContext::new();
    context.write_file("tools/node", "");
    context.describe_node("running", None);
    for command in [&["up"][..], &["down", "--yes"]] {
        assert_run!(context, command);
    }
    assert!(context.path("tools/node").exists());
}

#[test]
fn a_cluster_of_another_windtunnel() {
    let context = TestContext::new();
    context.write_file("tools/node", "");
    context.describe_node(
        "running",
        Some("/home/other/.local/state/windtunnel/environments/airflow-cluster/smoke".as_ref()),
    );
    for command in [&["up"][..], &["down", "--yes"]] {
        assert_run!(context, command);
    }
    assert!(context.path("tools/node").exists());
}

#[test]
fn a_container_that_is_no_node() {
    let context = TestContext::new();
    context.write_file("tools/node", "");
    let container = json!([{"State": {"Status": "running"}, "Config": {"Image": "nginx:1", "Labels": {}}}]);
    context.write_file("tools/node.json", &container.to_string());
    assert_run!(context, &["up"]);
}

fn with_namespace_in_use() -> TestContext {
    let context = TestContext::new();
    context.api.change(|store| {
        store.put(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "data"}}));
        let configuration = |name: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}});
        put_in(store, "data", configuration("settings"));
        put_in(store, "data", configuration("kube-root-ca.crt"));
        put_in(store, "data", json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "shop"}}));
        put_in(store, "data", json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}));
    });
    context
}

#[test]
fn a_namespace_that_is_in_use() {
    let context = with_namespace_in_use();
    let run = assert_run!(context, &["up", "--namespace", "data"]);
    assert!(!run.journal.iter().any(|line| line.starts_with("helm upgrade")), "{run}");
}

#[test]
fn a_namespace_that_is_in_use_and_adopted() {
    let context = with_namespace_in_use();
    let run = context.run(&["up", "--namespace", "data", "--adopt-namespace"]);
    assert_eq!(run.code, 0, "{run}");
    let again = context.run(&["up"]);
    assert_eq!(again.code, 0, "once adopted, it is not asked for again: {again}");
}

#[test]
fn an_empty_namespace_is_used() {
    let context = TestContext::new();
    context
        .api
        .change(|store| store.put(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "data"}})));
    let run = context.run(&["up", "--namespace", "data"]);
    assert_eq!(run.code, 0, "{run}");
    let again = context.run(&["up"]);
    assert_eq!(again.code, 0, "its objects now are our own: {again}");
}

#[test]
fn a_namespace_that_is_being_deleted() {
    let context = TestContext::new();
    let metadata = json!({"name": "airflow-cluster", "deletionTimestamp": "2026-01-01T00:00:00Z"});
    context.api.change(|store| store.put(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})));
    assert_run!(context, &["up", "--timeout", "1"]);
}
