//! The forward's own options: another address, further ports, and files for systemd and launchd.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::context::{TestContext, assert_run, ended, free_port};
use crate::objects;

/// What is in the forward's state file.
fn state(context: &TestContext) -> Value {
    serde_json::from_slice(&std::fs::read(context.environment("forward.json")).unwrap()).unwrap()
}

/// The chart's Service of the database; the fake pod behind every tunnel is Airflow's.
fn with_database() -> TestContext {
    let context = TestContext::new();
    context.up();
    context.api.change(|store| {
        let selector = json!({"app.kubernetes.io/component": "database"});
        let spec = json!({"ports": [{"port": 5432}], "selector": selector});
        let metadata = json!({"name": "airflow-cluster-database"});
        let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec});
        objects::put_in(store, "airflow-cluster", service);
    });
    context
}

/// The first line of what a web server on this port answers.
fn ask(port: u16) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(b"GET /api/v2/version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.lines().next().unwrap_or_default().to_owned()
}

#[test]
fn other_machines_are_let_in_only_on_wish() {
    let context = TestContext::new();
    context.up();
    assert_run!(context, &["forward", "run", "--address", "0.0.0.0"]);
    assert_run!(context, &["forward", "run", "--address", "localhost"]);
    // Still the one of `up`.
    assert_eq!(state(&context)["address"], "127.0.0.1");
}

#[test]
fn exposed_it_warns_and_listens_everywhere() {
    let context = TestContext::new();
    context.up();
    assert_eq!(context.run(&["forward", "stop"]).code, 0);
    let mut child = context.spawn(&["forward", "run", "--address", "0.0.0.0", "--expose"], Stdio::piped());
    context.wait_for("state/environments/airflow-cluster/forward.json");
    assert_eq!(ask(context.port), "HTTP/1.1 200 OK");
    let run = context.run(&["forward", "status"]);
    assert!(run.stdout.contains(&format!("0.0.0.0:{} → airflow-cluster-web:8080", context.port)), "{run}");
    // It serves 127.0.0.1 too, so that `up` has nothing to start.
    let run = context.run(&["up"]);
    assert!(run.code == 0 && state(&context)["process"] == child.id(), "{run}");
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let mut talk = String::new();
    child.stderr.take().unwrap().read_to_string(&mut talk).unwrap();
    assert!(ended(&mut child).success(), "{talk}");
    let warning = format!("warning: whoever reaches 0.0.0.0:{} reaches Airflow", context.port);
    assert!(talk.contains(&warning) && talk.ends_with("stopped\n"), "{talk}");
}

#[test]
fn a_port_of_another_component_is_forwarded_and_remembered() {
    let context = with_database();
    let (first, second) = (free_port(), free_port());
    let before = state(&context);
    let run = context.run(&["forward", "start", "--also", &format!("{first}:database:5432")]);
    let line = format!("127.0.0.1:{first} → airflow-cluster-database:5432");
    assert!(run.code == 0 && run.stdout.contains(&line), "{run}");
    assert_ne!(state(&context)["process"], before["process"], "the ports changed, so it starts anew");
    assert_eq!((ask(first), ask(context.port)), ("HTTP/1.1 200 OK".to_owned(), "HTTP/1.1 200 OK".to_owned()));
    for command in [&["status"][..], &["forward", "status"]] {
        let run = context.run(command);
        assert!(run.code == 0 && run.stdout.contains(&format!("{line}, through the API server")), "{run}");
    }

    // What is remembered stays, by whatever the forward is started, and the same ports again change nothing.
    let same = state(&context)["process"].clone();
    assert_eq!(context.run(&["up"]).code, 0);
    assert_eq!(context.run(&["forward", "start"]).code, 0);
    assert_eq!(state(&context)["process"], same);
    assert_eq!(context.run(&["forward", "stop"]).code, 0);
    assert_eq!(context.run(&["forward", "start"]).code, 0);
    assert_eq!(state(&context)["also"][0]["port"], first);

    let run = context.run(&["forward", "start", "--also", &format!("{second}:database:5432")]);
    assert_eq!(run.code, 0, "{run}");
    assert_eq!(ask(second), "HTTP/1.1 200 OK");
    assert!(TcpStream::connect(("127.0.0.1", first)).is_err());
    assert_eq!(context.run(&["forward", "start", "--only-web"]).code, 0);
    assert_eq!(state(&context)["also"], json!([]));
}

#[test]
fn a_port_that_cannot_be_forwarded_changes_nothing() {
    let context = TestContext::new();
    context.up();
    let (before, record) = (state(&context), context.remembered().unwrap());
    for wanted in ["redis:6379", "database:5433", "database", "web:0"] {
        assert_run!(context, &["forward", "start", "--also", wanted]);
    }
    let twice = format!("{}:database:5432", context.port);
    assert_run!(context, &["forward", "start", "--also", &twice]);
    let stranger = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = stranger.local_addr().unwrap().port();
    let run = context.run(&["forward", "start", "--also", &format!("{port}:database:5432")]);
    assert_eq!(run.code, 9, "{run}");
    assert!(run.stderr.contains(&format!("port {port} on 127.0.0.1 is taken by ")), "{run}");
    assert!(run.stderr.contains("`windtunnel forward start --also PORT:database:5432`"), "{run}");
    assert_eq!(state(&context)["process"], before["process"]);
    assert_eq!(context.remembered().unwrap(), record);
}

#[test]
fn a_file_for_systemd_and_launchd() {
    let context = TestContext::new();
    context.up();
    let program = env!("CARGO_BIN_EXE_windtunnel");
    for starter in ["systemd", "launchd"] {
        let run = context.run(&["forward", "unit", "--for", starter]);
        let shown = run.to_string().replace(program, "[PROGRAM]");
        context.settings().bind(|| insta::assert_snapshot!(shown));
    }
    let run = context.run(&["forward", "unit", "-o", "json"]);
    let document: Value = serde_json::from_str(&run.stdout).unwrap();
    assert!(document["unit"].as_str().unwrap().contains("forward"), "{run}");
}

#[test]
fn a_log_that_grows_long_is_put_aside_while_the_forward_runs() {
    let context = TestContext::new();
    context.up();
    assert_eq!(context.run(&["forward", "stop"]).code, 0);
    let path = context.environment("forward.log");
    // As systemd and launchd open it.
    let log = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
    log.set_len(0).unwrap();
    let mut child = context.spawn(&["forward", "run"], Stdio::from(log.try_clone().unwrap()));
    context.wait_for("state/environments/airflow-cluster/forward.json");
    (&log).write_all(&vec![b'\n'; 1024 * 1024 + 1]).unwrap();
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert!(ended(&mut child).success());
    assert!(std::fs::read_to_string(&path).unwrap().ends_with("stopped\n"));
    assert!(path.metadata().unwrap().len() < 1000, "the log was not put aside");
    assert!(path.with_extension("log.1").metadata().unwrap().len() > 1024 * 1024);
}

#[test]
fn more_clients_than_there_is_room_for_are_closed_at_once_and_it_is_said() {
    let context = TestContext::new();
    context.up();
    let clients: Vec<TcpStream> =
        (0..1005).map_while(|_| TcpStream::connect(("127.0.0.1", context.port)).ok()).collect();
    if clients.len() < 1005 {
        // This test itself may not open so many files here.
        return;
    }
    // One of the last is closed without an answer, the first ones are held.
    let closed =
        clients.iter().rev().take(5).filter(|client| (&mut &**client).read(&mut [0]).is_ok_and(|count| count == 0));
    assert_eq!(closed.count(), 5);
    drop(clients);
    let run = context.run(&["logs", "forward"]);
    let said = run.stdout.matches("connections are closed at once: as many as may be are open").count();
    assert_eq!(said, 1, "{run}");
    // There is room again as soon as they are gone.
    let answers = || {
        let mut stream = TcpStream::connect(("127.0.0.1", context.port)).unwrap();
        let asked = stream.write_all(b"GET /api/v2/version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        asked.is_ok() && stream.read(&mut [0]).is_ok_and(|count| count == 1)
    };
    let begin = std::time::Instant::now();
    while !answers() {
        assert!(begin.elapsed() < std::time::Duration::from_secs(30), "no connection is served any more");
    }
}
