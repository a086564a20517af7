//! What a user can get wrong: said clearly, before any tool is run or any file written.

use crate::context::{Run, TestContext, assert_run};

/// Nothing was made and, but for questions, no tool was run.
fn assert_untouched(context: &TestContext, run: &Run) {
    let questions = ["docker info", "docker container inspect", "kind version", "helm version", "helm template"];
    let acts: Vec<_> = run.journal.iter().filter(|line| !questions.iter().any(|asks| line.starts_with(asks))).collect();
    assert!(acts.is_empty(), "{acts:?}");
    assert!(!context.environment("environment.json").exists(), "{run}");
    assert!(!context.path("project/dags").is_dir(), "{run}");
}

#[test]
fn an_unknown_profile() {
    let context = TestContext::new();
    let run = assert_run!(context, &["up", "--profile", "production"]);
    assert_untouched(&context, &run);
}

#[test]
fn a_profile_that_is_not_there() {
    let context = TestContext::new();
    let run = assert_run!(context, &["up", "--profile", "./mine.yaml"]);
    assert_untouched(&context, &run);
}

#[test]
fn an_unknown_key_in_a_profile() {
    let context = TestContext::new();
    let lite = include_str!("../../profiles/lite.yaml");
    context.write_file("project/mine.yaml", &lite.replace("  database:", "  databse:"));
    let run = assert_run!(context, &["up", "--profile", "mine.yaml"]);
    assert_untouched(&context, &run);
}

#[test]
fn a_profile_that_is_not_yaml() {
    let context = TestContext::new();
    context.write_file("project/mine.yaml", "description: [\nstack: lite\n");
    let run = assert_run!(context, &["up", "--profile", "mine.yaml"]);
    assert_untouched(&context, &run);
}

#[test]
fn names_that_kubernetes_would_refuse() {
    let context = TestContext::new();
    for name in ["Airflow", "a_b", "-a", "a-", "", "../../etc", "a.b", &"x".repeat(41)] {
        let run = assert_run!(context, &["up", &format!("--name={name}")]);
        assert_untouched(&context, &run);
    }
    let run = assert_run!(context, &["up", "--namespace", "Data"]);
    assert_untouched(&context, &run);
}

#[test]
fn ports_that_do_not_exist() {
    let context = TestContext::new();
    for port in ["0", "65536", "web"] {
        let run = assert_run!(context, &["up", "--port", port]);
        assert_untouched(&context, &run);
    }
}

#[test]
fn a_port_that_is_taken() {
    let context = TestContext::new();
    let _listener = std::net::TcpListener::bind(("127.0.0.1", context.port)).unwrap();
    let run = context.run(&["up"]);
    assert_eq!(run.code, 9, "{run}");
    let process = std::process::id().to_string();
    assert!(run.stderr.contains(&format!("port {}", context.port)) && run.stderr.contains(&process), "{run}");
    assert_untouched(&context, &run);
}

#[test]
fn a_dag_folder_that_is_a_file() {
    let context = TestContext::new();
    context.write_file("project/flow.py", "");
    let run = assert_run!(context, &["up", "--dags", "flow.py"]);
    assert_untouched(&context, &run);
}

#[test]
fn a_dag_folder_that_airflow_cannot_read() {
    use std::os::unix::fs::PermissionsExt;
    let context = TestContext::new();
    let folder = context.path("project/private");
    std::fs::create_dir(&folder).unwrap();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o000)).unwrap();
    let run = assert_run!(context, &["up", "--dags", "private"]);
    assert_untouched(&context, &run);
}

#[test]
fn another_dag_folder_for_a_cluster_that_is_there() {
    let context = TestContext::new();
    context.up();
    let before = std::fs::read_to_string(context.environment("environment.json")).unwrap();
    assert_run!(context, &["up", "--dags", "other"]);
    assert_eq!(std::fs::read_to_string(context.environment("environment.json")).unwrap(), before);
}

#[test]
fn another_namespace_for_an_environment_that_is_there() {
    let context = TestContext::new();
    context.up();
    let run = assert_run!(context, &["up", "--namespace", "other"]);
    assert!(!run.journal.iter().any(|line| line.starts_with("helm upgrade")), "{run}");
}

#[test]
fn a_damaged_record() {
    let context = TestContext::new();
    context.write_file("state/environments/airflow-cluster/environment.json", "{\n  \"format\": 1,\n");
    for command in [&["up"][..], &["status"], &["down", "--yes"], &["kubeconfig"], &["forward", "start"]] {
        assert_run!(context, command);
    }
}

#[test]
fn a_record_of_a_newer_windtunnel() {
    let context = TestContext::new();
    context.up();
    let record = std::fs::read_to_string(context.environment("environment.json")).unwrap();
    let newer = record.replace("\"format\": 2", "\"format\": 3");
    assert_ne!(newer, record);
    std::fs::write(context.environment("environment.json"), newer).unwrap();
    assert_run!(context, &["up"]);
    std::fs::write(context.environment("environment.json"), record).unwrap();
}

#[test]
fn a_kubeconfig_that_is_garbage() {
    let context = TestContext::new();
    context.up();
    for garbage in ["%", "", "apiVersion: v1\nkind: Config\n"] {
        std::fs::write(context.environment("kubeconfig"), garbage).unwrap();
        assert_run!(context, &["status"]);
    }
    let run = context.run(&["up"]);
    assert_eq!(run.code, 0, "a kubeconfig can be had anew: {run}");
}
