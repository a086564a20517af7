//! Brings images into a node's containerd or Docker Engine, skipping those that are there by digest.

use std::path::Path;
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::Image;
use crate::error::{During, Failure, Kind};
use crate::plan::ContainerRuntime;
use crate::tools::docker::Docker;
use crate::tools::process::Command;
use crate::ui::Ui;

/// How long containerd in a node may take to answer after the node began to run.
const CONTAINERD_START: &str = "60s";
/// What containerd's part for Kubernetes says while it still looks after what ran before, though containerd itself answers
/// (containerd/containerd, `internal/cri/instrument/instrumented_service.go`). Only asking again tells when it has done so.
const NOT_INITIALIZED: &str = "server is not initialized yet";
/// How long that may take.
const INITIALIZATION: Duration = Duration::from_mins(1);
/// How long bringing in one image may take.
const IMPORT: Duration = Duration::from_mins(10);
/// Between two questions.
const PAUSE: Duration = Duration::from_millis(200);

/// What the node's container runtime has.
#[derive(Deserialize)]
struct Listing {
    images: Vec<Listed>,
}

/// One image in the node.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    id: String,
    #[serde(default)]
    repo_tags: Vec<String>,
}

/// A node of ours, by its container and what runs the containers in it.
#[derive(Clone, Copy)]
pub struct Inside<'a> {
    /// The engine that the node is a container of.
    pub docker: &'a Docker,
    /// The container's name.
    pub node: &'a str,
    /// What runs in it.
    pub runtime: ContainerRuntime,
}

impl Inside<'_> {
    /// The command that lists what images there are, for people.
    #[must_use]
    pub fn listing(&self) -> String {
        match self.runtime {
            ContainerRuntime::Containerd => format!("docker exec {} crictl images", self.node),
            ContainerRuntime::Docker => format!("docker exec {} docker images", self.node),
        }
    }
}

/// Those of the images that the node does not have yet, in order. An image whose id is known must be there by that id.
///
/// # Errors
/// The node's container runtime does not answer.
pub async fn missing<'i>(inside: Inside<'_>, images: &[&'i Image], ui: &Ui) -> Result<Vec<&'i Image>, Failure> {
    let Inside { docker, node, runtime } = inside;
    if runtime == ContainerRuntime::Docker {
        let mut missing = Vec::new();
        for image in images {
            let there = docker.image_id_inside(node, &image.reference, ui).await?;
            let is_it = there.is_some_and(|there| image.id.as_ref().is_none_or(|id| *id == there));
            if !is_it {
                missing.push(*image);
            }
        }
        return Ok(missing);
    }
    // crictl gives up at once where the runtime's socket is not there yet; ctr waits for it.
    docker.exec(node, ["ctr", "--connect-timeout", CONTAINERD_START, "version"]).run(Kind::Image, ui).await?;
    let command = docker.exec(node, ["crictl", "images", "--output", "json"]);
    let begin = Instant::now();
    let output = loop {
        let output = command.outcome(Kind::Image, ui).await?;
        if output.code == Some(0) {
            break output;
        }
        let is_early = output.stderr.iter().any(|line| line.contains(NOT_INITIALIZED));
        if !is_early || begin.elapsed() > INITIALIZATION {
            return Err(command.failed(Kind::Image, &output));
        }
        tokio::time::sleep(PAUSE).await;
    };
    let listing: Listing = serde_json::from_str(&output.stdout)
        .during(Kind::Image, format!("`{}` printed something unexpected", command.line()))?;
    Ok(images.iter().filter(|image| !listing.images.iter().any(|listed| is(listed, image))).copied().collect())
}

fn is(listed: &Listed, image: &Image) -> bool {
    let named = listed.repo_tags.iter().any(|tag| *tag == qualified(&image.reference));
    named && image.id.as_ref().is_none_or(|id| *id == listed.id)
}

/// A reference as containerd names it: with the registry and the folder that Docker leaves out.
fn qualified(reference: &str) -> String {
    let (first, rest) = reference.split_once('/').unwrap_or(("", reference));
    let is_registry = first.contains('.') || first.contains(':') || first == "localhost";
    match (first, is_registry) {
        ("", _) => format!("docker.io/library/{rest}"),
        (_, true) => reference.to_owned(),
        (_, false) => format!("docker.io/{reference}"),
    }
}

/// The command that brings an image into the node's container runtime, by the shortest way: `mount` is the host folder that the node sees
/// at `mounted_at`. An archive elsewhere and an image that only the engine has go through a pipe.
#[must_use]
pub fn import(inside: Inside<'_>, image: &Image, mount: Option<&Path>, mounted_at: &str) -> Command {
    let Inside { docker, node, runtime } = inside;
    if runtime == ContainerRuntime::Docker {
        let load = docker.exec_reading(node, ["docker", "image", "load", "--quiet"]);
        let load = match &image.archive {
            Some(archive) => load.input_file(archive),
            None => load.input_from(docker.save(&image.reference)),
        };
        return load.deadline(IMPORT);
    }
    // The kubelet's namespace. Overlayfs is what kind's nodes use.
    let arguments = || ["ctr", "--namespace", "k8s.io", "images", "import", "--snapshotter", "overlayfs"];
    let in_mount = image.archive.as_ref().zip(mount).and_then(|(archive, mount)| archive.strip_prefix(mount).ok());
    let command = match (in_mount, &image.archive) {
        (Some(file), _) => docker.exec(node, arguments()).arg(Path::new(mounted_at).join(file)),
        (None, Some(archive)) => docker.exec_reading(node, arguments()).arg("-").input_file(archive),
        (None, None) => docker.exec_reading(node, arguments()).arg("-").input_from(docker.save(&image.reference)),
    };
    command.deadline(IMPORT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::images::bundle::Role;

    #[test]
    fn references_are_written_out_as_containerd_does() {
        assert_eq!(qualified("postgres:17"), "docker.io/library/postgres:17");
        assert_eq!(qualified("apache/airflow:3.3.2"), "docker.io/apache/airflow:3.3.2");
        assert_eq!(qualified("windtunnel.local/airflow:3.3.2"), "windtunnel.local/airflow:3.3.2");
        assert_eq!(qualified("localhost:5000/a/b:1"), "localhost:5000/a/b:1");
    }

    #[test]
    fn an_image_of_the_same_name_and_another_digest_is_not_the_image() {
        let listed = Listed { id: "sha256:1".to_owned(), repo_tags: vec!["docker.io/library/postgres:17".to_owned()] };
        let image = |id: Option<&str>| Image {
            role: Role::Database,
            reference: "postgres:17".to_owned(),
            id: id.map(str::to_owned),
            archive: None,
        };
        assert!(is(&listed, &image(None)));
        assert!(is(&listed, &image(Some("sha256:1"))));
        assert!(!is(&listed, &image(Some("sha256:2"))));
    }
}
