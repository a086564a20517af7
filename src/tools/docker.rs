//! The docker command: is the engine there, what is a container, images in and out.

mod images;
mod look;
mod network;
mod nodes;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};

use super::binary;
use super::host::Host;
use super::process::Command;
use crate::codes::Code;
use crate::error::{During, Failure, Kind};
use crate::ui::Ui;
pub use images::{EngineImage, NamedImage};
pub use network::is_without_network;
pub use nodes::DiskUsage;

/// How long the engine may take to say what it is: while it loads or removes a large image it says nothing.
const ENGINE_ANSWER: Duration = Duration::from_mins(1);
/// How to get Docker.
const INSTALL: &str = "install Docker Engine: https://docs.docker.com/engine/install/";

/// The docker command of this machine.
#[derive(Clone, Debug)]
pub struct Docker {
    path: PathBuf,
}

/// What the engine says of itself.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Info {
    /// The engine's version.
    pub server_version: String,
    /// Bytes of memory that the engine has, which in a virtual machine is less than this machine has.
    pub mem_total: u64,
    /// Processors that the engine has.
    #[serde(rename = "NCPU")]
    pub processors: u32,
    /// The folder of its images and volumes, on the engine's machine.
    pub docker_root_dir: PathBuf,
    /// `linux`.
    #[serde(rename = "OSType")]
    pub system: String,
    /// `x86_64`, `aarch64`.
    pub architecture: String,
    /// Why the engine did not answer.
    pub server_errors: Vec<String>,
    /// What it runs on: `Ubuntu 24.04 LTS`, `Docker Desktop`.
    pub operating_system: String,
    /// Its machine's name: `colima`, `docker-desktop`.
    pub name: String,
    /// The storage driver, or with containerd's image store the snapshotter.
    pub driver: String,
    /// What the storage driver says of itself, as pairs.
    #[serde(deserialize_with = "or_default")]
    pub driver_status: Vec<Vec<String>>,
    /// `name=seccomp,profile=default`, `name=rootless`, `name=selinux`.
    #[serde(deserialize_with = "or_default")]
    pub security_options: Vec<String>,
    /// `1` or `2`.
    pub cgroup_version: String,
    /// Whether it can limit a container's memory.
    #[serde(default = "yes")]
    pub memory_limit: bool,
    /// Whether it can limit how many processes a container has.
    #[serde(default = "yes")]
    pub pids_limit: bool,
    /// The engine's own clock.
    pub system_time: Option<Timestamp>,
    /// The proxy that the engine pulls images through; empty without one.
    pub http_proxy: String,
    /// The same for registries over TLS.
    pub https_proxy: String,
    /// How the engine finds registries.
    pub registry_config: RegistryConfig,
}

/// How the engine finds registries.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RegistryConfig {
    /// What is asked instead of Docker Hub.
    pub mirrors: Option<Vec<String>>,
}

impl Info {
    /// The platform that images must have: `linux/amd64`.
    #[must_use]
    pub fn platform(&self) -> String {
        format!("{}/{}", self.system, binary::processor(&self.architecture))
    }

    /// The engine's own way to registries, if it has another one than this machine: then it alone knows whether they can be reached.
    #[must_use]
    pub fn own_way(&self) -> Option<&'static str> {
        let has_mirror = self.registry_config.mirrors.as_ref().is_some_and(|mirrors| !mirrors.is_empty());
        match (self.https_proxy.is_empty(), has_mirror) {
            (false, _) => Some("a proxy of its own"),
            (true, true) => Some("a mirror"),
            (true, false) => None,
        }
    }

    /// Docker Desktop on Windows can be switched to containers that no Kubernetes node can be made of.
    fn check_system(self) -> Result<Self, Failure> {
        if self.system == "linux" {
            return Ok(self);
        }
        let message = format!("the Docker Engine runs {} containers, Kubernetes needs linux ones", self.system);
        Err(Failure::new(Kind::Prerequisite, message)
            .code(Code::EngineNotLinux)
            .hint("Docker Desktop: \"Switch to Linux containers\" in the menu of its icon"))
    }
}

/// A container, as far as windtunnel needs to know.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Container {
    /// Its name after a slash.
    #[serde(default)]
    pub name: String,
    /// When it was made, by the engine's clock.
    pub created: Option<Timestamp>,
    /// Whether it runs.
    pub state: ContainerState,
    /// Folders of the host that it sees.
    #[serde(default)]
    pub mounts: Vec<Mount>,
    /// What it was made with.
    pub config: ContainerConfig,
}

/// Whether a container runs.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ContainerState {
    /// `running`, `exited`, `paused`, `created`, `dead`.
    pub status: String,
    /// When it ended last, even if it runs again. The engine says `0001-01-01T00:00:00Z` where it never did.
    #[serde(default)]
    pub finished_at: Timestamp,
}

/// What a container was made with.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ContainerConfig {
    /// The image's reference.
    pub image: String,
    /// Labels; kind puts `io.x-k8s.kind.cluster` there.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

/// A folder of the host inside a container.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Mount {
    /// The volume's name, where it is one.
    #[serde(default)]
    pub name: String,
    /// On the host.
    pub source: PathBuf,
    /// In the container.
    pub destination: PathBuf,
}

impl Docker {
    /// Finds the docker command.
    ///
    /// # Errors
    /// Prerequisite, with where to get it.
    pub fn find(search_path: &OsStr, folder: &Path) -> Result<Self, Failure> {
        Ok(Self {
            path: super::find::on_path("docker", search_path, folder, INSTALL)
                .map_err(|failure| failure.code(Code::EngineMissing))?,
        })
    }

    /// Asks the engine what it is.
    ///
    /// # Errors
    /// Prerequisite: it does not run, this user may not talk to it, or it does not run Linux containers.
    pub async fn info(&self, ui: &Ui) -> Result<Info, Failure> {
        let command = self.command(["info", "--format", "{{json .}}"]).deadline(ENGINE_ANSWER);
        let output = command.outcome(Kind::Prerequisite, ui).await?;
        let info: Info = serde_json::from_str(output.stdout.trim()).unwrap_or_default();
        if output.code == Some(0) && !info.server_version.is_empty() {
            return info.check_system();
        }
        let mut words = info.server_errors;
        words.extend(output.stderr);
        if words.is_empty() {
            words.extend(output.stdout.lines().map(str::to_owned));
        }
        Err(if look::is_podman(&output.stdout) { look::podman() } else { unreachable_engine(&words) })
    }

    /// The container of this name, if there is one.
    ///
    /// # Errors
    /// The engine does not answer, or not what it should.
    pub async fn container(&self, name: &str, ui: &Ui) -> Result<Option<Container>, Failure> {
        let command = self.command(["container", "inspect", name]);
        let output = command.outcome(Kind::Cluster, ui).await?;
        if output.code != Some(0) {
            let absent = output.stderr.iter().any(|line| line.to_lowercase().contains("no such container"));
            return if absent { Ok(None) } else { Err(command.failed(Kind::Cluster, &output)) };
        }
        let containers: Vec<Container> = serde_json::from_str(&output.stdout)
            .during(Kind::Cluster, format!("`{}` printed something unexpected", command.line()))?;
        Ok(containers.into_iter().next())
    }

    /// The names of all kind clusters, in whatever state, whoever made them.
    ///
    /// # Errors
    /// The engine does not answer.
    pub async fn kind_clusters(&self, ui: &Ui) -> Result<Vec<String>, Failure> {
        let label = "io.x-k8s.kind.cluster";
        let format = format!("{{{{.Label \"{label}\"}}}}");
        let nodes =
            self.command(["container", "ls", "--all", "--filter", &format!("label={label}"), "--format", &format]);
        let output = nodes.run(Kind::Prerequisite, ui).await?;
        let mut names: Vec<String> =
            output.stdout.lines().map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// Starts a container that was stopped.
    ///
    /// # Errors
    /// The engine refuses, as where another program has taken a port that the container had.
    pub async fn start(&self, container: &str, ui: &Ui) -> Result<(), Failure> {
        let started = self.command(["container", "start", container]).run(Kind::Cluster, ui).await;
        started.map(drop).map_err(|failure| {
            let words = failure.evidence.join(" ").to_lowercase();
            if !["address already in use", "port is already allocated"].iter().any(|taken| words.contains(taken)) {
                return failure;
            }
            Failure::new(Kind::Foreign, format!("a port that `{container}` had is taken by another program"))
                .code(Code::PortTaken)
                .evidence_lines(failure.evidence)
                .hint("end the program that has it, then `windtunnel start`")
                .hint("or have a cluster with another one, and fresh data: `windtunnel reset all`")
        })
    }

    /// Stops a container; its programs have `grace` to end by themselves.
    ///
    /// # Errors
    /// The engine refuses.
    pub async fn stop(&self, container: &str, grace: Duration, ui: &Ui) -> Result<(), Failure> {
        let seconds = grace.as_secs().to_string();
        // The long name of the option is another one in Docker 28.
        self.command(["container", "stop", "-t", &seconds, container]).run(Kind::Cluster, ui).await.map(drop)
    }

    /// A command inside a container.
    #[must_use]
    pub fn exec<A: AsRef<OsStr>>(&self, container: &str, arguments: impl IntoIterator<Item = A>) -> Command {
        self.command(["exec", container]).args(arguments)
    }

    /// Copies a file into a container.
    #[must_use]
    pub fn copy_into(&self, container: &str, file: &Path, target: &str) -> Command {
        self.command(["cp"]).arg(file).arg(format!("{container}:{target}"))
    }

    /// A command inside a container that reads our stdin.
    #[must_use]
    pub fn exec_reading<A: AsRef<OsStr>>(&self, container: &str, arguments: impl IntoIterator<Item = A>) -> Command {
        self.command(["exec", "--interactive", container]).args(arguments)
    }

    fn command<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Command {
        Command::new(&self.path).args(arguments)
    }
}

const fn yes() -> bool {
    true
}

/// Lists that are empty come as null.
fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Tells the ways apart in which an engine does not answer.
fn unreachable_engine(words: &[String]) -> Failure {
    let text = words.join("\n").to_lowercase();
    let failure = if text.contains("permission denied") {
        Failure::new(Kind::Prerequisite, "this user may not talk to the Docker Engine")
            .code(Code::EngineRefused)
            .hint("join the group that may: `sudo usermod -aG docker \"$USER\"`, then log in again")
    } else if text.contains("cannot connect")
        || text.contains("is the docker daemon running")
        || text.contains("no such file")
    {
        Failure::new(Kind::Prerequisite, "the Docker Engine is not running")
            .code(Code::EngineUnreachable)
            .hint(Host::here().start_engine())
    } else {
        Failure::new(Kind::Prerequisite, "the Docker Engine does not answer")
            .code(Code::EngineUnreachable)
            .hint("see what it says: `docker info`")
    };
    failure.evidence_lines(words.iter().take(5).cloned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_that_does_not_run_is_not_one_without_permission() {
        let message = |words: &str| unreachable_engine(&[words.to_owned()]).message;
        assert_eq!(
            message(
                "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"
            ),
            "the Docker Engine is not running"
        );
        assert_eq!(
            message(
                "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock"
            ),
            "this user may not talk to the Docker Engine"
        );
        assert_eq!(message("error during connect: EOF"), "the Docker Engine does not answer");
    }

    #[test]
    fn the_platform_is_named_as_images_name_it() {
        let info = Info { system: "linux".to_owned(), architecture: "aarch64".to_owned(), ..Info::default() };
        assert_eq!(info.platform(), "linux/arm64");
    }
}
