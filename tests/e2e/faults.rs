//! Real faults on a real cluster: each ends `up` with its name, its object and its exit code, soon after it can be seen.

use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::airflow::assert_healthy;
use crate::artefacts::{say, stage};
use crate::docker::{docker, kubectl, node, objects};
use crate::environment::Environment;
use crate::outcome::Outcome;
use crate::traces::Stranger;

/// The profile that the faults are put into.
const PROFILE: &str = include_str!("../../profiles/lite.yaml");
/// A fault that values can make.
struct Fault {
    title: &'static str,
    values: &'static str,
    /// The codes of the verdict: more than one where it depends on the network that the machine is in.
    codes: &'static [&'static str],
    /// What the message or the evidence names.
    names: &'static [&'static str],
    /// The reason of the event that makes it visible.
    event: &'static str,
    /// How long after that `up` may go on. The promise is 5 seconds from where it is terminal, but the machine is small and events have
    /// whole seconds.
    patience: Duration,
}

const CLAIM: Fault = Fault {
    title: "a storage class that does not exist",
    values: "logs: {storageClass: no-such-class}",
    codes: &["storage_class_missing"],
    names: &["-logs", "no-such-class"],
    event: "ProvisioningFailed",
    patience: Duration::from_secs(15),
};
const ON_A_HEALTHY_DATABASE: [Fault; 2] = [
    Fault {
        title: "a component that crashes",
        values: "env: {AIRFLOW__CORE__AUTH_MANAGER: no_such.AuthManager}",
        codes: &["crash_loop"],
        names: &["api-server", "no_such"],
        event: "BackOff",
        // The third failed run decides; each loads Airflow.
        patience: Duration::from_secs(80),
    },
    Fault {
        title: "a pod that no node has room for",
        values: "resources: {scheduler: {requests: {cpu: '100'}}}",
        codes: &["unschedulable_cpu"],
        names: &["-airflow-", "cpu"],
        event: "FailedScheduling",
        patience: Duration::from_secs(15),
    },
];

#[test]
fn faults() {
    let environment = Environment::claim("faults");
    stage("faults", "a port that is taken", || port_taken(&environment));

    stage("faults", CLAIM.title, || meet(&environment, &CLAIM));
    // What a claim asks for cannot be changed, so it goes, and everything with it.
    kubectl(&environment.name, &["delete", "namespace", &environment.name]).succeeded();

    for fault in &ON_A_HEALTHY_DATABASE {
        stage("faults", fault.title, || meet(&environment, fault));
    }
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

fn port_taken(environment: &Environment) {
    let _stranger = TcpListener::bind((Ipv4Addr::LOCALHOST, environment.port)).unwrap();
    let up = environment.up(&["--output", "json"]).ended_with(9);
    let failure = up.last_event();
    assert_eq!(failure["event"], "failure", "{up}");
    // The holder is this test.
    up.says(&[&environment.port.to_string(), &std::process::id().to_string()]);
    assert_ne!(
        docker(&["container", "inspect", &node(&environment.name)]).code,
        Some(0),
        "a cluster was made all the same"
    );
    let folder = environment.state().join("environments").join(&environment.name);
    assert!(!folder.exists(), "{} is left", folder.display());
}

fn meet(environment: &Environment, fault: &Fault) {
    let profile = profile(environment, fault);
    let begin = SystemTime::now();
    let up = environment.up(&["--output", "json", "--profile", profile.to_str().unwrap()]);
    let up = up.ended_with(7);
    let failure = up.last_event();
    assert_eq!(failure["event"], "failure", "{up}");
    assert_eq!(failure["kind"], "verdict", "{up}");
    assert!(fault.codes.contains(&failure["cause"].as_str().unwrap_or_default()), "{failure:#}");
    let text = failure.to_string();
    assert!(fault.names.iter().all(|name| text.contains(name)), "{:?} are to be named\n{failure:#}", fault.names);
    assert!(failure["hints"].as_array().is_some_and(|hints| !hints.is_empty()), "there is no hint\n{failure:#}");
    say(&format!("  {}", failure["message"].as_str().unwrap_or_default()));

    // Where the verdict needed no event, there may be none yet.
    let visible = visible_since(environment, fault, begin).unwrap_or(up.ended);
    let seconds = up.ended.duration_since(visible).unwrap_or_default().as_secs_f64();
    say(&format!("  {} after {:.1} s, {seconds:.1} s after its event", failure["cause"], up.took.as_secs_f64()));
    assert!(seconds <= fault.patience.as_secs_f64(), "{seconds:.1} s after its event\n{up}");
    stays_bad(environment, &up);
}

/// `status` says what `up` said.
fn stays_bad(environment: &Environment, up: &Outcome) {
    let status = environment.windtunnel(&["status"]);
    assert_eq!(status.code, Some(1), "{status}\n{up}");
}

fn profile(environment: &Environment, fault: &Fault) -> PathBuf {
    let path = environment.project().join("fault.yaml");
    std::fs::write(&path, format!("{PROFILE}values:\n  {}\n", fault.values)).unwrap();
    path
}

/// When the cluster first told of the fault.
fn visible_since(environment: &Environment, fault: &Fault, begin: SystemTime) -> Option<SystemTime> {
    let events = objects(&environment.name, &environment.name, "events");
    let of_fault = events.iter().filter(|event| event["reason"] == fault.event).filter_map(first_time);
    // Events have whole seconds; those of an earlier fault are older.
    of_fault.filter(|time| *time + Duration::from_secs(1) >= begin).min()
}

fn first_time(event: &Value) -> Option<SystemTime> {
    let text = event["eventTime"].as_str().or(event["firstTimestamp"].as_str())?;
    Some(text.parse::<jiff::Timestamp>().unwrap().into())
}
