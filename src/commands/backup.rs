//! `windtunnel backup`: the metadata database and the keys that it needs, in one encrypted file.

use std::path::PathBuf;

use jiff::Timestamp;
use serde_json::json;

use super::passphrase;
use super::work::Work;
use crate::backup::{self, FORMAT, Keys, Manifest};
use crate::cli::BackupArgs;
use crate::cluster::Cluster;
use crate::error::{Failure, Kind};
use crate::images::size::size;
use crate::stacks;
use crate::state::Record;
use crate::steps::database::Database;
use crate::surroundings::Surroundings;
use crate::ui::Ui;
use crate::ui::event::Event;

/// Writes the backup of an environment that runs. Airflow goes on meanwhile: what is written is of one moment.
///
/// # Errors
/// Usage, where the file is there or cannot be written, or the passphrase is none. The environment is not there or does not run.
pub async fn backup(arguments: &BackupArgs, name: &str, ui: &Ui, surroundings: &Surroundings) -> Result<(), Failure> {
    let paths = surroundings.paths.environment(name);
    let record = Record::require(&paths, name)?;
    let path = target(arguments, surroundings)?;
    let passphrase = passphrase::new(arguments.passphrase_file.as_deref(), ui, surroundings)?;
    let _work = Work::begin(name, &paths, ui).await?;

    let step = ui.step("backup_database", "Reading the database");
    let cluster = Cluster::open(&paths.kubeconfig(), &record.context).await?;
    let database = Database::of(&record, &cluster)?;
    let secret = stacks::credentials_secret(&record.name);
    let credentials = cluster.credentials(&record.namespace, &secret, (&record).into()).await.map_err(does_not_run)?;
    let credentials = credentials
        .ok_or_else(|| Failure::new(Kind::Unhealthy, format!("there is no Secret `{secret}` with all keys")))?;
    let manifest = Manifest {
        format: FORMAT,
        windtunnel: env!("CARGO_PKG_VERSION").to_owned(),
        environment: record.name.clone(),
        stack: record.stack,
        airflow: record.airflow.clone(),
        time: Timestamp::now(),
        database: database.version().await.map_err(does_not_run)?,
        content: database.content().await?,
        sha256: String::new(),
    };
    let dump = database.dump(|bytes| step.doing(size(bytes))).await?;
    step.done(format!("{}, {}", manifest.content, size(dump.len() as u64)));

    let step = ui.step("write_backup", "Writing the backup");
    let keys = Keys { fernet_key: credentials.fernet_key, admin_password: credentials.admin_password };
    let content = manifest.content;
    backup::write(&path, arguments.force, &passphrase, manifest, &keys, &dump)?;
    step.done(path.display().to_string());
    ui.say("It opens with its passphrase alone: without that nobody can restore it.");
    ui.event(&Event::Result { result: json!({"name": record.name, "file": path, "content": content}) });
    Ok(())
}

/// Where it goes, known to be free before anything is asked or read.
fn target(arguments: &BackupArgs, surroundings: &Surroundings) -> Result<PathBuf, Failure> {
    let path = surroundings.folder.join(&arguments.file);
    if path.is_dir() {
        return Err(Failure::usage(format!("{} is a folder", path.display())).hint("name a file in it"));
    }
    if path.exists() && !arguments.force {
        return Err(Failure::usage(format!("{} is there already", path.display()))
            .hint("choose another name, or replace it: `--force`"));
    }
    match path.parent() {
        Some(folder) if !folder.is_dir() => Err(Failure::usage(format!("there is no folder {}", folder.display()))),
        _ => Ok(path),
    }
}

/// What keeps a database from being asked is most often that it does not run.
pub(super) fn does_not_run(failure: Failure) -> Failure {
    if failure.kind == Kind::Foreign {
        return failure;
    }
    failure.hint("the environment must run: `windtunnel up`")
}
