//! The helm command, 3 or 4.

use std::path::{Path, PathBuf};
use std::time::Duration;

use semver::Version;

use super::find::{self, Tool};
use super::process::Command;
use crate::error::{Failure, Kind};
use crate::ui::Ui;

/// The first Helm with `upgrade --labels` that is also past its first faults.
const OLDEST: Version = Version::new(3, 14, 0);
/// How to get Helm.
pub const INSTALL: &str = "install Helm: https://helm.sh/docs/intro/install/";

/// A Helm that is new enough.
#[derive(Clone, Debug)]
pub struct Helm {
    /// Path and version.
    pub tool: Tool,
}

/// Which release, where.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// The release's name.
    pub release: &'a str,
    /// Its namespace.
    pub namespace: &'a str,
    /// The private kubeconfig.
    pub kubeconfig: &'a Path,
    /// The context in it.
    pub context: &'a str,
}

impl Helm {
    /// Asks the program at `path` for its version and checks it.
    ///
    /// # Errors
    /// It is not Helm, or too old.
    pub async fn at(path: PathBuf, ui: &Ui) -> Result<Self, Failure> {
        let command =
            Command::new(&path).args(["version", "--template", "{{.Version}}"]).deadline(Duration::from_secs(20));
        let with_hint = |failure: Failure| failure.hint(INSTALL);
        let output = command.run(Kind::Prerequisite, ui).await.map_err(with_hint)?;
        let version = find::version_in("helm", &path, &output.stdout).map_err(with_hint)?;
        let tool = Tool { path, version };
        find::require("helm", &tool, &OLDEST, INSTALL)?;
        Ok(Self { tool })
    }

    /// Installs or upgrades a chart and returns when its objects are made: what comes of them is judged by us.
    ///
    /// # Errors
    /// Helm refuses the values or the cluster refuses the objects.
    pub async fn upgrade_install(
        &self,
        target: Target<'_>,
        chart: &Path,
        values: &[PathBuf],
        label: &str,
        ui: &Ui,
    ) -> Result<(), Failure> {
        let mut command = self
            .command(target, &["upgrade", "--install", target.release])
            .args(["--labels", label, "--history-max", "5", "--timeout", "5m"])
            .arg(chart);
        for file in values {
            command = command.arg("--values").arg(file);
        }
        command.run(Kind::Chart, ui).await.map(drop)
    }

    /// Uninstalls a release, if there is one.
    ///
    /// # Errors
    /// Helm or the cluster refuse.
    pub async fn uninstall(&self, target: Target<'_>, ui: &Ui) -> Result<(), Failure> {
        let command =
            self.command(target, &["uninstall", target.release]).args(["--ignore-not-found", "--timeout", "5m"]);
        command.run(Kind::Chart, ui).await.map(drop)
    }

    fn command(&self, target: Target<'_>, words: &[&str]) -> Command {
        Command::new(&self.tool.path)
            .args(words)
            .args(["--namespace", target.namespace, "--kube-context", target.context, "--kubeconfig"])
            .arg(target.kubeconfig)
            // Else what Helm learns of the cluster goes to ~/.kube/cache, and outlives it (kubernetes/cli-runtime, `config_flags.go`).
            .env("KUBECACHEDIR", target.kubeconfig.with_file_name("kube-cache"))
            .deadline(Duration::from_secs(330))
    }
}
