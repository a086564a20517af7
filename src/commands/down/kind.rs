//! A kind cluster goes as a whole.

use crate::error::Failure;
use crate::images::bundle::Bundle;
use crate::providers::{Found, kind as provider};
use crate::state::{EnvironmentPaths, Record};
use crate::surroundings::Surroundings;
use crate::tools::docker::Docker;
use crate::tools::{find, kind};
use crate::ui::Ui;

/// What there is of the cluster.
pub(super) struct Kind {
    name: String,
    docker: Docker,
    found: Found,
    bundle: Option<Bundle>,
}

/// Looks what is there.
pub(super) async fn look(
    name: &str,
    record: Option<&Record>,
    paths: &EnvironmentPaths,
    surroundings: &Surroundings,
    ui: &Ui,
) -> Result<Kind, Failure> {
    let docker = Docker::find(&surroundings.search_path, &surroundings.folder)?;
    docker.info(ui).await?;
    let found = provider::find(&docker, name, paths, ui).await?;
    // A bundle that is gone does not keep an environment from being removed.
    let bundle = record.and_then(|record| record.bundle.as_deref()).and_then(|folder| Bundle::open(folder).ok());
    Ok(Kind { name: name.to_owned(), docker, found, bundle })
}

impl Kind {
    pub(super) fn is_absent(&self) -> bool {
        self.found == Found::Absent
    }

    pub(super) fn what_goes(&self) -> Vec<String> {
        let cluster = |container| format!("the kind cluster {} (container {container} and its volume)", self.name);
        self.found.node().map(|node| cluster(&node.container)).into_iter().collect()
    }

    pub(super) async fn remove(
        &self,
        paths: &EnvironmentPaths,
        surroundings: &Surroundings,
        ui: &Ui,
    ) -> Result<(), Failure> {
        let step = ui.step("delete_cluster", "Deleting kind cluster");
        if self.is_absent() {
            step.done("none is there");
            return Ok(());
        }
        // kind from the bundle that the environment was made with, else from PATH.
        let bundled = self.bundle.as_ref().and_then(|bundle| bundle.tool("kind"));
        let Surroundings { search_path, folder, .. } = surroundings;
        let path = find::bundled_or_on_path(bundled, "kind", search_path, folder, kind::INSTALL)?;
        kind::Kind::at(path, ui).await?.delete(&self.name, &paths.kubeconfig(), ui).await?;
        self.docker.remove_network_without_nodes(ui).await?;
        step.done(format!("kind-{}", self.name));
        Ok(())
    }
}
