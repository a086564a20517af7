//! `windtunnel report`: what is in the archive, and what is not.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;

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

/// All files of an archive, one after the other.
fn unpacked(path: &Path) -> String {
    let mut archive = tar::Archive::new(GzDecoder::new(File::open(path).unwrap()));
    let mut text = String::new();
    for entry in archive.entries().unwrap() {
        entry.unwrap().read_to_string(&mut text).unwrap();
    }
    text
}

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
    let mut kubeconfig: serde_json::Value = serde_yaml::from_str(&kubeconfig).unwrap();
    let stranger = serde_json::json!({"name": "other", "user": {"token": "planted-in-kubeconfig"}});
    kubeconfig["users"].as_array_mut().unwrap().push(stranger);
    context.write_file("state/environments/airflow-cluster/kubeconfig", &kubeconfig.to_string());
    let credentials = std::fs::read_to_string(context.environment("credentials.json")).unwrap();
    let credentials: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&credentials).unwrap();

    context.on("helm", "history", &["stdout 1 deployed lite"]);
    let run = context.run_with(&["report", "--file", "report.tar.gz"], &variables);
    assert_eq!(run.code, 0, "{run}");
    let text = unpacked(&context.path("project/report.tar.gz"));
    for innocent in
        ["connecting to postgresql://airflow:", "start\n", "cannot log in with", "SHOP_PASSWORD", "1 deployed lite"]
    {
        assert!(text.contains(innocent), "{innocent} is not in the report:\n{text}");
    }
    assert!(
        text.contains(r#""event":"step_finished","step":"check_web","ok":true"#),
        "the times are not in the report"
    );
    let own = credentials.iter().filter(|(key, _)| *key != "windtunnel").filter_map(|(_, value)| value.as_str());
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
    let names: Vec<&str> = document["content"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    assert!(
        names.contains(&"versions.json") && names.contains(&"doctor.json") && names.contains(&"record.json.missing"),
        "{names:?}"
    );
}
