//! The node image in the Docker Engine.

use std::path::PathBuf;
use std::time::Instant;

use super::super::{Context, load_images};
use crate::error::Failure;
use crate::images::locate::{Located, Place};
use crate::images::{Image, configurations, kept};
use crate::tools::docker::Docker;
use crate::ui::Step;

/// The image, if the engine has it, by its digest where that is known; or the one that an earlier `down` kept, where it was made of this one.
///
/// # Errors
/// The engine does not answer.
pub async fn in_engine(context: Context<'_>, docker: &Docker, image: &Image) -> Result<Option<Located>, Failure> {
    let Context { plan, paths, ui, .. } = context;
    let Some(there) = docker.image(&image.reference, ui).await? else { return Ok(None) };
    let is_it = match &image.id {
        None => true,
        Some(id) => *id == there.id || configurations::known(&memory(context), &there).as_ref() == Some(id),
    };
    if !is_it {
        return Ok(None);
    }
    if plan.cluster.makes_node_of_image_alone(image.archive.is_some())
        && let Some(kept) = kept::find(docker, &plan.name, paths, ui).await?
        && kept.node_image() == there.id
    {
        let bytes = kept.bytes;
        return Ok(Some(Located::new(kept.in_place_of(image.clone()), Place::Engine, Some(bytes))));
    }
    Ok(Some(Located::new(image.clone(), Place::Engine, Some(there.size))))
}

/// Makes the engine have the image: from the bundle, or from its registry.
pub(super) async fn provide(
    context: Context<'_>,
    docker: &Docker,
    located: &Located,
    step: &Step<'_>,
) -> Result<(), Failure> {
    let begun = Instant::now();
    match (&located.place, &located.image.archive) {
        (Place::Node | Place::Engine, _) => return Ok(()),
        (Place::Bundle, Some(archive)) => {
            step.doing(format!("loading {}", archive.display()));
            let done = docker.load(archive, context.ui).await;
            done.map_err(|failure| failure.hint("see what room Docker has and what fills it: `docker system df`"))?;
            remember(context, docker, &located.image).await?;
        }
        (Place::Bundle | Place::Registry(_), _) => load_images::pull_all(context, docker, &[located], step).await?,
    }
    located.took.set(Some(begun.elapsed()));
    Ok(())
}

fn memory(context: Context<'_>) -> PathBuf {
    configurations::file(&context.surroundings.cache)
}

async fn remember(context: Context<'_>, docker: &Docker, image: &Image) -> Result<(), Failure> {
    let there = docker.image(&image.reference, context.ui).await?;
    let (Some(id), Some(there)) = (&image.id, there) else { return Ok(()) };
    if *id == there.id { Ok(()) } else { configurations::remember(&memory(context), &there, id) }
}
