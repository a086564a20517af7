//! An environment's database goes into a file and, with the keys that it needs, into another environment.

use std::path::PathBuf;

use tempfile::TempDir;
use windtunnel::backup::{Backup, Keys, write};

use crate::airflow::{Airflow, connection_password};
use crate::artefacts::{say, stage};
use crate::docker::pod_identities;
use crate::environment::Environment;
use crate::outcome::Outcome;
use crate::readme;

const DAG: &str = "hello";
const PASSPHRASE: &str = "four words keep it";

#[test]
fn backup_and_restore() {
    let test = "backup";
    let kept = Kept::new();
    let first = Environment::claim("backup");
    stage(test, "up", || first.up(&[]).succeeded());
    let (airflow, password) = log_in(&first);
    let run = stage(test, "a run, a connection and a variable", || fill(&first, &airflow));
    let listed = first.windtunnel(&["list", "-o", "json"]).succeeded();
    assert_eq!(listed.document()[0]["state"], "running", "{listed}");
    say(&format!("`list`: {:.2} s", listed.took.as_secs_f64()));
    stage(test, "backup", || kept.run(&first, "backup").succeeded()).says(&["1 DAG run, 1 connection, 1 variable"]);
    kept.run(&first, "backup").ended_with(2).says(&["is there already"]);
    drop(first);

    let second = Environment::claim("restore");
    stage(test, "up of another environment", || second.up(&[]).succeeded());
    let before = pod_identities(&second.name, &second.name);
    stage(test, "a database that cannot be loaded", || broken(&second, &kept));
    assert_eq!(pod_identities(&second.name, &second.name), before, "Airflow was touched");
    stage(test, "restore", || kept.run(&second, "restore").succeeded());
    let (airflow, restored) = log_in(&second);
    assert_eq!(restored, password, "the login is not that of the backup");
    stage(test, "all of it is there", || is_there(&second, &airflow, &run));
}

/// The file of a backup, which is to be made, and its passphrase.
pub(crate) struct Kept {
    folder: TempDir,
}

impl Kept {
    pub(crate) fn new() -> Self {
        let kept = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::write(kept.path("passphrase"), format!("{PASSPHRASE}\n")).unwrap();
        kept
    }

    /// Runs `backup` or `restore`.
    pub(crate) fn run(&self, environment: &Environment, command: &str) -> Outcome {
        let (file, passphrase) = (self.path("airflow.backup"), self.path("passphrase"));
        let passphrase = ["--passphrase-file", passphrase.to_str().unwrap(), "--yes"];
        environment.windtunnel(&[&[command, file.to_str().unwrap()], &passphrase[..]].concat())
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }
}

pub(crate) fn log_in(environment: &Environment) -> (Airflow, String) {
    let login = environment.windtunnel(&["credentials", "-o", "json"]).succeeded().document();
    let entry = |name: &str| login[name].as_str().unwrap().to_owned();
    (Airflow::log_in(&entry("url"), &entry("user"), &entry("password")), entry("password"))
}

fn fill(environment: &Environment, airflow: &Airflow) -> String {
    airflow.set_connection("shop", "s3cret");
    airflow.set_variable("colour", "blue");
    readme::write_dag(environment);
    airflow.await_dag(DAG);
    airflow.run_dag(DAG)
}

/// A backup that is whole, and whose dump PostgreSQL does not take.
fn broken(environment: &Environment, kept: &Kept) -> Outcome {
    let file = kept.path("airflow.backup");
    let whole = std::fs::read(&file).unwrap();
    let Backup { manifest, keys, .. } = Backup::read(&file, &PASSPHRASE.into()).unwrap();
    let keys = Keys { fernet_key: "not this one".into(), ..keys };
    write(&file, true, &PASSPHRASE.into(), manifest, &keys, b"no dump").unwrap();
    let ended = kept.run(environment, "restore").ended_with(1);
    assert!(ended.stderr.contains("the one in use is as it was"), "{ended}");
    std::fs::write(&file, whole).unwrap();
    ended
}

fn is_there(environment: &Environment, airflow: &Airflow, run: &str) {
    let found = airflow.call("GET", &format!("dags/{DAG}/dagRuns/{}", run.replace('+', "%2B")), None).unwrap();
    assert_eq!(found["state"], "success", "{found}");
    // These can be read by the Fernet key that they were written with alone.
    assert_eq!(airflow.variable("colour").as_deref(), Some("blue"));
    assert_eq!(connection_password(&environment.name, "shop"), "s3cret");
}
