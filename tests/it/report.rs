//! `windtunnel report`: what is in the archive, and what is not.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path};

use flate2::read::GzDecoder;
use serde_json::{Value, json};

use crate::api_server::Store;
use crate::context::TestContext;
use crate::objects::airflow_pod;

/// All files of an archive: their names and what is in them.
fn unpacked(path: &Path) -> Vec<(String, String)> {
    let mut archive = tar::Archive::new(GzDecoder::new(File::open(path).unwrap()));
    let mut files = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        assert!(entry.header().entry_type().is_file() && entry.header().mode().unwrap() == 0o600);
        let name = entry.path().unwrap().into_owned();
        // Wherever it is unpacked, all of it lands in one folder.
        assert!(name.components().all(|part| matches!(part, Component::Normal(_))), "{}", name.display());
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        files.push((name.to_str().unwrap().to_owned(), text));
    }
    files
}

/// The text of the one file with this end of its name.
fn part<'a>(files: &'a [(String, String)], end: &str) -> &'a str {
    let found = files.iter().find(|(name, _)| name.ends_with(end));
    found.map_or_else(|| panic!("no {end} among {:?}", names(files)), |(_, text)| text)
}

fn names(files: &[(String, String)]) -> Vec<&str> {
    files.iter().map(|(name, _)| name.split_once('/').unwrap().1).collect()
}

/// Secrets in a values file, in every way in which YAML and the charts take one.
const VALUES: &str = "webserver: {defaultPassword: planted-in-values}
data:
  metadataConnection: {user: shop, pass: planted-in-pass}
  brokerUrl: redis://:planted/in@values-address@redis:6379/0
extraSecrets:
  more:
    stringData: |
      A_PLAIN_NAME: planted-in-string-data
gitSync:
  repo: https://planted-token-in-address@example.com/dags.git
  sshKey: |
    -----BEGIN OPENSSH PRIVATE KEY-----
    plantedInABlockb3BlbnNzaC1rZXktdjEAAAAA
    -----END OPENSSH PRIVATE KEY-----
env:
  - name: SHOP_PASS
    value: planted-in-named-value
";

/// Secrets in the log of the scheduler, which dumps a worker pod that is refused.
const LOG: &str = r#"start
connecting to postgresql://airflow:planted-in-address@database:5432/airflow
connecting to postgresql://airflow:planted/with@signs@database:5432/airflow
PGPASSWORD=planted-in-log psql
the values said planted-in-values, the pod planted-in-pod, the proxy planted-in-proxy, the Secret planted-in-secret
[error    ] Exception when attempting to create Namespaced Pod: {
        "env": [
          {
            "name": "WORKER_PASS",
            "value": "planted-in-dump"
          }
        ]
}
headers: {'Authorization': 'Basic cGxhbnRlZDppbi1oZWFkZXI=', 'X': 'Bearer planted-in-bearer'}
with AKIAPLANTEDINLOG1234 and https://a.blob/x?sv=1&sig=planted-in-signature
{"config": "{\"dbPass\": \"planted-in-json\"}"}
-----BEGIN RSA PRIVATE KEY-----
plantedInPemMIIEpQIBAAKCAQEA7b
end
"#;

/// Every secret that is planted, each recognisable. Of those in base64, the base64.
const PLANTED: [&str; 34] = [
    "planted-in-values",
    "planted-in-pass",
    "planted/in@values-address",
    "planted-in-string-data",
    "planted-token-in-address",
    "plantedInABlock",
    "planted-in-named-value",
    "planted-in-set",
    "planted-in-second-set",
    "planted-in-project",
    "planted-in-profile",
    "planted-in-address",
    "planted/with@signs",
    "planted-in-log",
    "planted-in-dump",
    "cGxhbnRlZDppbi1oZWFkZXI",
    "planted-in-bearer",
    "AKIAPLANTEDINLOG1234",
    "planted-in-signature",
    "planted-in-json",
    "plantedInPem",
    "planted-in-forward-log",
    "planted-in-proxy",
    "planted-in-environment",
    "planted-in-pod",
    "planted-in-arguments",
    "planted-in-deployment",
    "planted-in-job",
    "planted-in-annotation",
    "planted-in-secret",
    "planted-in-event",
    "planted-in-notes",
    "planted-in-kubeconfig",
    "planted-in-step",
];

/// Puts secrets into what the API server has.
fn plant_in_cluster(store: &mut Store) {
    store.edit_pods(|pod| {
        pod["spec"]["containers"][0]["env"] = json!([{"name": "SHOP_PASSWORD", "value": "planted-in-pod"}]);
        pod["spec"]["containers"][0]["args"] = json!(["connect", "--db-pass", "planted-in-arguments"]);
    });
    for address in store.addresses(|object| object["kind"] == "Deployment") {
        let mut deployment = store.get(&address).unwrap().clone();
        deployment["spec"]["template"]["spec"]["containers"] =
            json!([{"name": "x", "env": [{"name": "SHOP_PASS", "value": "planted-in-deployment"}]}]);
        store.put(deployment);
    }
    store.put(json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "shop", "namespace": "airflow-cluster"},
        "data": {"dbPass": "cGxhbnRlZC1pbi1zZWNyZXQ="},
    }));
    let applied = json!({"env": [{"name": "dbPass", "value": "planted-in-annotation"}]}).to_string();
    store.put(json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {
            "name": "load", "namespace": "airflow-cluster",
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": applied},
        },
        "spec": {"template": {"spec": {"containers": [
            {"name": "x", "image": "x", "env": [{"name": "AIRFLOW_CONN_SHOP", "value": "shop://u:planted-in-job@h"}]},
        ]}}},
    }));
    store.put(json!({
        "apiVersion": "v1", "kind": "Event", "metadata": {"name": "told", "namespace": "airflow-cluster"},
        "involvedObject": {}, "message": "cannot log in with password=planted-in-event",
    }));
}

fn append(path: &Path, text: &str) {
    let before = std::fs::read_to_string(path).unwrap_or_default();
    std::fs::write(path, before + text).unwrap();
}

#[test]
fn no_secret_is_in_a_report() {
    let context = TestContext::new();
    context.write_file("project/values.yaml", VALUES);
    let profile = context.run(&["profiles", "show", "lite"]).stdout;
    context.write_file("project/mine.yaml", &format!("{profile}values: {{extra: {{dbPass: planted-in-profile}}}}\n"));
    let set = "extra.apiToken=planted-in-set,extra.pass=planted-in-second-set";
    let up = ["up", "--profile", "./mine.yaml", "--values", "values.yaml", "--set", set];
    let variables = [
        ("AIRFLOW_CONN_SHOP", "postgresql://shop:planted-in-environment@db/shop"),
        ("HTTP_PROXY", "http://me:planted-in-proxy@127.0.0.1:1"),
        ("NO_PROXY", "127.0.0.1"),
    ];
    let run = context.run(&up);
    assert_eq!(run.code, 0, "{run}");
    context.write_file("project/windtunnel.yaml", "set: [extra.dbPass=planted-in-project]\n");
    context.api.log(&airflow_pod("airflow-cluster"), "scheduler", LOG);
    context.api.change(plant_in_cluster);
    append(&context.environment("forward.log"), "cannot open http://u:planted-in-forward-log@h:1/\n");
    append(&context.environment("events.jsonl"), "{\"evidence\":[\"shopPass: planted-in-step\"]}\n");
    let kubeconfig = std::fs::read_to_string(context.environment("kubeconfig")).unwrap();
    let mut kubeconfig: Value = serde_yaml::from_str(&kubeconfig).unwrap();
    let stranger = json!({"name": "other", "user": {"token": "planted-in-kubeconfig"}});
    kubeconfig["users"].as_array_mut().unwrap().push(stranger);
    context.write_file("state/environments/airflow-cluster/kubeconfig", &kubeconfig.to_string());
    let credentials = std::fs::read_to_string(context.environment("credentials.json")).unwrap();
    let credentials: serde_json::Map<String, Value> = serde_json::from_str(&credentials).unwrap();

    context.on("helm", "history", &["stdout 1 deployed lite: log in with pass: planted-in-notes"]);
    let run = context.run_with(&["report", "--file", "report.tar.gz"], &variables);
    assert_eq!(run.code, 0, "{run}");
    let files = unpacked(&context.path("project/report.tar.gz"));
    for (end, innocent) in [
        ("logs/scheduler.log", "connecting to postgresql://airflow:"),
        ("logs/scheduler.log", "WORKER_PASS"),
        ("logs/scheduler.log", "\nend\n"),
        ("logs/forward.log", "cannot open http://u:"),
        ("objects.json", "cannot log in with"),
        ("objects.json", "SHOP_PASSWORD"),
        ("objects.json", "AIRFLOW_CONN_SHOP"),
        ("helm.txt", "1 deployed lite"),
        ("values/user-1.yaml", "user: shop"),
        ("values/user-1.yaml", "name: SHOP_PASS"),
        ("settings.json", "extra.dbPass="),
        ("events.jsonl", r#""event":"step_finished","step":"check_web","ok":true"#),
    ] {
        let text = part(&files, end);
        assert!(text.contains(innocent), "{innocent} is not in {end}:\n{text}");
    }
    let own = credentials.iter().filter(|(key, _)| *key != "windtunnel").filter_map(|(_, value)| value.as_str());
    for secret in own.chain(PLANTED) {
        let found: Vec<_> = files.iter().filter(|(_, text)| text.contains(secret)).map(|(name, _)| name).collect();
        assert!(found.is_empty(), "{secret} is in {found:?}");
    }
    let left: Vec<_> =
        files.iter().flat_map(|(_, text)| text.lines()).filter(|line| line.contains("planted")).collect();
    assert!(left.is_empty(), "a piece of a secret is left: {left:#?}");
}

#[test]
fn the_archive_is_for_this_users_eyes_and_takes_a_bounded_part_of_a_file() {
    let context = TestContext::new();
    let lines = "# a comment of thirty-two letters.\n".repeat(10_000);
    context.write_file("project/large.yaml", &format!("env: {{}}\n{lines}shopPass: planted\n"));
    context.write_file("project/broken.yaml", "env: {}\n");
    let run = context.run(&["up", "--values", "large.yaml", "--values", "broken.yaml"]);
    assert_eq!(run.code, 0, "{run}");
    context.write_file("project/broken.yaml", "a: [1\nthe words: planted here\n");
    let run = context.run(&["report", "--file", "report.tar.gz"]);
    assert_eq!(run.code, 0, "{run}");
    let path = context.path("project/report.tar.gz");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let files = unpacked(&path);
    let folder = files[0].0.split('/').next().unwrap();
    assert!(folder.starts_with("windtunnel-report-airflow-cluster-"), "{folder}");
    assert!(files.iter().all(|(name, _)| name.starts_with(folder)), "{:?}", names(&files));
    let large = part(&files, "values/user-1.yaml");
    assert!(large.len() < 263_000 && large.ends_with("a report takes 262144 of a file]\n"), "{}", large.len());
    let broken = part(&files, "values/user-2.yaml.missing");
    assert!(broken.contains("is left out: it is not YAML") && !broken.contains("planted"), "{broken}");
}

#[test]
fn what_cannot_be_had_is_told_in_the_report() {
    let context = TestContext::new();
    context.without("docker");
    let run = context.run(&["report", "--file", "report.tar.gz", "-o", "json"]);
    assert_eq!(run.code, 0, "{run}");
    let event = run.stdout.find("{\n").map(|start| &run.stdout[start..]).unwrap();
    let document: Value = serde_json::from_str(event).unwrap();
    let names: Vec<&str> = document["content"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    assert!(
        names.contains(&"versions.json") && names.contains(&"doctor.json") && names.contains(&"record.json.missing"),
        "{names:?}"
    );
}
