//! What earlier environments left: state, clusters, forwards and images that have lost each other.

use std::path::Path;

use super::super::super::Context;
use super::super::facts::Leftovers;
use super::Depth;
use crate::cluster::forward::supervise;
use crate::error::Failure;
use crate::images::kept;
use crate::plan::{ClusterPlan, Provider, check_name};
use crate::providers::{kind, minikube};
use crate::state::Record;
use crate::tools::docker::Docker;

/// Looks at all environments of this windtunnel, all kind clusters of the engine, and all minikube profiles. `up` makes the environment that is
/// checked, and says nothing of it here.
pub(super) async fn observe(
    context: Context<'_>,
    docker: Option<&Docker>,
    clusters: &[String],
    depth: Depth,
) -> Result<Leftovers, Failure> {
    let Context { plan, surroundings, ui, .. } = context;
    let environments = surroundings.paths.environment_names()?;
    let mut leftovers = Leftovers { clusters: clusters.len(), ..Leftovers::default() };
    for name in &environments {
        let paths = surroundings.paths.environment(name);
        let is_checked = *name == plan.name && (depth == Depth::Quick || !paths.credentials().exists());
        // A damaged record is told by the command that needs it; a cluster that somebody else made is not looked for here.
        let Ok(record) = Record::load(&paths) else { continue };
        let cluster = record.map_or(ClusterPlan::Kind, |record| record.cluster);
        let has_cluster = match cluster.provider() {
            Provider::Kind => clusters.contains(name),
            Provider::Minikube => minikube::file(&surroundings.minikube, name).exists(),
            Provider::Existing => true,
        };
        if has_cluster || is_checked {
            continue;
        }
        leftovers.without_cluster.push((name.clone(), paths.credentials().exists()));
        if supervise::status(&paths).is_ok_and(|status| status.is_some()) {
            leftovers.forwards.push(name.clone());
        }
    }
    let is_lost = |name: &str| name != plan.name && !environments.iter().any(|known| known == name);
    let profiles = minikube::made_by_windtunnel(&surroundings.minikube).into_iter();
    leftovers.profiles = profiles.filter(|(name, _)| is_lost(name)).collect();
    let Some(docker) = docker else { return Ok(leftovers) };
    let strange = |name: &&String| {
        let is_checked = depth == Depth::Quick && **name == plan.name;
        !is_checked && !environments.contains(name) && check_name("environment name", name).is_ok()
    };
    for name in clusters.iter().filter(strange) {
        // Whose it is tells the mount of its node; a stranger's is no leftover of ours.
        let found = kind::find(docker, name, &surroundings.paths.environment(name), ui).await;
        if found.is_ok_and(|found| found.node().is_some()) {
            leftovers.without_state.push(name.clone());
        }
    }
    if depth == Depth::Full {
        let kept = kept::all(docker, ui).await.unwrap_or_default();
        leftovers.images = kept.into_iter().filter(|(_, _, folder)| is_gone(folder)).collect();
    }
    Ok(leftovers)
}

/// Whether nobody will ever use what was kept for the environment of this folder: an environment that is gone has left the folder above it.
fn is_gone(folder: &Path) -> bool {
    folder.parent().is_some_and(|environments| !environments.exists())
}
