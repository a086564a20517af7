//! "Waiting for pods": until every pod of the release is ready, or something says that they will not be.

use super::prerequisites::Prerequisites;
use super::{Context, node};
use crate::cluster::workload::Expected;
use crate::cluster::{Cluster, wait};
use crate::error::Failure;
use crate::stacks::Release;

/// Waits.
///
/// # Errors
/// The verdict, a timeout with what was seen last, or that the node is gone.
pub async fn ensure(
    context: Context<'_>,
    ready: &Prerequisites,
    cluster: &Cluster,
    release: &Release,
) -> Result<(), Failure> {
    let Context { plan, ui, .. } = context;
    let step = ui.step("wait_for_pods", "Waiting for pods");
    let expected = Expected { environment: &plan.name, namespace: &plan.namespace, workloads: &release.workloads };
    let look = async || node::look(context, ready).await;
    let pods = wait::until_ready(cluster, expected, plan.timeout, &step, look).await?.pods;
    step.done(format!("{pods}/{pods} ready"));
    Ok(())
}
