//! "Installing Airflow": the release is what chart and values say. Helm runs only if something changed.
use std::path::Path;

use sha2::{Digest, Sha256};

use super::Context;
use super::prerequisites::Prerequisites;
use crate::cluster::Cluster;
use crate::cluster::release::INPUTS_LABEL;
use crate::error::{During, Failure, Kind};
use crate::images::hexadecimal;
use crate::stacks::Release;
use crate::state;
use crate::tools::helm::Target;

/// A label's value may have 63 characters; half of a SHA-256 is enough to tell two inputs apart.
const DIGEST_LENGTH: usize = 32;

/// Makes the release be there.
///
/// # Errors
/// Helm refuses the chart or the values, or the cluster refuses the objects.
pub async fn ensure(
    context: Context<'_>,
    ready: &Prerequisites,
    cluster: &Cluster,
    release: &Release,
) -> Result<(), Failure> {
    let Context { plan, paths, ui, .. } = context;
    let step = ui.step("install", "Installing Airflow");
    let inputs = digest(release);
    let revision = cluster.release(&plan.namespace, &plan.name).await?;
    if let Some(pending) = revision.as_ref().filter(|revision| revision.is_pending()) {
        step.doing(format!("revision {} was cut short: installing over it", pending.number));
        cluster.forget_revision(&plan.namespace, pending).await?;
    }
    let unchanged =
        revision.is_some_and(|revision| revision.status == "deployed" && revision.inputs.as_deref() == Some(&inputs));
    if !unchanged || !cluster.has_workloads(&plan.namespace, &release.workloads).await? {
        write_chart(&paths.chart(), release)?;
        state::write_json(&paths.values(), &release.values)?;
        let context_name = plan.context();
        let target = Target {
            release: &plan.name,
            namespace: &plan.namespace,
            kubeconfig: &paths.kubeconfig(),
            context: &context_name,
        };
        let label = format!("{INPUTS_LABEL}={inputs}");
        let installed = ready.helm.upgrade_install(target, &paths.chart(), &[paths.values()], &label, ui).await;
        installed.map_err(|failure| failure.hint("see all that Helm says: `windtunnel up -v`"))?;
    }
    step.done(format!("{} (Airflow {}, KubernetesExecutor)", plan.profile.stack, plan.profile.airflow.version));
    Ok(())
}

/// The chart as files, for Helm; nothing of an earlier chart is left beside it.
fn write_chart(folder: &Path, release: &Release) -> Result<(), Failure> {
    let write = || -> std::io::Result<()> {
        if folder.exists() {
            std::fs::remove_dir_all(folder)?;
        }
        for (file, text) in &release.chart {
            let path = folder.join(file);
            std::fs::create_dir_all(path.parent().unwrap_or(folder))?;
            std::fs::write(path, text)?;
        }
        Ok(())
    };
    write().during(Kind::Chart, format!("cannot write the chart into {}", folder.display()))
}

fn digest(release: &Release) -> String {
    let mut hasher = Sha256::new();
    for (file, text) in &release.chart {
        hasher.update(file.len().to_le_bytes());
        hasher.update(file);
        hasher.update(text.len().to_le_bytes());
        hasher.update(text);
    }
    hasher.update(release.values.to_string());
    let mut text = hexadecimal(&hasher.finalize());
    text.truncate(DIGEST_LENGTH);
    text
}
