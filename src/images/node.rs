//! Brings images into a node's containerd or Docker Engine, skipping those that are there by digest.

use std::ffi::OsString;
use std::path::Path;
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::Image;
use super::reference::Reference;
use crate::error::{During, Failure, Kind};
use crate::plan::ContainerRuntime;
use crate::tools::docker::{Docker, EngineImage, NamedImage};
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
/// Where an archive is in a node that does not see the bundle, while it is imported.
const COPY: &str = "/var/tmp/windtunnel-image.tar";
/// Between two questions.
const PAUSE: Duration = Duration::from_millis(200);

/// What the node's container runtime has.
#[derive(Deserialize)]
struct Listing {
    images: Vec<Listed>,
}

/// One image in the node.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Listed {
    id: String,
    #[serde(default)]
    repo_tags: Vec<String>,
    #[serde(default)]
    repo_digests: Vec<String>,
    /// Bytes, as text.
    #[serde(default)]
    size: String,
}

impl Listed {
    /// With the names that docker shortens written out, as containerd has them.
    fn of_docker(image: &NamedImage) -> Self {
        let qualified = |name: Option<String>| Reference::parse(&name?).map(|reference| reference.qualified());
        Self {
            id: image.id.clone(),
            repo_tags: qualified(image.tagged()).into_iter().collect(),
            repo_digests: qualified(image.with_digest()).into_iter().collect(),
            size: image.bytes().map(|bytes| bytes.to_string()).unwrap_or_default(),
        }
    }

    /// Its names with a tag, written out: `docker.io/library/postgres:17`.
    #[must_use]
    pub fn tags(&self) -> &[String] {
        &self.repo_tags
    }

    /// Whether it is this image: by its name, and by its id where that is known.
    #[must_use]
    pub fn is(&self, image: &Image) -> bool {
        self.is_named(image) && image.id.as_ref().is_none_or(|id| *id == self.id)
    }

    /// The digest of its configuration.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether it has this image's name, whatever it is.
    #[must_use]
    pub fn is_named(&self, image: &Image) -> bool {
        let name = Reference::parse(&image.reference).map(|reference| reference.qualified());
        self.repo_tags.iter().chain(&self.repo_digests).any(|tag| Some(tag) == name.as_ref())
    }

    /// What it takes in the node: compressed in containerd, unpacked in a Docker Engine.
    #[must_use]
    pub fn bytes(&self) -> Option<u64> {
        self.size.parse().ok()
    }
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

    /// The command in the node that loads an archive: a file there, or what comes on stdin.
    fn loading(&self, file: Option<&Path>) -> Vec<OsString> {
        // The kubelet's namespace. Overlayfs is what kind's nodes use.
        let containerd = ["ctr", "--namespace", "k8s.io", "images", "import", "--snapshotter", "overlayfs"];
        let (command, option, stdin): (&[&str], _, _) = match self.runtime {
            ContainerRuntime::Containerd => (&containerd, None, Some("-")),
            ContainerRuntime::Docker => (&["docker", "image", "load", "--quiet"], Some("--input"), None),
        };
        let words = command.iter().map(OsString::from);
        match file {
            Some(file) => words.chain(option.map(OsString::from)).chain([file.into()]).collect(),
            None => words.chain(stdin.map(OsString::from)).collect(),
        }
    }
}

/// The images that a node has.
///
/// # Errors
/// The node's container runtime does not answer.
pub async fn list(inside: Inside<'_>, ui: &Ui) -> Result<Vec<Listed>, Failure> {
    let Inside { docker, node, runtime } = inside;
    if runtime == ContainerRuntime::Docker {
        return Ok(docker.images_inside(node, ui).await?.iter().map(Listed::of_docker).collect());
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
    Ok(listing.images)
}

/// Brings an image into the node's container runtime, by the shortest way: `mount` is the host folder that the node sees at `mounted_at`. An
/// archive elsewhere is copied into the node first, which is twice as fast as through the stdin of `docker exec` (550 MB in 11 and 28 s). An
/// image that only the engine has goes through a pipe, as an archive of one platform alone where the engine may have parts of others:
/// containerd would look for what is missing (kubernetes-sigs/kind#3795).
///
/// # Errors
/// The archive cannot be read, the node has no room for it, or its container runtime does not take it.
pub async fn import(
    inside: Inside<'_>,
    image: &Image,
    in_engine: Option<&EngineImage>,
    mount: Option<&Path>,
    mounted_at: &str,
    ui: &Ui,
) -> Result<(), Failure> {
    let Inside { docker, node, .. } = inside;
    let run = |command: Command| async { command.deadline(IMPORT).run(Kind::Image, ui).await.map(drop) };
    let Some(archive) = &image.archive else {
        let load = docker.exec_reading(node, inside.loading(None));
        let platform = in_engine.and_then(EngineImage::archive_platform);
        return run(load.input_from(docker.save(&image.reference, platform.as_deref()))).await;
    };
    if let Some(file) = mount.and_then(|mount| archive.strip_prefix(mount).ok()) {
        let file = Path::new(mounted_at).join(file);
        return run(docker.exec(node, inside.loading(Some(&file)))).await;
    }
    run(docker.copy_into(node, archive, COPY)).await?;
    let loaded = run(docker.exec(node, inside.loading(Some(Path::new(COPY))))).await;
    let removed = run(docker.exec(node, ["rm", "--force", COPY])).await;
    loaded.and(removed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::images::bundle::Role;

    #[test]
    fn an_image_of_the_same_name_and_another_digest_is_not_the_image() {
        let listed = Listed {
            id: "sha256:1".to_owned(),
            repo_tags: vec!["docker.io/library/postgres:17".to_owned()],
            repo_digests: Vec::new(),
            size: "12".to_owned(),
        };
        let image = |id: Option<&str>| Image {
            role: Role::Database.name().to_owned(),
            reference: "postgres:17".to_owned(),
            id: id.map(str::to_owned),
            archive: None,
        };
        assert!(listed.is(&image(None)));
        assert!(listed.is(&image(Some("sha256:1"))));
        assert!(!listed.is(&image(Some("sha256:2"))));
    }
}
