//! `down --keep-images`: a node image with what the node was given, of which the next node is made.

use serde_json::{Value, json};
use windtunnel::images::kept;
use windtunnel::state::Paths;

use crate::bundle::image_id;
use crate::context::{TestContext, assert_run};
use crate::existing;

/// The container in which the node image is made.
pub(crate) const MAKER: &str = "windtunnel-keep-airflow-cluster";

impl TestContext {
    /// The end of the kept image's name, as a script counts it.
    pub(crate) fn kept(&self) -> String {
        let paths = Paths::new(self.path("state")).environment("airflow-cluster");
        let reference = kept::reference("airflow-cluster", &paths);
        reference.rsplit('/').next().unwrap().to_owned()
    }

    /// The labels of what is made for this environment.
    pub(crate) fn labels(&self) -> Value {
        let folder = self.environment("").display().to_string();
        let images = format!("{} {}", image_id("database"), image_id("airflow"));
        json!({
            "windtunnel.dev/folder": folder.trim_end_matches('/'),
            "windtunnel.dev/node-image": image_id("node"),
            "windtunnel.dev/images": images,
        })
    }

    /// What `docker container inspect` tells of the container in which a node image is made.
    pub(crate) fn describe_maker(&self, labels: &Value) {
        let settings = json!({"Image": "windtunnel.local/node:v1.34.4", "Labels": labels});
        let maker = json!([{"Name": MAKER, "State": {"Status": "running"}, "Config": settings}]);
        self.write_file("tools/maker.json", &maker.to_string());
    }

    /// The engine makes images of containers.
    pub(crate) fn keeps(&self) {
        let labels = self.labels();
        self.describe_maker(&labels);
        let kept = json!({"Id": "sha256:kept", "Size": 1_800_000_000_u64, "Config": {"Labels": labels}});
        self.write_file("tools/kept.json", &kept.to_string());
        let inside = |words: &str| format!("exec {MAKER} {words}");
        self.on("docker", &format!("container inspect {MAKER}"), &["when maker", "stdout-file maker.json"]);
        self.on("docker", &format!("image inspect {}", self.kept()), &["when kept", "stdout-file kept.json"]);
        self.on("docker", "container run", &["mark maker"]);
        self.on("docker", &inside("ctr version"), &[]);
        self.on("docker", &inside("crictl images"), &["stdout {\"images\":[]}"]);
        self.on("docker", &inside("crictl images"), &["when given", "stdout-file images.json"]);
        self.on("docker", &inside("ls"), &["stdout 1"]);
        self.on("docker", &inside("ls"), &["when given", "stdout 1", "stdout 2", "stdout 3"]);
        self.on("docker", "cp", &[]);
        self.on("docker", &inside("ctr import windtunnel-image.tar"), &["mark given"]);
        self.on("docker", &inside("rm --force windtunnel-image.tar"), &[]);
        self.on("docker", &inside("sh snapshots/2 snapshots/3"), &[]);
        self.on("docker", &format!("container kill {MAKER}"), &[]);
        self.on("docker", &format!("container wait {MAKER}"), &["stdout 0"]);
        self.on("docker", &format!("container commit {}", self.kept()), &["mark kept"]);
        self.on("docker", &format!("container rm {MAKER}"), &["unmark maker", "unmark given"]);
        self.on("docker", &format!("image rm {}", self.kept()), &["unmark kept"]);
    }
}

#[test]
fn kept_used_and_forgotten() {
    let context = TestContext::new();
    context.keeps();
    context.up();
    assert_run!(context, &["down", "--yes", "--keep-images"]);
    assert!(!context.environment("").exists() && !context.path("tools/maker").exists());

    let up = context.run(&["up"]);
    let create = &up.journal[up.ran("kind create cluster")];
    assert!(create.contains(&format!("--image windtunnel.local/kept/{}", context.kept())), "{up}");

    assert_run!(context, &["down", "--dry-run"]);
    assert_run!(context, &["down", "--yes"]);
    assert!(!context.path("tools/kept").exists());
    assert_eq!(context.run(&["down", "--yes"]).code, 10, "nothing is left");
}

#[test]
fn a_minikube_node_from_a_bundle_keeps_them_too() {
    let context = TestContext::with_minikube();
    context.keeps();
    assert_eq!(context.run(&["up", "--provider", "minikube"]).code, 0);
    let down = context.run(&["down", "--yes", "--keep-images"]);
    assert!(down.code == 0 && context.path("tools/kept").exists(), "{down}");
    assert!(down.ran("docker container commit") < down.ran("minikube delete"), "{down}");

    let up = context.run(&["up", "--provider", "minikube"]);
    let start = &up.journal[up.ran("minikube start")];
    let base = format!("'--base-image=windtunnel.local/kept/{}'", context.kept());
    assert!(start.contains(&base) && start.contains("--kubernetes-version=v1.34.4"), "{up}");

    let down = context.run(&["down", "--yes"]);
    assert!(down.code == 0 && !context.path("tools/kept").exists(), "{down}");
}

#[test]
fn what_is_kept_already_is_not_made_again() {
    let context = TestContext::new();
    context.keeps();
    context.write_file("tools/kept", "");
    context.up();
    let node = std::fs::read_to_string(context.path("tools/node.json")).unwrap();
    let kept = format!("windtunnel.local/kept/{}", context.kept());
    context.write_file("tools/node.json", &node.replace("windtunnel.local/node:v1.34.4", &kept));
    let run = context.run(&["down", "--yes", "--keep-images"]);
    assert!(run.code == 0 && run.stderr.contains(" has them"), "{run}");
    assert!(!run.journal.iter().any(|line| line.contains("container run")), "{run}");
    assert!(context.path("tools/kept").exists());
}

#[test]
fn of_another_node_image_is_not_used() {
    let context = TestContext::new();
    context.keeps();
    context.write_file("tools/kept", "");
    let kept = json!({"Id": "sha256:kept", "Config": {"Labels": context.labels()}});
    context.write_file("tools/kept.json", &kept.to_string().replace(&image_id("node"), "sha256:older"));
    let up = context.run(&["up"]);
    let create = &up.journal[up.ran("kind create cluster")];
    assert!(create.contains("--image windtunnel.local/node:v1.34.4"), "{up}");
}

#[test]
fn no_room_leaves_the_environment_as_it_is() {
    let context = TestContext::new();
    context.keeps();
    context.up();
    let full = "stderr Error response from daemon: write /x: no space left on device";
    context.on("docker", "container commit", &[full, "exit 1"]);
    assert_run!(context, &["down", "--yes", "--keep-images"]);
    assert!(context.path("tools/node").exists() && context.environment("environment.json").exists());
    assert!(!context.path("tools/maker").exists());
}

#[test]
fn somebody_elses_container_is_left() {
    let context = TestContext::new();
    context.keeps();
    context.up();
    context.describe_maker(&json!({}));
    context.write_file("tools/maker", "");
    let run = assert_run!(context, &["down", "--yes", "--keep-images"]);
    assert!(!run.journal.iter().any(|line| line.contains("container rm")), "{run}");
}

#[test]
fn other_clusters_have_nothing_to_keep() {
    let context = TestContext::with_docker_in_minikube();
    assert_eq!(context.run(&["up", "--provider", "minikube", "--container-runtime", "docker"]).code, 0);
    assert_run!(context, &["down", "--yes", "--keep-images"]);

    let context = TestContext::with_cluster();
    assert_eq!(context.run(&existing::UP).code, 0);
    assert_run!(context, &["down", "--yes", "--keep-images"]);
}
