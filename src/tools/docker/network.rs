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
