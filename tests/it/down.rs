//! `down`: all of it, after a yes, and nothing else.

use crate::context::{TestContext, assert_run};

#[test]
fn everything() {
    let context = TestContext::new();
    context.up();
    assert_run!(context, &["down", "--yes"]);
    assert!(!context.environment("").exists());
    assert!(!context.path("project/dags").exists(), "windtunnel made it and it is empty");
    assert!(context.path("bundle/node.tar").exists());
}

#[test]
fn as_json() {
    let context = TestContext::new();
    context.up();
    let run = assert_run!(context, &["down", "--yes", "-o", "json"]);
    assert!(run.stdout.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
}

#[test]
fn dags_of_the_users_stay() {
    let context = TestContext::new();
    context.up();
    context.write_file("project/dags/mine.py", "");
    let run = context.run(&["down", "--yes"]);
    assert_eq!(run.code, 0, "{run}");
    assert!(context.path("project/dags/mine.py").exists());
}

#[test]
fn what_one_that_was_cut_short_left_is_removed_before_the_cluster_is_made_anew() {
    let context = TestContext::new();
    context.up();
    context.on("kind", "delete cluster", &["stderr ERROR: context canceled", "exit 1"]);
    assert_eq!(context.run(&["down", "--yes"]).code, 4);
    context.on("kind", "delete cluster", &["unmark node", "unmark images"]);
    let run = context.run(&["up"]);
    assert_eq!(run.code, 0, "{run}");
    assert!(run.ran("kind delete cluster") < run.ran("kind create cluster"), "{run}");
    let again = context.run(&["up"]);
    assert!(again.code == 0 && !again.journal.iter().any(|line| line.starts_with("kind delete")), "{again}");
}

#[test]
fn dry_run() {
    let context = TestContext::new();
    context.up();
    assert_run!(context, &["down", "--dry-run"]);
    assert!(context.environment("environment.json").exists());
}

#[test]
fn nobody_to_ask() {
    let context = TestContext::new();
    context.up();
    assert_run!(context, &["down"]);
    assert!(context.environment("environment.json").exists());
}

#[test]
fn nothing_there() {
    let context = TestContext::new();
    assert_run!(context, &["down", "--yes"]);
    assert_eq!(std::fs::read_dir(context.path("state")).unwrap().count(), 0);
}

#[test]
fn a_cluster_that_went_away_leaves_the_rest_to_remove() {
    let context = TestContext::new();
    context.up();
    std::fs::remove_file(context.path("tools/node")).unwrap();
    assert_run!(context, &["down", "--yes"]);
    assert!(!context.environment("").exists());
}

#[test]
fn what_a_killed_one_began_is_waited_for() {
    let context = TestContext::new();
    context.up();
    context.write_file("tools/busy", "");
    let busy =
        "stderr Error response from daemon: removal of container airflow-cluster-control-plane is already in progress";
    context.on("kind", "delete cluster", &["when busy", "unmark busy", "unmark node", busy, "exit 1"]);
    assert_run!(context, &["down", "--yes"]);
    assert!(!context.environment("").exists());
}

#[test]
fn up_waits_for_the_end_of_one_that_was_killed() {
    let context = TestContext::new();
    context.up();
    context.describe_node("removing", Some(&context.environment("smoke")));
    std::fs::rename(context.path("tools/node.json"), context.path("tools/removing.json")).unwrap();
    context.describe_node("running", Some(&context.environment("smoke")));
    let gone = format!("post {}/fake/delete-cluster", context.api.url());
    let removing = [
        "when node",
        "when removing",
        "unmark removing",
        "unmark node",
        "unmark images",
        &gone,
        "stdout-file removing.json",
    ];
    context.write_file("tools/removing", "");
    context.on("docker", "container inspect airflow-cluster-control-plane", &removing);
    let run = context.run(&["up"]);
    assert!(
        run.code == 0 && run.stderr.contains("The engine is removing airflow-cluster-control-plane still"),
        "{run}"
    );
    assert!(run.journal.iter().any(|line| line.starts_with("kind create cluster")), "{run}");
}

#[test]
fn nodes_of_other_clusters_keep_the_network() {
    let context = TestContext::new();
    context.up();
    context.on("docker", "container ls", &["stdout 0123456789ab"]);
    let run = context.run(&["down", "--yes"]);
    assert_eq!(run.code, 0, "{run}");
    assert!(!run.journal.iter().any(|line| line.contains("network rm")), "{run}");
}
