//! The images of a node, kept for the next one.

use crate::error::Failure;
use crate::images::kept::{self, Kept};
use crate::images::size::size;
use crate::providers::Found;
use crate::state::{EnvironmentPaths, Record};
use crate::steps::keep_images::{self, Keeping};
use crate::tools::docker::Docker;
use crate::ui::Ui;

/// What there is of them.
pub(in crate::commands) struct NodeImages {
    environment: String,
    docker: Docker,
    /// The node image that an earlier `down` kept.
    kept: Option<Kept>,
}

impl NodeImages {
    /// Looks what is there.
    pub(super) async fn look(
        environment: &str,
        docker: Docker,
        paths: &EnvironmentPaths,
        ui: &Ui,
    ) -> Result<Self, Failure> {
        let kept = kept::find(&docker, environment, paths, ui).await?;
        Ok(Self { environment: environment.to_owned(), docker, kept })
    }

    /// The node image that was kept, for a person.
    pub(super) fn kept(&self) -> Option<String> {
        self.kept.as_ref().map(|kept| format!("the node image {} ({})", kept.reference, size(kept.bytes)))
    }

    /// Keeps them for the next `up`.
    pub(super) async fn keep(
        &self,
        found: &Found,
        record: Option<&Record>,
        paths: &EnvironmentPaths,
        ui: &Ui,
    ) -> Result<(), Failure> {
        let bundle = record.and_then(|record| record.bundle.as_deref());
        let keeping = Keeping { docker: &self.docker, environment: &self.environment, paths, bundle, ui };
        keep_images::ensure(keeping, found).await
    }

    /// Removes what keeping them has left.
    pub(super) async fn forget(&self, paths: &EnvironmentPaths, ui: &Ui) -> Result<(), Failure> {
        keep_images::remove_container(&self.docker, &self.environment, paths, ui).await?;
        let Some(kept) = &self.kept else { return Ok(()) };
        let step = ui.step("remove_images", "Removing kept images");
        self.docker.remove_image(&kept.reference, ui).await?;
        step.done(&kept.reference);
        Ok(())
    }
}
