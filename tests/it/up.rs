//! `up`, the main path: from nothing, again, and from every half-way.

use serde_json::Value;

use crate::context::{TestContext, assert_run};
use crate::objects;

#[test]
fn from_nothing() {
    let context = TestContext::new();
    assert_run!(context, &["up"]);
    assert!(context.path("project/dags").is_dir());
}

#[test]
fn from_nothing_as_json() {
    let context = TestContext::new();
    let run = assert_run!(context, &["up", "-o", "json"]);
    let events: Vec<Value> = run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(events.iter().all(|event| event["event"].is_string()));
    assert_eq!(events.last().unwrap()["event"], "result");
}

#[test]
fn quiet() {
    let context = TestContext::new();
    let run = context.run(&["up", "-q"]);
    assert_eq!((run.code, run.stdout.as_str(), run.stderr.as_str()), (0, "", ""), "{run}");
}

#[test]
fn dry_run() {
    let context = TestContext::new();
    assert_run!(context, &["up", "--dry-run"]);
    assert_eq!(std::fs::read_dir(context.path("state")).unwrap().count(), 0);
    assert!(!context.path("project/dags").exists());
}

#[test]
fn dry_run_as_json() {
    let context = TestContext::new();
    assert_run!(context, &["up", "--dry-run", "-o", "json"]);
}

#[test]
fn again_changes_nothing() {
    let context = TestContext::new();
    context.up();
    let run = assert_run!(context, &["up"]);
    let acts = ["kind create", "helm upgrade", "docker image load", "images import"];
    assert!(!run.journal.iter().any(|line| acts.iter().any(|act| line.contains(act))), "{run}");
}

#[test]
fn what_was_said_once_holds_without_saying_it_again() {
    let context = TestContext::new();
    context.write_file("project/flows/one.py", "");
    let run = context.run(&["up", "--dags", "flows", "--namespace", "data"]);
    assert_eq!(run.code, 0, "{run}");
    context.describe_node_with_dags("running", Some(&context.environment("smoke")), "flows");
    assert_run!(context, &["up"]);
}

#[test]
fn a_stopped_node_is_started() {
    let context = TestContext::new();
    context.up();
    context.describe_node("exited", Some(&context.environment("smoke")));
    // Its images are looked at beside its start, so which line ends first is not known.
    let run = context.run(&["up"]);
    assert!(run.code == 0 && run.stderr.contains("already there: 2"), "{run}");
    let started = "docker container start airflow-cluster-control-plane";
    assert!(run.journal.iter().any(|line| line == started), "{run}");
    assert!(!run.journal.iter().any(|line| line.starts_with("kind create")), "{run}");
}

#[test]
fn a_creation_that_was_cut_short_begins_anew() {
    let context = TestContext::new();
    context.write_file("tools/node", "");
    context.write_file("state/environments/airflow-cluster/incomplete", "");
    let run = context.run(&["up"]);
    assert_eq!(run.code, 0, "{run}");
    let kind: Vec<&String> = run.journal.iter().filter(|line| line.starts_with("kind ")).collect();
    assert!(kind[1].starts_with("kind delete cluster") && kind[2].starts_with("kind create cluster"), "{run}");
}

#[test]
fn a_lost_kubeconfig_is_had_again() {
    let context = TestContext::new();
    context.up();
    std::fs::remove_file(context.environment("kubeconfig")).unwrap();
    let run = context.run(&["up"]);
    assert_eq!(run.code, 0, "{run}");
    assert!(run.journal.iter().any(|line| line.starts_with("kind export kubeconfig")), "{run}");
}

#[test]
fn a_release_that_helm_was_stopped_in_is_installed_over() {
    let context = TestContext::new();
    let helm = [
        "upgrade",
        "--install",
        "airflow-cluster",
        "--namespace",
        "airflow-cluster",
        "--labels",
        "windtunnel-inputs=old",
    ];
    let helm = helm.map(str::to_owned);
    context.api.change(|store| objects::record_revision(store, &helm, "pending-install"));
    let run = context.run(&["up"]);
    assert_eq!(run.code, 0, "{run}");
    assert!(run.journal.iter().any(|line| line.starts_with("helm upgrade --install")), "{run}");
    let secrets = context.api.change(|store| objects::revisions(store));
    assert_eq!(secrets, ["1 deployed"]);
}

#[test]
fn a_workload_that_somebody_deleted_comes_back() {
    let context = TestContext::new();
    context.up();
    context.api.change(|store| objects::delete_database(store, "airflow-cluster"));
    let run = context.run(&["up"]);
    assert_eq!(run.code, 0, "{run}");
    assert!(run.journal.iter().any(|line| line.starts_with("helm upgrade --install")), "{run}");
}

#[test]
fn a_young_api_server_may_fail_for_a_while() {
    let context = TestContext::new();
    context.api.fail_next(2);
    let run = context.run(&["up"]);
    assert_eq!(run.code, 0, "{run}");
}

#[test]
fn images_go_in_while_kubernetes_starts() {
    let context = TestContext::new();
    let lines = ["mark node", "stderr  ✓ Preparing nodes 📦 ", "await images", "copy kubeconfig --kubeconfig"];
    context.on("kind", "create cluster", &lines);
    context.on("docker", "exec ctr version", &[]);
    let run = context.run(&["up"]);
    assert_eq!(run.code, 0, "{run}");
}

#[test]
fn the_users_values_go_to_helm_and_what_they_break_is_named() {
    let context = TestContext::new();
    context.write_file("project/more.yaml", "credentialsSecret: mine\nenv: {A: one}\n");
    let run = context.run(&["up", "--values", "more.yaml", "--set", "env.B=two"]);
    assert_eq!(run.code, 0, "{run}");
    let values = context.path("project/more.yaml").display().to_string();
    let helm = &run.journal[run.ran("helm upgrade")];
    assert!(helm.ends_with(&format!(" --values {values} --set 'env.B=two'")), "{run}");
    assert!(run.stderr.contains("warning: your value `credentialsSecret`: "), "{run}");
    // The same again is nothing new, another text in the same file is.
    let again = context.run(&["up"]);
    assert!(!again.journal.iter().any(|line| line.starts_with("helm upgrade")), "{again}");
    context.write_file("project/more.yaml", "env: {A: another}\n");
    let changed = context.run(&["up"]);
    assert!(changed.journal.iter().any(|line| line.starts_with("helm upgrade")), "{changed}");
}

#[test]
fn a_chart_that_is_not_there_is_said_before_anything_is_made() {
    let context = TestContext::new();
    let (head, _) = include_str!("../../profiles/official.yaml").split_once("chart:").unwrap();
    context.write_file("project/mine.yaml", &format!("{head}chart: {{from: ./absent.tgz, version: 1.22.0}}\n"));
    let run = context.run(&["up", "--profile", "mine.yaml"]);
    assert_eq!(run.code, 6, "{run}");
    assert!(run.stderr.contains("there is no chart at") && run.stderr.contains("project/absent.tgz"), "{run}");
    assert!(!run.journal.iter().any(|line| line.starts_with("kind create")), "{run}");
    assert!(!context.environment("").exists(), "{run}");
}

#[test]
fn a_chart_that_cannot_be_downloaded_can_be_put_where_it_is_looked_for() {
    let context = TestContext::new();
    let error =
        "stderr Error: looks like \"https://airflow.apache.org\" is not a valid chart repository or cannot be reached";
    context.on("helm", "pull", &[error, "exit 1"]);
    assert_run!(context, &["up", "--profile", "official"]);
    assert!(!context.environment("").exists());
}

#[test]
fn another_stack_is_never_tried_on_old_data() {
    let context = TestContext::new();
    context.up();
    let run = context.run(&["up", "--profile", "official"]);
    assert_eq!(run.code, 2, "{run}");
    assert!(run.stderr.contains("made with the stack `lite`") && run.stderr.contains("windtunnel reset data"), "{run}");
}
