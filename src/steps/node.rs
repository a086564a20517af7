//! The node as the engine sees it: whether it runs, where the cluster does not answer any more, and what it has pulled.

use super::Context;
use super::prerequisites::{Prerequisites, Provider};
use crate::codes::Code;
use crate::error::{Failure, Kind};
use crate::plan::ContainerRuntime;
use crate::providers::kind;
use crate::tools::docker::Docker;

/// Where containerd keeps the content of images (containerd, `docs/ops.md`).
const CONTENT: [&str; 1] = ["/var/lib/containerd/io.containerd.content.v1.content"];
/// The same of a Docker Engine in the node: each layer until it is unpacked (moby, `distribution/pull_v2.go`), or all of them in containerd's
/// image store.
const CONTENT_OF_DOCKER: [&str; 2] =
    ["/var/lib/docker/tmp", "/var/lib/docker/containerd/daemon/io.containerd.content.v1.content"];

/// Looks at the container that is the node; nothing to look at where windtunnel has not made the cluster in an engine.
///
/// # Errors
/// The node's container does not run any more, or is gone; the engine does not answer.
pub async fn look(context: Context<'_>, ready: &Prerequisites) -> Result<(), Failure> {
    let ui = context.ui;
    let Some((docker, container)) = container(context, ready) else { return Ok(()) };
    match docker.container(&container, ui).await {
        Ok(Some(found)) if found.state.status == "running" => Ok(()),
        Ok(Some(found)) => Err(stopped(format!("the node `{container}` does not run any more"))
            .evidence(format!("its container is {}", found.state.status))
            .hint("start it again: `windtunnel up`")
            .hint(format!("see why it ended: `docker logs --tail 20 {container}`"))),
        Ok(None) => Err(stopped(format!("the node `{container}` was removed")).hint("make it again: `windtunnel up`")),
        // That it does not answer is told better by the question who it is.
        Err(failure) => {
            docker.info(ui).await?;
            Err(failure)
        }
    }
}

/// The bytes of images that the node keeps as they came, finished or not; `None` where nobody knows, as where the node is no container of ours.
pub async fn held(context: Context<'_>, ready: &Prerequisites) -> Option<u64> {
    let (docker, container) = container(context, ready)?;
    let folders: &[&str] = match context.plan.cluster.container_runtime() {
        ContainerRuntime::Containerd => &CONTENT,
        ContainerRuntime::Docker => &CONTENT_OF_DOCKER,
    };
    docker.bytes_inside(&container, folders, context.ui).await
}

/// The container that is the node, and its engine.
fn container<'a>(context: Context<'_>, ready: &'a Prerequisites) -> Option<(&'a Docker, String)> {
    let name = &context.plan.name;
    match &ready.provider {
        Provider::Kind { docker, .. } => Some((docker, kind::container_name(name))),
        Provider::Minikube { docker: Some(docker), .. } => Some((docker, name.clone())),
        Provider::Minikube { docker: None, .. } | Provider::Existing(_) => None,
    }
}

/// Tells of the node instead, where it is the cause of the failure.
pub async fn instead_of(failure: Failure, context: Context<'_>, ready: &Prerequisites) -> Failure {
    if !matches!(failure.kind, Kind::Cluster | Kind::Chart | Kind::Timeout) || failure.code == Some(Code::NodeStopped) {
        return failure;
    }
    match look(context, ready).await {
        Ok(()) => failure,
        Err(gone) => gone.evidence(failure.message),
    }
}

fn stopped(message: String) -> Failure {
    Failure::new(Kind::Cluster, message).code(Code::NodeStopped)
}
