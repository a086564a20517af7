//! "Starting kind cluster": there and answering, made or started if need be.

use std::time::Duration;

use tokio::sync::oneshot;

use super::Context;
use super::prerequisites::Prerequisites;
use crate::cluster::Cluster;
use crate::error::{During, Failure, Kind};
use crate::images::Image;
use crate::providers::kind::{self, Found, Node};
use crate::state;
use crate::ui::Step;

/// How long the API server of a started node may take to answer.
const API_SERVER_START: Duration = Duration::from_mins(2);
/// How long its pods may take to be started again, as far as that they are told of.
const POD_RESTART: Duration = Duration::from_mins(2);

/// Makes the cluster be there. `node_runs` is told the node as soon as its container runs, which is long before Kubernetes does.
///
/// # Errors
/// kind or the engine fail, or the API server does not come up.
pub async fn ensure(
    context: Context<'_>,
    ready: &Prerequisites,
    node_runs: oneshot::Sender<Node>,
) -> Result<Cluster, Failure> {
    let Context { plan, paths, ui, .. } = context;
    let step = ui.step("start_cluster", "Starting kind cluster");
    let was_cut_short = paths.creating().exists();
    match &ready.found {
        Found::Running(node) | Found::Stopped(node) if was_cut_short => {
            step.doing(format!("removing {}, whose making was cut short", node.container));
            ready.kind.delete(&plan.name, &paths.kubeconfig(), ui).await?;
            create(context, ready, &step, node_runs).await?;
        }
        Found::Absent => create(context, ready, &step, node_runs).await?,
        Found::Running(node) => {
            let _ = node_runs.send(node.clone());
            recover_kubeconfig(context, ready).await?;
        }
        Found::Stopped(node) => {
            step.doing(format!("starting {}", node.container));
            ready.docker.start(&node.container, ui).await?;
            let _ = node_runs.send(node.clone());
            recover_kubeconfig(context, ready).await?;
        }
    }
    step.doing("waiting for the API server");
    let cluster = Cluster::open(&paths.kubeconfig(), &plan.context()).await?;
    let version = cluster.await_version(API_SERVER_START).await?;
    if let Found::Running(Node { ended: Some(ended), .. }) | Found::Stopped(Node { ended: Some(ended), .. }) =
        &ready.found
        && !was_cut_short
    {
        step.doing("waiting for the node to tell of its pods");
        cluster.await_restart(&plan.namespace, *ended, POD_RESTART).await?;
    }
    step.done(format!("{} (Kubernetes {version})", plan.context()));
    Ok(cluster)
}

async fn create(
    context: Context<'_>,
    ready: &Prerequisites,
    step: &Step<'_>,
    node_runs: oneshot::Sender<Node>,
) -> Result<(), Failure> {
    let Context { plan, paths, ui, .. } = context;
    let image = &ready.images.node;
    provide_node_image(image, ready, step, context).await?;
    std::fs::create_dir_all(&plan.dags)
        .during(Kind::Usage, format!("cannot make the DAG folder {}", plan.dags.display()))?;
    let images = image.archive.as_ref().and(plan.bundle.as_deref());
    state::write_json(&paths.kind_config(), &kind::config(&plan.name, &plan.dags, images, &paths.smoke_dags()))?;
    state::write_private(&paths.creating(), b"")?;

    let mut node_runs = Some(node_runs);
    step.doing("creating the node");
    ready
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
                step.doing(phase.trim_end_matches(|c: char| !c.is_ascii()).trim().to_lowercase());
            }
        })
        .await
        .map_err(|failure| failure.hint("see all that kind says: `windtunnel up -v`"))?;
    std::fs::remove_file(paths.creating()).during(Kind::Usage, "cannot remove the mark of an unfinished cluster")
}

/// The engine must have the node image: from the bundle, or from its registry.
async fn provide_node_image(
    image: &Image,
    ready: &Prerequisites,
    step: &Step<'_>,
    context: Context<'_>,
) -> Result<(), Failure> {
    let there = ready.docker.image_id(&image.reference, context.ui).await?;
    if there.is_some() && (image.id.is_none() || image.id == there) {
        return Ok(());
    }
    if let Some(archive) = &image.archive {
        step.doing(format!("loading {}", archive.display()));
        let loaded = ready.docker.load(archive, context.ui).await;
        loaded.map_err(|failure| failure.hint("see what room Docker has and what fills it: `docker system df`"))
    } else {
        step.doing(format!("pulling {}", image.reference));
        super::load_images::pull(&ready.docker, &image.reference, context.ui).await
    }
}

/// A cluster whose kubeconfig was lost or damaged still has one.
async fn recover_kubeconfig(context: Context<'_>, ready: &Prerequisites) -> Result<(), Failure> {
    let kubeconfig = context.paths.kubeconfig();
    if Cluster::open(&kubeconfig, &context.plan.context()).await.is_ok() {
        return Ok(());
    }
    // kind would add to a file that is there, and fail at one that it cannot read.
    match std::fs::remove_file(&kubeconfig) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).during(Kind::Usage, format!("cannot remove the damaged {}", kubeconfig.display()));
        }
        _ => {}
    }
    ready.kind.export_kubeconfig(&context.plan.name, &kubeconfig, context.ui).await
}
