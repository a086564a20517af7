//! The table of faults in `matrix.yaml`: each is made, met by `up`, judged, told in one line, and undone before the next.

use std::time::{Duration, SystemTime};

use serde::Deserialize;
use serde_json::Value;

use super::report::{Met, NAMED, record};
use crate::artefacts::{say, stage};
use crate::docker::{docker, kubectl, node, objects};
use crate::environment::Environment;

/// The profile that the values are put into.
const PROFILE: &str = include_str!("../../../profiles/lite.yaml");
const MATRIX: &str = include_str!("matrix.yaml");
const REGISTRY: &str = include_str!("registry.py");
/// What the lines of shell may use.
const NODE: &str = include_str!("node.sh");
/// Where the registry's script is in the node.
const SCRIPT: &str = "/registry.py";
/// How long after a fault can be seen `up` may go on. The promise is 5 s from where it is terminal, events have whole seconds, and on a
/// small machine Airflow's own work is going on.
const WITHIN: u64 = 30;

/// One fault of the table, which explains the fields.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fault {
    title: String,
    #[serde(default)]
    make: String,
    #[serde(default)]
    undo: String,
    #[serde(default)]
    values: String,
    codes: Vec<String>,
    exit: Option<i32>,
    #[serde(default)]
    names: Vec<String>,
    #[serde(default)]
    seen: String,
    within: Option<u64>,
    named_within: Option<u64>,
    hint: String,
}

/// Meets every fault of the table on the environment, which is up.
pub(super) fn meet_all(environment: &Environment) {
    start_registry(environment);
    let mut faults: Vec<Fault> = serde_yaml::from_str(MATRIX).unwrap();
    if let Ok(parts) = std::env::var("WINDTUNNEL_E2E_FAULTS") {
        faults.retain(|fault| parts.split(',').any(|part| fault.title.contains(part)));
    }
    // One that is not named as it should be keeps no other from being met.
    let met = |fault: &Fault| {
        let meeting = || stage("faults", &fault.title, || meet(environment, fault));
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(meeting)).is_ok()
    };
    let unnamed: Vec<&str> = faults.iter().filter(|fault| !met(fault)).map(|fault| fault.title.as_str()).collect();
    write_profile(environment, "");
    assert!(unnamed.is_empty(), "not named as they should be, see above: {unnamed:#?}");
}

/// Runs a line of shell in the node, as the table says.
pub(super) fn in_node(environment: &Environment, line: &str) {
    let (namespace, release) = (format!("N={}", environment.name), format!("R={}", environment.name));
    let container = node(&environment.name);
    let settings = ["exec", "-e", &namespace, "-e", &release];
    let line = format!("{NODE}\n{line}");
    docker(&[settings.as_slice(), &[&container, "sh", "-c", &line]].concat()).succeeded();
}

fn meet(environment: &Environment, fault: &Fault) {
    let profile = write_profile(environment, &fault.values);
    let begin = SystemTime::now();
    if !fault.make.is_empty() {
        in_node(environment, &fault.make);
    }
    // What is judged is the fault, which is there to be looked at as long as nothing is brought back.
    let up = environment.up(&["--output", "json", "--no-rollback", "--profile", &profile]);
    record(environment, &fault.title, &fault.codes[0]);
    let up_began = up.ended - up.took;
    // What there was to see before `up` looks at it is seen from then on.
    let seen = first_seen(environment, &fault.seen, begin).map_or(up_began, |seen| seen.max(up_began));
    if !fault.undo.is_empty() {
        in_node(environment, &fault.undo);
    }
    if !fault.values.is_empty() {
        // Or the next `up` would mend with Helm what the next fault has broken by hand.
        let profile = write_profile(environment, "");
        environment.up(&["--profile", &profile]).succeeded();
    }
    let met = Met { title: &fault.title, up: &up, seen };
    met.say();
    met.assert_named(&fault.codes, fault.exit.unwrap_or(7), &fault.names);
    met.assert_named_soon(fault.named_within.map_or(NAMED, Duration::from_secs));
    met.assert_soon(Duration::from_secs(fault.within.unwrap_or(WITHIN)));
    met.assert_hint(environment, &fault.hint);
}

fn write_profile(environment: &Environment, values: &str) -> String {
    let path = environment.project().join("fault.yaml");
    let values = if values.is_empty() { String::new() } else { format!("values:\n  {values}\n") };
    std::fs::write(&path, format!("{PROFILE}{values}")).unwrap();
    path.to_str().unwrap().to_owned()
}

/// A pod on the node's own network that refuses images in four ways. A fault that makes the node evict pods does not end it.
fn start_registry(environment: &Environment) {
    let script = environment.folder.join("registry.py");
    std::fs::write(&script, REGISTRY).unwrap();
    let target = format!("{}:{SCRIPT}", node(&environment.name));
    docker(&["cp", script.to_str().unwrap(), &target]).succeeded();
    let airflow = objects(&environment.name, &environment.name, "deployments")[0]["spec"]["template"]["spec"]["containers"][0]
        ["image"]
        .as_str()
        .unwrap()
        .to_owned();
    let pod = serde_json::json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "registry", "namespace": "default"},
        "spec": {
            "hostNetwork": true,
            "priorityClassName": "system-node-critical",
            "tolerations": [{"operator": "Exists"}],
            "containers": [{"name": "registry", "image": airflow, "imagePullPolicy": "Never", "command": ["python", "-I", SCRIPT],
                "volumeMounts": [{"name": "script", "mountPath": SCRIPT}]}],
            "volumes": [{"name": "script", "hostPath": {"path": SCRIPT}}],
        },
    });
    in_node(environment, &format!("echo '{pod}' | kubectl apply -f -"));
    say("  a registry runs on the node");
}

/// When a fault that was made at `begin` could first be seen, by what the table says of that.
pub(super) fn first_seen(environment: &Environment, seen: &str, begin: SystemTime) -> Option<SystemTime> {
    let (what, name) = seen.split_once(' ')?;
    let pods = || objects(&environment.name, &environment.name, "pods");
    let times: Vec<SystemTime> = match what {
        "event" => {
            let (events, pods) = (objects(&environment.name, &environment.name, "events"), pods());
            // What an earlier fault did to a pod that has gone since may be told of as late as this one.
            let is_there = |object: &Value| {
                object["kind"] != "Pod" || pods.iter().any(|pod| pod["metadata"]["uid"] == object["uid"])
            };
            let fitting = events.iter().filter(|event| event["reason"] == name && is_there(&event["involvedObject"]));
            fitting.filter_map(|event| time(&event["eventTime"]).or_else(|| time(&event["firstTimestamp"]))).collect()
        }
        "condition" => {
            let nodes = objects(&environment.name, &environment.name, "nodes");
            let conditions = nodes.iter().filter_map(|node| node["status"]["conditions"].as_array()).flatten();
            conditions
                .filter(|found| found["type"] == name)
                .filter_map(|found| time(&found["lastTransitionTime"]))
                .collect()
        }
        "end" => pods().iter().flat_map(|pod| ends(pod, name)).collect(),
        "log" => {
            let (container, words) = name.split_once(' ')?;
            pods().iter().filter_map(|pod| said(environment, pod, container, words)).collect()
        }
        other => panic!("the table has no `{other}`"),
    };
    // Times have whole seconds; those of an earlier fault are older.
    times.into_iter().filter(|time| *time + Duration::from_secs(1) >= begin).min()
}

/// When the present run of a container first said these words.
fn said(environment: &Environment, pod: &Value, container: &str, words: &str) -> Option<SystemTime> {
    let (container, pod) = (format!("--container={container}"), pod["metadata"]["name"].as_str()?);
    let logs = ["logs", pod, &container, "--namespace", &environment.name, "--timestamps"];
    let logs = kubectl(&environment.name, &logs);
    let (stamp, _) = logs.stdout.lines().find(|line| line.contains(words))?.split_once(' ')?;
    time(&Value::from(stamp))
}

/// When a container's known runs ended.
fn ends(pod: &Value, container: &str) -> Vec<SystemTime> {
    let status = &pod["status"];
    let lists = [&status["initContainerStatuses"], &status["containerStatuses"]];
    let statuses = lists.into_iter().filter_map(Value::as_array).flatten().filter(|status| status["name"] == container);
    let times = statuses.flat_map(|status| {
        ["state", "lastState"].into_iter().filter_map(|run| time(&status[run]["terminated"]["finishedAt"]))
    });
    times.collect()
}

fn time(value: &Value) -> Option<SystemTime> {
    Some(value.as_str()?.parse::<jiff::Timestamp>().unwrap().into())
}
