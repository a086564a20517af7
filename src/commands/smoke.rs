//! `windtunnel smoke`: proof that the environment runs DAGs.

use super::credentials;
use crate::cluster::Cluster;
use crate::error::Failure;
use crate::state::Record;
use crate::steps::smoke::{self, Inputs};
use crate::surroundings::Surroundings;
use crate::ui::Ui;
use crate::ui::event::Event;

/// Runs a DAG on `KubernetesExecutor` through the forward at `port`, which answers, and reads its task log back.
///
/// # Errors
/// No environment of this name; see [`smoke::run`] for the rest.
pub async fn smoke(ui: &Ui, surroundings: &Surroundings, name: &str, port: u16) -> Result<(), Failure> {
    let paths = surroundings.paths.environment(name);
    let record = Record::require(&paths, name)?;
    let credentials = credentials::read(&paths, name)?;
    let cluster = Cluster::open(&paths.kubeconfig(), &record.context).await?;
    let folder = paths.smoke_dags();
    let inputs =
        Inputs { port, credentials: &credentials, folder: &folder, cluster: &cluster, namespace: &record.namespace };
    let report = smoke::run(&inputs, ui).await?;
    let result = serde_json::to_value(&report).map_err(|error| Failure::bug(error.to_string()))?;
    ui.event(&Event::Result { result });
    Ok(())
}
