//! The forward: where it listens, and that it outlives what happens around it.

use std::time::{Duration, Instant};

use crate::airflow::{assert_healthy, await_healthy};
use crate::artefacts::say;
use crate::docker::{airflow_pod, docker, kubectl, node};
use crate::environment::Environment;
use crate::http::get;
use crate::sockets::{LOCALHOST, listeners, owner, server};
use crate::steady::{CLIENTS, under_requests};
use crate::until::until;

/// How long a new web pod may take, on a slow machine with two processors.
const NEW_POD: Duration = Duration::from_mins(3);

/// The forward and the API server listen on 127.0.0.1 and nowhere else.
pub(crate) fn listens_only_on_localhost(environment: &Environment) {
    let process = server(environment.port).expect("nobody listens on the port");
    let ours: Vec<_> = listeners().into_iter().filter(|listener| owner(listener) == Some(process)).collect();
    assert!(ours.iter().all(|listener| listener.address == LOCALHOST), "{ours:?}");
    let format = "{{range .HostConfig.PortBindings}}{{range .}}{{.HostIp}} {{end}}{{end}}";
    let bindings = docker(&["inspect", "--format", format, &node(&environment.name)]).succeeded().stdout;
    assert!(bindings.split_whitespace().all(|address| address == "127.0.0.1"), "{bindings}");
}

/// The web pod goes, and the next request is answered by the same forward as soon as there is a new one.
pub(crate) fn survives_the_pod(environment: &Environment) {
    let forward = server(environment.port).unwrap();
    let old = airflow_pod(&environment.name, &environment.name).unwrap();
    let old = old["metadata"]["name"].as_str().unwrap();
    kubectl(&environment.name, &["delete", "pod", old, "--namespace", &environment.name, "--grace-period=1"])
        .succeeded();

    let begin = Instant::now();
    let answer = get(&format!("http://127.0.0.1:{}/api/v2/monitor/health", environment.port), NEW_POD).unwrap();
    let waited = begin.elapsed();
    assert_eq!(answer.status, 200, "{}", answer.body);
    let pod = airflow_pod(&environment.name, &environment.name).unwrap();
    let conditions = pod["status"]["conditions"].as_array().unwrap();
    let ready = conditions.iter().find(|condition| condition["type"] == "Ready").unwrap();
    assert_eq!(ready["status"], "True", "a pod that is not ready has answered: {pod}");
    let since: jiff::Timestamp = ready["lastTransitionTime"].as_str().unwrap().parse().unwrap();
    let since = jiff::Timestamp::now().duration_since(since).as_secs();
    say(&format!("the request was held {:.1} s; the new pod is ready for {since} s", waited.as_secs_f64()));
    assert_eq!(server(environment.port), Some(forward), "another process serves the port");
    await_healthy(environment.port);
}

/// A killed forward is told of, and started again by `forward start`.
pub(crate) fn is_repaired(environment: &Environment) {
    let killed = server(environment.port).unwrap();
    let process = rustix::process::Pid::from_raw(killed.try_into().unwrap()).unwrap();
    rustix::process::kill_process(process, rustix::process::Signal::KILL).unwrap();
    until("the port to be free", Duration::from_secs(5), || server(environment.port).map_or(Ok(()), Err));

    environment.windtunnel(&["status"]).ended_with(1).says(&["forward", "not running"]);
    environment.windtunnel(&["forward", "status"]).ended_with(1).says(&["not running"]);
    environment.windtunnel(&["forward", "start"]).succeeded();
    assert_healthy(environment.port);
    assert_ne!(server(environment.port), Some(killed));
    environment.windtunnel(&["forward", "status"]).succeeded();
    environment.windtunnel(&["status"]).succeeded();

    environment.windtunnel(&["forward", "stop"]).succeeded();
    assert_eq!(server(environment.port), None, "`forward stop` left somebody on the port");
    environment.windtunnel(&["forward", "start"]).succeeded();
}

/// The node was stopped and started, as by a reboot: `status` says so meanwhile, and the same forward leads to Airflow again, without `up`.
pub(crate) fn survives_the_node(environment: &Environment) {
    let (forward, node) = (server(environment.port).unwrap(), node(&environment.name));
    docker(&["stop", "--time", "10", &node]).succeeded();
    environment.windtunnel(&["status"]).ended_with(1).says(&["stopped"]);
    docker(&["start", &node]).succeeded();
    let begin = Instant::now();
    until("an answer through the forward", NEW_POD, || {
        get(&format!("http://127.0.0.1:{}/api/v2/monitor/health", environment.port), NEW_POD).map(drop)
    });
    say(&format!("the first answer came {:.1} s after the node's start", begin.elapsed().as_secs_f64()));
    await_healthy(environment.port);
    assert_eq!(server(environment.port), Some(forward), "another process serves the port");
    until("`status` to find nothing wrong", Duration::from_mins(1), || {
        let status = environment.windtunnel(&["status"]);
        if status.code == Some(0) { Ok(()) } else { Err(status) }
    });
}

/// A change by Helm, with requests under way: none hangs, those that meet the old pod's end fail at once, and the forward stays the same.
pub(crate) fn survives_an_upgrade(environment: &Environment, upgrade: impl FnOnce()) {
    let forward = server(environment.port).unwrap();
    let url = format!("http://127.0.0.1:{}/api/v2/monitor/health", environment.port);
    let ((), requests) = under_requests(&url, NEW_POD, upgrade);
    let longest = requests.iter().map(|request| request.took).max().unwrap();
    let failed: Vec<_> = requests.iter().filter(|request| request.failure.is_some()).collect();
    let (count, seconds) = (requests.len(), longest.as_secs_f64());
    say(&format!("an upgrade under {count} requests: {} failed, longest {seconds:.1} s", failed.len()));
    assert!(failed.len() <= CLIENTS * 2, "{} failed: {:?}", failed.len(), failed[0].failure);
    assert!(longest < NEW_POD, "a request took {longest:?}");
    assert_eq!(server(environment.port), Some(forward), "another process serves the port");
}
