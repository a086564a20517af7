//! Images against the reference registry server: every reason why one cannot be had, before anything is created; then a healthy way from the
//! registry to running pods, by connections that are cut and a registry that wants to be left alone.

use std::fs;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::airflow::assert_healthy;
use crate::artefacts::{say, stage};
use crate::docker::docker;
use crate::environment::{Environment, bundle};
use crate::outcome::Outcome;
use crate::registry::Registry;

/// The profile whose images are replaced.
const PROFILE: &str = include_str!("../../profiles/lite.yaml");

#[test]
fn images() {
    let environment = Environment::claim("images");
    let folder = environment.folder.join("registry");
    let registry = Registry::start(&folder, false);
    let [node, airflow, postgres] = ["node", "airflow", "database"].map(bundled);
    let test = |title: &str, part: &dyn Fn()| stage("images", title, part);

    test("tags that are not there", &|| {
        let profile =
            profile(&environment, &node, &registry.reference("airflow:none"), &registry.reference("postgres:none"));
        refused(&environment, &up(&environment, &profile), "registry_image_missing", "2 of 3 images");
    });
    test("another platform", &|| {
        let arm = registry.reference("arm:1");
        push_for_arm(&environment, &arm);
        let profile = profile(&environment, &node, &arm, &postgres);
        refused(&environment, &up(&environment, &profile), "registry_wrong_platform", "for linux/arm64");
    });
    test("a login is needed, and taken from docker's configuration", &|| {
        let closed = Registry::start(&folder, true);
        push(&airflow, &registry.reference("airflow:1"));
        let private = closed.reference("airflow:1");
        let profile = profile(&environment, &node, &private, &postgres);
        refused(&environment, &up(&environment, &profile), "registry_login_needed", "without a login");
        let host = private.split('/').next().unwrap();
        log_in(&environment, host);
        let run = environment.shell(&format!(
            "DOCKER_CONFIG=\"$PWD/docker\" PATH={}:$PATH windtunnel up --profile {profile} --dry-run",
            tools()
        ));
        run.succeeded().says(&[host, "Nothing was changed"]);
    });
    test("pulled through faults, into the node, to running pods", &|| {
        let name = "postgres:1";
        push_with_a_new_layer(&environment, &postgres, &registry.reference(name));
        let faults = registry.behind_faults(2, 1);
        let profile = profile(&environment, &node, &airflow, &faults.reference(name));
        let run = up(&environment, &profile).succeeded();
        assert!(faults.are_over(), "{run}");
        say(&run.stderr);
        assert_healthy(environment.port);
        run.says(&["Finding images", &faults.reference(name)]);
        // Its tools are not those of a bundle that it remembers.
        let down = |options: &str| environment.shell(&format!("PATH={}:$PATH windtunnel down --yes{options}", tools()));

        let kept = format!("windtunnel.local/kept/{}", environment.name);
        down(" --keep-images").succeeded().says(&["Keeping images", &format!("1 in {kept}")]);
        up(&environment, &profile).succeeded().says(&["(already there: 2)"]);
        assert_healthy(environment.port);
        let of_node = docker(&["inspect", "--format", "{{.Config.Image}}", &crate::docker::node(&environment.name)]);
        assert!(of_node.stdout.starts_with(&kept), "{of_node}");
        down(" --keep-images").succeeded().says(&["has them"]);
        down("").succeeded().says(&["Removing kept images"]);
        assert_eq!(docker(&["image", "ls", "--quiet", &kept]).stdout, "");
        docker(&["image", "rm", &faults.reference(name)]).succeeded();
    });
}

/// The reference of the bundle's image of a role, which the engine has.
pub(crate) fn bundled(role: &str) -> String {
    let text = fs::read_to_string(bundle().join("bundle.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&text).unwrap();
    let entry = manifest["entries"].as_array().unwrap().iter().find(|entry| entry["role"] == role).unwrap();
    let reference = entry["reference"].as_str().unwrap().to_owned();
    if docker(&["image", "inspect", &reference]).code != Some(0) {
        let archive = bundle().join(entry["file"].as_str().unwrap());
        docker(&["image", "load", "--quiet", "--input", archive.to_str().unwrap()]).succeeded();
    }
    reference
}

/// Writes a profile with these images into the project.
pub(crate) fn profile(environment: &Environment, node: &str, airflow: &str, database: &str) -> String {
    let (head, tail) = PROFILE.split_once("images:\n").unwrap();
    let rest: Vec<&str> = tail.lines().skip_while(|line| line.starts_with("  ")).collect();
    let images = format!("images:\n  node: {node}\n  airflow: {airflow}\n  database: {database}\n");
    let path = environment.project().join("registry.yaml");
    fs::write(&path, format!("{head}{images}{}\n", rest.join("\n"))).unwrap();
    path.to_str().unwrap().to_owned()
}

/// kind and Helm, without the bundle's images.
fn tools() -> String {
    bundle().join("bin").display().to_string()
}

fn up(environment: &Environment, profile: &str) -> Outcome {
    let port = environment.port;
    environment.shell(&format!("PATH={}:$PATH windtunnel up --port {port} --profile {profile}", tools()))
}

fn refused(environment: &Environment, run: &Outcome, cause: &str, words: &str) {
    assert_eq!(run.code, Some(5), "{run}");
    run.says(&[cause, words]);
    say(&format!("{cause}: {:.1} s\n{}", run.took.as_secs_f64(), run.stderr));
    assert!(docker(&["container", "inspect", &crate::docker::node(&environment.name)]).code != Some(0), "{run}");
}

fn push(image: &str, reference: &str) {
    docker(&["image", "tag", image, reference]).succeeded();
    docker(&["image", "push", "--quiet", reference]).succeeded();
    docker(&["image", "rm", reference]).succeeded();
}

fn push_for_arm(environment: &Environment, reference: &str) {
    let script = format!(
        "cd {}; mkdir -p arm; echo x > arm/x; printf 'FROM scratch\\nCOPY x /x\\n' > arm/Dockerfile; \
         DOCKER_BUILDKIT=0 docker build --quiet --platform linux/arm64 --tag {reference} arm; docker push --quiet {reference}; \
         docker image rm {reference}",
        environment.folder.display()
    );
    environment.shell(&script).succeeded();
}

/// Layers that the engine forgets again, so that they come from the registry.
fn push_with_a_new_layer(environment: &Environment, base: &str, reference: &str) {
    let script = format!(
        "cd {}; mkdir -p context; head -c 30000000 /dev/urandom > context/noise; printf 'FROM {base}\\nCOPY noise /noise\\n' > context/Dockerfile; \
         DOCKER_BUILDKIT=0 docker build --quiet --tag {reference} context; docker push --quiet {reference}; docker image rm {reference}",
        environment.folder.display()
    );
    environment.shell(&script).succeeded();
}

fn log_in(environment: &Environment, host: &str) {
    let folder = environment.project().join("docker");
    fs::create_dir_all(&folder).unwrap();
    let config = json!({"auths": {host: {"auth": STANDARD.encode("me:s3cret")}}});
    fs::write(folder.join("config.json"), config.to_string()).unwrap();
}
