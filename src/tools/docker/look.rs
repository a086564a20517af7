//! A closer look at the engine: its make, its networks, and what a container in it sees.

use std::time::Duration;

use super::{Docker, INSTALL};
use crate::codes::Code;
use crate::error::{Failure, Kind};
use crate::tools::process::Command;
use crate::ui::Ui;

/// How long the engine may take to tell what is good to know: while it is busy with a large image it says nothing.
const LOOK: Duration = Duration::from_secs(20);

impl Docker {
    /// The engine's programs by name: `Engine`, `containerd`, or `Podman Engine`.
    ///
    /// # Errors
    /// The engine does not answer.
    pub async fn components(&self, ui: &Ui) -> Result<Vec<String>, Failure> {
        let format = "{{range .Server.Components}}{{println .Name}}{{end}}";
        let output = self.command(["version", "--format", format]).deadline(LOOK).run(Kind::Prerequisite, ui).await?;
        Ok(output.stdout.lines().map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect())
    }

    /// A line for each network: its name, its subnets, and the interface that it was told to use, as the default one always is.
    ///
    /// # Errors
    /// The engine does not answer.
    pub async fn subnets(&self, ui: &Ui) -> Result<Vec<String>, Failure> {
        let output = self.command(["network", "ls", "--quiet"]).deadline(LOOK).run(Kind::Prerequisite, ui).await?;
        let networks: Vec<&str> = output.stdout.lines().map(str::trim).filter(|id| !id.is_empty()).collect();
        if networks.is_empty() {
            return Ok(Vec::new());
        }
        let format =
            "{{.Name}} {{range .IPAM.Config}}{{.Subnet}} {{end}}{{index .Options \"com.docker.network.bridge.name\"}}";
        let inspect = self.command(["network", "inspect", "--format", format]).args(networks).deadline(LOOK);
        Ok(inspect.run(Kind::Prerequisite, ui).await?.stdout.lines().map(str::to_owned).collect())
    }

    /// The names of the images that have this label.
    ///
    /// # Errors
    /// The engine does not answer.
    pub async fn labelled_images(&self, label: &str, ui: &Ui) -> Result<Vec<String>, Failure> {
        let filter = format!("label={label}");
        let words = ["image", "ls", "--filter", &filter, "--format", "{{.Repository}}:{{.Tag}}"];
        let output = self.command(words).deadline(LOOK).run(Kind::Prerequisite, ui).await?;
        let names = output.stdout.lines().map(str::trim);
        Ok(names.filter(|name| !name.is_empty() && !name.contains("<none>")).map(str::to_owned).collect())
    }

    /// Runs one program in a container of an image that the engine has; it is gone afterwards.
    #[must_use]
    pub fn run_once(&self, image: &str, program: &str, arguments: &[&str]) -> Command {
        let run = ["run", "--rm", "--pull", "never", "--label", "windtunnel.dev/doctor=true", "--entrypoint", program];
        self.command(run).arg(image).args(arguments)
    }
}

/// What Podman's `docker` prints for `docker info` (containers/podman, `libpod/define/info.go`).
pub(super) fn is_podman(text: &str) -> bool {
    let document: serde_json::Value = serde_json::from_str(text.trim()).unwrap_or_default();
    document["store"]["graphDriverName"].is_string() && document["version"].is_object()
}

pub(super) fn podman() -> Failure {
    Failure::new(Kind::Prerequisite, "the docker command is Podman's, and windtunnel needs a Docker Engine")
        .code(Code::EnginePodman)
        .evidence("`docker info` prints what `podman info` prints")
        .hint(INSTALL)
        .hint("remove the package podman-docker, or put Docker's own command first on PATH")
}
