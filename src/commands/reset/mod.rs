//! `windtunnel reset`: back to a known state. What goes is looked for first, shown, and agreed to.

pub(super) mod inventory;

use serde_json::json;

use super::down;
use super::work::Work;
use super::{bring_up, up};
use crate::cli::{ResetArgs, ResetExtent};
use crate::cluster::Cluster;
use crate::cluster::removal::Extent;
use crate::error::{Failure, Kind};
use crate::images::bundle::places_of;
use crate::plan::ClusterPlan;
use crate::providers::{self, Found};
use crate::state::{EnvironmentPaths, Record, remove_file};
use crate::steps;
use crate::steps::remove_release::{self, Removal};
use crate::surroundings::Surroundings;
use crate::tools::helm::Helm;
use crate::ui::event::Event;
use crate::ui::{Answer, Ask, Choice, Question, Ui};
use inventory::{Inventory, There};

/// What is removed.
enum Target {
    /// Something of what the environment has in its cluster.
    InCluster(Box<Cluster>, Extent),
    /// The cluster itself, or all that the environment has in one that stays.
    Whole(Box<down::Cluster>),
}

/// Removes as much of an environment as was asked for, after a yes, and brings it up again.
///
/// # Errors
/// There is no such environment; its cluster does not run; what is there is somebody else's; nobody said yes; else as [`up::up`].
pub async fn reset(arguments: &ResetArgs, name: &str, ui: &Ui, surroundings: &Surroundings) -> Result<(), Failure> {
    let paths = surroundings.paths.environment(name);
    let record = Record::require(&paths, name)?;
    let extent = match arguments.extent {
        Some(extent) => extent,
        None => choose(ui).await?,
    };
    // Before anything is touched: what it is to be afterwards must be possible.
    let keeps_data = extent == ResetExtent::Release;
    let wanted = up::wanted_after(&arguments.settings, name, keeps_data, ui, surroundings)?;

    let (target, inventory) = look(extent, &record, &paths, surroundings, ui).await?;
    if arguments.dry_run {
        show(&inventory, ui);
        return Ok(());
    }
    ui.say(inventory.lines().trim_end());
    ui.confirm(&inventory.question(name))?;

    let work = Work::begin(name, &paths, ui).await?;
    remove(&target, &record, &paths, surroundings, ui).await?;
    ui.say("");
    bring_up::bring_up(wanted, Some(work), ui, surroundings).await.map(drop)
}

async fn choose(ui: &Ui) -> Result<ResetExtent, Failure> {
    if !ui.can_ask() {
        return Err(Failure::usage("how much is to be reset was not said, and there is nobody to ask")
            .hint("Airflow alone: `windtunnel reset release`")
            .hint("also its database, task logs and keys: `windtunnel reset data`")
            .hint("also the cluster: `windtunnel reset all`"));
    }
    let choices = [
        (ResetExtent::Release, "release", "Airflow anew; database, task logs and keys stay"),
        (ResetExtent::Data, "data", "also a fresh database, no task logs, new keys; the cluster stays"),
        (ResetExtent::All, "all", "also a fresh cluster"),
    ];
    let options =
        choices.map(|(_, value, label)| Choice { value: value.to_owned(), label: format!("{value:8} {label}") });
    let ask = Ask::Choice { options: options.into(), default: Some(0) };
    let question = Question { notes: Vec::new(), title: "How much".to_owned(), ask };
    let Answer::Text(chosen) = ui.ask(&question).await? else { return Ok(ResetExtent::Release) };
    Ok(choices.into_iter().find(|(_, value, _)| *value == chosen).map_or(ResetExtent::Release, |(extent, ..)| extent))
}

async fn look(
    extent: ResetExtent,
    record: &Record,
    paths: &EnvironmentPaths,
    surroundings: &Surroundings,
    ui: &Ui,
) -> Result<(Target, Inventory), Failure> {
    let extent = match extent {
        ResetExtent::Release => Extent::Release,
        ResetExtent::Data => Extent::Data,
        ResetExtent::All => {
            let cluster = down::Cluster::look(&record.name, Some(record), paths, surroundings, ui).await?;
            let inventory = Inventory::of_all(record, cluster.what_goes(), cluster.what_stays());
            return Ok((Target::Whole(Box::new(cluster)), inventory));
        }
    };
    match providers::find(record, paths, surroundings, ui).await? {
        Some(Found::Running(_)) if !paths.stopping().exists() => {}
        None => {}
        Some(Found::Running(_) | Found::Stopped(_)) => {
            return Err(Failure::new(Kind::Cluster, format!("the cluster of `{}` does not run", record.name))
                .evidence("what is in it can only be seen and removed while it runs")
                .hint("let it run: `windtunnel start`")
                .hint("or have a fresh cluster: `windtunnel reset all`"));
        }
        Some(Found::Absent) => {
            return Err(Failure::new(Kind::Cluster, format!("the cluster of `{}` is not there", record.name))
                .hint("to make it again: `windtunnel up`"));
        }
    }
    let cluster = Cluster::open(&paths.kubeconfig(), &record.context).await?;
    let found = remove_release::look(&cluster, record).await?;
    let releases = remove_release::releases(record, extent);
    let data = cluster.data(&record.namespace, record.into()).await?;
    let retained = cluster.retained_volumes(&record.namespace).await?;
    let there = There { releases: &releases, ours: &found.ours, data: &data, retained: &retained };
    let inventory = Inventory::in_cluster(record, extent, there);
    Ok((Target::InCluster(Box::new(cluster), extent), inventory))
}

async fn remove(
    target: &Target,
    record: &Record,
    paths: &EnvironmentPaths,
    surroundings: &Surroundings,
    ui: &Ui,
) -> Result<(), Failure> {
    let keeps_keys = match target {
        Target::InCluster(cluster, extent) => {
            let helm = Helm::find(&places_of(record.bundle.as_deref(), "helm", surroundings), ui).await?;
            Removal { cluster, record, paths, helm: &helm, ui }.remove(*extent).await?;
            *extent == Extent::Release
        }
        Target::Whole(cluster) => {
            steps::forward::stop(paths, ui).await?;
            cluster.remove(paths, surroundings, ui).await?;
            if !matches!(record.cluster, ClusterPlan::Existing { .. }) {
                remove_file(&paths.kubeconfig())?;
            }
            false
        }
    };
    // After what they belong to: were this the end, the next `up` would still find both or neither.
    if keeps_keys { Ok(()) } else { remove_file(&paths.credentials()) }
}

fn show(inventory: &Inventory, ui: &Ui) {
    if ui.is_json() {
        ui.event(&Event::Result { result: json!({"would_remove": inventory.goes, "would_keep": inventory.stays}) });
    } else {
        ui.data(&format!("{}\nNothing was changed.\n", inventory.lines()));
    }
}
