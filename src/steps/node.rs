//! Whether the node still runs: where the cluster does not answer any more, the engine knows why.

use super::Context;
use super::prerequisites::{Prerequisites, Provider};
use crate::codes::Code;
use crate::error::{Failure, Kind};
use crate::providers::kind;

/// Looks at the container that is the node; nothing to look at where windtunnel has not made the cluster in an engine.
///
/// # Errors
/// The node's container does not run any more, or is gone; the engine does not answer.
pub async fn look(context: Context<'_>, ready: &Prerequisites) -> Result<(), Failure> {
    let Context { plan, ui, .. } = context;
    let (docker, container) = match &ready.provider {
        Provider::Kind { docker, .. } => (docker, kind::container_name(&plan.name)),
        Provider::Minikube { docker: Some(docker), .. } => (docker, plan.name.clone()),
        Provider::Minikube { docker: None, .. } | Provider::Existing(_) => return Ok(()),
    };
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
