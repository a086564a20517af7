//! Faults below Airflow, while `up` waits: the API server goes away and comes back, the node's container is stopped.

use std::time::{Duration, SystemTime};

use super::matrix::in_node;
use super::report::Met;
use crate::docker::{docker, node};
use crate::environment::Environment;
use crate::outcome::Outcome;
use crate::until::until;

/// The manifest by which the kubelet runs the API server.
const MANIFEST: &str = "/etc/kubernetes/manifests/kube-apiserver.yaml";
/// How long `up` may take to tell of a node that is gone.
const WITHIN: Duration = Duration::from_secs(30);

/// The API server is away for 30 s: `up` says so, and goes on after.
pub(super) fn api_server_away(environment: &Environment) {
    replace_pod(environment);
    let up = while_it_waits(environment, &[], || {
        in_node(environment, &format!("mv {MANIFEST} /etc/kubernetes/away.yaml"));
        docker(&[
            "exec",
            &node(&environment.name),
            "sh",
            "-c",
            &format!("sleep 30; mv /etc/kubernetes/away.yaml {MANIFEST}"),
        ])
        .succeeded();
    });
    up.succeeded().says(&["waiting for the API server", "answers again"]);
}

/// The node's container is killed: `up` names it, and the next `up` starts it.
pub(super) fn node_stopped(environment: &Environment) {
    replace_pod(environment);
    let mut stopped = SystemTime::now();
    let up = while_it_waits(environment, &["--output", "json"], || {
        docker(&["kill", &node(&environment.name)]).succeeded();
        stopped = SystemTime::now();
    });
    let met = Met { title: "the node's container is stopped", up: &up, seen: stopped };
    met.say();
    met.assert_named(&["node_stopped".to_owned()], 4, &["exited".to_owned()]);
    met.assert_soon(WITHIN);
    met.assert_hint(environment, "windtunnel up");
    environment.up(&[]).succeeded();
}

fn replace_pod(environment: &Environment) {
    in_node(environment, "kubectl -n $N delete pod -l app.kubernetes.io/component=airflow --wait=false");
}

/// Runs `up` with these options, and this as soon as `up` waits for the pods.
fn while_it_waits(environment: &Environment, options: &[&str], act: impl FnOnce()) -> Outcome {
    let events = environment.state().join("environments").join(&environment.name).join("events.jsonl");
    std::fs::remove_file(&events).unwrap();
    std::thread::scope(|scope| {
        let up = scope.spawn(|| environment.up(&[&["--profile", "lite"], options].concat()));
        until("`up` to wait for the pods", Duration::from_mins(1), || {
            let told = std::fs::read_to_string(&events).unwrap_or_default();
            if told.contains(r#""step_started","step":"wait_for_pods""#) { Ok(()) } else { Err(told) }
        });
        act();
        up.join().unwrap()
    })
}
