//! A kind cluster goes as a whole.

use std::path::PathBuf;

use super::node_images::NodeImages;
use crate::error::Failure;
use crate::images::bundle::places_of;
use crate::providers::{Found, kind as provider, kind_network};
use crate::state::{self, EnvironmentPaths, Record};
use crate::surroundings::Surroundings;
use crate::tools::docker::Docker;
use crate::tools::kind;
use crate::ui::Ui;

/// What there is of the cluster.
pub(in crate::commands) struct Kind {
    name: String,
    docker: Docker,
    bundle: Option<PathBuf>,
    pub(super) found: Found,
    pub(super) images: NodeImages,
}

/// Looks what is there.
pub(super) async fn look(
    name: &str,
    record: Option<&Record>,
    paths: &EnvironmentPaths,
    surroundings: &Surroundings,
    ui: &Ui,
) -> Result<Kind, Failure> {
    let (docker, found) = provider::look(name, paths, surroundings, ui).await?;
    let bundle = record.and_then(|record| record.bundle.clone());
    let images = NodeImages::look(name, docker.clone(), paths, ui).await?;
    Ok(Kind { name: name.to_owned(), docker, bundle, found, images })
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
        let step =
            ui.step("delete_cluster", if self.is_absent() { "Deleting cluster" } else { "Deleting kind cluster" });
        if !self.is_absent() {
            let places = places_of(self.bundle.as_deref(), "kind", surroundings);
            let kind = kind::Kind::find(&places, ui).await?;
            state::write_private(&paths.incomplete(), b"")?;
            provider::delete(&self.docker, &kind, &self.name, paths, ui).await?;
        }
        // Also where an earlier `down` was cut short after the cluster.
        kind_network::remove(&self.docker, &surroundings.paths.kind_network(), ui).await?;
        step.done(if self.is_absent() { "none is there".to_owned() } else { format!("kind-{}", self.name) });
        Ok(())
    }
}
