//! The engine's images: what it has, and how they get in and out.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use super::Docker;
use crate::error::{During, Failure, Kind};
use crate::tools::process::{Command, Output};
use crate::ui::Ui;

/// What docker prints for a part that an image's name does not have.
const NONE: &str = "<none>";

/// An image in the engine.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct EngineImage {
    /// The digest by which the engine knows it: of its configuration, or of its manifest where containerd keeps the images.
    pub id: String,
    /// `linux`.
    #[serde(default)]
    pub os: String,
    /// `amd64`.
    #[serde(default)]
    pub architecture: String,
    /// Bytes.
    #[serde(default)]
    pub size: u64,
    /// What containerd knows it by; engines before API 1.48 do not tell, and others have none.
    #[serde(default)]
    descriptor: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    graph_driver: GraphDriver,
    #[serde(default, rename = "Config")]
    settings: Settings,
}

/// What containers of an image are made with.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Settings {
    #[serde(deserialize_with = "super::or_default")]
    labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "super::or_default")]
    entrypoint: Vec<String>,
}

/// Where the engine keeps an image's files.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct GraphDriver {
    name: String,
}

impl EngineImage {
    /// `linux/amd64`.
    #[must_use]
    pub fn platform(&self) -> String {
        format!("{}/{}", self.os, self.architecture)
    }

    /// Its labels.
    #[must_use]
    pub const fn labels(&self) -> &BTreeMap<String, String> {
        &self.settings.labels
    }

    /// The digest of its configuration, by which a node knows it; `None` where the engine does not tell.
    #[must_use]
    pub fn config(&self) -> Option<&str> {
        // Names of the classic stores; containerd's snapshotters have others, and an id that is not of the configuration.
        let is_classic = ["overlay2", "vfs"].contains(&self.graph_driver.name.as_str()) && self.descriptor.is_none();
        is_classic.then_some(self.id.as_str())
    }

    /// The platform that its archive must be limited to: containerd's store may have an index of more platforms than it has files of.
    /// Whoever tells of a descriptor knows the option (API 1.48).
    #[must_use]
    pub fn archive_platform(&self) -> Option<String> {
        self.descriptor.as_ref().map(|_| self.platform())
    }
}

/// A line of `docker image ls`: one for each name of an image, whose parts are `<none>` where it lacks them (docker/cli,
/// `cli/command/formatter/image.go`).
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct NamedImage {
    /// The digest by which the engine knows it.
    #[serde(rename = "ID")]
    pub id: String,
    repository: String,
    tag: String,
    digest: String,
    size: String,
}

impl NamedImage {
    /// `postgres:17`; `None` for an image without a name.
    #[must_use]
    pub fn tagged(&self) -> Option<String> {
        let is_named = self.repository != NONE && self.tag != NONE;
        is_named.then(|| format!("{}:{}", self.repository, self.tag))
    }

    /// `postgres@sha256:...`; `None` for an image of no registry.
    #[must_use]
    pub fn with_digest(&self) -> Option<String> {
        let is_named = self.repository != NONE && self.digest != NONE;
        is_named.then(|| format!("{}@{}", self.repository, self.digest))
    }

    /// What it takes, to the digits that the engine gives.
    #[must_use]
    pub fn bytes(&self) -> Option<u64> {
        super::nodes::bytes(&self.size)
    }
}

impl Docker {
    /// An image that the engine has; `None` where it has none of that reference.
    ///
    /// # Errors
    /// The engine does not answer, or not what it should.
    pub async fn image(&self, reference: &str, ui: &Ui) -> Result<Option<EngineImage>, Failure> {
        let command = self.command(["image", "inspect", "--format", "{{json .}}", reference]);
        let Some(text) = inspected(&command, ui).await? else { return Ok(None) };
        let image = serde_json::from_str(&text);
        image.map(Some).during(Kind::Image, format!("`{}` printed something unexpected", command.line()))
    }

    /// The images that the engine in a container has.
    ///
    /// # Errors
    /// That engine does not answer, or not what it should.
    pub async fn images_inside(&self, container: &str, ui: &Ui) -> Result<Vec<NamedImage>, Failure> {
        let list = ["docker", "image", "ls", "--no-trunc", "--digests", "--format", "{{json .}}"];
        let command = self.exec(container, list);
        let output = command.run(Kind::Image, ui).await?;
        let images = output.stdout.lines().map(serde_json::from_str).collect::<Result<_, _>>();
        images.during(Kind::Image, format!("`{}` printed something unexpected", command.line()))
    }

    /// Loads an archive of `docker save`.
    ///
    /// # Errors
    /// The engine cannot read it.
    pub async fn load(&self, archive: &Path, ui: &Ui) -> Result<(), Failure> {
        let command =
            self.command(["image", "load", "--quiet", "--input"]).arg(archive).deadline(Duration::from_mins(10));
        command.run(Kind::Image, ui).await.map(drop)
    }

    /// Pulls an image and leaves the judgement to the caller; `on_piece` sees what is drawn of the progress.
    ///
    /// # Errors
    /// docker cannot be started or takes too long.
    pub async fn pull(&self, reference: &str, ui: &Ui, on_piece: impl FnMut(&str)) -> Result<Output, Failure> {
        let command = self.command(["image", "pull", reference]).env("DOCKER_CLI_HINTS", "false");
        command.deadline(Duration::from_mins(30)).outcome_on_terminal(Kind::Image, ui, on_piece).await
    }

    /// Runs nothing but containerd in a container of a node image, whose files are kept in its own layer.
    ///
    /// # Errors
    /// The engine refuses.
    pub async fn run_containerd(
        &self,
        container: &str,
        image: &str,
        labels: &[(&str, String)],
        ui: &Ui,
    ) -> Result<(), Failure> {
        let labels = labels.iter().flat_map(|(name, value)| ["--label".to_owned(), format!("{name}={value}")]);
        // Privileged, as kind's nodes are: containerd mounts what it unpacks.
        let command = self
            .command(["container", "run", "--detach", "--privileged", "--network", "none", "--name", container])
            .args(labels)
            .args(["--entrypoint", "containerd", image]);
        command.run(Kind::Image, ui).await.map(drop)
    }

    /// Ends such a container, as containerd is ended: it closes its files first.
    ///
    /// # Errors
    /// The engine refuses, or containerd does not end.
    pub async fn end(&self, container: &str, ui: &Ui) -> Result<(), Failure> {
        // The image says another signal, for what it runs otherwise.
        self.command(["container", "kill", "--signal", "TERM", container]).run(Kind::Image, ui).await?;
        self.command(["container", "wait", container]).run(Kind::Image, ui).await.map(drop)
    }

    /// Makes an image of a container, with the labels of the container, that runs what `base` runs.
    ///
    /// # Errors
    /// The engine has no room, or takes longer than `deadline`.
    pub async fn commit(
        &self,
        container: &str,
        base: &EngineImage,
        reference: &str,
        deadline: Duration,
        ui: &Ui,
    ) -> Result<(), Failure> {
        let entrypoint = format!("ENTRYPOINT {}", json!(base.settings.entrypoint));
        let command = self.command(["container", "commit", "--change", &entrypoint, container, reference]);
        command.deadline(deadline).run(Kind::Image, ui).await.map(drop)
    }

    /// Removes a container, whether it runs or not, and its volumes.
    ///
    /// # Errors
    /// The engine refuses.
    pub async fn remove_container(&self, container: &str, ui: &Ui) -> Result<(), Failure> {
        let command = self.command(["container", "rm", "--force", "--volumes", container]);
        command.run(Kind::Image, ui).await.map(drop)
    }

    /// Takes a name from an image, which goes with its last one.
    ///
    /// # Errors
    /// The engine refuses, as where a container was made of it.
    pub async fn remove_image(&self, reference: &str, ui: &Ui) -> Result<(), Failure> {
        self.command(["image", "rm", reference]).run(Kind::Image, ui).await.map(drop)
    }

    /// Writes an image, or what of it is for one platform, as an archive to stdout.
    #[must_use]
    pub fn save(&self, reference: &str, platform: Option<&str>) -> Command {
        let command = self.command(["image", "save"]);
        let command = platform.map_or(command.clone(), |platform| command.args(["--platform", platform]));
        command.arg(reference)
    }
}

/// What `docker image inspect` prints; `None` where there is no such image.
async fn inspected(command: &Command, ui: &Ui) -> Result<Option<String>, Failure> {
    let output = command.outcome(Kind::Image, ui).await?;
    if output.code == Some(0) {
        return Ok(Some(output.stdout));
    }
    let absent = output.stderr.iter().any(|line| line.to_lowercase().contains("no such image"));
    if absent { Ok(None) } else { Err(command.failed(Kind::Image, &output)) }
}
