//! "Waiting for pods": until every pod of the release is ready, or something says that they will not be.

use super::Context;
use crate::cluster::workload::Expected;
use crate::cluster::{Cluster, wait};
use crate::error::Failure;
use crate::stacks::Release;

/// Waits.
///
/// # Errors
/// The verdict, or a timeout with what was seen last.
pub async fn ensure(context: Context<'_>, cluster: &Cluster, release: &Release) -> Result<(), Failure> {
    let Context { plan, ui, .. } = context;
    let step = ui.step("wait_for_pods", "Waiting for pods");
    let expected = Expected { environment: &plan.name, namespace: &plan.namespace, workloads: &release.workloads };
    let ready = wait::until_ready(cluster, expected, plan.timeout, &step).await?;
    step.done(format!("{0}/{0} ready", ready.pods));
    Ok(())
}
