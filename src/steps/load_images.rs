//! "Loading images": the node has what the pods need. Works while Kubernetes is still starting.

use tokio::sync::oneshot;

use super::Context;
use super::prerequisites::{Prerequisites, Provider};
use crate::error::{Failure, Kind};
use crate::images::node::{Inside, import, missing};
use crate::providers::{self, Node};
use crate::tools::docker::Docker;
use crate::ui::Ui;

/// Brings the images into the node, as soon as it runs.
///
/// # Errors
/// An image cannot be pulled or imported. `Ok(())` also where the node never came to run: that is for the step that starts it to tell.
pub async fn ensure(
    context: Context<'_>,
    ready: &Prerequisites,
    node_runs: oneshot::Receiver<Node>,
) -> Result<(), Failure> {
    let ui = context.ui;
    let docker = match &ready.provider {
        Provider::Kind { docker, .. } | Provider::Minikube { docker: Some(docker), .. } => docker,
        // Their nodes are no containers of ours to fill: they pull.
        Provider::Minikube { docker: None, .. } | Provider::Existing(_) => return Ok(()),
    };
    let wanted = ready.images.in_node();
    for image in wanted.iter().filter(|image| image.archive.is_none()) {
        if docker.image_id(&image.reference, ui).await?.is_none() {
            pull(docker, &image.reference, ui).await?;
        }
    }
    let Ok(node) = node_runs.await else { return Ok(()) };
    let step = ui.step("load_images", "Loading images");
    let inside = Inside { docker, node: &node.container, runtime: context.plan.cluster.container_runtime() };
    let absent = missing(inside, &wanted, ui).await?;
    for (index, image) in absent.iter().enumerate() {
        step.doing(format!("{} ({} of {})", image.reference, index + 1, absent.len()));
        let imported = import(inside, image, node.images.as_deref(), providers::IMAGES);
        imported.run(Kind::Image, ui).await.map_err(|failure| {
            failure
                .hint(format!("see what room the node has: `docker exec {} df -h /var`", node.container))
                .hint("to try again: `windtunnel up`")
        })?;
    }
    let left = if absent.is_empty() { Vec::new() } else { missing(inside, &absent, ui).await? };
    if let Some(image) = left.first() {
        return Err(Failure::new(
            Kind::Image,
            format!("the node does not have {} although it was loaded", image.reference),
        )
        .hint(format!("see what it has: `{}`", inside.listing())));
    }
    step.done(format!("{} of {} (already there: {})", wanted.len(), wanted.len(), wanted.len() - absent.len()));
    Ok(())
}

/// Pulls an image into the engine.
///
/// # Errors
/// Image, with what the registry said and the ways to go on without it.
pub async fn pull(docker: &Docker, reference: &str, ui: &Ui) -> Result<(), Failure> {
    docker.pull(reference, ui, |_| {}).await.map_err(|failure| {
        let mut pulled = Failure::new(Kind::Image, format!("cannot pull {reference}")).evidence_lines(failure.evidence);
        pulled = pulled.hint(format!("see it by itself: `docker pull {reference}`"));
        pulled.hint("without a registry: `scripts/images/build.sh`, then `windtunnel up --bundle FOLDER`")
    })
}
