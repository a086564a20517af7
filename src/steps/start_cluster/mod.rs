//! "Starting kind cluster": there and answering, made or started if need be; or the one that exists, connected to.

mod engine;
mod kind;
mod minikube;

use std::path::Path;
use std::time::Duration;

pub use engine::in_engine;
use tokio::sync::oneshot;

use super::prerequisites::{Prerequisites, Provider};
use super::{Context, stop_cluster};
use crate::cluster::Cluster;
use crate::error::Failure;
use crate::images::bundle::Role;
use crate::images::locate::Located;
use crate::providers::{self, Found, Node};
use crate::tools::minikube::{Profile, State};

/// How long the API server of a started node may take to answer.
const API_SERVER_START: Duration = Duration::from_mins(2);
/// How long its pods may take to be started again, as far as that they are told of.
const POD_RESTART: Duration = Duration::from_mins(2);

/// Whether a kubeconfig is one and its API server answers where it says.
async fn leads_there(kubeconfig: &Path, context: &str) -> bool {
    match Cluster::open(kubeconfig, context).await {
        Ok(cluster) => cluster.version().await.is_ok(),
        Err(_) => false,
    }
}

/// Makes the cluster be there. `node_runs` is told the node as soon as its container runs, which is long before Kubernetes does;
/// never, where windtunnel has no business in the nodes.
///
/// # Errors
/// The provider's tool or the engine fail, or the API server does not come up.
pub async fn ensure(
    context: Context<'_>,
    ready: &Prerequisites,
    images: &[Located],
    node_runs: oneshot::Sender<Node>,
) -> Result<Cluster, Failure> {
    let Context { plan, paths, surroundings, ui } = context;
    let image = images.iter().find(|located| located.image.role == Role::Node.name());
    // Before a provider makes it anew, and takes the mark away.
    let was_cut_short = paths.incomplete().exists();
    let (step, found) = match &ready.provider {
        Provider::Kind { docker, kind, found } => {
            let step = ui.step("start_cluster", "Starting kind cluster");
            let end = async |node: &Node| docker.stop(&node.container, stop_cluster::NODE_END, ui).await;
            let look = async || providers::kind::find(docker, &plan.name, paths, ui).await;
            let found = stop_cluster::finish(paths, found, &step, end, look).await?;
            let tools = kind::Tools { docker, kind, image };
            kind::ensure(context, tools, &found, &step, node_runs).await?;
            (step, Some(found))
        }
        Provider::Minikube { docker, minikube, found } => {
            let step = ui.step("start_cluster", "Starting minikube");
            let profile = Profile { name: &plan.name, kubeconfig: &paths.kubeconfig() };
            let end = async |_: &Node| minikube.stop(profile, ui).await;
            let look = async || {
                let mark = providers::minikube::Mark { home: &surroundings.minikube, dags: &plan.dags };
                providers::minikube::find(docker.as_ref(), &plan.name, State::Stopped, mark, paths, ui).await
            };
            let found = stop_cluster::finish(paths, found, &step, end, look).await?;
            let tools =
                minikube::Tools { docker: docker.as_ref(), minikube, image: &ready.images.node, located: image };
            minikube::ensure(context, tools, &found, &step, node_runs).await?;
            (step, Some(found))
        }
        Provider::Existing(source) => {
            let step = ui.step("start_cluster", "Using existing cluster");
            source.keep(&paths.kubeconfig())?;
            (step, None)
        }
    };
    step.doing("waiting for the API server");
    let cluster = Cluster::open(&paths.kubeconfig(), &plan.context()).await?;
    let version = cluster.await_version(API_SERVER_START).await.map_err(|failure| match &ready.provider {
        Provider::Kind { .. } | Provider::Minikube { docker: Some(_), .. } => {
            failure.hint("see whether the node runs: `docker ps --all`")
        }
        Provider::Minikube { .. } => {
            failure.hint(format!("see whether the node runs: `minikube status --profile {}`", plan.name))
        }
        Provider::Existing(source) => source.unreachable(&surroundings.kubeconfig, failure),
    })?;
    let ended = found.as_ref().and_then(Found::node).and_then(|node| node.ended);
    if let (Some(ended), false) = (ended, was_cut_short) {
        step.doing("waiting for the node to tell of its pods");
        cluster.await_restart(&plan.namespace, ended, POD_RESTART).await?;
    }
    if found.is_some() {
        cluster.favour_kube_proxy().await?;
    }
    step.done(format!("{} (Kubernetes {version})", plan.context()));
    Ok(cluster)
}
