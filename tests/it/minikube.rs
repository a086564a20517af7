//! A cluster of minikube's: made, used, started, thawed and removed, and never somebody else's.

use std::path::PathBuf;

use serde_json::json;

use crate::bundle::NODE;
use crate::context::{Run, TestContext, assert_run};
use crate::scripts::kubeconfig;
use crate::terminal::{end, spawn};

const UP: [&str; 3] = ["up", "--provider", "minikube"];

impl TestContext {
    /// A machine that has minikube and not kind.
    pub(crate) fn with_minikube() -> Self {
        let context = Self::new();
        context.without("kind");
        context.with("minikube");
        for (file, text) in [
            ("start.jsonl", include_str!("../fakes/minikube/start.jsonl")),
            ("start-memory.jsonl", include_str!("../fakes/minikube/start-memory.jsonl")),
            ("start-unknown-image.jsonl", include_str!("../fakes/minikube/start-unknown-image.jsonl")),
            ("delete.jsonl", include_str!("../fakes/minikube/delete.jsonl")),
            ("absent.jsonl", include_str!("../fakes/minikube/status-absent.jsonl")),
            ("running.jsonl", include_str!("../fakes/minikube/status-running.jsonl")),
            ("paused.jsonl", include_str!("../fakes/minikube/status-paused.jsonl")),
            ("stopped.jsonl", include_str!("../fakes/minikube/status-stopped.jsonl")),
        ] {
            context.write_file(&format!("tools/{file}"), text);
        }
        context.write_file("tools/profile-kubeconfig", &kubeconfig("airflow-cluster", &context.api.url()));
        context.describe_profile_node(true);

        let absent = "stderr Error response from daemon: No such container: airflow-cluster";
        context.on("docker", "container inspect", &[absent, "exit 1"]);
        context.on("docker", "container inspect airflow-cluster", &["when node", "stdout-file node.json"]);
        context.on("docker", "cp", &[]);
        context.on("docker", "exec ctr import windtunnel-image.tar", &["mark images"]);
        context.on("docker", "exec rm --force windtunnel-image.tar", &[]);
        let config = context.profile_config();
        std::fs::create_dir_all(config.parent().unwrap()).unwrap();
        context.describe_profile(Some("dags"), "tools/profile.json");
        let write_config = format!("copy profile.json {}", config.display());
        let remove_config = format!("unmark {}", config.display());
        let write_kubeconfig = "copy profile-kubeconfig $KUBECONFIG";
        context.on("minikube", "version --short", &["stdout v1.38.1"]);
        context.on("minikube", "status", &["stdout-file absent.jsonl", "exit 85"]);
        context.on("minikube", "status", &["when node", "stdout-file running.jsonl"]);
        context.on("minikube", "status", &["when stopped", "stdout-file stopped.jsonl", "exit 7"]);
        context.on("minikube", "status", &["when paused", "stdout-file paused.jsonl", "exit 2"]);
        let start = ["stdout-file start.jsonl", &write_config, "mark node", "unmark stopped", write_kubeconfig];
        context.on("minikube", "start", &start);
        context.on("minikube", "stop", &["mark stopped"]);
        context.on("minikube", "unpause", &["unmark paused"]);
        context.on("minikube", "update-context", &[write_kubeconfig]);
        context.on("minikube", "delete", &["stdout-file delete.jsonl", &remove_config, "unmark node", "unmark images"]);
        context
    }

    /// What `docker container inspect` tells of a profile's node, ours or somebody else's.
    pub(crate) fn describe_profile_node(&self, is_ours: bool) {
        let mount = json!({"Type": "bind", "Source": self.path("project/dags"), "Destination": "/windtunnel/dags"});
        let mounts = if is_ours { json!([mount]) } else { json!([]) };
        let labels = json!({"name.minikube.sigs.k8s.io": "airflow-cluster"});
        let node = json!([{
            "Id": "0", "Name": "/airflow-cluster", "State": {"Status": "running"}, "Mounts": mounts,
            "Config": {"Image": NODE, "Labels": labels},
        }]);
        self.write_file("tools/node.json", &node.to_string());
    }

    /// Where minikube says what the profile was made with.
    pub(crate) fn profile_config(&self) -> PathBuf {
        self.path("home/.minikube/profiles/airflow-cluster/config.json")
    }

    /// Writes what minikube says there: windtunnel's mount of a DAG folder, or what a profile has without one.
    fn describe_profile(&self, dags: Option<&str>, file: &str) {
        let mount = |dags| format!("{}:/windtunnel/dags:ro", self.path("project").join(dags).display());
        let mount = dags.map_or_else(|| "/home/me:/minikube-host".to_owned(), mount);
        let config =
            json!({"Name": "airflow-cluster", "Driver": "kvm2", "Mount": dags.is_some(), "MountString": mount});
        self.write_file(file, &config.to_string());
    }

    /// An environment whose node is a virtual machine, and since then a profile of somebody else's in its place.
    fn with_somebody_elses_machine(dags: Option<&str>) -> Self {
        let context = Self::with_minikube();
        context.up_on_minikube();
        let record = std::fs::read_to_string(context.environment("environment.json")).unwrap();
        context.write_file(
            "state/environments/airflow-cluster/environment.json",
            &record.replace(r#""driver": "docker""#, r#""driver": "kvm2""#),
        );
        context.on("minikube", "status", &["stdout-file running.jsonl"]);
        context.describe_profile(dags, "home/.minikube/profiles/airflow-cluster/config.json");
        context
    }

    pub(crate) fn up_on_minikube(&self) {
        self.up_with(&UP);
    }
}

/// The first words of the commands that minikube was given, but for its questions.
pub(crate) fn acts(run: &Run) -> Vec<&str> {
    let words = run.journal.iter().filter_map(|line| line.strip_prefix("minikube ")?.split(' ').next());
    words.filter(|word| !["version", "status"].contains(word)).collect()
}

fn assert_untouched(context: &TestContext, run: &Run) {
    assert!(acts(run).is_empty(), "{run}");
    assert!(!context.environment("").exists() && !context.path("project/dags").exists(), "{run}");
}

#[test]
fn from_nothing() {
    let context = TestContext::with_minikube();
    let arguments = ["up", "--provider", "minikube", "--bundle", "../bundle"];
    context.forget_variable("WINDTUNNEL_BUNDLE");
    assert_run!(context, &arguments);
    assert!(context.path("project/dags").is_dir() && !context.environment("incomplete").exists());
}

#[test]
fn dry_run() {
    let context = TestContext::with_minikube();
    let run = assert_run!(context, &["up", "--provider", "minikube", "--dry-run"]);
    assert_untouched(&context, &run);
}

#[test]
fn images_go_in_while_kubernetes_starts() {
    let context = TestContext::with_minikube();
    // minikube gets no further than kubeadm's certificates until the images are there.
    let (before, after) = include_str!("../fakes/minikube/start.jsonl").split_at(certificates());
    context.write_file("tools/before.jsonl", before);
    context.write_file("tools/after.jsonl", after);
    let config = format!("copy profile.json {}", context.profile_config().display());
    let kubeconfig = "copy profile-kubeconfig $KUBECONFIG";
    let start =
        ["stdout-file before.jsonl", "await images", "stdout-file after.jsonl", &config, "mark node", kubeconfig];
    context.on("minikube", "start", &start);
    context.on("docker", "exec ctr version", &[]);
    let run = context.run(&UP);
    assert!(run.code == 0 && run.stderr.contains("already there: 0"), "{run}");
}

/// Where the line after minikube's first word of certificates begins.
fn certificates() -> usize {
    let text = include_str!("../fakes/minikube/start.jsonl");
    let step = text.find("Generating certificates").unwrap();
    step + text[step..].find('\n').unwrap() + 1
}

#[test]
fn again_changes_nothing() {
    let context = TestContext::with_minikube();
    context.up_on_minikube();
    let run = assert_run!(context, &["up"]);
    assert!(acts(&run).is_empty() && !run.journal.iter().any(|line| line.contains("helm upgrade")), "{run}");
}

#[test]
fn a_stopped_profile_is_started() {
    let context = TestContext::with_minikube();
    context.up_on_minikube();
    context.write_file("tools/stopped", "");
    // Its images are looked at beside its start, so which line ends first is not known.
    let run = context.run(&["up"]);
    assert!(run.code == 0 && run.stderr.contains("already there: 2"), "{run}");
    assert!(acts(&run).contains(&"start"), "{run}");
}

#[test]
fn a_paused_profile_is_thawed() {
    let context = TestContext::with_minikube();
    context.up_on_minikube();
    context.write_file("tools/paused", "");
    let run = context.run(&["up"]);
    assert_eq!((run.code, acts(&run)), (0, vec!["unpause", "update-context"]), "{run}");
}

#[test]
fn a_lost_kubeconfig_is_had_again() {
    let context = TestContext::with_minikube();
    context.up_on_minikube();
    std::fs::remove_file(context.environment("kubeconfig")).unwrap();
    let run = context.run(&["up"]);
    assert_eq!((run.code, acts(&run)), (0, vec!["update-context"]), "{run}");
}

#[test]
fn a_profile_that_somebody_deleted_is_made_again() {
    let context = TestContext::with_minikube();
    context.up_on_minikube();
    std::fs::remove_file(context.path("tools/node")).unwrap();
    let run = context.run(&["up"]);
    assert_eq!((run.code, acts(&run)), (0, vec!["start"]), "{run}");
}

#[test]
fn a_profile_of_somebody_elses() {
    let context = TestContext::with_minikube();
    context.write_file("tools/node", "");
    context.describe_profile_node(false);
    let run = assert_run!(context, &UP);
    assert_untouched(&context, &run);
}

#[test]
fn a_profile_of_somebody_elses_in_a_virtual_machine() {
    let context = TestContext::with_minikube();
    context.write_file("tools/stopped", "");
    let run = assert_run!(context, &UP);
    assert_untouched(&context, &run);
}

#[test]
fn a_container_that_is_no_node() {
    let context = TestContext::with_minikube();
    context.write_file("tools/node", "");
    let container = json!([{"State": {"Status": "running"}, "Config": {"Image": "nginx:1", "Labels": {}}}]);
    context.write_file("tools/node.json", &container.to_string());
    let run = assert_run!(context, &UP);
    assert_untouched(&context, &run);
}

#[test]
fn a_start_that_fails() {
    let context = TestContext::with_minikube();
    context.on("minikube", "start", &["stdout-file start-memory.jsonl", "exit 14"]);
    assert_run!(context, &UP);
}

#[test]
fn a_start_that_fails_with_advice() {
    let context = TestContext::with_minikube();
    context.on("minikube", "start", &["stdout-file start-unknown-image.jsonl", "exit 48"]);
    let run = context.run(&UP);
    assert_eq!(run.code, 4, "{run}");
    assert!(run.stderr.contains("HTTP_PROXY and HTTPS_PROXY environment variables are set correctly"), "{run}");
}

#[test]
fn minikube_is_missing() {
    let context = TestContext::with_minikube();
    context.without("minikube");
    let run = assert_run!(context, &UP);
    assert_untouched(&context, &run);
}

#[test]
fn minikube_is_too_old() {
    let context = TestContext::with_minikube();
    context.on("minikube", "version", &["stdout v1.30.1"]);
    let run = assert_run!(context, &UP);
    assert_untouched(&context, &run);
}

#[test]
fn a_virtual_machine_cannot_run_the_bundles_node() {
    let context = TestContext::with_minikube();
    let run = assert_run!(context, &["up", "--provider", "minikube", "--driver", "kvm2"]);
    assert_eq!(run.code, 2, "{run}");
    assert_untouched(&context, &run);
}

#[test]
fn a_folder_that_minikube_cannot_mount() {
    let context = TestContext::with_minikube();
    context.write_file("project/a:b/one.py", "");
    let run = assert_run!(context, &["up", "--provider", "minikube", "--dags", "a:b"]);
    assert_eq!(run.code, 2, "{run}");
    assert_untouched(&context, &run);
}

#[test]
fn status() {
    let context = TestContext::with_minikube();
    context.up_on_minikube();
    assert_run!(context, &["status"]);
    context.write_file("tools/paused", "");
    let run = context.run(&["status"]);
    assert!(run.code == 1 && run.stdout.contains("airflow-cluster (stopped)"), "{run}");
}

#[test]
fn down() {
    let context = TestContext::with_minikube();
    context.up_on_minikube();
    assert_run!(context, &["down", "--yes"]);
    assert!(!context.environment("").exists() && !context.path("tools/node").exists());
}

#[test]
fn down_leaves_a_profile_that_somebody_made_since() {
    let context = TestContext::with_minikube();
    context.up_on_minikube();
    context.describe_profile_node(false);
    let run = context.run(&["down", "--yes"]);
    assert_eq!((run.code, acts(&run)), (9, Vec::new()), "{run}");
}

#[test]
fn a_virtual_machine_of_somebody_elses_is_left() {
    for dags in [None, Some("others")] {
        let context = TestContext::with_somebody_elses_machine(dags);
        for command in [&["down", "--yes"][..], &["up"]] {
            let run = context.run(command);
            assert_eq!((run.code, acts(&run)), (9, Vec::new()), "{run}");
        }
    }
}

#[test]
fn a_virtual_machine_of_ours_goes() {
    let context = TestContext::with_somebody_elses_machine(Some("dags"));
    let run = context.run(&["down", "--yes"]);
    assert_eq!((run.code, acts(&run)), (0, vec!["delete"]), "{run}");
}

#[test]
fn the_mark_of_a_making_that_was_cut_short_takes_no_profile_of_somebody_elses() {
    let context = TestContext::with_minikube();
    context.up_on_minikube();
    context.write_file("state/environments/airflow-cluster/incomplete", "");
    std::fs::remove_file(context.path("tools/node")).unwrap();
    context.describe_profile(None, "home/.minikube/profiles/airflow-cluster/config.json");
    for command in [&["down", "--yes"][..], &["up"]] {
        let run = context.run(command);
        assert_eq!((run.code, acts(&run)), (9, Vec::new()), "{run}");
    }
    std::fs::remove_file(context.profile_config()).unwrap();
    let run = context.run(&["down", "--yes"]);
    assert_eq!((run.code, acts(&run)), (0, Vec::new()), "{run}");
}

#[test]
fn what_a_making_that_was_cut_short_left_is_removed_first() {
    let context = TestContext::with_minikube();
    context.up_on_minikube();
    context.write_file("state/environments/airflow-cluster/incomplete", "");
    std::fs::remove_file(context.path("tools/node")).unwrap();
    let run = context.run(&["up"]);
    assert_eq!((run.code, acts(&run)), (0, vec!["delete", "start"]), "{run}");
}

#[test]
fn down_takes_a_profile_whose_node_somebody_removed() {
    let context = TestContext::with_minikube();
    context.up_on_minikube();
    std::fs::remove_file(context.path("tools/node")).unwrap();
    let run = context.run(&["down", "--yes"]);
    assert_eq!((run.code, acts(&run)), (0, vec!["delete"]), "{run}");
    assert!(!context.profile_config().exists());
}

#[test]
fn another_home_of_minikubes() {
    let context = TestContext::with_minikube();
    context.up_on_minikube();
    context.describe_profile(None, "elsewhere/.minikube/profiles/airflow-cluster/config.json");
    let elsewhere = context.path("elsewhere");
    for home in [elsewhere.join(".minikube"), elsewhere] {
        let run = context.run_with(&["down", "--yes"], &[("MINIKUBE_HOME", home.to_str().unwrap())]);
        assert_eq!((run.code, acts(&run)), (9, Vec::new()), "{run}");
    }
}

#[test]
fn ctrl_c_while_minikube_works() {
    let context = TestContext::with_minikube();
    context.on("minikube", "start", &["unless creating", "mark creating", "mark node", "await never"]);
    let mut session = spawn(&context, &UP);
    context.wait_for("tools/node");
    session.send_control('c').unwrap();
    let (shown, code) = end(session);
    assert_eq!(code, 130, "{shown}");
    assert!(context.environment("incomplete").exists());
    let run = context.run(&["up"]);
    assert_eq!((run.code, acts(&run)), (0, vec!["delete", "start"]), "{run}");
    assert!(!context.environment("incomplete").exists());
}
