//! "Replacing the database": another content and the keys that it needs, in the place of those that an environment has.

use std::time::Duration;

use crate::backup::Backup;
use crate::cluster::Cluster;
use crate::cluster::pause::Paused;
use crate::cluster::removal::Extent;
use crate::cluster::workload::WorkloadKind;
use crate::error::Failure;
use crate::stacks;
use crate::state::{self, Credentials, EnvironmentPaths, Record};
use crate::steps::database::Database;
use crate::ui::{Step, Ui};

/// How long the pods of Airflow may take to end.
const END: Duration = Duration::from_mins(2);

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
        let step = ui.step("replace_database", "Replacing the database");
        let (users, releases) = (stacks::database_users(self.record.into()), stacks::release_names(self.record.into()));
        let airflow = Paused { namespace, environment: name, releases: &releases, workloads: &users };
        if users.iter().any(|workload| workload.kind == WorkloadKind::Job) {
            // Only Helm makes a Job that is done anew, and a migration may be one.
            self.cluster.forget_inputs(namespace, name).await?;
        }
        let replaced = self.rest_and_swap(airflow, &step).await;
        // Should this be cut short, the next `up` lets it run again.
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
        self.cluster.end_pods(airflow.namespace, airflow.environment, Extent::Release, END).await?;
        step.doing("changing databases");
        self.database.swap().await?;
        let keys = self.backup.keys.clone();
        let after =
            Credentials { fernet_key: keys.fernet_key, admin_password: keys.admin_password, ..self.before.clone() };
        if let Err(failure) = self.write(&after).await {
            let undone = self.database.swap_back().await.and(self.write(self.before).await);
            return Err(match undone {
                Ok(()) => failure,
                Err(worse) => failure
                    .evidence(format!("nor can the database of before be put back: {}", worse.message))
                    .hint("what is in the environment now needs the keys of the backup: run this again"),
            });
        }
        if let Err(failure) = self.database.drop_replaced().await {
            // It takes room, and no more: the next restore removes it.
            step.note(&format!("the database of before is left beside it: {}", failure.message));
        }
        Ok(())
    }

    /// In the cluster and on this machine, as `up` has them.
    async fn write(&self, credentials: &Credentials) -> Result<(), Failure> {
        let Record { name, namespace, .. } = self.record;
        for (secret, entries) in stacks::secrets(self.record.into(), credentials) {
            self.cluster.put_secret(namespace, &secret, name, &entries).await?;
        }
        state::write_json(&self.paths.credentials(), credentials)
    }
}
