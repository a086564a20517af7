//! Killed at any moment, the next `up` makes all of it be there, once.
//!
//! `WINDTUNNEL_E2E_KILLS` says at how many moments `up` is killed, spread evenly over its whole run.

use std::time::Duration;

use serde_json::Value;

use crate::airflow::assert_healthy;
use crate::artefacts::{keep, say, stage};
use crate::docker::{CLUSTER_LABEL, docker, objects};
use crate::environment::Environment;
use crate::traces::Traces;

/// Moments without a wish for more.
const MOMENTS: u32 = 3;

#[test]
fn killed() {
    let environment = Environment::claim("killed");
    let mut traces = Traces::before(&environment);
    let whole = stage("kill", "`up` to its end", || environment.up(&[]).succeeded()).took;
    traces.see(&environment);
    stage("kill", "`down` killed, and again", || {
        environment.windtunnel_for(&["down", "--yes"], Duration::from_millis(1500));
        down(&environment, &traces);
    });
    let moments = std::env::var("WINDTUNNEL_E2E_KILLS").map_or(MOMENTS, |moments| moments.parse().unwrap());
    let mut table = Vec::new();
    for moment in 1..=moments {
        let after = whole * moment / (moments + 1);
        let line = stage("kill", &format!("`up` killed after {:.1} s, and again", after.as_secs_f64()), || {
            let step = up_killed(&environment, after);
            let again = environment.up(&[]).succeeded();
            assert_one_of_each(&environment);
            format!("{:5.1} s | {step} | {:.1} s", after.as_secs_f64(), again.took.as_secs_f64())
        });
        say(&format!("kill | {line}"));
        table.push(line);
        if moment < moments {
            down(&environment, &traces);
        }
    }
    keep("kill.txt", &table.join("\n"));
    stage("kill", "`reset data` killed, and `up`", || {
        environment.windtunnel_for(&["reset", "data", "--yes"], Duration::from_secs(4));
        environment.up(&[]).succeeded();
        assert_one_of_each(&environment);
    });
    stage("kill", "down", || down(&environment, &traces));
}

/// The step that `up` was in when it was killed.
fn up_killed(environment: &Environment, after: Duration) -> String {
    let killed = environment.up_for(&["--output", "json"], after);
    let mut open = Vec::new();
    for event in killed.stdout.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        let step = event["step"].as_str().unwrap_or_default().to_owned();
        match event["event"].as_str() {
            Some("step_started") => open.push(step),
            Some("step_finished") => open.retain(|name| *name != step),
            Some("result") => return "it had ended".to_owned(),
            _ => {}
        }
    }
    open.join(", ")
}

/// Healthy, and nothing twice or left over: nodes, Helm releases, pods, claims.
fn assert_one_of_each(environment: &Environment) {
    let name = environment.name.as_str();
    assert_healthy(environment.port);
    environment.windtunnel(&["status"]).succeeded();
    let nodes = docker(&["ps", "--all", "--quiet", "--filter", &format!("label={CLUSTER_LABEL}={name}")]).succeeded();
    assert_eq!(nodes.stdout.lines().count(), 1, "{nodes}");
    for (kind, count) in [("pods", 2), ("persistentvolumeclaims", 2), ("deployments", 1), ("statefulsets", 1)] {
        let found = objects(name, name, kind);
        let names: Vec<_> = found.iter().map(|object| &object["metadata"]["name"]).collect();
        assert_eq!(names.len(), count, "{kind}: {names:?}");
    }
    let secrets = objects(name, name, "secrets");
    let revisions = secrets.iter().filter(|secret| secret["metadata"]["labels"]["owner"] == "helm");
    let states: Vec<_> = revisions.map(|secret| &secret["metadata"]["labels"]["status"]).collect();
    assert_eq!(states.iter().filter(|state| **state == "deployed").count(), 1, "{states:?}");
    assert!(!states.iter().any(|state| state.as_str().unwrap().starts_with("pending")), "{states:?}");
}

fn down(environment: &Environment, traces: &Traces) {
    // Whatever of it a killed one has done already.
    let down = environment.windtunnel(&["down", "--yes"]);
    assert!([Some(0), Some(10)].contains(&down.code), "{down}");
    traces.assert_gone(environment, &[]);
}
