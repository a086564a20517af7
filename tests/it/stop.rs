//! `stop` and `start`: nothing runs, nothing is lost.

use crate::context::{TestContext, assert_run};
use crate::minikube;
use crate::objects;

#[test]
fn and_start_again() {
    let context = TestContext::new();
    context.up();
    assert_run!(context, &["stop"]);
    assert!(!context.environment("forward.json").exists(), "the forward runs on");
    assert_run!(context, &["status"]);
    let credentials = std::fs::read(context.environment("credentials.json")).unwrap();
    // Whatever the project's file says now.
    context.write_file("project/windtunnel.yaml", "namespace: elsewhere\n");
    let run = context.run(&["start"]);
    assert_eq!(run.code, 0, "{run}");
    assert!(run.stderr.contains("Airflow is ready"), "{run}");
    assert!(run.journal.iter().any(|line| line == "docker container start airflow-cluster-control-plane"), "{run}");
    let makes = |line: &String| line.starts_with("kind create") || line.starts_with("helm upgrade");
    assert!(!run.journal.iter().any(makes), "{run}");
    assert_eq!(std::fs::read(context.environment("credentials.json")).unwrap(), credentials);
}

#[test]
fn the_database_ends_after_what_writes_to_it() {
    let context = TestContext::new();
    context.up();
    let run = context.run(&["stop"]);
    let ended = |word: &str| run.journal.iter().position(|line| line.contains(word)).unwrap_or_else(|| panic!("{run}"));
    assert!(ended("stop kubelet") < ended("id-of-scheduler") && ended("id-of-scheduler") < ended("id-of-database"));
    assert!(ended("id-of-database") < ended("container stop"), "{run}");
}

#[test]
fn a_node_that_is_not_well_ends_all_the_same() {
    let context = TestContext::new();
    context.up();
    context.on("docker", "exec crictl ps", &["stderr connection refused", "exit 1"]);
    let run = context.run(&["stop"]);
    assert!(run.code == 0 && run.stderr.contains("the containers end with the node"), "{run}");
    assert!(run.journal.iter().any(|line| line.contains("container stop")), "{run}");
}

#[test]
fn one_that_was_cut_short_is_finished_before_the_node_starts_again() {
    let context = TestContext::new();
    context.up();
    let stop = "container stop airflow-cluster-control-plane";
    context.on("docker", stop, &["stderr Error response from daemon: context canceled", "exit 1"]);
    assert_eq!(context.run(&["stop"]).code, 4);
    // The node runs, and no kubelet in it.
    let reset = context.run(&["reset", "data", "--yes"]);
    assert!(reset.code == 4 && reset.stderr.contains("`windtunnel start`"), "{reset}");
    context.on("docker", stop, &["mark stopped"]);
    let start = context.run(&["start"]);
    assert_eq!(start.code, 0, "{start}");
    assert!(start.ran("docker container stop") < start.ran("docker container start"), "{start}");
    let again = context.run(&["up"]);
    assert!(again.code == 0 && !again.journal.iter().any(|line| line.contains("container stop")), "{again}");
}

#[test]
fn a_profile_of_minikubes_and_start_again() {
    let context = TestContext::with_minikube();
    context.up_on_minikube();
    let credentials = std::fs::read(context.environment("credentials.json")).unwrap();
    let run = assert_run!(context, &["stop"]);
    assert_eq!(minikube::acts(&run), ["stop"], "{run}");
    assert!(!context.environment("forward.json").exists(), "the forward runs on");
    let run = context.run(&["status"]);
    assert!(run.code == 1 && run.stdout.contains("airflow-cluster (stopped)"), "{run}");
    let run = context.run(&["start"]);
    assert!(run.code == 0 && run.stderr.contains("already there: 2"), "{run}");
    assert_eq!(minikube::acts(&run), ["start"], "{run}");
    assert!(!run.journal.iter().any(|line| line.starts_with("helm upgrade")), "{run}");
    assert_eq!(std::fs::read(context.environment("credentials.json")).unwrap(), credentials);
}

#[test]
fn one_of_a_profile_that_was_cut_short_is_finished_before_it_starts_again() {
    let context = TestContext::with_minikube();
    context.up_on_minikube();
    context.on("minikube", "stop", &["stderr it did not end in time", "exit 82"]);
    assert_eq!(context.run(&["stop"]).code, 4);
    context.on("minikube", "stop", &["mark stopped"]);
    let run = context.run(&["start"]);
    assert_eq!((run.code, minikube::acts(&run)), (0, vec!["stop", "start"]), "{run}");
}

#[test]
fn a_port_that_somebody_took_meanwhile_is_named() {
    let context = TestContext::new();
    context.up();
    assert_eq!(context.run(&["stop"]).code, 0);
    let error = "stderr Error response from daemon: driver failed programming external connectivity on endpoint \
        airflow-cluster-control-plane: Error starting userland proxy: listen tcp4 127.0.0.1:42953: bind: address already in use";
    context.on("docker", "container start", &[error, "exit 1"]);
    let run = context.run(&["start"]);
    assert!(run.code == 9 && run.stderr.contains("127.0.0.1:42953") && run.stderr.contains("reset all"), "{run}");
}

#[test]
fn a_network_that_was_pruned_meanwhile_is_made_again() {
    let context = TestContext::new();
    context.up();
    assert_eq!(context.run(&["stop"]).code, 0);
    std::fs::remove_file(context.path("tools/network")).unwrap();
    let gone = "stderr Error response from daemon: network 165527cca26ac7518d140a3d0a61adbbd5d036adc109c18bcc1da53935129d7f not found";
    context.on("docker", "container start", &["unless joined", gone, "exit 1"]);
    context.on("docker", "network create kind", &["mark network", "stdout id-of-the-network"]);
    context.on("docker", "network disconnect --force kind airflow-cluster-control-plane", &[]);
    context.on("docker", "network connect kind airflow-cluster-control-plane", &["mark joined"]);
    let run = context.run(&["start"]);
    assert!(run.code == 0 && run.stderr.contains("the network of kind's nodes is gone: making it again"), "{run}");
    assert!(run.ran("docker network disconnect") < run.ran("docker network connect"), "{run}");
    // It is windtunnel's, and goes with the last node.
    let down = context.run(&["down", "--yes"]);
    assert!(down.code == 0 && down.journal.iter().any(|line| line == "docker network rm id-of-the-network"), "{down}");
}

#[test]
fn twice() {
    let context = TestContext::new();
    context.up();
    assert_eq!(context.run(&["stop"]).code, 0);
    assert_run!(context, &["stop"]);
}

#[test]
fn what_somebody_scaled_to_none_runs_again() {
    let context = TestContext::new();
    context.up();
    let scale = |component| context.api.change(|store| objects::scale_to_none(store, "airflow-cluster", component));
    for command in ["start", "up"] {
        ["airflow", "database"].into_iter().for_each(scale);
        let status = context.run(&["status"]);
        assert!(status.code == 1 && status.stderr.contains("to let it run: `windtunnel start`"), "{status}");
        let run = context.run(&[command]);
        assert!(run.code == 0 && run.stderr.contains("2 workloads that were stopped run again"), "{run}");
        assert!(
            run.stderr.contains("2/2 ready") && !run.journal.iter().any(|line| line.starts_with("helm up")),
            "{run}"
        );
    }
}

#[test]
fn a_part_that_somebody_scaled_to_none_is_named() {
    let context = TestContext::new();
    context.up();
    context.api.change(|store| objects::scale_to_none(store, "airflow-cluster", "airflow"));
    let stopped = "airflow-cluster: the deployment `airflow-cluster-airflow` is stopped";
    let run = context.run(&["status"]);
    assert!(run.code == 1 && run.stderr.contains(stopped) && run.stderr.contains("`windtunnel up`"), "{run}");
    let run = context.run(&["smoke"]);
    assert!(run.code == 1 && run.stderr.contains("is stopped: no DAG would run"), "{run}");
    assert!(run.stderr.contains("`windtunnel start`"), "{run}");
    let run = context.run(&["start"]);
    assert!(run.code == 0 && run.stderr.contains("1 workload that was stopped runs again"), "{run}");
}

#[test]
fn as_json() {
    let context = TestContext::new();
    context.up();
    let run = assert_run!(context, &["stop", "-o", "json"]);
    assert!(run.stdout.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
}

#[test]
fn without_a_cluster() {
    let context = TestContext::new();
    context.up();
    std::fs::remove_file(context.path("tools/node")).unwrap();
    assert_run!(context, &["stop"]);
}

#[test]
fn a_cluster_that_is_gone_is_not_taken_for_one_that_was_stopped() {
    let context = TestContext::new();
    context.up();
    // As by `docker system prune` after `stop`.
    std::fs::remove_file(context.path("tools/node")).unwrap();
    context.api.change(|store| objects::delete_cluster(store, &[]));
    let run = assert_run!(context, &["start"]);
    assert!(!run.journal.iter().any(|line| line.starts_with("kind create")), "{run}");
    let run = context.run(&["up"]);
    let warning = "warning: the namespace `airflow-cluster` of before is gone, with all that Airflow had";
    assert!(run.code == 0 && run.stderr.contains(warning), "{run}");
    let run = context.run(&["reset", "all", "--yes"]);
    assert!(run.code == 0 && !run.stderr.contains("of before"), "{run}");
}

#[test]
fn nothing_there() {
    let context = TestContext::new();
    assert_eq!(context.run(&["stop"]).code, 10);
    assert_eq!(context.run(&["start"]).code, 10);
    assert_eq!(std::fs::read_dir(context.path("state")).unwrap().count(), 0);
}

#[test]
fn somebody_elses_cluster_runs_on() {
    let context = TestContext::new();
    context.up();
    context.describe_node("running", None);
    let run = context.run(&["stop"]);
    assert_eq!(run.code, 9, "{run}");
    assert!(!run.journal.iter().any(|line| line.contains("container stop")), "{run}");
}
