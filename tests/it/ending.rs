//! What becomes of the tools when windtunnel is told to end, or is killed.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use windtunnel::state::lock::tools;

use crate::context::{TestContext, assert_run, ended};

/// A kind that goes on when it is told to end, until the file `go` is there.
const STUBBORN: &str = r#"#!/bin/sh
[ "$1" = version ] && { echo 'kind v0.30.0 go1.24.6 linux/amd64'; exit; }
trap '' TERM INT HUP
: > "$FAKE_TOOLS/creating"
while [ ! -e "$FAKE_TOOLS/go" ] && [ -e "$FAKE_TOOLS" ]; do /bin/sleep 0.05; done
"#;

impl TestContext {
    fn with_stubborn_kind(&self) {
        use std::os::unix::fs::PermissionsExt;
        self.without("kind");
        self.write_file("bin/kind", STUBBORN);
        std::fs::set_permissions(self.path("bin/kind"), std::fs::Permissions::from_mode(0o755)).unwrap();
    }
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

/// What it says on stderr until a line has these words.
fn read_until(child: &mut Child, words: &str) -> (String, BufReader<std::process::ChildStderr>) {
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    while !said.contains(words) {
        assert_ne!(stderr.read_line(&mut said).unwrap(), 0, "it did not say {words}: {said}");
    }
    (said, stderr)
}

fn rest(mut stderr: BufReader<std::process::ChildStderr>) -> String {
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    rest
}

#[test]
fn a_tool_that_takes_its_time_is_waited_for() {
    let context = TestContext::new();
    context.with_stubborn_kind();
    let mut child = context.spawn(&["up"], Stdio::piped());
    context.wait_for("tools/creating");
    signal(&child, Signal::INT);
    let (_, stderr) = read_until(&mut child, "Waiting for `kind` to end");
    context.write_file("tools/go", "");
    let rest = rest(stderr);
    assert_eq!(ended(&mut child).code(), Some(130), "{rest}");
    assert!(rest.contains("the kind cluster `airflow-cluster` is not complete"), "{rest}");
    assert!(rest.contains("`windtunnel up`") && rest.contains("`windtunnel down`"), "{rest}");
}

#[test]
fn a_second_ctrl_c_waits_for_nobody() {
    let context = TestContext::new();
    context.with_stubborn_kind();
    let mut child = context.spawn(&["up"], Stdio::piped());
    context.wait_for("tools/creating");
    signal(&child, Signal::INT);
    let (_, _stderr) = read_until(&mut child, "Waiting for `kind` to end");
    let told = Instant::now();
    signal(&child, Signal::INT);
    assert_eq!(ended(&mut child).code(), Some(130));
    assert!(told.elapsed() < Duration::from_secs(4), "it waited for {:?}", told.elapsed());
    // kind was killed: nobody holds the lock any more.
    context.with_kind_again();
    let run = context.run(&["up"]);
    assert!(run.code == 0 && !run.stderr.contains("Waiting for `kind`"), "{run}");
}

impl TestContext {
    fn with_kind_again(&self) {
        self.without("kind");
        self.with("kind");
    }
}

#[test]
fn what_was_cut_short_is_told_with_what_is_there() {
    let context = TestContext::new();
    context.on("helm", "upgrade --install", &["mark installing", "await never"]);
    let mut child = context.spawn(&["up"], Stdio::piped());
    context.wait_for("tools/installing");
    signal(&child, Signal::INT);
    let rest = rest(BufReader::new(child.stderr.take().unwrap()));
    assert_eq!(ended(&mut child).code(), Some(130), "{rest}");
    for told in [
        "the kind cluster `airflow-cluster` is there",
        "the release airflow-cluster was being installed",
        "`windtunnel up`",
        "`windtunnel down`",
    ] {
        assert!(rest.contains(told), "{told}: {rest}");
    }
}

#[test]
fn before_anything_is_made_it_says_so() {
    let context = TestContext::new();
    context.on("docker", "info", &["mark asked", "await never"]);
    let mut child = context.spawn(&["up"], Stdio::piped());
    context.wait_for("tools/asked");
    signal(&child, Signal::INT);
    let rest = rest(BufReader::new(child.stderr.take().unwrap()));
    assert_eq!(ended(&mut child).code(), Some(130), "{rest}");
    assert!(rest.contains("nothing was made yet") && !rest.contains("windtunnel down"), "{rest}");
}

/// An `up` that was killed while Helm is at work, which goes on.
fn killed_up(context: &TestContext) {
    context.on("helm", "upgrade --install", &["unless installing", "mark installing", "await go"]);
    let mut child = context.spawn(&["up"], Stdio::null());
    context.wait_for("tools/installing");
    // Its name is written down a moment after it began.
    let (lock, begun) = (context.environment("lock"), Instant::now());
    while !tools(&lock).iter().any(|(_, program)| program == "helm") {
        assert!(begun.elapsed() < Duration::from_secs(20), "helm was not written down");
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn what_a_killed_one_left_at_work_is_waited_for() {
    let context = TestContext::new();
    killed_up(&context);
    let mut next = context.spawn(&["up"], Stdio::piped());
    let (said, stderr) = read_until(&mut next, "Waiting for `helm` (pid ");
    context.write_file("tools/go", "");
    let rest = rest(stderr);
    assert!(ended(&mut next).success() && rest.contains("Airflow is ready"), "{said}{rest}");
}

#[test]
fn the_lock_of_a_killed_one_is_taken_over() {
    let context = TestContext::new();
    killed_up(&context);
    context.write_file("tools/go", "");
    let run = context.run(&["up"]);
    assert!(run.code == 0 && !run.stderr.contains("another windtunnel"), "{run}");
}

#[test]
fn the_forward_holds_no_lock() {
    let context = TestContext::new();
    context.up();
    let run = assert_run!(context, &["forward", "status"]);
    assert_eq!(run.code, 0);
    drop(windtunnel::state::Lock::take(&context.environment("lock")).unwrap());
}

#[test]
fn more_ports_are_not_remembered_while_a_command_is_at_work() {
    let context = TestContext::new();
    context.up();
    let record = context.remembered();
    let lock = windtunnel::state::Lock::take(&context.environment("lock")).unwrap();
    let run = context.run(&["forward", "run", "--also", "15433:database:5432"]);
    assert_eq!((run.code, context.remembered()), (11, record), "{run}");
    drop(lock);
}
