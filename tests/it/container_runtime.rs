//! minikube with a Docker Engine in its node, where images go in by `docker load`.

use serde_json::json;

use crate::bundle::{AIRFLOW, DATABASE, image_id};
use crate::context::{Run, TestContext, assert_run};

const UP: [&str; 5] = ["up", "--provider", "minikube", "--container-runtime", "docker"];

/// The words of the command that tells what images the node has.
const LIST: &str = "exec airflow-cluster image ls";

/// The line of a script that prints what `docker image ls` tells of an image.
fn listed(reference: &str, id: &str) -> String {
    let (repository, tag) = reference.rsplit_once(':').unwrap();
    let image = json!({"ID": id, "Repository": repository, "Tag": tag, "Digest": "<none>", "Size": "519MB"});
    format!("stdout {image}")
}

impl TestContext {
    /// A machine whose minikube makes a node with a Docker Engine that has no image of ours yet.
    pub(crate) fn with_docker_in_minikube() -> Self {
        let context = Self::with_minikube();
        let database = listed(DATABASE, &image_id("database"));
        let airflow = listed(AIRFLOW, &image_id("airflow"));
        // After the cluster's version, so that what is printed has one order.
        context.on("docker", LIST, &["await version-asked"]);
        context.on("docker", LIST, &["when database-inside", &database]);
        context.on("docker", LIST, &["when airflow-inside", &database, &airflow]);
        context.on("docker", "exec airflow-cluster image load", &["unless database-inside", "mark database-inside"]);
        context.on("docker", "exec airflow-cluster image load", &["when database-inside", "mark airflow-inside"]);
        context.on("minikube", "delete", &["unmark node", "unmark database-inside", "unmark airflow-inside"]);
        context
    }
}

fn loads(run: &Run) -> usize {
    run.journal.iter().filter(|line| line.contains("image load --quiet --input /var/tmp")).count()
}

#[test]
fn images_are_loaded_once() {
    let context = TestContext::with_docker_in_minikube();
    assert_run!(context, &UP);
    let run = context.run(&["up"]);
    assert_eq!((run.code, loads(&run)), (0, 0), "{run}");
    assert!(run.stderr.contains("✓ 2 in the node") && run.stderr.contains("already there: 2"), "{run}");
}

#[test]
fn an_image_of_another_digest_is_loaded_and_one_that_stays_away_is_named() {
    let context = TestContext::with_docker_in_minikube();
    context.write_file("tools/database-inside", "");
    let others = [listed(DATABASE, &image_id("database")), listed(AIRFLOW, "sha256:another")];
    context.on("docker", LIST, &[&others[0], &others[1]]);
    let run = context.run(&UP);
    assert_eq!((run.code, loads(&run)), (5, 1), "{run}");
    assert!(
        run.stderr.contains("the node does not have windtunnel.local/airflow:3.3.2 although it was loaded"),
        "{run}"
    );
    assert!(run.stderr.contains("`docker exec airflow-cluster docker images`"), "{run}");
}

#[test]
fn an_engine_in_the_node_that_does_not_answer() {
    let context = TestContext::with_docker_in_minikube();
    let words = ["stderr Cannot connect to the Docker daemon at unix:///var/run/docker.sock.", "exit 1"];
    context.on("docker", LIST, &words);
    let run = context.run(&UP);
    assert!(run.code == 5 && run.stderr.contains("Cannot connect to the Docker daemon"), "{run}");
}

#[test]
fn the_projects_file_says_it_too() {
    let context = TestContext::with_docker_in_minikube();
    context.write_file("project/windtunnel.yaml", "provider: minikube\ncontainer-runtime: docker\n");
    let run = context.run(&["up"]);
    assert!(run.code == 0 && run.journal.iter().any(|line| line.contains("--container-runtime=docker")), "{run}");
    let run = context.run(&["config", "show"]);
    assert!(run.stdout.lines().any(|line| line.starts_with("container-runtime") && line.contains("docker")), "{run}");
}

#[test]
fn a_node_keeps_its_runtime() {
    let context = TestContext::with_docker_in_minikube();
    let run = context.run(&UP);
    assert_eq!(run.code, 0, "{run}");
    let run = context.run(&["up", "--container-runtime", "containerd"]);
    assert!(run.code == 2 && run.stderr.contains("an environment keeps its cluster"), "{run}");
    let run = context.run(&["up", "--name", "two", "--provider", "kind", "--container-runtime", "docker"]);
    assert!(run.code == 2 && run.stderr.contains("--container-runtime is minikube's"), "{run}");
}
