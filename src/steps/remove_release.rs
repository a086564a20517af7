//! "Removing Airflow": what an environment brought into its cluster, or Airflow alone, and nothing else.

use std::time::Duration;

use crate::cluster::Cluster;
use crate::cluster::namespace::{Found, Holding, Holdings};
use crate::cluster::removal::Extent;
use crate::error::Failure;
use crate::plan;
use crate::stacks;
use crate::state::{EnvironmentPaths, Record};
use crate::tools::helm::{Helm, Target};
use crate::ui::Ui;

/// How long volumes that no pod uses may take to go.
const DATA_REMOVAL: Duration = Duration::from_mins(1);
/// How long Kubernetes may take to remove a namespace.
const NAMESPACE_REMOVAL: Duration = Duration::from_mins(3);

/// What of an environment is in its cluster.
#[derive(Clone, Debug)]
pub struct Inventory {
    /// Whether the namespace goes with all: windtunnel made it, and nobody else has put anything into it.
    pub namespace_goes: bool,
    /// Why it stays, object by object.
    pub others: Vec<String>,
    /// What is the environment's, object by object.
    pub ours: Vec<Holding>,
}

/// Looks what is there.
///
/// # Errors
/// The API server does not answer; foreign, where a Helm release of the environment's name is somebody else's.
pub async fn look(cluster: &Cluster, record: &Record) -> Result<Inventory, Failure> {
    let owner = record.into();
    let found = cluster.namespace(&record.namespace, owner).await?;
    let holdings = match found {
        Found::Absent | Found::Terminating => Holdings::default(),
        Found::Ours | Found::Foreign(_) => {
            let releases = stacks::release_names(record.into());
            let releases = cluster.own_releases(&record.namespace, &releases, owner).await?;
            cluster.holdings(&record.namespace, owner, &releases).await?
        }
    };
    Ok(Inventory {
        namespace_goes: found == Found::Ours && holdings.others.is_empty(),
        others: holdings.others,
        ours: holdings.ours,
    })
}

/// What is removed from where, and with what.
#[derive(Clone, Copy)]
pub struct Removal<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// The environment.
    pub record: &'a Record,
    /// Its files.
    pub paths: &'a EnvironmentPaths,
    /// Helm.
    pub helm: &'a Helm,
    /// The way to the terminal.
    pub ui: &'a Ui,
}

impl Removal<'_> {
    /// Removes Airflow alone, or all that the environment has in the namespace.
    ///
    /// # Errors
    /// Helm or the API server refuse, or what goes is not gone in time.
    pub async fn remove(self, extent: Extent) -> Result<(), Failure> {
        let Self { cluster, record, paths, helm, ui } = self;
        let step = ui.step("remove_release", "Removing Airflow");
        let kubeconfig = paths.kubeconfig();
        for release in &releases(record, extent) {
            let target =
                Target { release, namespace: &record.namespace, kubeconfig: &kubeconfig, context: &record.context };
            // As late as can be: Helm itself asks nobody whose it is.
            if cluster.own_release(&record.namespace, release, record.into()).await?.is_some() {
                helm.uninstall(target, ui).await?;
            }
        }
        step.doing("waiting for its pods to end");
        let ended = cluster.end_pods(&record.namespace, record.into(), extent).await;
        ended.map_err(|failure| failure.hint(format!("to see why: `{}`", self.kubectl("describe pods"))))?;
        let mut left = Vec::new();
        if extent == Extent::Data {
            step.doing("removing its volumes and keys");
            left = cluster.remove_data(&record.namespace, record.into(), DATA_REMOVAL).await?;
        }
        step.done(format!("{} in {}", record.name, record.context));
        if !left.is_empty() {
            let volumes = left.join(" ");
            let see = self.kubectl(&format!("describe persistentvolumes {volumes}"));
            ui.warn(&format!("still there, with what is stored in them: the volumes {volumes}; to see why: `{see}`"));
        }
        Ok(())
    }

    /// Removes the namespace, if it goes.
    ///
    /// # Errors
    /// The API server refuses, or it is not gone in time.
    pub async fn remove_namespace(self, inventory: &Inventory) -> Result<(), Failure> {
        let Self { cluster, record, ui, .. } = self;
        let step = ui.step("remove_namespace", "Removing namespace");
        if inventory.namespace_goes {
            let removed = cluster.remove_namespace(&record.namespace, record.into(), NAMESPACE_REMOVAL).await;
            let left = || format!("to see what is left in it: `{}`", self.kubectl("get all"));
            removed.map_err(|failure| failure.hint(left()))?;
            step.done(&record.namespace);
        } else if inventory.others.is_empty() {
            step.done(format!("{} stays: windtunnel did not make it", record.namespace));
        } else {
            step.done(format!("{} stays: it holds {}", record.namespace, inventory.others.join(", ")));
        }
        Ok(())
    }

    /// The private kubeconfig is never the one that kubectl reads by itself.
    fn kubectl(self, words: &str) -> String {
        let words = format!("--context {} --namespace {} {words}", self.record.context, self.record.namespace);
        plan::kubectl(&[self.paths.kubeconfig()], &[], &words)
    }
}

/// The Helm releases that go, Airflow's first.
#[must_use]
pub fn releases(record: &Record, extent: Extent) -> Vec<String> {
    let mut releases = stacks::release_names(record.into());
    releases.reverse();
    if extent == Extent::Release {
        releases.truncate(1);
    }
    releases
}
