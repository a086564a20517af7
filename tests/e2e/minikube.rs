//! The main path on a real minikube: made, proven, stopped behind windtunnel's back, brought back, and away again.

use serde_json::Value;

use crate::airflow::{Airflow, assert_healthy};
use crate::artefacts::{self, say, stage};
use crate::docker::docker;
use crate::environment::{Environment, bundle_with_node};
use crate::images::bundled;
use crate::traces::Traces;
use crate::{lifecycle, readme, side_by_side};

/// The DAG that README shows.
const DAG: &str = "hello";

#[test]
fn minikube() {
    let environment = Environment::claim("minikube");
    let traces = Traces::before(&environment);
    let test = |title: &str, part: &dyn Fn(&Environment)| stage("minikube", title, || part(&environment));

    test("up, with smoke", &up);
    test("up again changes nothing", &up_again);
    let run = stage("minikube", "a DAG file appears, and runs", || dag_file(&environment));
    test("the node is stopped", &stopped);
    test("the profile is paused", &paused);
    test("another's profile is refused", &foreign);
    test("stop, and start", &|place| lifecycle::stop_and_start(place, DAG, &run));
    test("reset data", &lifecycle::reset_data);
    test("an environment of kind's beside it", &side_by_side::kind_beside);
    test("down keeps images, and up has them", &kept);
    test("down", &down);
    traces.assert_home_untouched(&environment);
}

#[test]
fn minikube_with_the_stand_in_for_the_official_chart() {
    let environment = Environment::claim("minikube-standin");
    let profile = crate::charts::stand_in();
    let options = ["--provider", "minikube", "--profile", profile.to_str().unwrap(), "--smoke"];
    let test = "minikube, stand-in chart";
    stage(test, "up, with smoke", || {
        environment.up(&options).succeeded().says(&["official (Airflow", "already there: 2", "worker pod"]);
    });
    stage(test, "down", || down(&environment));
}

/// A node with a Docker Engine needs cri-dockerd, which is in no package registry: `scripts/images` makes none.
#[test]
fn minikube_with_a_docker_engine_in_the_node() {
    let test = "minikube, docker in the node";
    let node = std::env::var("WINDTUNNEL_E2E_NODE_DOCKER").unwrap_or_default();
    if node.is_empty() {
        return say(&format!(
            "{test}: SKIPPED, WINDTUNNEL_E2E_NODE_DOCKER names no node image with dockerd and cri-dockerd"
        ));
    }
    let environment = Environment::claim("minikube-docker");
    let bundle = bundle_with_node(&environment, &node);
    stage(test, "up, with smoke", || {
        let options = ["--provider", "minikube", "--container-runtime", "docker", "--smoke"];
        environment.up_from(&bundle, &options).succeeded().says(&["already there: 0", "worker pod"]);
        assert_healthy(environment.port);
    });
    stage(test, "up again changes nothing", || {
        up_again(&environment);
        environment.windtunnel(&["up"]).succeeded().says(&["2 in the node", "already there: 2"]);
    });
    stage(test, "stop, start", || {
        environment.windtunnel(&["stop"]).succeeded();
        environment.windtunnel(&["start"]).succeeded();
        assert_healthy(environment.port);
    });
    stage(test, "down", || down(&environment));
}

fn up(environment: &Environment) {
    let up = environment.up(&["--provider", "minikube", "--smoke"]).succeeded();
    artefacts::keep("minikube-up.txt", &up.stderr);
    up.says(&["Starting minikube", "Loading images", "already there: 2", "worker pod"]);
    assert_healthy(environment.port);
    let name = &environment.name;
    environment.windtunnel(&["status"]).succeeded().says(&[name, "running", "direct to the node"]);
}

fn up_again(environment: &Environment) {
    let identity = || docker(&["inspect", "--format", "{{.Id}} {{.State.StartedAt}}", &environment.name]).stdout;
    let before = identity();
    // Provider, driver and bundle are remembered.
    let up = environment.windtunnel(&["up"]).succeeded();
    assert_eq!(identity(), before);
    say(&format!("`up` when everything is there: {:.2} s", up.took.as_secs_f64()));
}

fn dag_file(environment: &Environment) -> String {
    let login: Value = environment.windtunnel(&["credentials", "-o", "json"]).succeeded().document();
    let entry = |name: &str| login[name].as_str().unwrap();
    let airflow = Airflow::log_in(entry("url"), entry("user"), entry("password"));
    readme::write_dag(environment);
    airflow.await_dag(DAG);
    airflow.run_dag(DAG)
}

fn stopped(environment: &Environment) {
    docker(&["stop", "--time", "10", &environment.name]).succeeded();
    environment.windtunnel(&["status"]).ended_with(1).says(&["stopped"]);
    environment.windtunnel(&["up", "--smoke"]).succeeded().says(&["worker pod"]);
}

fn paused(environment: &Environment) {
    environment.minikube(&["pause", "--profile", &environment.name]).succeeded();
    environment.windtunnel(&["status"]).ended_with(1);
    environment.windtunnel(&["up"]).succeeded();
    assert_healthy(environment.port);
}

fn foreign(environment: &Environment) {
    let other = format!("{}-b", environment.name);
    let label = format!("name.minikube.sigs.k8s.io={other}");
    let image = docker(&["inspect", "--format", "{{.Config.Image}}", &environment.name]).succeeded().stdout;
    docker(&["create", "--name", &other, "--label", &label, image.trim()]).succeeded();
    let refused = environment.up(&["--provider", "minikube", "--name", &other]);
    docker(&["rm", "--force", "--volumes", &other]).succeeded();
    refused.ended_with(9).says(&["was not made by this windtunnel"]);
}

/// What the node was given besides is in the next one.
fn kept(environment: &Environment) {
    let (name, database) = (&environment.name, bundled("database"));
    let (image, kept) = (format!("windtunnel.local/{name}:1"), format!("windtunnel.local/kept/{name}"));
    let given = format!(
        "docker run --name {name}-more --user 0 --entrypoint touch {database} /more && docker commit {name}-more {image} && \
         docker rm {name}-more && docker save {image} | docker exec --interactive {name} ctr --namespace k8s.io images import -"
    );
    environment.shell(&given).succeeded();
    let down = environment.windtunnel(&["down", "--yes", "--keep-images"]).succeeded();
    down.says(&["Keeping images", &format!("1 in {kept}"), "Deleting minikube profile"]);
    environment.up(&["--provider", "minikube"]).succeeded();
    assert_healthy(environment.port);
    let of_node = docker(&["inspect", "--format", "{{.Config.Image}}", name]);
    assert!(of_node.stdout.starts_with(&kept), "{of_node}");
    docker(&["exec", name, "crictl", "inspecti", &image]).succeeded();
    docker(&["image", "rm", &image]).succeeded();
}

fn down(environment: &Environment) {
    let name = &environment.name;
    environment.windtunnel(&["down", "--yes"]).succeeded().says(&["Deleting minikube profile"]);
    for kind in ["container", "volume", "network"] {
        assert_ne!(docker(&[kind, "inspect", name]).code, Some(0), "the {kind} {name} is left");
    }
    let profile = environment.folder.join("minikube/.minikube/profiles").join(name);
    assert!(!profile.exists(), "the profile is left");
    assert!(!environment.state().join("environments").join(name).exists(), "state is left");
    assert_eq!(docker(&["image", "ls", "--quiet", &format!("windtunnel.local/kept/{name}")]).stdout, "");
    environment.windtunnel(&["down", "--yes"]).ended_with(10);
}
