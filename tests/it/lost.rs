//! This machine has lost what it knew of an environment: the cluster has a copy.

use crate::context::{TestContext, assert_run};

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
    context.write_file("state/environments/airflow-cluster/environment.json", "{");
    let kubeconfig = std::fs::read_to_string(context.environment("kubeconfig")).unwrap();
    let nowhere = kubeconfig.replace(&context.api.url(), "http://127.0.0.1:1");
    context.write_file("state/environments/airflow-cluster/kubeconfig", &nowhere);
    assert_run!(context, &["status"]);
    // For the end of the forward.
    context.write_file("state/environments/airflow-cluster/environment.json", &record);
}
