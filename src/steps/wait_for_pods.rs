//! "Waiting for pods": until every pod of the release is ready, or something says that they will not be.

use super::prerequisites::Prerequisites;
use super::{Context, node};
use crate::cluster::Cluster;
use crate::cluster::verdict::Starts;
use crate::cluster::wait::{self, Ready};
use crate::cluster::workload::{Expected, Workload};
use crate::error::Failure;
use crate::stacks::Release;
use crate::ui::Step;

/// Waits. Returns since when the containers run.
///
/// # Errors
/// The verdict, a timeout with what was seen last, or that the node is gone.
pub async fn ensure(
    context: Context<'_>,
    ready: &Prerequisites,
    cluster: &Cluster,
    release: &Release,
) -> Result<Starts, Failure> {
    let step = context.ui.step("wait_for_pods", "Waiting for pods");
    let Ready { pods, starts } = until_ready(context, ready, cluster, &release.workloads, &step).await?;
    step.done(format!("{pods}/{pods} ready"));
    Ok(starts)
}

/// Waits for these workloads of the environment alone, as a part of another step.
///
/// # Errors
/// As [`ensure`].
pub(super) async fn until_ready(
    context: Context<'_>,
    ready: &Prerequisites,
    cluster: &Cluster,
    workloads: &[Workload],
    step: &Step<'_>,
) -> Result<Ready, Failure> {
    let Context { plan, .. } = context;
    let expected = Expected { environment: &plan.name, namespace: &plan.namespace, workloads };
    let look = async || node::look(context, ready).await;
    let held = async || node::held(context, ready).await;
    wait::until_ready(cluster, expected, plan.timeout, step, look, held).await
}
