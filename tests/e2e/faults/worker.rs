//! Faults of tasks and of what runs them, on an environment that is up: met by `smoke`, `status`, `why` and `up`.

use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::matrix::{first_seen, in_node};
use super::report::Met;
use crate::airflow::await_healthy;
use crate::artefacts::{say, stage};
use crate::docker::objects;
use crate::environment::Environment;
use crate::http::get;
use crate::outcome::Outcome;
use crate::until::until;

/// How long after a fault can be seen a command may go on.
const WITHIN: Duration = Duration::from_secs(30);
/// The image that is nowhere.
const NOWHERE: &str = "windtunnel.local/none:1";
/// The process of a container, for `sh` in the node.
const PROCESS: &str =
    "process() { crictl inspect -o go-template --template '{{.info.pid}}' $(crictl ps --name $1 -q | head -1); }";

#[test]
fn faults_of_tasks() {
    let environment = Environment::claim("tasks");
    stage("faults", "`up`", || environment.up(&[]).succeeded());
    await_healthy(environment.port);
    stage("faults", "a worker pod that a quota refuses", || quota(&environment));
    stage("faults", "a worker pod whose image is not there", || image(&environment));
    stage("faults", "a task log that the web server does not see", || log(&environment));
    stage("faults", "a scheduler that hangs", || heartbeat(&environment));
    stage("faults", "`smoke` when all is well", || environment.windtunnel(&["smoke"]).succeeded());
    stage("faults", "down", || environment.windtunnel(&["down", "--yes"]).succeeded());
}

fn smoke(environment: &Environment) -> Outcome {
    environment.windtunnel(&["smoke", "--output", "json"])
}

/// Airflow's own two pods are all that the quota allows.
fn quota(environment: &Environment) {
    in_node(environment, "kubectl -n $N create quota small --hard=pods=2");
    let begin = SystemTime::now();
    let smoke = smoke(environment);
    let seen = first_seen(environment, "log scheduler exceeded quota", begin).unwrap_or(begin);
    in_node(environment, "kubectl -n $N delete quota small");
    let met = Met { title: "a worker pod that a quota refuses", up: &smoke, seen };
    met.say();
    met.assert_named(&["quota_exceeded".to_owned()], 7, &["small".to_owned()]);
    met.assert_soon(WITHIN);
    met.assert_hint(environment, "ResourceQuota");
}

/// The template of worker pods names another image; who asks for the pod is annotated, which lets the kubelet bring the new file at once.
fn image(environment: &Environment) {
    let files = "kubectl -n $N get configmap $R-files -o yaml";
    let annotate =
        "kubectl -n $N annotate --overwrite pod -l app.kubernetes.io/component=airflow windtunnel.dev/look=$(date +%s)";
    let arrived = "kubectl -n $N exec deploy/$R-airflow -c scheduler -- grep -q none:1 /etc/windtunnel/worker.yaml";
    let bring = format!("for i in $(seq 60); do {annotate} >/dev/null; {arrived} && exit 0; sleep 2; done; exit 1");
    in_node(environment, &format!("{files} > /files.yaml"));
    in_node(
        environment,
        &format!("sed -E 's#^( *image:) windtunnel.local/airflow.*#\\1 {NOWHERE}#' /files.yaml | kubectl replace -f -"),
    );
    in_node(environment, &bring);
    let begin = SystemTime::now();
    let smoke = smoke(environment);
    let seen = image_failed(environment).unwrap_or(begin).max(begin);
    in_node(environment, "sed -i '/resourceVersion:/d' /files.yaml; kubectl replace -f /files.yaml");
    in_node(environment, &bring.replace("grep -q none:1", "grep -q local/airflow"));
    let met = Met { title: "a worker pod whose image is not there", up: &smoke, seen };
    met.say();
    let codes = ["image_not_found", "image_no_network", "image_pull_failed"].map(str::to_owned);
    met.assert_named(&codes, 7, &[NOWHERE.to_owned()]);
    met.assert_soon(WITHIN);
}

/// When the kubelet first said that it could not pull the image; the pod is gone by the time that this is asked.
fn image_failed(environment: &Environment) -> Option<SystemTime> {
    let events = objects(&environment.name, &environment.name, "events");
    let failed = events.iter().filter(|event| {
        event["reason"] == "Failed" && event["message"].as_str().is_some_and(|message| message.contains(NOWHERE))
    });
    let times = failed.filter_map(|event| event["firstTimestamp"].as_str()?.parse::<jiff::Timestamp>().ok());
    times.min().map(SystemTime::from)
}

/// The web server's view of the volume with the logs is hidden by an empty one.
fn log(environment: &Environment) {
    // The image has no programs for that, but the web server's own Python.
    let inside = |call: &str| {
        let call = format!("import ctypes, sys; sys.exit(ctypes.CDLL(None).{call})");
        format!(
            "{PROCESS}; p=$(pgrep -P $(process api-server) | head -1); nsenter -t $p -m $(readlink /proc/$p/exe) -c \"{call}\""
        )
    };
    in_node(environment, &inside("mount(b'none', b'/opt/airflow/logs', b'tmpfs', 0, None)"));
    let begin = SystemTime::now();
    let smoke = smoke(environment);
    in_node(environment, &inside("umount(b'/opt/airflow/logs')"));
    let met = Met {
        title: "a task log that the web server does not see (from the begin of `smoke`)",
        up: &smoke,
        seen: begin,
    };
    met.say();
    met.assert_named(&["task_log_lost".to_owned()], 1, &[]);
    met.assert_soon(Duration::from_mins(3));
    met.assert_hint(environment, "windtunnel logs api-server");
}

/// The scheduler's processes are stopped, as by a machine that has no time for them: `status` and `why` name it as soon as Airflow's own threshold
/// has passed, and `up` ends with it.
fn heartbeat(environment: &Environment) {
    let signal = |name: &str| {
        in_node(environment, &format!("{PROCESS}; p=$(process scheduler); kill -{name} $p $(pgrep -P $p) || true"));
    };
    signal("STOP");
    let seen = until("Airflow to miss the scheduler", Duration::from_mins(2), || {
        let health =
            get(&format!("http://127.0.0.1:{}/api/v2/monitor/health", environment.port), Duration::from_secs(10))?;
        let health: Value = health.json();
        if health["scheduler"]["status"] == "unhealthy" { Ok(SystemTime::now()) } else { Err(health.to_string()) }
    });
    let status = environment.windtunnel(&["status"]).ended_with(1);
    say(&format!(
        "matrix | a scheduler that hangs, by `status` | named after {:.1} s",
        status.ended.duration_since(seen).unwrap_or_default().as_secs_f64()
    ));
    status.says(&["WT824", "last heartbeat"]);
    environment.windtunnel(&["why", "etl"]).ended_with(1).says(&["WT824"]);
    environment.windtunnel(&["smoke"]).ended_with(1).says(&["WT824"]);
    let up = environment.up(&["--output", "json", "--no-rollback"]);
    signal("CONT");
    let met = Met { title: "a scheduler that hangs", up: &up, seen: seen.max(up.ended - up.took) };
    met.say();
    met.assert_named(&["heartbeat_late".to_owned()], 7, &["scheduler".to_owned()]);
    met.assert_soon(Duration::from_secs(75));
    met.assert_hint(environment, "windtunnel logs scheduler");
    await_healthy(environment.port);
}
