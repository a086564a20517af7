//! `windtunnel report`: what is in the archive, and what is not.

use std::process::Command;

use crate::context::TestContext;
use crate::objects::airflow_pod;

/// Secrets planted where reports are made from, each recognisable.
const PLANTED: [&str; 8] = [
    "planted-in-values",
    "planted-in-set",
    "planted-in-log",
    "planted-in-address",
    "planted-in-pod",
    "planted-in-event",
    "planted-in-kubeconfig",
    "planted-in-environment",
];

#[test]
fn no_secret_is_in_a_report() {
    let context = TestContext::new();
    let values = "webserver:\n  defaultPassword: planted-in-values\n";
    context.write_file("project/values.yaml", values);
    let variables = [("AIRFLOW_CONN_SHOP", "postgresql://shop:planted-in-environment@db/shop")];
    let up = ["up", "--values", "values.yaml", "--set", "extra.apiToken=planted-in-set"];
    let run = context.run_with(&up, &variables);
    assert_eq!(run.code, 0, "{run}");
    let log = "start\nconnecting to postgresql://airflow:planted-in-address@database:5432/airflow\n\
               PGPASSWORD=planted-in-log psql\nthe values said planted-in-values, the pod planted-in-pod\nend\n";
    context.api.log(&airflow_pod("airflow-cluster"), "scheduler", log);
    context.api.change(|store| {
        store.edit_pods(|pod| {
            pod["spec"]["containers"][0]["env"] =
                serde_json::json!([{"name": "SHOP_PASSWORD", "value": "planted-in-pod"}]);
        });
        store.put(serde_json::json!({
            "apiVersion": "v1", "kind": "Event", "metadata": {"name": "told", "namespace": "airflow-cluster"},
            "involvedObject": {}, "message": "cannot log in with password=planted-in-event",
        }));
    });
    let kubeconfig = std::fs::read_to_string(context.environment("kubeconfig")).unwrap();
    let end = kubeconfig.trim_end().len();
    context.write_file(
        "state/environments/airflow-cluster/kubeconfig",
        &format!("{}\n- name: other\n  user: {{token: planted-in-kubeconfig}}\n", &kubeconfig[..end]),
    );
    let credentials = std::fs::read_to_string(context.environment("credentials.json")).unwrap();
    let credentials: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&credentials).unwrap();

    context.on("helm", "history", &["stdout 1 deployed lite"]);
    let run = context.run_with(&["report", "--file", "report.tar.gz"], &variables);
    assert_eq!(run.code, 0, "{run}");
    let unpacked = Command::new("tar").args(["xzOf", "report.tar.gz"]).current_dir(context.path("project")).output();
    let text = String::from_utf8(unpacked.unwrap().stdout).unwrap();
    for innocent in
        ["connecting to postgresql://airflow:", "start\n", "cannot log in with", "SHOP_PASSWORD", "1 deployed lite"]
    {
        assert!(text.contains(innocent), "{innocent} is not in the report");
    }
    assert!(
        text.contains(r#""event":"step_finished","step":"check_web","ok":true"#),
        "the times are not in the report"
    );
    let own = credentials.values().filter_map(serde_json::Value::as_str);
    for secret in own.chain(PLANTED) {
        assert!(!text.contains(secret), "{secret} is in the report");
    }
}

#[test]
fn what_cannot_be_had_is_told_in_the_report() {
    let context = TestContext::new();
    context.without("docker");
    let run = context.run(&["report", "--file", "report.tar.gz", "-o", "json"]);
    assert_eq!(run.code, 0, "{run}");
    let event = run.stdout.find("{\n").map(|start| &run.stdout[start..]).unwrap();
    let document: serde_json::Value = serde_json::from_str(event).unwrap();
    let content: Vec<&str> =
        document["content"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    assert!(content.contains(&"versions.json") && content.contains(&"record.json.missing"), "{content:?}");
}
