//! `windtunnel smoke`: proof that the environment runs DAGs.

use super::credentials;
use crate::cluster::Cluster;
use crate::cluster::forward::supervise;
use crate::cluster::workload::Expected;
use crate::error::Failure;
use crate::stacks;
use crate::state::Record;
use crate::steps::smoke::{self, Inputs, Place};
use crate::surroundings::Surroundings;
use crate::ui::Ui;
use crate::ui::event::Event;

/// Runs a DAG on KubernetesExecutor through the forward, which is started if it does not run, and reads its task log back.
///
/// # Errors
/// No environment of this name; see [`smoke::run`] for the rest.
pub async fn smoke(name: &str, ui: &Ui, surroundings: &Surroundings) -> Result<(), Failure> {
    let paths = surroundings.paths.environment(name);
    let record = Record::require(&paths, name)?;
    let credentials = credentials::read(&paths, name)?;
    let cluster = Cluster::open(&paths.kubeconfig(), &record.context).await?;
    supervise::ensure_running(surroundings, &paths, &record, ui).await?;
    let folder = paths.smoke_dags();
    let workloads = stacks::workloads((&record).into());
    let inputs = Inputs {
        port: record.port,
        shape: (&record).into(),
        expected: Expected { environment: &record.name, namespace: &record.namespace, workloads: &workloads },
        credentials: &credentials,
        place: Place::of(record.cluster.provider(), &folder, (&record).into(), &record.namespace),
        cluster: &cluster,
        owner: (&record).into(),
    };
    // The node is looked at by those who bring it up: here an API server that does not answer says it all.
    let report = Box::pin(smoke::run(&inputs, async || Ok(()), async || None, ui)).await?;
    let result = serde_json::to_value(&report).map_err(|error| Failure::bug(error.to_string()))?;
    ui.event(&Event::Result { result });
    Ok(())
}
