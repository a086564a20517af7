//! The node image in the Docker Engine.

use super::super::load_images;
use crate::error::Failure;
use crate::images::Image;
use crate::tools::docker::Docker;
use crate::ui::{Step, Ui};

/// Makes the engine have the image: from the bundle, or from its registry.
pub(super) async fn provide(docker: &Docker, image: &Image, step: &Step<'_>, ui: &Ui) -> Result<(), Failure> {
    let there = docker.image_id(&image.reference, ui).await?;
    if there.is_some() && (image.id.is_none() || image.id == there) {
        return Ok(());
    }
    if let Some(archive) = &image.archive {
        step.doing(format!("loading {}", archive.display()));
        let loaded = docker.load(archive, ui).await;
        loaded.map_err(|failure| failure.hint("see what room Docker has and what fills it: `docker system df`"))
    } else {
        step.doing(format!("pulling {}", image.reference));
        load_images::pull(docker, &image.reference, ui).await
    }
}
