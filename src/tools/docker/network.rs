//! The network of kind's nodes, which kind makes with the first of them and leaves behind.

use super::Docker;
use crate::error::{Failure, Kind};
use crate::ui::Ui;

/// What kind calls it, whatever the cluster (kubernetes-sigs/kind, `pkg/cluster/internal/providers/docker/network.go`).
const NAME: &str = "kind";

impl Docker {
    /// The id of the network, if it is there.
    ///
    /// # Errors
    /// The engine does not answer.
    pub async fn kind_network(&self, ui: &Ui) -> Result<Option<String>, Failure> {
        let command = self.command(["network", "inspect", NAME, "--format", "{{.Id}}"]);
        let output = command.outcome(Kind::Cluster, ui).await?;
        if output.code == Some(0) {
            return Ok(Some(output.stdout.trim().to_owned()));
        }
        let words = output.stderr.join(" ").to_lowercase();
        // Docker 28, and those before it.
        let is_absent = words.contains("not found") || words.contains("no such network");
        if is_absent { Ok(None) } else { Err(command.failed(Kind::Cluster, &output)) }
    }

    /// Makes it, and tells its id.
    ///
    /// # Errors
    /// The engine refuses, as where somebody else has just made it.
    pub async fn make_kind_network(&self, ui: &Ui) -> Result<String, Failure> {
        let made = self.command(["network", "create", NAME]).run(Kind::Cluster, ui).await?;
        Ok(made.stdout.trim().to_owned())
    }

    /// Lets a container that is stopped into it, which was in one of that name before.
    ///
    /// # Errors
    /// The engine refuses.
    pub async fn rejoin_kind_network(&self, container: &str, ui: &Ui) -> Result<(), Failure> {
        self.command(["network", "disconnect", "--force", NAME, container]).run(Kind::Cluster, ui).await?;
        self.command(["network", "connect", NAME, container]).run(Kind::Cluster, ui).await.map(drop)
    }

    /// Removes it by its id, unless a node of any cluster is left, in whatever state, or anything else uses it; whether it went.
    ///
    /// # Errors
    /// The engine does not answer.
    pub async fn remove_network_without_nodes(&self, id: &str, ui: &Ui) -> Result<bool, Failure> {
        let nodes = self.command(["container", "ls", "--all", "--quiet", "--filter", "label=io.x-k8s.kind.cluster"]);
        if !nodes.run(Kind::Cluster, ui).await?.stdout.trim().is_empty() {
            return Ok(false);
        }
        // The engine itself refuses while a container is attached.
        let removed = self.command(["network", "rm", id]).outcome(Kind::Cluster, ui).await?;
        Ok(removed.code == Some(0))
    }
}

/// Whether a container could not start because a network that it was in is gone. The engine knows networks by their ids: one of the same
/// name does not help (moby/moby, `daemon/container_operations.go`, `getNetworkID`).
#[must_use]
pub fn is_without_network(failure: &Failure) -> bool {
    let words = failure.evidence.join(" ").to_lowercase();
    words.contains("network ") && words.contains(" not found")
}
