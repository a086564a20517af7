//! What earlier environments left: state, clusters and forwards that have lost each other.

use super::super::super::Context;
use super::super::facts::Leftovers;
use crate::cluster::forward::supervise;
use crate::error::Failure;
use crate::plan::{ClusterPlan, check_name};
use crate::providers::kind;
use crate::state::Record;
use crate::tools::docker::Docker;

/// Looks at all environments of this windtunnel and all kind clusters of the engine, but for the environment that is checked.
pub(super) async fn observe(context: Context<'_>, docker: &Docker) -> Result<Leftovers, Failure> {
    let Context { plan, surroundings, ui, .. } = context;
    let clusters = docker.kind_clusters(ui).await?;
    let environments = surroundings.paths.environment_names()?;
    let mut leftovers = Leftovers { clusters: clusters.len(), ..Leftovers::default() };
    for name in environments.iter().filter(|name| !clusters.contains(name)) {
        let paths = surroundings.paths.environment(name);
        // A damaged record is told by the command that needs it; other clusters than kind's are not asked here.
        let is_kind =
            Record::load(&paths).is_ok_and(|record| record.is_none_or(|record| record.cluster == ClusterPlan::Kind));
        if !is_kind || (*name == plan.name && !paths.credentials().exists()) {
            continue;
        }
        leftovers.without_cluster.push((name.clone(), paths.credentials().exists()));
        if supervise::status(&paths).is_ok_and(|status| status.is_some()) {
            leftovers.forwards.push(name.clone());
        }
    }
    for name in
        clusters.iter().filter(|name| !environments.contains(name) && check_name("environment name", name).is_ok())
    {
        // Whose it is tells the mount of its node; a stranger's is no leftover of ours.
        let found = kind::find(docker, name, &surroundings.paths.environment(name), ui).await;
        if found.is_ok_and(|found| found.node().is_some()) {
            leftovers.without_state.push(name.clone());
        }
    }
    Ok(leftovers)
}
