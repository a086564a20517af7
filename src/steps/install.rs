//! "Installing Airflow": the release is what chart and values say. Helm runs only if something changed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::prerequisites::Prerequisites;
use super::{Context, helm_words, manifest_changes, whole};
use crate::cluster::Cluster;
use crate::cluster::pause::Paused;
use crate::cluster::release::{self, INPUTS_LABEL};
use crate::cluster::survey;
use crate::cluster::workload::Expected;
use crate::error::{During, Failure, Kind};
use crate::images::{digest_of, hexadecimal};
use crate::stacks::{self, Chart, HelmRelease, Release};
use crate::state;
use crate::tools::helm::Target;
use crate::ui::event::Event;
use crate::ui::{Step, Ui};

/// A label's value may have 63 characters; half of a SHA-256 is enough to tell two inputs apart.
const DIGEST_LENGTH: usize = 32;

/// How many changes of an upgrade are told without `-v`.
const TOLD: usize = 12;

/// Where the charts are that are not in the binary, by the Helm release that they are for.
pub type Charts = BTreeMap<String, PathBuf>;

/// A Helm release that was upgraded while all of it ran.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Upgraded {
    /// Its name.
    pub release: String,
    /// The revision that ran.
    pub from: u32,
}

/// What [`ensure`] works with.
#[derive(Clone, Copy)]
pub struct Installation<'a> {
    /// The environment and its surroundings.
    pub context: Context<'a>,
    /// The tools.
    pub ready: &'a Prerequisites,
    /// The cluster.
    pub cluster: &'a Cluster,
    /// What is to be there.
    pub release: &'a Release,
    /// Where its charts are.
    pub charts: &'a Charts,
}

/// Makes the release be there. What ran before and was upgraded is added to `upgraded`, also where it then fails.
///
/// # Errors
/// Helm refuses the chart or the values, or the cluster refuses the objects.
pub async fn ensure(installation: Installation<'_>, upgraded: &mut Vec<Upgraded>) -> Result<(), Failure> {
    let Installation { context, cluster, release, .. } = installation;
    let Context { plan, ui, .. } = context;
    let step = ui.step("install", "Installing Airflow");
    let (namespace, owner) = (&plan.namespace, plan.into());
    // All of them, before anything is done to one.
    let releases = cluster.own_releases(namespace, &stacks::release_names(plan.into()), owner).await?;
    let stopped = Paused { namespace, owner, releases: &releases, workloads: &release.workloads };
    let resumed = cluster.resume(stopped).await?;
    match resumed {
        0 => {}
        1 => step.note("1 workload that was stopped runs again"),
        _ => step.note(&format!("{resumed} workloads that were stopped run again")),
    }
    let is_whole = cluster.has_workloads(&plan.namespace, &release.workloads).await?;
    for part in &release.parts {
        installation.ensure_part(part, is_whole, upgraded, &step).await?;
    }
    let profile = &plan.profile;
    step.done(format!("{} (Airflow {}, {})", profile.stack, profile.airflow.version, plan.executor.airflow_name()));
    Ok(())
}

impl Installation<'_> {
    async fn ensure_part(
        self,
        part: &HelmRelease,
        is_whole: bool,
        upgraded: &mut Vec<Upgraded>,
        step: &Step<'_>,
    ) -> Result<(), Failure> {
        let Self { context, ready, cluster, charts, .. } = self;
        let Context { plan, paths, ui, .. } = context;
        let provided = charts.get(&part.name);
        let (user_values, set) = part.user_values(plan);
        let inputs = digest(part, provided, user_values, set)?;
        let owner = plan.into();
        let newest = cluster.release(&plan.namespace, &part.name).await?;
        let pending = newest.as_ref().and_then(|newest| release::pending_elsewhere(whole(plan), &part.name, newest));
        if let Some(failure) = pending {
            return Err(failure);
        }
        let mut revision = cluster.demand_own(&plan.namespace, &part.name, owner, newest).await?;
        if let Some(pending) = revision.take_if(|revision| revision.is_pending()) {
            step.doing(format!("revision {} was cut short: installing over it", pending.number));
            cluster.forget_revision(&plan.namespace, &pending).await?;
            cluster.delete_jobs(&plan.namespace, &part.replaced, &part.name, owner).await?;
        }
        let deployed = revision.as_ref().filter(|revision| revision.status == "deployed");
        if is_whole && deployed.is_some_and(|revision| revision.inputs.as_deref() == Some(&inputs)) {
            return Ok(());
        }
        let values = paths.values(&part.name);
        state::write_json(&values, &part.values)?;
        let folder = paths.chart(&part.name);
        let chart = place_chart(part, provided, &folder)?;
        let context_name = plan.context();
        let target = Target {
            release: &part.name,
            namespace: &plan.namespace,
            kubeconfig: &paths.kubeconfig(),
            context: &context_name,
        };
        let labels: Vec<String> =
            std::iter::once(format!("{INPUTS_LABEL}={inputs}")).chain(release::mark(owner)).collect();
        let files: Vec<PathBuf> = std::iter::once(values).chain(user_values.iter().cloned()).collect();
        let refused = |failure| {
            helm_words::name_cause(failure, &plan.namespace).hint("see all that Helm says: `windtunnel up -v`")
        };
        if let Some(deployed) = deployed {
            let manifest = ready.helm.upgraded_manifest(target, chart, &files, set, ui).await.map_err(refused)?;
            let changes = manifest_changes::changes(&ready.helm.manifest(target, ui).await?, &manifest)?;
            tell(&changes, ui);
            // What did not run is no state to go back to.
            if !upgraded.is_empty() || self.runs().await? {
                upgraded.push(Upgraded { release: part.name.clone(), from: deployed.number });
            }
        }
        if revision.is_some() {
            cluster.delete_jobs(&plan.namespace, &part.replaced, &part.name, owner).await?;
        }
        ready.helm.upgrade_install(target, chart, &files, set, &labels.join(","), ui).await.map_err(refused)
    }

    async fn runs(self) -> Result<bool, Failure> {
        let Context { plan, .. } = self.context;
        let workloads = &self.release.workloads;
        let expected = Expected { environment: &plan.name, namespace: &plan.namespace, workloads };
        Ok(survey::take(self.cluster, expected).await?.ready)
    }
}

/// Tells what an upgrade changes; all of it with `-v`.
fn tell(changes: &[String], ui: &Ui) {
    for change in changes.iter().take(TOLD) {
        ui.say(&format!("    {change}"));
    }
    for change in changes.iter().skip(TOLD) {
        ui.tool_output(&format!("  {change}"));
    }
    if let Some(more) = changes.len().checked_sub(TOLD).filter(|more| *more > 0) {
        ui.say(&format!("    and {more} more changes, all shown with -v"));
    }
    for change in changes {
        ui.event(&Event::Change { change: change.clone() });
    }
}

/// The folder or archive that Helm reads the chart from: one that is in the binary is written to `folder`.
///
/// # Errors
/// It cannot be written.
pub(super) fn place_chart<'a>(
    part: &HelmRelease,
    provided: Option<&'a PathBuf>,
    folder: &'a Path,
) -> Result<&'a Path, Failure> {
    match (&part.chart, provided) {
        (Chart::Embedded(files), _) => write_chart(folder, files).map(|()| folder),
        (Chart::Named(_), Some(chart)) => Ok(chart),
        (Chart::Named(_), None) => Err(Failure::bug(format!("the chart of {} was not provided", part.name))),
    }
}

/// The chart as files, for Helm; nothing of an earlier chart is left beside it.
fn write_chart(folder: &Path, files: &[(&str, &str)]) -> Result<(), Failure> {
    let write = || -> std::io::Result<()> {
        if folder.exists() {
            std::fs::remove_dir_all(folder)?;
        }
        for (file, text) in files {
            let path = folder.join(file);
            std::fs::create_dir_all(path.parent().unwrap_or(folder))?;
            std::fs::write(path, text)?;
        }
        Ok(())
    };
    write().during(Kind::Chart, format!("cannot write the chart into {}", folder.display()))
}

/// What a release is made of, in one number: the chart, windtunnel's values and the user's.
pub(super) fn digest(
    part: &HelmRelease,
    chart: Option<&PathBuf>,
    user_values: &[PathBuf],
    set: &[String],
) -> Result<String, Failure> {
    let mut hasher = Sha256::new();
    let mut add = |bytes: &[u8]| {
        hasher.update(bytes.len().to_le_bytes());
        hasher.update(bytes);
    };
    match (&part.chart, chart) {
        (Chart::Embedded(files), _) => {
            for text in files.iter().flat_map(|(file, text)| [file, text]) {
                add(text.as_bytes());
            }
        }
        (Chart::Named(chart), path) => {
            add(chart.version.to_string().as_bytes());
            // A folder is taken as unchanged while its name is: its files are the user's to change, by a version.
            let digest = path.and_then(|path| digest_of(path).ok());
            add(digest.unwrap_or_default().as_bytes());
        }
    }
    add(part.values.to_string().as_bytes());
    for file in user_values {
        let text =
            std::fs::read(file).during(Kind::Usage, format!("cannot read the values file {}", file.display()))?;
        add(&text);
    }
    for assignment in set {
        add(assignment.as_bytes());
    }
    let mut text = hexadecimal(&hasher.finalize());
    text.truncate(DIGEST_LENGTH);
    Ok(text)
}
