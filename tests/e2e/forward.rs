//! The forward: where it listens, and that it outlives what happens around it.

use std::time::{Duration, Instant};

use crate::airflow::{assert_healthy, await_healthy};
use crate::artefacts::say;
use crate::docker::{airflow_pod, docker, kubectl, node};
use crate::environment::Environment;
use crate::http::get;
use crate::sockets::{LOCALHOST, listeners, owner, server};
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

/// The node was stopped, as by a reboot: `status` says so, `up` brings all of it back.
pub(crate) fn survives_the_node(environment: &Environment) {
    docker(&["stop", "--time", "10", &node(&environment.name)]).succeeded();
    environment.windtunnel(&["status"]).ended_with(1).says(&["stopped"]);
    environment.up(&[]).succeeded();
    environment.windtunnel(&["status"]).succeeded();
    assert_healthy(environment.port);
}
