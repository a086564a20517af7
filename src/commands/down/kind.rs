//! A kind cluster goes as a whole.

use std::path::PathBuf;

use crate::error::Failure;
use crate::images::bundle::places_of;
use crate::images::kept::{self, Kept};
use crate::images::size::size;
use crate::providers::{Found, kind as provider};
use crate::state::{self, EnvironmentPaths, Record};
use crate::steps::keep_images::{self, Keeping};
use crate::surroundings::Surroundings;
use crate::tools::docker::Docker;
use crate::tools::kind;
use crate::ui::Ui;

/// What there is of the cluster.
pub(in crate::commands) struct Kind {
    name: String,
    docker: Docker,
    found: Found,
    bundle: Option<PathBuf>,
    /// The node image that an earlier `down` kept.
    kept: Option<Kept>,
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
    let kept = kept::find(&docker, name, paths, ui).await?;
    Ok(Kind { name: name.to_owned(), docker, found, bundle, kept })
}

impl Kind {
    pub(super) fn is_absent(&self) -> bool {
        self.found == Found::Absent
    }

    pub(super) fn what_goes(&self) -> Vec<String> {
        let cluster = |container| format!("the kind cluster {} (container {container} and its volume)", self.name);
        self.found.node().map(|node| cluster(&node.container)).into_iter().collect()
    }

    /// The node image that was kept, for a person.
    pub(super) fn kept(&self) -> Option<String> {
        self.kept.as_ref().map(|kept| format!("the node image {} ({})", kept.reference, size(kept.bytes)))
    }

    /// Keeps the node's images for the next `up`.
    pub(super) async fn keep_images(&self, paths: &EnvironmentPaths, ui: &Ui) -> Result<(), Failure> {
        let Self { name, docker, found, bundle, .. } = self;
        let keeping = Keeping { docker, environment: name, paths, bundle: bundle.as_deref(), ui };
        keep_images::ensure(keeping, found).await
    }

    /// Removes what keeping images has left.
    pub(super) async fn forget_images(&self, paths: &EnvironmentPaths, ui: &Ui) -> Result<(), Failure> {
        keep_images::remove_container(&self.docker, &self.name, paths, ui).await?;
        let Some(kept) = &self.kept else { return Ok(()) };
        let step = ui.step("remove_images", "Removing kept images");
        self.docker.remove_image(&kept.reference, ui).await?;
        step.done(&kept.reference);
        Ok(())
    }

    pub(super) async fn remove(
        &self,
        paths: &EnvironmentPaths,
        surroundings: &Surroundings,
        ui: &Ui,
    ) -> Result<(), Failure> {
        let step = ui.step("delete_cluster", "Deleting kind cluster");
        if !self.is_absent() {
            let places = places_of(self.bundle.as_deref(), "kind", surroundings);
            let kind = kind::Kind::find(&places, ui).await?;
            state::write_private(&paths.incomplete(), b"")?;
            provider::delete(&self.docker, &kind, &self.name, paths, ui).await?;
        }
        // Also where an earlier `down` was cut short after the cluster.
        self.docker.remove_network_without_nodes(ui).await?;
        step.done(if self.is_absent() { "none is there".to_owned() } else { format!("kind-{}", self.name) });
        Ok(())
    }
}
