//! Two environments of one user at once, one of each provider: neither takes from the other, and what one knows goes into the other.

use serde_json::json;

use crate::airflow::{assert_healthy, connection_password};
use crate::artefacts::stage;
use crate::backup::{Kept, log_in};
use crate::environment::Environment;

/// Brings up one of kind's beside one of minikube's, moves what it knows over, and removes it.
pub(crate) fn kind_beside(minikube: &Environment) {
    let mut kind = minikube.beside();
    let test = "side by side";
    kind.port = stage(test, "the next free port is offered", || offered(&kind, minikube.port));
    stage(test, "up of a second one, of kind's", || {
        kind.up(&["--provider", "kind", "--dags", "second-dags"]).succeeded();
    });
    let both = [(minikube, "minikube"), (&kind, "kind")];
    stage(test, "both are healthy and listed", || both.iter().for_each(|one| assert_lives(one.0, one.1)));

    let kept = Kept::new();
    let (airflow, password) = log_in(&kind);
    airflow.set_variable("from", "kind");
    airflow.set_connection("from-kind", "s3cret");
    stage(test, "backup of the one", || drop(kept.run(&kind, "backup").succeeded()));
    stage(test, "restore into the other", || {
        kept.run(minikube, "restore").succeeded();
        let (airflow, restored) = log_in(minikube);
        assert_eq!(restored, password, "the login is not that of the backup");
        assert_eq!(airflow.variable("from").as_deref(), Some("kind"));
        assert_eq!(connection_password(&minikube.name, "from-kind"), "s3cret");
    });
    assert_lives(&kind, "kind");

    stage(test, "down of the one leaves the other", || drop(kind.windtunnel(&["down", "--yes"]).succeeded()));
    assert_lives(minikube, "minikube");
    let listed = minikube.windtunnel(&["list", "-o", "json"]).succeeded().document();
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
}

/// The port that is offered to a second environment which wants the first one's.
fn offered(second: &Environment, taken: u16) -> u16 {
    let bundle = crate::environment::bundle();
    let up = ["up", "--provider", "kind", "--bundle", bundle.to_str().unwrap(), "--port", &taken.to_string()];
    let refused = second.windtunnel(&up).ended_with(9);
    refused.says(&[&format!("port {taken} on 127.0.0.1 is taken by windtunnel")]);
    let (_, hint) = refused.stderr.split_once("`windtunnel up --port ").unwrap_or_else(|| panic!("{refused}"));
    let port = hint.split(|sign: char| !sign.is_ascii_digit()).next().unwrap().parse().unwrap();
    assert!(port > taken, "{refused}");
    port
}

/// Insists that an environment is healthy on its own port, and listed so.
fn assert_lives(environment: &Environment, provider: &str) {
    assert_healthy(environment.port);
    environment.windtunnel(&["status"]).succeeded();
    let listed = environment.windtunnel(&["list", "-o", "json"]).succeeded().document();
    let row = listed.as_array().unwrap().iter().find(|row| row["name"] == environment.name.as_str()).unwrap();
    let seen = json!([row["provider"], row["state"], row["port"]]);
    assert_eq!(seen, json!([provider, "running", environment.port]), "{row}");
}
