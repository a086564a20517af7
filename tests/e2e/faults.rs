//! Real faults on one real cluster: each ends `up` with its name, its object, its exit code and the next command, soon after it can be seen.
//!
//! Most are in the table `faults/matrix.yaml`. The machine's engine is everybody's and is not stopped: `faults/engine.rs` starts one for that.

mod dag;
mod during;
mod engine;
mod job;
mod matrix;
mod namespace;
mod node;
mod release;
mod report;
mod worker;

use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, SystemTime};

use self::during::{await_step, during};
pub(crate) use self::job::migration_job_fails;
use self::report::{Met, NAMED};
use crate::airflow::assert_healthy;
use crate::artefacts::stage;
use crate::docker::docker;
use crate::environment::Environment;
use crate::traces::Stranger;

#[test]
fn faults() {
    let environment = Environment::claim("faults");
    stage("faults", "a port that is taken", || port_taken(&environment));
    stage("faults", "a port that is taken after the check", || port_taken_late(&environment));
    stage("faults", "`up`", || environment.up(&[]).succeeded());
    stage("faults", "a DAG file that cannot be imported", || dag::broken(&environment));

    matrix::meet_all(&environment);
    stage("faults", "`up` with the right profile repairs", || {
        environment.up(&["--profile", "lite"]).succeeded();
        environment.windtunnel(&["status"]).succeeded();
        assert_healthy(environment.port);
    });
    stage("faults", "down leaves other people's clusters", || {
        let stranger = Stranger::create(&environment);
        environment.windtunnel(&["down", "--yes"]).succeeded();
        stranger.assert_untouched();
    });
}

#[test]
fn faults_below_the_release() {
    let environment = Environment::claim("below");
    stage("faults", "`up`", || environment.up(&[]).succeeded());
    stage("faults", "the API server is away for 30 s", || node::api_server_away(&environment));
    stage("faults", "the node's container is stopped", || node::node_stopped(&environment));
    stage("faults", "the database's pod is deleted during the migration", || node::database_deleted(&environment));
    stage("faults", "an installation that somebody's Helm was stopped in", || {
        release::left_in_pending_install(&environment);
    });
    stage("faults", "a namespace that a finalizer holds", || namespace::held_by_a_finalizer(&environment));
    stage("faults", "down", || environment.windtunnel(&["down", "--yes"]).succeeded());
}

fn port_taken(environment: &Environment) {
    let _stranger = TcpListener::bind((Ipv4Addr::LOCALHOST, environment.port)).unwrap();
    let seen = SystemTime::now();
    let up = environment.up(&["--output", "json"]);
    let met = Met { title: "a port that is taken", up: &up, seen };
    met.say();
    // The holder is this test.
    met.assert_named(&["port_taken".to_owned()], 9, &[environment.port.to_string(), std::process::id().to_string()]);
    met.assert_named_soon(NAMED);
    met.assert_hint(environment, "--port");
    assert_ne!(
        docker(&["container", "inspect", &crate::docker::node(&environment.name)]).code,
        Some(0),
        "a cluster was made all the same"
    );
    let folder = environment.state().join("environments").join(&environment.name);
    assert!(!folder.exists(), "{} is left", folder.display());
}

/// Somebody takes the port while the cluster is being made.
fn port_taken_late(environment: &Environment) {
    let up = || environment.up(&["--output", "json"]);
    let (up, (_stranger, seen)) = during(environment, "start_cluster", up, || {
        let stranger = TcpListener::bind((Ipv4Addr::LOCALHOST, environment.port)).unwrap();
        // What comes before the forward is of use all the same.
        await_step(environment, "forward");
        (stranger, SystemTime::now())
    });
    let met = Met { title: "a port that is taken after the check", up: &up, seen };
    met.say();
    met.assert_named(&["port_taken".to_owned()], 9, &[environment.port.to_string(), std::process::id().to_string()]);
    met.assert_named_soon(NAMED);
    met.assert_soon(Duration::from_secs(5));
}
