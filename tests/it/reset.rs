//! `reset`: what is listed goes, after a yes, and nothing else; then all is there again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::api_server::Store;
use crate::context::{TestContext, assert_run};
use crate::{minikube, objects};

fn acts(journal: &[String]) -> Vec<&String> {
    let is_act = |line: &&String| {
        ["kind create", "kind delete", "helm uninstall", "helm upgrade"].iter().any(|act| line.starts_with(act))
    };
    journal.iter().filter(is_act).collect()
}

fn password(context: &TestContext) -> Value {
    let text = std::fs::read_to_string(context.environment("credentials.json")).unwrap();
    serde_json::from_str::<Value>(&text).unwrap()["database_password"].clone()
}

fn claims(context: &TestContext) -> usize {
    context.api.change(|store| store.addresses(|object| object["kind"] == "PersistentVolumeClaim").len())
}

#[test]
fn dry_runs() {
    let context = TestContext::new();
    context.up();
    for extent in ["release", "data", "all"] {
        let run = context.run(&["reset", extent, "--dry-run"]);
        assert!(run.code == 0 && acts(&run.journal).is_empty(), "{run}");
        context.settings().bind(|| insta::assert_snapshot!(format!("dry_run_of_{extent}"), run.stdout));
    }
    assert_run!(context, &["reset", "data", "--dry-run", "-o", "json"]);
}

#[test]
fn release_keeps_the_data() {
    let context = TestContext::new();
    context.up();
    let (before, claims_before) = (password(&context), claims(&context));
    let run = assert_run!(context, &["reset", "release", "--yes"]);
    assert!(matches!(acts(&run.journal)[..], [uninstall, upgrade]
        if uninstall.starts_with("helm uninstall airflow-cluster") && upgrade.starts_with("helm upgrade")));
    assert_eq!((password(&context), claims(&context)), (before, claims_before));
}

#[test]
fn data_go_with_their_keys() {
    let context = TestContext::new();
    context.up();
    let before = password(&context);
    // What a task left, and a volume of another database.
    context.api.change(|store| {
        for (kind, name) in [("Pod", "worker"), ("PersistentVolumeClaim", "left-over")] {
            let labels = serde_json::json!({"windtunnel.dev/environment": "airflow-cluster"});
            let metadata = serde_json::json!({"name": name, "namespace": "airflow-cluster", "labels": labels});
            store.put(serde_json::json!({"apiVersion": "v1", "kind": kind, "metadata": metadata, "spec": {}}));
        }
    });
    let run = context.run(&["reset", "data", "--yes"]);
    assert_eq!(run.code, 0, "{run}");
    assert!(run.stderr.contains("worker pods: worker") && run.stderr.contains("left-over"), "{run}");
    assert_ne!(password(&context), before);
    assert_eq!(claims(&context), 1, "only the new database's");
    let left = context.api.change(|store| store.addresses(|object| object["metadata"]["name"] == "worker").len());
    assert_eq!(left, 0);
}

/// A claim of the environment's whose volume no controller removes, and the name of that.
fn put_volume(context: &TestContext, policy: &str) -> &'static str {
    let (labels, name) = (json!({"windtunnel.dev/environment": "airflow-cluster"}), "pvc-1");
    let claim = json!({"name": "left-over", "namespace": "airflow-cluster", "labels": labels});
    let volume = json!({"persistentVolumeReclaimPolicy": policy, "capacity": {"storage": "1Gi"}});
    context.api.change(|store| {
        let (spec, kind) = (json!({"volumeName": name}), "PersistentVolumeClaim");
        store.put(json!({"apiVersion": "v1", "kind": kind, "metadata": claim, "spec": spec}));
        store.put(json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": volume}));
    });
    name
}

#[test]
fn data_are_gone_when_their_volume_is() {
    let context = TestContext::new();
    context.up();
    let volume = put_volume(&context, "Delete");
    let addresses = |store: &Store, name: &str| store.addresses(|object| object["metadata"]["name"] == name);
    let seen = Arc::new(AtomicBool::new(false));
    let see = Arc::clone(&seen);
    context.api.effect("install", move |store, arguments| {
        see.store(!addresses(store, volume).is_empty(), Ordering::Relaxed);
        objects::install(store, arguments);
    });
    let run = std::thread::scope(|scope| {
        let run = scope.spawn(|| context.run(&["reset", "data", "--yes"]));
        while !context.api.was_watched("persistentvolumes") && !run.is_finished() {
            std::thread::yield_now();
        }
        assert!(context.api.change(|store| addresses(store, "left-over").is_empty()), "the claim is left");
        context.api.change(|store| store.delete(&addresses(store, volume)[0]));
        run.join().unwrap()
    });
    assert_eq!(run.code, 0, "{run}");
    assert!(!seen.load(Ordering::Relaxed), "Airflow was installed beside the volume: {run}");
}

#[test]
fn a_volume_that_stays_or_that_the_user_may_not_see_is_not_waited_for() {
    for (policy, refused) in [("Retain", None), ("Delete", Some("list persistentvolumes"))] {
        let context = TestContext::new();
        context.up();
        put_volume(&context, policy);
        if let Some(right) = refused {
            context.api.refuse(right);
        }
        let run = context.run(&["reset", "data", "--yes"]);
        assert!(run.code == 0 && !run.stderr.contains("warning"), "{run}");
    }
}

#[test]
fn a_profile_of_minikubes_stays() {
    for extent in ["release", "data"] {
        let context = TestContext::with_minikube();
        context.up_on_minikube();
        let run = context.run(&["reset", extent, "--yes"]);
        assert_eq!((run.code, minikube::acts(&run)), (0, Vec::new()), "{run}");
        assert!(run.ran("helm uninstall") < run.ran("helm upgrade"), "{run}");
    }
}

/// What is listed is what is removed: by the same label.
#[test]
fn all_that_goes_is_named_and_a_volume_that_is_retained_stays() {
    let context = TestContext::new();
    context.up();
    context.api.change(|store| {
        let labels = json!({"windtunnel.dev/environment": "airflow-cluster"});
        for (kind, name) in [("ConfigMap", "airflow-cluster-smoke"), ("Secret", "airflow-cluster-broker")] {
            let metadata = json!({"name": name, "namespace": "airflow-cluster", "labels": labels});
            store.put(json!({"apiVersion": "v1", "kind": kind, "metadata": metadata}));
        }
        for (name, policy, claim) in [
            ("kept", "Retain", "data-airflow-cluster-database-0"),
            ("goes", "Delete", "data-airflow-cluster-database-0"),
        ] {
            let claim = json!({"name": claim, "namespace": "airflow-cluster"});
            let spec = json!({"persistentVolumeReclaimPolicy": policy, "claimRef": claim});
            store
                .put(json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": spec}));
        }
    });
    let secrets = |context: &TestContext| {
        let is_ours = |object: &Value| {
            ["Secret", "ConfigMap", "PersistentVolumeClaim"].iter().any(|kind| object["kind"] == *kind)
                && object["metadata"]["labels"]["windtunnel.dev/environment"] == "airflow-cluster"
        };
        let found = context.api.change(|store| store.addresses(is_ours));
        found.into_iter().map(|address| address.name.unwrap()).collect::<Vec<_>>()
    };
    let there = secrets(&context);
    assert!(there.len() >= 5, "{there:?}");
    let run = assert_run!(context, &["reset", "data", "--dry-run"]);
    let (goes, stays) = run.stdout.split_once("This stays:").unwrap();
    assert!(there.iter().all(|name| goes.contains(name)), "{there:?} {run}");
    assert!(stays.contains("kept (of data-airflow-cluster-database-0)") && !stays.contains("goes ("), "{run}");
}

#[test]
fn all_makes_a_fresh_cluster() {
    let context = TestContext::new();
    context.up();
    let before = password(&context);
    let run = assert_run!(context, &["reset", "all", "--yes"]);
    let acts = acts(&run.journal);
    assert!(acts.iter().any(|line| line.starts_with("kind delete")), "{run}");
    assert!(acts.iter().any(|line| line.starts_with("kind create")), "{run}");
    assert_ne!(password(&context), before);
}

#[test]
fn nobody_to_ask() {
    let context = TestContext::new();
    context.up();
    assert_run!(context, &["reset"]);
    let run = context.run(&["reset", "all"]);
    assert!(run.code == 2 && acts(&run.journal).is_empty(), "{run}");
}

#[test]
fn a_stopped_cluster_cannot_be_looked_into() {
    let context = TestContext::new();
    context.up();
    assert_eq!(context.run(&["stop"]).code, 0);
    assert_run!(context, &["reset", "data", "--yes"]);
    let run = context.run(&["reset", "all", "--yes"]);
    assert_eq!(run.code, 0, "{run}");
}

#[test]
fn another_stack_needs_other_data() {
    let context = TestContext::new();
    context.up();
    let images = "images: {node: n:1, airflow: a:1, database: d:1}";
    let chart = "chart: {from: nowhere.tgz, version: 1.22.0}";
    context.write_file(
        "project/other.yaml",
        &format!("description: Other.\nstack: official\nairflow: {{version: 3.3.2}}\n{images}\n{chart}\n"),
    );
    let run = context.run(&["reset", "release", "--yes", "--profile", "./other.yaml"]);
    assert!(run.code == 2 && run.stderr.contains("`windtunnel reset data`"), "{run}");
    let run = context.run(&["reset", "data", "--dry-run", "--profile", "./other.yaml"]);
    assert_eq!(run.code, 0, "{run}");
}
