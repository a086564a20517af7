//! The kind command.

use std::path::Path;
use std::time::Duration;

use semver::Version;

use super::find::{self, Places, Tool, Wanted};
use super::process::Command;
use crate::error::{Failure, Kind as FailureKind};
use crate::ui::Ui;

/// The first kind whose nodes and ours fit: node images of Kubernetes 1.33 and newer ask for it.
const OLDEST: Version = Version::new(0, 27, 0);
/// The kind that windtunnel works with.
pub const WANTED: Wanted = Wanted {
    name: "kind",
    words: &["version"],
    oldest: OLDEST,
    newest_major: 0,
    install: "install kind: https://kind.sigs.k8s.io/docs/user/quick-start/#installation, or with Go: `go install sigs.k8s.io/kind@v0.30.0`",
};

/// A kind that is new enough.
#[derive(Clone, Debug)]
pub struct Kind {
    /// Path and version.
    pub tool: Tool,
}

impl Kind {
    /// Finds one that works.
    ///
    /// # Errors
    /// There is none, or it is something else, or too old.
    pub async fn find(places: &Places<'_>, ui: &Ui) -> Result<Self, Failure> {
        find::usable(&WANTED, places, ui).await.map(|tool| Self { tool })
    }

    /// Makes a cluster and writes its kubeconfig to a file of ours. `on_line` sees kind's own progress lines.
    ///
    /// # Errors
    /// kind fails, having removed what it made.
    pub async fn create(
        &self,
        cluster: &str,
        image: &str,
        config: &Path,
        kubeconfig: &Path,
        ui: &Ui,
        on_line: impl FnMut(&str),
    ) -> Result<(), Failure> {
        self.command(["create", "cluster", "--name", cluster, "--image", image, "--config"])
            .arg(config)
            .arg("--kubeconfig")
            .arg(kubeconfig)
            .deadline(Duration::from_mins(10))
            .run_watched(FailureKind::Cluster, ui, on_line)
            .await
            .map(drop)
    }

    /// Writes the kubeconfig of a cluster to a file of ours.
    ///
    /// # Errors
    /// The cluster has none, because it never came up.
    pub async fn export_kubeconfig(&self, cluster: &str, kubeconfig: &Path, ui: &Ui) -> Result<(), Failure> {
        let command = self.command(["export", "kubeconfig", "--name", cluster, "--kubeconfig"]).arg(kubeconfig);
        command.run(FailureKind::Cluster, ui).await.map(drop)
    }

    /// Removes a cluster: its containers and their volumes.
    ///
    /// # Errors
    /// kind fails.
    pub async fn delete(&self, cluster: &str, kubeconfig: &Path, ui: &Ui) -> Result<(), Failure> {
        let command = self.command(["delete", "cluster", "--name", cluster, "--kubeconfig"]).arg(kubeconfig);
        command.run(FailureKind::Cluster, ui).await.map(drop)
    }

    fn command<const N: usize>(&self, arguments: [&str; N]) -> Command {
        // The engine that was asked and the one kind uses must be the same.
        let command = Command::new(&self.tool.path).args(arguments).env("KIND_EXPERIMENTAL_PROVIDER", "docker");
        command.without_env(&["KIND_CLUSTER_NAME", "KIND_EXPERIMENTAL_DOCKER_NETWORK"])
    }
}
