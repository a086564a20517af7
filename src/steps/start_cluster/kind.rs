//! A kind cluster: made, started, or used as it runs.

use tokio::sync::oneshot;

use super::super::Context;
use super::engine;
use crate::error::{During, Failure, Kind};
use crate::images::locate::Located;
use crate::providers::{Found, Node, kind, kind_network};
use crate::state;
use crate::tools::docker::{Docker, is_without_network};
use crate::tools::kind as kind_tool;
use crate::ui::Step;

/// What a cluster is made with.
#[derive(Clone, Copy)]
pub(super) struct Tools<'a> {
    pub(super) docker: &'a Docker,
    pub(super) kind: &'a kind_tool::Kind,
    /// The node image, where a node is to be made.
    pub(super) image: Option<&'a Located>,
}

/// Makes the node run and its kubeconfig be there.
pub(super) async fn ensure(
    context: Context<'_>,
    tools: Tools<'_>,
    found: &Found,
    step: &Step<'_>,
    node_runs: oneshot::Sender<Node>,
) -> Result<(), Failure> {
    let Context { plan, paths, ui, .. } = context;
    match found {
        Found::Running(node) | Found::Stopped(node) if paths.incomplete().exists() => {
            step.doing(format!("removing what is left of {}", node.container));
            kind::delete(tools.docker, tools.kind, &plan.name, paths, ui).await?;
            create(context, tools, step, node_runs).await
        }
        Found::Absent => create(context, tools, step, node_runs).await,
        Found::Running(node) => {
            let _ = node_runs.send(node.clone());
            recover_kubeconfig(context, tools).await
        }
        Found::Stopped(node) => {
            step.doing(format!("starting {}", node.container));
            match tools.docker.start(&node.container, ui).await {
                Err(failure) if is_without_network(&failure) => {
                    step.note("the network of kind's nodes is gone: making it again");
                    let network = context.surroundings.paths.kind_network();
                    kind_network::restore(tools.docker, &network, &node.container, ui).await?;
                    tools.docker.start(&node.container, ui).await?;
                }
                started => started?,
            }
            let _ = node_runs.send(node.clone());
            recover_kubeconfig(context, tools).await
        }
    }
}

async fn create(
    context: Context<'_>,
    tools: Tools<'_>,
    step: &Step<'_>,
    node_runs: oneshot::Sender<Node>,
) -> Result<(), Failure> {
    let Context { plan, paths, surroundings, ui } = context;
    let located = tools.image.ok_or_else(|| Failure::bug("a node is made whose image was not looked for"))?;
    let image = &located.image;
    engine::provide(context, tools.docker, located, step).await?;
    std::fs::create_dir_all(&plan.dags)
        .during(Kind::Usage, format!("cannot make the DAG folder {}", plan.dags.display()))?;
    let images = image.archive.as_ref().and(plan.bundle.as_deref());
    state::write_json(&paths.kind_config(), &kind::config(plan.into(), &plan.dags, images, &paths.smoke_dags()))?;
    state::write_private(&paths.incomplete(), b"")?;
    let network = surroundings.paths.kind_network();
    kind_network::expect(tools.docker, &network, ui).await?;

    let mut node_runs = Some(node_runs);
    step.doing("creating the node");
    tools
        .kind
        .create(&plan.name, &image.reference, &paths.kind_config(), &paths.kubeconfig(), ui, |line| {
            // kind ends this phase when the node's own services run, and begins the next with a bullet.
            if line.contains("✓ Preparing nodes")
                && let Some(sender) = node_runs.take()
            {
                let _ = sender.send(Node {
                    container: kind::container_name(&plan.name),
                    image: image.reference.clone(),
                    dags: Some(plan.dags.clone()),
                    images: images.map(ToOwned::to_owned),
                    ended: None,
                });
            }
            if let Some(phase) = line.trim().strip_prefix("• ") {
                // What follows is a picture, whose width terminals do not agree on, and dots.
                let words = phase.split(|sign: char| !sign.is_ascii()).next().unwrap_or_default();
                step.doing(words.trim().to_lowercase());
            }
        })
        .await
        .map_err(|failure| failure.hint("see all that kind says: `windtunnel up -v`"))?;
    kind_network::remember(tools.docker, &network, ui).await?;
    state::remove_file(&paths.incomplete())
}

/// A cluster whose kubeconfig was lost or damaged still has one; and one whose kubeconfig leads nowhere may have another port now.
async fn recover_kubeconfig(context: Context<'_>, tools: Tools<'_>) -> Result<(), Failure> {
    let kubeconfig = context.paths.kubeconfig();
    if super::leads_there(&kubeconfig, &context.plan.context()).await {
        return Ok(());
    }
    // kind would add to a file that is there, and fail at one that it cannot read.
    match std::fs::remove_file(&kubeconfig) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).during(Kind::Usage, format!("cannot remove the damaged {}", kubeconfig.display()));
        }
        _ => {}
    }
    tools.kind.export_kubeconfig(&context.plan.name, &kubeconfig, context.ui).await
}
