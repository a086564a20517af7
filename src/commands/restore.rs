//! `windtunnel restore`: an environment gets the metadata database of a backup, and the keys that it needs.

use super::backup::does_not_run;
use super::work::Work;
use super::{bring_up, passphrase, up};
use crate::backup::{Backup, Content, Manifest};
use crate::cli::RestoreArgs;
use crate::cluster::Cluster;
use crate::error::{Failure, Kind};
use crate::profile::Generation;
use crate::stacks;
use crate::state::Record;
use crate::steps::database::Database;
use crate::steps::replace_database::Replacement;
use crate::surroundings::Surroundings;
use crate::ui::Ui;

/// What a number of PostgreSQL's has for each major version.
const MAJOR: u32 = 10_000;

/// Replaces what an environment that runs has, after a yes, and brings it up again.
///
/// # Errors
/// Usage, where the file is no backup that can be used here: nothing was touched then. What fails later leaves the database of before.
pub async fn restore(arguments: &RestoreArgs, name: &str, ui: &Ui, surroundings: &Surroundings) -> Result<(), Failure> {
    let paths = surroundings.paths.environment(name);
    let record = Record::require(&paths, name).map_err(|failure| {
        if failure.kind == Kind::NoEnvironment { failure.hint("then run this again") } else { failure }
    })?;
    let path = surroundings.folder.join(&arguments.file);
    if !path.is_file() {
        return Err(Failure::usage(format!("there is no file {}", path.display())));
    }
    let passphrase = passphrase::of_backup(arguments.passphrase_file.as_deref(), ui, surroundings)?;
    let step = ui.step("read_backup", "Reading the backup");
    let backup = Backup::read(&path, &passphrase)?;
    let Manifest { environment, airflow, time, .. } = &backup.manifest;
    step.done(format!("{environment}, Airflow {airflow}, of {time:.0}"));
    fits(&backup.manifest, &record)?;

    let work = Work::begin(name, &paths, ui).await?;
    let cluster = Cluster::open(&paths.kubeconfig(), &record.context).await?;
    let releases = stacks::release_names((&record).into());
    cluster.own_releases(&record.namespace, &releases, (&record).into()).await.map_err(does_not_run)?;
    let database = Database::of(&record, &cluster)?;
    let secret = stacks::credentials_secret(&record.name);
    let before = cluster.credentials(&record.namespace, &secret, (&record).into()).await.map_err(does_not_run)?;
    let before = before.ok_or_else(|| {
        does_not_run(Failure::new(Kind::Unhealthy, format!("there is no Secret `{secret}` with all keys")))
    })?;
    let version = database.version().await.map_err(does_not_run)?;
    reads(version, backup.manifest.database)?;
    let now = database.content().await.map_err(does_not_run)?;
    ui.say(&what_goes(name, &now, &backup.manifest));
    ui.confirm(&format!("Replace the database and the keys of {name}?"))?;

    let replacement = Replacement {
        record: &record,
        paths: &paths,
        cluster: &cluster,
        database: &database,
        before: &before,
        backup: &backup,
    };
    replacement.make(ui).await?;
    Box::pin(bring_up::bring_up(up::as_before(name, ui, surroundings)?, Some(work), ui, surroundings)).await.map(drop)
}

fn what_goes(name: &str, now: &Content, manifest: &Manifest) -> String {
    let Manifest { environment, content, .. } = manifest;
    format!(
        "This goes: the database of {name} ({now}), its Fernet key, the password of {}. In their place come those of {environment} ({content}).",
        crate::state::USER
    )
}

/// A database is migrated to a newer Airflow by that, and to an older one by nobody.
fn fits(manifest: &Manifest, record: &Record) -> Result<(), Failure> {
    let (from, to) = (&manifest.airflow, &record.airflow);
    let failure =
        Failure::usage(format!("the backup is of Airflow {from}, the environment `{}` has {to}", record.name));
    let other = "restore it into an environment with that Airflow: `windtunnel up --name NAME --profile PROFILE`";
    if Generation::of(from) != Generation::of(to) {
        return Err(failure.evidence("Airflow 2 and 3 do not understand each other's databases").hint(other));
    }
    if to < from {
        return Err(failure.evidence("an older Airflow cannot use the database of a newer one").hint(other));
    }
    Ok(())
}

/// `pg_restore` reads what its own and older versions wrote.
fn reads(version: u32, dumped: u32) -> Result<(), Failure> {
    let (here, there) = (version / MAJOR, dumped / MAJOR);
    if here >= there {
        return Ok(());
    }
    Err(Failure::usage(format!("the backup is of PostgreSQL {there}, this environment has {here}"))
        .hint("restore it into an environment that was made with the bundle or profile of the backup's"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_goes_to_the_same_postgresql_or_a_newer_one() {
        assert!(reads(170_012, 160_003).is_ok() && reads(170_002, 170_012).is_ok());
        assert!(reads(160_003, 170_012).is_err());
    }
}
