//! A minikube profile: made, started, thawed, or used as it runs.

use tokio::sync::oneshot;

use super::super::Context;
use super::engine;
use crate::error::{During, Failure, Kind};
use crate::images::Image;
use crate::images::locate::Located;
use crate::providers::minikube::{self, Making};
use crate::providers::{Found, Node};
use crate::state;
use crate::tools::docker::Docker;
use crate::tools::minikube::{Minikube, Profile, RUNTIME_READY, State};
use crate::ui::Step;

/// What a profile is made with.
#[derive(Clone, Copy)]
pub(super) struct Tools<'a> {
    /// `None` where the driver makes no containers.
    pub(super) docker: Option<&'a Docker>,
    pub(super) minikube: &'a Minikube,
    /// The node image.
    pub(super) image: &'a Image,
    /// Where it is, where a node is to be made of it.
    pub(super) located: Option<&'a Located>,
}

/// Makes the node run and its kubeconfig be there.
pub(super) async fn ensure(
    context: Context<'_>,
    tools: Tools<'_>,
    found: &Found,
    step: &Step<'_>,
    node_runs: oneshot::Sender<Node>,
) -> Result<(), Failure> {
    let Context { plan, paths, surroundings, ui } = context;
    let kubeconfig = paths.kubeconfig();
    let profile = Profile { name: &plan.name, kubeconfig: &kubeconfig };
    let mut node_runs = Some(node_runs);
    let node = match found {
        Found::Running(node) | Found::Stopped(node) if paths.incomplete().exists() => {
            step.doing(format!("removing what is left of {}", node.container));
            tools.minikube.delete(profile, ui).await?;
            create(context, tools, profile, step, &mut node_runs).await?
        }
        Found::Absent => {
            if paths.incomplete().exists() && minikube::file(&surroundings.minikube, &plan.name).exists() {
                tools.minikube.delete(profile, ui).await?;
            }
            create(context, tools, profile, step, &mut node_runs).await?
        }
        Found::Running(node) => {
            // What stops a profile empties its kubeconfig; it may also be lost or damaged.
            // And whenever the engine starts the node, its port is another one.
            if !super::leads_there(&kubeconfig, &plan.context()).await {
                tools.minikube.update_context(profile, ui).await?;
            }
            node.clone()
        }
        Found::Stopped(node) => {
            if tools.minikube.state(profile, ui).await? == State::Paused {
                step.doing("thawing the profile");
                tools.minikube.unpause(profile, ui).await?;
                tools.minikube.update_context(profile, ui).await?;
            } else {
                let options = minikube::again(surroundings.user, tools.image.archive.is_some());
                tools.minikube.start(profile, &options, ui, |doing| step.doing(doing.to_lowercase())).await?;
            }
            node.clone()
        }
    };
    tell(&mut node_runs, node);
    Ok(())
}

/// Tells of the node, once. Whoever waits for it has no business any more only if this `up` is ending.
fn tell(node_runs: &mut Option<oneshot::Sender<Node>>, node: Node) {
    if let Some(sender) = node_runs.take() {
        let _ = sender.send(node);
    }
}

async fn create(
    context: Context<'_>,
    tools: Tools<'_>,
    profile: Profile<'_>,
    step: &Step<'_>,
    node_runs: &mut Option<oneshot::Sender<Node>>,
) -> Result<Node, Failure> {
    let Context { plan, paths, surroundings, ui } = context;
    let base = tools.located.map_or(&tools.image.reference, |located| &located.image.reference);
    let making = Making::of(plan, tools.image, base, surroundings.user)
        .ok_or_else(|| Failure::bug("a profile is made for a plan that is not minikube's"))?;
    let options = minikube::making(making)?;
    if let (Some(docker), Some(located)) = (tools.docker, tools.located) {
        engine::provide(context, docker, located, step).await?;
    }
    std::fs::create_dir_all(&plan.dags)
        .during(Kind::Usage, format!("cannot make the DAG folder {}", plan.dags.display()))?;
    state::write_private(&paths.incomplete(), b"")?;
    let node = Node {
        container: plan.name.clone(),
        image: base.clone(),
        dags: Some(plan.dags.clone()),
        images: None,
        ended: None,
    };
    let on_step = |doing: &str| {
        if doing == RUNTIME_READY {
            tell(node_runs, node.clone());
        }
        step.doing(doing.to_lowercase());
    };
    let started = tools.minikube.start(profile, &options, ui, on_step).await;
    started.map_err(|failure| failure.hint("see all that minikube says: `windtunnel up -v`"))?;
    state::remove_file(&paths.incomplete())?;
    Ok(node)
}
