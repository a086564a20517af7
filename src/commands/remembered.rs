//! What this machine remembers of an environment; where that is lost, the copy in the cluster.

use std::time::Duration;

use secrecy::ExposeSecret;
use tokio::time::timeout;

use crate::cluster::record::Extent;
use crate::cluster::{Cluster, kubeconfig};
use crate::error::{Failure, Kind};
use crate::stacks;
use crate::state::{Credentials, EnvironmentPaths, Record, read_json};
use crate::ui::Ui;

/// How long the cluster may take to tell.
const PATIENCE: Duration = Duration::from_secs(3);

/// The record of an environment, if there is one. Where its file is gone or damaged and the cluster has a copy, it is written anew.
///
/// # Errors
/// As [`Record::load`], with the reason why the cluster has not helped.
pub(super) async fn record(paths: &EnvironmentPaths, name: &str, ui: &Ui) -> Result<Option<Record>, Failure> {
    let remembered = Record::load(paths);
    if matches!(remembered, Ok(Some(_))) || !is_lost(paths) {
        return remembered;
    }
    match timeout(PATIENCE, from_cluster(paths, name)).await {
        Ok(Ok(Some(record))) => {
            keep(&record, paths, ui)?;
            Ok(Some(record))
        }
        Ok(Ok(None)) => remembered,
        Ok(Err(why)) => {
            let reason: Vec<String> = std::iter::once(why.message).chain(why.evidence.into_iter().take(1)).collect();
            remembered.map_err(|failure| failure.evidence(format!("nor does the cluster tell: {}", reason.join(": "))))
        }
        Err(_) => remembered.map_err(|failure| failure.evidence("nor does the cluster answer")),
    }
}

/// Keeps what the cluster has told.
///
/// # Errors
/// The file cannot be written.
pub(super) fn keep(record: &Record, paths: &EnvironmentPaths, ui: &Ui) -> Result<(), Failure> {
    record.save(paths)?;
    ui.say(&format!("What this machine knew of {} was lost: it was taken from the cluster again.", record.name));
    Ok(())
}

/// The record of an environment that must be there.
///
/// # Errors
/// As [`record`]; no environment where there is none.
pub(super) async fn require(paths: &EnvironmentPaths, name: &str, ui: &Ui) -> Result<Record, Failure> {
    record(paths, name, ui).await?.map_or_else(|| Record::require(paths, name), Ok)
}

/// Whether the file is gone or is no document at all, and there is a way to the cluster. One of a newer windtunnel is not lost.
fn is_lost(paths: &EnvironmentPaths) -> bool {
    let is_readable = matches!(read_json::<serde_json::Value>(&paths.record()), Ok(Some(_)));
    !is_readable && paths.kubeconfig().exists()
}

/// The private kubeconfig leads to this environment's cluster and to no other.
async fn from_cluster(paths: &EnvironmentPaths, name: &str) -> Result<Option<Record>, Failure> {
    let path = paths.kubeconfig();
    let contexts = kubeconfig::contexts(std::slice::from_ref(&path))?;
    let context = contexts.iter().find(|context| context.current).or(contexts.first());
    let context = context.ok_or_else(|| Failure::new(Kind::Cluster, format!("{} names no cluster", path.display())))?;
    let cluster = Cluster::open(&path, &context.name).await?;
    // Others may use that cluster too, and an environment of that name: ours is the one whose keys are here.
    let Some(ours) = read_json::<Credentials>(&paths.credentials())? else { return Ok(None) };
    // Where an environment is unless it was told otherwise.
    for record in cluster.kept_records(name, name, Extent::Cluster).await? {
        let secret = stacks::credentials_secret(&record.name);
        let found = cluster.credentials(&record.namespace, &secret, (&record).into()).await?;
        if found.is_some_and(|found| found.database_password.expose_secret() == ours.database_password.expose_secret())
        {
            return Ok(Some(record));
        }
    }
    Ok(None)
}
