//! This machine has lost what it knew of an environment: the cluster has a copy, and there is one beside it. Where neither tells, nothing
//! is forgotten.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use windtunnel::state::Lock;

use crate::api_server::Address;
use crate::context::{Run, TestContext, assert_run};
use crate::existing;

const RECORD: &str = "state/environments/airflow-cluster/environment.json";
const COPY: &str = "state/environments/airflow-cluster/environment.copy.json";
const MINIKUBE: [&str; 3] = ["up", "--provider", "minikube"];

impl TestContext {
    /// From now on the private kubeconfig leads nowhere.
    fn silence_cluster(&self) {
        let kubeconfig = std::fs::read_to_string(self.environment("kubeconfig")).unwrap();
        let nowhere = kubeconfig.replace(&self.api.url(), "http://127.0.0.1:1");
        self.write_file("state/environments/airflow-cluster/kubeconfig", &nowhere);
    }

    fn lose(&self, files: &[&str]) {
        for file in files {
            std::fs::remove_file(self.path(file)).unwrap();
        }
    }

    /// What the cluster keeps, after a change to it.
    fn kept_record(&self, change: impl FnOnce(&mut Value)) -> Value {
        self.api.change(|store| {
            let is_it = |object: &Value| object["metadata"]["name"] == "airflow-cluster-record";
            let address: Vec<Address> = store.addresses(is_it);
            let mut secret = store.get(&address[0]).unwrap().clone();
            let text = STANDARD.decode(secret["data"]["record"].as_str().unwrap()).unwrap();
            let mut record: Value = serde_json::from_slice(&text).unwrap();
            change(&mut record);
            secret["data"]["record"] = STANDARD.encode(record.to_string()).into();
            store.put(secret);
            record
        })
    }
}

/// What a windtunnel writes that is newer than this one.
fn make_newer(record: &mut Value) {
    record["format"] = 99.into();
    record["windtunnel"] = "99.1.0".into();
    record["something"] = json!({"new": true});
}

fn changes(run: &Run) -> Vec<&String> {
    let acts = ["kind create", "kind delete", "minikube start", "minikube delete", "helm u"];
    run.journal.iter().filter(|line| acts.iter().any(|act| line.starts_with(act))).collect()
}

#[test]
fn a_record_that_is_gone_is_taken_from_the_cluster() {
    let context = TestContext::new();
    context.up();
    let record = context.remembered();
    std::fs::remove_file(context.environment("environment.json")).unwrap();
    assert_run!(context, &["status"]);
    assert_eq!(context.remembered(), record);
}

#[test]
fn a_damaged_one_too_whoever_asks() {
    let context = TestContext::new();
    context.up();
    let record = context.remembered();
    for command in [&["list"][..], &["status"], &["up"], &["down", "--dry-run"]] {
        context.write_file("state/environments/airflow-cluster/environment.json", "{");
        let run = context.run(command);
        assert_eq!((run.code, context.remembered()), (0, record.clone()), "{run}");
        assert!(format!("{}{}", run.stdout, run.stderr).contains("it was taken from the cluster again"), "{run}");
    }
}

#[test]
fn all_that_this_machine_knew_is_had_again() {
    let context = TestContext::new();
    let port = context.port.to_string();
    let before = context.run(&["up", "--port", &port, "--executor", "local", "--set", "airflow.replicas=2"]);
    assert_eq!(before.code, 0, "{before}");
    let record = context.remembered();
    assert_eq!(context.run(&["forward", "stop"]).code, 0);
    std::fs::remove_dir_all(context.environment("")).unwrap();
    let run = context.run(&["up"]);
    assert!(run.code == 0 && run.stderr.contains("it was taken from the cluster again"), "{run}");
    assert_eq!(context.remembered(), record);
    assert!(!run.journal.iter().any(|line| line.starts_with("helm upgrade")), "{run}");
}

#[test]
fn without_the_cluster_it_stays_lost_and_the_reason_is_told() {
    let context = TestContext::new();
    context.up();
    let record = context.remembered().unwrap();
    context.write_file(RECORD, "{");
    context.write_file(COPY, "{");
    context.silence_cluster();
    assert_run!(context, &["status"]);
    // For the end of the forward.
    context.write_file(RECORD, &record);
}

#[test]
fn while_the_cluster_is_silent_the_copy_beside_it_counts() {
    let context = TestContext::new();
    context.up();
    let record = context.remembered();
    context.silence_cluster();
    for loss in [None, Some("{")] {
        match loss {
            None => context.lose(&[RECORD]),
            Some(text) => context.write_file(RECORD, text),
        }
        let run = context.run(&["list"]);
        assert!(run.code == 0 && run.stderr.contains("it was taken from its copy again"), "{run}");
        assert_eq!(context.remembered(), record);
    }
}

#[test]
fn a_kubeconfig_whose_port_is_another_one_now_is_had_again() {
    let context = TestContext::new();
    context.up();
    context.silence_cluster();
    let run = context.run(&["up"]);
    assert!(run.code == 0 && run.journal.iter().any(|line| line.starts_with("kind export kubeconfig")), "{run}");
    let again = context.run(&["up"]);
    assert!(!again.journal.iter().any(|line| line.starts_with("kind export")), "{again}");
    let context = TestContext::with_minikube();
    context.up_with(&MINIKUBE);
    context.silence_cluster();
    let run = context.run(&["up"]);
    let updates = run.journal.iter().filter(|line| line.starts_with("minikube update-context")).count();
    assert_eq!((run.code, updates), (0, 1), "{run}");
}

#[test]
fn a_look_does_not_write_while_a_command_is_at_work() {
    let context = TestContext::new();
    context.up();
    context.lose(&[RECORD]);
    let lock = Lock::take(&context.environment("lock")).unwrap();
    let run = context.run(&["status"]);
    assert!(run.code == 0 && context.remembered().is_none(), "{run}");
    drop(lock);
    assert_eq!(context.run(&["status"]).code, 0);
    assert!(context.remembered().is_some());
}

#[test]
fn a_kind_cluster_that_is_stopped_is_removed_without_any_record() {
    let context = TestContext::new();
    context.up();
    assert_eq!(context.run(&["stop"]).code, 0);
    context.lose(&[RECORD, COPY]);
    context.silence_cluster();
    let run = context.run(&["down", "--yes"]);
    assert!(run.code == 0 && !context.path("tools/node").exists() && !context.environment("").exists(), "{run}");
}

#[test]
fn a_minikube_profile_that_is_stopped_is_removed_by_the_copy() {
    let context = TestContext::with_minikube();
    context.up_with(&MINIKUBE);
    context.lose(&[RECORD]);
    context.write_file("tools/stopped", "");
    // So does `minikube stop`.
    context.write_file("state/environments/airflow-cluster/kubeconfig", "");
    let run = context.run(&["down", "--yes"]);
    assert!(run.code == 0 && changes(&run).len() == 1 && !context.environment("").exists(), "{run}");
    assert!(changes(&run)[0].starts_with("minikube delete"), "{run}");
}

#[test]
fn a_minikube_profile_of_which_nothing_is_known_is_not_forgotten() {
    let context = TestContext::with_minikube();
    context.up_with(&MINIKUBE);
    let record = context.remembered().unwrap();
    context.lose(&[RECORD, COPY]);
    context.write_file("tools/stopped", "");
    context.write_file("state/environments/airflow-cluster/kubeconfig", "");
    for command in [&["down", "--yes"][..], &["up"]] {
        let run = context.run(command);
        assert!(run.code == 10 && changes(&run).is_empty() && context.environment("").exists(), "{run}");
        assert!(run.stderr.contains("`windtunnel up --provider minikube --dags"), "{run}");
    }
    context.write_file(RECORD, &record);
}

#[test]
fn a_minikube_profile_whose_folder_is_gone_is_had_again_by_its_mark() {
    let context = TestContext::with_minikube();
    context.up_with(&MINIKUBE);
    let record = context.remembered();
    assert_eq!(context.run(&["forward", "stop"]).code, 0);
    std::fs::remove_dir_all(context.environment("")).unwrap();
    assert_run!(context, &["down", "--yes"]);
    let run = context.run(&["up", "--provider", "minikube", "--dags", "others"]);
    assert!(run.code == 9 && changes(&run).is_empty() && !context.environment("").exists(), "{run}");
    let run = context.run(&MINIKUBE);
    assert!(run.code == 0 && run.stderr.contains("it was taken from the cluster again"), "{run}");
    assert_eq!((context.remembered(), changes(&run)), (record, Vec::new()), "{run}");
}

#[test]
fn a_cluster_that_exists_and_is_silent_is_not_forgotten() {
    let context = TestContext::with_cluster();
    assert_eq!(context.run(&existing::UP).code, 0);
    let record = context.remembered().unwrap();
    context.lose(&[RECORD, COPY]);
    context.silence_cluster();
    assert_run!(context, &["down", "--yes"]);
    assert!(context.environment("kubeconfig").exists());
    let run = context.run(&["up"]);
    assert!(run.code == 10 && changes(&run).is_empty(), "{run}");
    context.write_file(RECORD, &record);
}

#[test]
fn a_copy_of_a_newer_windtunnel_is_refused_and_left() {
    let context = TestContext::new();
    context.up();
    let newer = context.kept_record(make_newer);
    // With what this machine knows, and without.
    let run = context.run(&["up"]);
    assert!(run.code == 2 && run.stderr.contains("windtunnel 99.1.0"), "{run}");
    assert_eq!(context.kept_record(|_| {}), newer);
    let record = context.remembered().unwrap();
    context.lose(&[RECORD, COPY]);
    let run = context.run(&["status"]);
    assert!(run.code == 2 && run.stderr.contains("windtunnel 99.1.0"), "{run}");
    context.write_file(RECORD, &record);
    assert_eq!(context.run(&["forward", "stop"]).code, 0);
    std::fs::remove_dir_all(context.environment("")).unwrap();
    for _ in 0..2 {
        let run = context.run(&["up"]);
        assert!(run.code == 2 && context.remembered().is_none(), "{run}");
        assert_eq!(context.kept_record(|_| {}), newer);
    }
}

#[test]
fn a_record_of_a_newer_windtunnel_is_refused_whatever_is_new_in_it() {
    let context = TestContext::new();
    context.up();
    let record = context.remembered().unwrap();
    let mut newer: Value = serde_json::from_str(&record).unwrap();
    make_newer(&mut newer);
    context.write_file(RECORD, &newer.to_string());
    assert_run!(context, &["down", "--yes"]);
    for command in [&["up"][..], &["status"], &["stop"], &["reset", "data", "--yes"]] {
        let run = context.run(command);
        assert!(run.code == 2 && !run.stderr.contains("remove the file") && changes(&run).is_empty(), "{run}");
    }
    assert_eq!(context.remembered(), Some(newer.to_string()));
    context.write_file(RECORD, &record);
}

#[test]
fn a_record_of_an_older_windtunnel_is_brought_forward() {
    let context = TestContext::new();
    context.up();
    let mut older: Value = serde_json::from_str(&context.remembered().unwrap()).unwrap();
    let keys = older.as_object_mut().unwrap();
    for new in ["windtunnel", "cluster", "stack", "airflow", "executor", "values", "set", "left_out", "also", "made"] {
        keys.remove(new);
    }
    older["format"] = 1.into();
    context.write_file(RECORD, &older.to_string());
    assert_eq!(context.run(&["status"]).code, 0);
    let run = context.run(&["up"]);
    assert!(run.code == 0 && changes(&run).is_empty(), "{run}");
    let record: Value = serde_json::from_str(&context.remembered().unwrap()).unwrap();
    assert_eq!((&record["format"], &record["stack"]), (&json!(2), &json!("lite")));
}
