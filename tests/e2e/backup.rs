//! An environment's database goes into a file and, with the keys that it needs, into another environment.

use serde_json::{Value, json};
use windtunnel::backup::{Backup, Keys, write};

use crate::airflow::Airflow;
use crate::artefacts::{say, stage};
use crate::docker::{kubectl, pod_identities};
use crate::environment::Environment;
use crate::outcome::Outcome;
use crate::readme;

const DAG: &str = "hello";
const PASSPHRASE: &str = "four words keep it";

#[test]
fn backup_and_restore() {
    let test = "backup";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("airflow.backup");
    let passphrase = folder.path().join("passphrase");
    std::fs::write(&passphrase, format!("{PASSPHRASE}\n")).unwrap();
    let words = |command| [command, file.to_str().unwrap(), "--passphrase-file", passphrase.to_str().unwrap(), "--yes"];

    let first = Environment::claim("backup");
    stage(test, "up", || first.up(&[]).succeeded());
    let (airflow, password) = log_in(&first);
    let run = stage(test, "a run, a connection and a variable", || fill(&first, &airflow));
    let listed = first.windtunnel(&["list", "-o", "json"]).succeeded();
    assert_eq!(listed.document()[0]["state"], "running", "{listed}");
    say(&format!("`list`: {:.2} s", listed.took.as_secs_f64()));
    stage(test, "backup", || first.windtunnel(&words("backup")).succeeded())
        .says(&["1 DAG run, 1 connection, 1 variable"]);
    first.windtunnel(&words("backup")).ended_with(2).says(&["is there already"]);
    drop(first);

    let second = Environment::claim("restore");
    stage(test, "up of another environment", || second.up(&[]).succeeded());
    let before = pod_identities(&second.name, &second.name);
    stage(test, "a database that cannot be loaded", || broken(&second, &file, &words("restore")));
    assert_eq!(pod_identities(&second.name, &second.name), before, "Airflow was touched");
    stage(test, "restore", || second.windtunnel(&words("restore")).succeeded());
    let (airflow, restored) = log_in(&second);
    assert_eq!(restored, password, "the login is not that of the backup");
    stage(test, "all of it is there", || is_there(&second, &airflow, &run));
}

fn log_in(environment: &Environment) -> (Airflow, String) {
    let login = environment.windtunnel(&["credentials", "-o", "json"]).succeeded().document();
    let entry = |name: &str| login[name].as_str().unwrap().to_owned();
    (Airflow::log_in(&entry("url"), &entry("user"), &entry("password")), entry("password"))
}

fn fill(environment: &Environment, airflow: &Airflow) -> String {
    let connection = json!({
        "connection_id": "shop", "conn_type": "postgres", "host": "shop.example", "login": "me", "password": "s3cret",
    });
    airflow.call("POST", "connections", Some(&connection)).unwrap();
    airflow.call("POST", "variables", Some(&json!({"key": "colour", "value": "blue"}))).unwrap();
    readme::write_dag(environment);
    airflow.await_dag(DAG);
    airflow.run_dag(DAG)
}

/// A backup that is whole, and whose dump PostgreSQL does not take.
fn broken(environment: &Environment, file: &std::path::Path, restore: &[&str]) -> Outcome {
    let whole = std::fs::read(file).unwrap();
    let Backup { manifest, keys, .. } = Backup::read(file, &PASSPHRASE.into()).unwrap();
    let keys = Keys { fernet_key: "not this one".into(), ..keys };
    write(file, true, &PASSPHRASE.into(), manifest, &keys, b"no dump").unwrap();
    let ended = environment.windtunnel(restore).ended_with(1);
    assert!(ended.stderr.contains("the one in use is as it was"), "{ended}");
    std::fs::write(file, whole).unwrap();
    ended
}

fn is_there(environment: &Environment, airflow: &Airflow, run: &str) {
    let found = airflow.call("GET", &format!("dags/{DAG}/dagRuns/{}", run.replace('+', "%2B")), None).unwrap();
    assert_eq!(found["state"], "success", "{found}");
    // These can be read by the Fernet key that they were written with alone.
    assert_eq!(airflow.call("GET", "variables/colour", None).unwrap()["value"], "blue");
    let pod = format!("deployment/{}-airflow", environment.name);
    let get = ["airflow", "connections", "get", "shop", "--output", "json"];
    let line = [&["exec", "--namespace", &environment.name, &pod, "--container", "scheduler", "--"], &get[..]].concat();
    let shown = kubectl(&environment.name, &line).succeeded();
    let connections: Value = serde_json::from_str(shown.stdout.lines().last().unwrap()).unwrap();
    assert_eq!(connections[0]["password"], "s3cret", "{shown}");
}
