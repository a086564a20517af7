//! "Replacing the database": another content and the keys that it needs, in the place of those that an environment has.

use std::path::Path;

use super::prerequisites::Prerequisites;
use super::{Context, wait_for_pods};
use crate::backup::{self, Backup};
use crate::cluster::Cluster;
use crate::cluster::pause::Paused;
use crate::cluster::removal::Extent;
use crate::cluster::workload::WorkloadKind;
use crate::error::{During, Failure, Kind};
use crate::stacks;
use crate::state::{Credentials, EnvironmentPaths, Record, document};
use crate::steps::database::Database;
use crate::ui::{Step, Ui};

/// What is replaced, and where.
pub struct Replacement<'a> {
    /// The environment.
    pub record: &'a Record,
    /// Its files.
    pub paths: &'a EnvironmentPaths,
    /// Its cluster.
    pub cluster: &'a Cluster,
    /// Its database.
    pub database: &'a Database<'a>,
    /// What it has now.
    pub before: &'a Credentials,
    /// What it is to have.
    pub backup: &'a Backup,
}

impl Replacement<'_> {
    /// Replaces the database. Airflow runs until the new content is there, and rests only for the moment of the change.
    ///
    /// # Errors
    /// Something refuses: database and keys are those of before then, and Airflow is started again.
    pub async fn make(&self, ui: &Ui) -> Result<(), Failure> {
        let step = ui.step("load_database", "Loading the database");
        self.database.load(self.backup.dump()).await?;
        step.done(self.backup.manifest.content.to_string());

        let Record { name, namespace, .. } = self.record;
        let owner = self.record.into();
        let step = ui.step("replace_database", "Replacing the database");
        let (users, releases) = (stacks::database_users(self.record.into()), stacks::release_names(self.record.into()));
        let releases = self.cluster.own_releases(namespace, &releases, owner).await?;
        let airflow = Paused { namespace, owner, releases: &releases, workloads: &users };
        self.database.drop_replaced().await?;
        // Should what follows be cut short, the next `up` finds this, and goes on from there.
        document::write(&self.paths.restoring(), &self.backup.keys)?;
        if users.iter().any(|workload| workload.kind == WorkloadKind::Job) {
            // Only Helm makes a Job that is done anew, and a migration may be one.
            self.cluster.forget_inputs(namespace, name, owner).await?;
        }
        let replaced = self.rest_and_swap(airflow, &step).await;
        let resumed = self.cluster.resume(airflow).await;
        replaced
            .and(resumed.map(drop))
            .map_err(|failure| failure.hint("to have Airflow run again: `windtunnel up`"))?;
        step.done("database and keys are those of the backup");
        Ok(())
    }

    async fn rest_and_swap(&self, airflow: Paused<'_>, step: &Step<'_>) -> Result<(), Failure> {
        step.doing("stopping Airflow");
        self.cluster.pause(airflow).await?;
        self.cluster.end_pods(airflow.namespace, airflow.owner, Extent::Release).await?;
        step.doing("changing databases");
        self.database.swap().await?;
        let keys = Keys { record: self.record, paths: self.paths, cluster: self.cluster };
        if let Err(failure) = keys.write(&with(self.before, &self.backup.keys)).await {
            let undone = self.database.swap_back().await.and(keys.write(self.before).await);
            return Err(match undone {
                Ok(()) => failure,
                Err(worse) => failure
                    .evidence(format!("nor can the database of before be put back: {}", worse.message))
                    .hint("what is in the environment now needs the keys of the backup: `windtunnel up` writes them"),
            });
        }
        keys.done(self.database).await
    }
}

/// Goes on with a restore that was cut short: keys fit the database, before Airflow runs again with them. Does nothing where
/// there was none.
///
/// # Errors
/// The database does not come up, or the API server refuses.
pub async fn finish(
    context: Context<'_>,
    ready: &Prerequisites,
    cluster: &Cluster,
    record: &Record,
) -> Result<(), Failure> {
    let Context { paths, ui, .. } = context;
    let Some(after) = document::read::<backup::Keys>(&paths.restoring()).into_result()? else { return Ok(()) };
    let component = stacks::component(record.into(), "database")?;
    let workloads = [component.workload];
    if !cluster.has_workloads(&record.namespace, &workloads).await? {
        // The database has gone since, and what was to be done with it.
        return remove(&paths.restoring());
    }
    let step = ui.step("finish_restore", "Finishing the restore");
    let releases = stacks::release_names(record.into());
    let (namespace, owner) = (&record.namespace, record.into());
    let releases = cluster.own_releases(namespace, &releases, owner).await?;
    // `windtunnel stop` may have come after it.
    cluster.resume(Paused { namespace, owner, releases: &releases, workloads: &workloads }).await?;
    wait_for_pods::until_ready(context, ready, cluster, &workloads, &step).await?;
    let database = Database::of(record, cluster)?;
    let keys = Keys { record, paths, cluster };
    let is_swapped = database.is_swapped().await?;
    if is_swapped {
        let secret = stacks::credentials_secret(&record.name);
        let before = match cluster.credentials(&record.namespace, &secret, record.into()).await? {
            Some(credentials) => Some(credentials),
            None => document::read(&paths.credentials()).into_result()?,
        };
        let before =
            before.ok_or_else(|| Failure::new(Kind::Unhealthy, format!("the keys of {} are lost", record.name)))?;
        keys.write(&with(&before, &after)).await?;
    }
    keys.done(&database).await?;
    step.done(if is_swapped { "the keys are those of its database" } else { "it had changed nothing" });
    Ok(())
}

fn with(before: &Credentials, keys: &backup::Keys) -> Credentials {
    let backup::Keys { fernet_key, admin_password } = keys.clone();
    Credentials { admin_password, fernet_key, ..before.clone() }
}

/// Where the keys of an environment are.
struct Keys<'a> {
    record: &'a Record,
    paths: &'a EnvironmentPaths,
    cluster: &'a Cluster,
}

impl Keys<'_> {
    /// In the cluster and on this machine, as `up` has them.
    async fn write(&self, credentials: &Credentials) -> Result<(), Failure> {
        let Record { namespace, .. } = self.record;
        for (secret, entries) in stacks::secrets(self.record.into(), credentials) {
            self.cluster.put_secret(namespace, &secret, self.record.into(), &entries).await?;
        }
        document::write(&self.paths.credentials(), credentials)
    }

    /// Database and keys fit: what would be needed to go on is removed.
    async fn done(&self, database: &Database<'_>) -> Result<(), Failure> {
        database.drop_replaced().await?;
        remove(&self.paths.restoring())
    }
}

fn remove(path: &Path) -> Result<(), Failure> {
    std::fs::remove_file(path).during(Kind::Usage, format!("cannot remove {}", path.display()))
}
