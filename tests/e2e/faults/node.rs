//! Faults below Airflow, while `up` waits: the API server goes away and comes back, the node's container is stopped.

use std::time::{Duration, SystemTime};

use super::during::during;
use super::matrix::in_node;
use super::report::{Met, NAMED};
use crate::airflow::assert_healthy;
use crate::artefacts::say;
use crate::docker::{kill, kubectl, node};
use crate::environment::Environment;
use crate::until::until;

/// The manifest by which the kubelet runs the API server.
const MANIFEST: &str = "/etc/kubernetes/manifests/kube-apiserver.yaml";
/// The step of `up` that waits.
const WAIT: &str = "wait_for_pods";
/// How long `up` may take to tell of a node that is gone.
const WITHIN: Duration = Duration::from_secs(30);

/// The API server is away for 30 s: `up` says so, and goes on after.
pub(super) fn api_server_away(environment: &Environment) {
    replace_pod(environment);
    // Each line with the time at which it was said.
    let stamp = "while read -r line; do echo \"$(date +%s.%N) $line\"; done";
    let up =
        || environment.shell(&format!("{{ windtunnel up --profile lite; echo \"ended with $?\"; }} 2>&1 | {stamp}"));
    let (up, seen) = during(environment, WAIT, up, || {
        // One that is to end goes on with the watches that it has for half a minute, and only takes no new ones.
        let gone = "while [ -n \"$(crictl ps --quiet --name kube-apiserver)\" ]; do sleep 0.2; done";
        in_node(environment, &format!("mv {MANIFEST} /etc/kubernetes/away.yaml; {gone}"));
        let seen = SystemTime::now();
        in_node(environment, &format!("sleep 30; mv /etc/kubernetes/away.yaml {MANIFEST}"));
        seen
    });
    up.says(&["waiting for the API server", "answers again", "ended with 0"]);
    let seen = seen.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64();
    let said = |words: &str| {
        let line = up.stdout.lines().find(|line| line.contains(words)).unwrap();
        (line.split_once(' ').unwrap().0.parse::<f64>().unwrap() - seen).max(0.0)
    };
    let named = said("waiting for the API server");
    say(&format!(
        "matrix | the API server is away for 30 s | named after {named:.1} s, back after {:.1} s, up after {:.1} s | exit 0",
        said("answers again"),
        said("ended with"),
    ));
    assert!(named <= NAMED.as_secs_f64(), "{up}");
}

/// The node's container is killed: `up` names it, and the next `up` starts it.
pub(super) fn node_stopped(environment: &Environment) {
    replace_pod(environment);
    let mut stopped = SystemTime::now();
    let up = || environment.up(&["--profile", "lite", "--output", "json"]);
    let (up, ()) = during(environment, WAIT, up, || {
        kill(&node(&environment.name));
        stopped = SystemTime::now();
    });
    let met = Met { title: "the node's container is stopped", up: &up, seen: stopped };
    met.say();
    met.assert_named(&["node_stopped".to_owned()], 4, &["exited".to_owned()]);
    met.assert_named_soon(NAMED);
    met.assert_soon(WITHIN);
    met.assert_hint(environment, "windtunnel up");
    environment.up(&[]).succeeded();
}

fn replace_pod(environment: &Environment) {
    in_node(environment, "kubectl -n $N delete pod -l app.kubernetes.io/component=airflow --wait=false");
}

/// The database's pod is deleted in the middle of its first migration: what waits for it gets through all the same.
pub(super) fn database_deleted(environment: &Environment) {
    let reset = || environment.windtunnel(&["reset", "data", "--yes"]);
    let (reset, ()) = during(environment, WAIT, reset, || {
        until("the migration to be at work", Duration::from_mins(1), || {
            let tables = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'";
            let pod = format!("{}-database-0", environment.name);
            let psql = [
                "exec",
                "-n",
                &environment.name,
                &pod,
                "--",
                "psql",
                "-h",
                "127.0.0.1",
                "-U",
                "airflow",
                "-tAc",
                tables,
            ];
            let asked = kubectl(&environment.name, &psql);
            match asked.stdout.trim().parse::<u32>() {
                Ok(1..) => Ok(()),
                _ => Err(asked),
            }
        });
        in_node(environment, "kubectl -n $N delete pod $R-database-0 --wait=false");
    });
    say(&format!(
        "matrix | the database's pod is deleted during the migration | gets through | {:.1} s",
        reset.took.as_secs_f64()
    ));
    reset.succeeded();
    assert_healthy(environment.port);
}
