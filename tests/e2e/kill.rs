//! Ended at any moment, the next `up` makes all of it be there, once.
//!
//! `WINDTUNNEL_E2E_KILLS` says at how many moments `up` is ended, spread evenly over its whole run; every other command at a tenth as many.

use std::time::Duration;

use serde_json::Value;

use crate::airflow::assert_healthy;
use crate::artefacts::{keep, say, stage};
use crate::docker::{CLUSTER_LABEL, docker, node, objects, thawed};
use crate::environment::{Environment, bundle};
use crate::main_path::log_in;
use crate::outcome::Outcome;
use crate::sockets::server;
use crate::traces::{Traces, processes_outside_nodes_naming};
use crate::until::until;

/// Moments without a wish for more.
const MOMENTS: u32 = 3;

/// What ends it, in turns: mostly SIGKILL, then Ctrl-C, a polite end, and a terminal that is closed.
const SIGNALS: [&str; 9] = ["KILL", "KILL", "INT", "KILL", "KILL", "TERM", "KILL", "KILL", "HUP"];

/// What is ended besides `up`: the command, how long it takes in comparison, and whether it keeps what is stored.
const OTHERS: [(&str, f64, bool); 6] = [
    ("stop", 0.2, true),
    ("start", 0.7, true),
    ("reset release --yes", 0.7, true),
    ("reset data --yes", 0.8, false),
    ("reset all --yes", 1.1, false),
    ("down --yes", 0.04, false),
];

#[test]
fn killed() {
    let environment = Environment::claim("killed");
    let mut traces = Traces::before(&environment);
    let whole = stage("kill", "`up` to its end", || environment.up(&[]).succeeded()).took;
    traces.see(&environment);
    stage("kill", "`down` killed, and again", || {
        environment.windtunnel_for(&["down", "--yes"], Duration::from_millis(700));
        down(&environment, &traces);
    });
    let moments = std::env::var("WINDTUNNEL_E2E_KILLS").map_or(MOMENTS, |moments| moments.parse().unwrap());
    let mut table = Vec::new();
    for (moment, signal) in (1..=moments).zip(SIGNALS.into_iter().cycle()) {
        let after = whole * moment / (moments + 1);
        let seconds = after.as_secs_f64();
        let line = stage("kill", &format!("`up` ended by {signal} after {seconds:.1} s, and again"), || {
            let step = up_ended(&environment, signal, after);
            let again = up_again(&environment);
            assert_one_of_each(&environment);
            format!("{signal:4} {seconds:5.1} s | {step} | {:.1} s", again.took.as_secs_f64())
        });
        say(&format!("kill | {line}"));
        table.push(line);
        if moment < moments {
            down(&environment, &traces);
        }
    }
    let mut signals = SIGNALS.into_iter().cycle();
    for (command, share, keeps) in OTHERS {
        let (whole, moments) = (whole.mul_f64(share), moments.div_ceil(10));
        for (moment, signal) in (1..=moments).zip(&mut signals) {
            let line = other_ended(&environment, command, signal, whole * moment / (moments + 1), keeps);
            say(&format!("kill | {line}"));
            table.push(line);
        }
    }
    keep("kill.txt", &table.join("\n"));
    stage("kill", "down", || down(&environment, &traces));
}

/// Ends another command, and brings up again what it left.
fn other_ended(environment: &Environment, command: &str, signal: &str, after: Duration, keeps: bool) -> String {
    let seconds = after.as_secs_f64();
    stage("kill", &format!("`{command}` ended by {signal} after {seconds:.1} s, and `up`"), || {
        let stored = format!("{command} {seconds}").replace([' ', '.'], "-");
        log_in(environment).set_variable(&stored, "as it was");
        if command == "start" {
            environment.windtunnel(&["stop"]).succeeded();
        }
        let step = ended_by(environment, signal, after, &command.split(' ').collect::<Vec<_>>());
        let again = up_again(environment);
        assert_one_of_each(environment);
        if keeps {
            assert_eq!(log_in(environment).variable(&stored).as_deref(), Some("as it was"));
        }
        format!("`{command}` {signal:4} {seconds:5.1} s | {step} | {:.1} s", again.took.as_secs_f64())
    })
}

/// Brings up again what was left, also of a node that the engine could not end.
fn up_again(environment: &Environment) -> Outcome {
    thawed(&node(&environment.name), || environment.up(&[])).succeeded()
}

/// The step that `up` was in when the signal came.
fn up_ended(environment: &Environment, signal: &str, after: Duration) -> String {
    let (bundle, port) = (bundle(), environment.port.to_string());
    ended_by(environment, signal, after, &["up", "--port", &port, "--bundle", bundle.to_str().unwrap()])
}

/// The step that a command was in when the signal came.
fn ended_by(environment: &Environment, signal: &str, after: Duration, arguments: &[&str]) -> String {
    let arguments = [arguments, &["--output", "json"]].concat();
    let ended = if signal == "KILL" {
        environment.windtunnel_for(&arguments, after)
    } else {
        // To all of its processes, as a terminal does it.
        let (seconds, command) = (after.as_secs_f64(), shell_words::join(&arguments));
        environment.shell(&format!("exec timeout --preserve-status --signal={signal} {seconds} windtunnel {command}"))
    };
    if ended.code == Some(0) {
        return "it had ended".to_owned();
    }
    assert_eq!(ended.code, if signal == "KILL" { None } else { Some(130) }, "{ended}");
    let mut open = Vec::new();
    for event in ended.stdout.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        let step = event["step"].as_str().unwrap_or_default().to_owned();
        match event["event"].as_str() {
            Some("step_started") => open.push(step),
            Some("step_finished") => open.retain(|name| *name != step),
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
    assert_no_orphan(environment);
}

/// Of all that was started here only the forward runs: no kind, Helm or windtunnel of a command that was ended.
fn assert_no_orphan(environment: &Environment) {
    let forward = server(environment.port).unwrap();
    until("the last process but the forward to end", Duration::from_secs(5), || {
        let mut processes = processes_outside_nodes_naming(&environment.name);
        processes.retain(|process| u32::try_from(*process) != Ok(forward));
        let command = |process| std::fs::read_to_string(format!("/proc/{process}/cmdline")).unwrap_or_default();
        let commands: Vec<_> = processes.iter().map(|process| command(process).replace('\0', " ")).collect();
        if processes.is_empty() { Ok(()) } else { Err(format!("{commands:?}")) }
    });
}

fn down(environment: &Environment, traces: &Traces) {
    // Whatever of it a killed one has done already.
    let down = thawed(&node(&environment.name), || environment.windtunnel(&["down", "--yes"]));
    assert!([Some(0), Some(10)].contains(&down.code), "{down}");
    traces.assert_gone(environment, &[]);
}
