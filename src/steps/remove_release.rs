//! "Removing Airflow": what an environment brought into a cluster that stays, and nothing else.

use std::time::Duration;

use crate::cluster::Cluster;
use crate::cluster::namespace::Found;
use crate::error::Failure;
use crate::plan;
use crate::stacks;
use crate::state::{EnvironmentPaths, Record};
use crate::tools::helm::{Helm, Target};
use crate::ui::Ui;

/// How long the pods may take to end.
const PODS_END: Duration = Duration::from_mins(2);
/// How long Kubernetes may take to remove a namespace.
const NAMESPACE_REMOVAL: Duration = Duration::from_mins(3);

/// What of an environment is in its cluster.
#[derive(Clone, Debug)]
pub struct Inventory {
    /// Whether the namespace goes: windtunnel made it, and nobody else has put anything into it.
    pub namespace_goes: bool,
    /// Why it stays, object by object.
    pub others: Vec<String>,
    /// What goes, object by object.
    pub ours: Vec<String>,
}

/// Looks what is there.
///
/// # Errors
/// The API server does not answer.
pub async fn look(cluster: &Cluster, record: &Record) -> Result<Inventory, Failure> {
    let found = cluster.namespace(&record.namespace, &record.name).await?;
    let holdings = match found {
        Found::Absent | Found::Terminating => crate::cluster::namespace::Holdings::default(),
        Found::Ours | Found::Foreign(_) => {
            cluster.holdings(&record.namespace, &record.name, &stacks::release_names(record.into())).await?
        }
    };
    Ok(Inventory {
        namespace_goes: found == Found::Ours && holdings.others.is_empty(),
        others: holdings.others,
        ours: holdings.ours,
    })
}

/// Removes it.
///
/// # Errors
/// Helm or the API server refuse, or what goes is not gone in time.
pub async fn remove(
    cluster: &Cluster,
    record: &Record,
    paths: &EnvironmentPaths,
    inventory: &Inventory,
    helm: &Helm,
    ui: &Ui,
) -> Result<(), Failure> {
    let step = ui.step("remove_release", "Removing Airflow");
    let kubeconfig = paths.kubeconfig();
    for release in stacks::release_names(record.into()).iter().rev() {
        let target =
            Target { release, namespace: &record.namespace, kubeconfig: &kubeconfig, context: &record.context };
        helm.uninstall(target, ui).await?;
    }
    cluster.remove_labelled(&record.namespace, &record.name).await?;
    step.doing("waiting for its pods to end");
    // The private kubeconfig is never the one that kubectl reads by itself.
    let kubectl = |words: &str| {
        let words = format!("--context {} --namespace {} {words}", record.context, record.namespace);
        plan::kubectl(std::slice::from_ref(&kubeconfig), &[], &words)
    };
    let ended = cluster.await_no_pods(&record.namespace, &record.name, PODS_END).await;
    ended.map_err(|failure| failure.hint(format!("to see why: `{}`", kubectl("describe pods"))))?;
    step.done(format!("{} in {}", record.name, record.context));

    let step = ui.step("remove_namespace", "Removing namespace");
    if inventory.namespace_goes {
        let removed = cluster.remove_namespace(&record.namespace, NAMESPACE_REMOVAL).await;
        removed.map_err(|failure| failure.hint(format!("to see what is left in it: `{}`", kubectl("get all"))))?;
        step.done(&record.namespace);
    } else if inventory.others.is_empty() {
        step.done(format!("{} stays: windtunnel did not make it", record.namespace));
    } else {
        step.done(format!("{} stays: it holds {}", record.namespace, inventory.others.join(", ")));
    }
    Ok(())
}
