//! On a terminal: Ctrl-C in the middle, and the question before something is removed.

use rexpect::process::WaitStatus;
use rexpect::session::{PtySession, spawn_command};

use crate::context::{TestContext, ended};

/// Milliseconds that the binary may take to say what is expected.
const PATIENCE: u64 = 20_000;
/// What makes the cursor visible.
pub(crate) const CURSOR: &str = "\u{1b}[?25h";

/// Starts the binary on a terminal of its own.
pub(crate) fn spawn(context: &TestContext, arguments: &[&str]) -> PtySession {
    spawn_with(context, arguments, &[])
}

/// Starts it with more variables in its environment.
#[expect(clippy::disallowed_methods, reason = "rexpect wants the standard library's command")]
pub(crate) fn spawn_with(context: &TestContext, arguments: &[&str], variables: &[(&str, &str)]) -> PtySession {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_windtunnel"));
    command.args(arguments).current_dir(context.path("project")).env_clear().envs(context.variables());
    command.envs(variables.iter().copied());
    spawn_command(command, Some(PATIENCE)).unwrap()
}

/// What is left to read, and the exit code.
pub(crate) fn end(mut session: PtySession) -> (String, i32) {
    let rest = session.exp_eof().unwrap();
    match session.process().wait().unwrap() {
        WaitStatus::Exited(_, code) => (rest, code),
        other => panic!("{other:?}: {rest}"),
    }
}

#[test]
fn ctrl_c_while_kind_works() {
    let context = TestContext::new();
    context.on("kind", "create cluster", &["mark creating", "await never"]);
    let mut session = spawn(&context, &["up"]);
    context.wait_for("tools/creating");
    session.send_control('c').unwrap();
    let (shown, code) = end(session);
    assert_eq!(code, 130, "{shown}");
    assert!(shown.contains("Checking prerequisites") && shown.contains("interrupted"), "{shown}");
    assert!(shown.contains("run the same command again"), "{shown}");
    assert!(shown.contains("is not complete") && shown.contains("`windtunnel down`"), "{shown}");
    assert!(shown.rfind(CURSOR) > shown.rfind("\u{1b}[?25l"), "{shown:?}");
}

#[test]
fn the_next_up_goes_on_after_ctrl_c() {
    let context = TestContext::new();
    context.on("kind", "create cluster", &["unless creating", "mark creating", "mark node", "await never"]);
    let mut session = spawn(&context, &["up"]);
    context.wait_for("tools/node");
    session.send_control('c').unwrap();
    assert_eq!(end(session).1, 130);
    let run = context.run(&["up"]);
    assert_eq!(run.code, 0, "{run}");
}

#[test]
fn down_is_answered_with_no() {
    let context = TestContext::new();
    context.up();
    let mut session = spawn(&context, &["down"]);
    session.exp_string("Remove the environment").unwrap();
    session.send("n").unwrap();
    session.flush().unwrap();
    let (shown, code) = end(session);
    assert!(code == 130 && shown.contains("nothing was changed"), "{code} {shown}");
    assert!(context.environment("environment.json").exists() && context.path("tools/node").exists());
}

#[test]
fn down_is_answered_with_yes() {
    let context = TestContext::new();
    context.up();
    let mut session = spawn(&context, &["down"]);
    session.exp_string("Remove the environment").unwrap();
    session.send("y").unwrap();
    session.flush().unwrap();
    let (shown, code) = end(session);
    assert_eq!(code, 0, "{shown}");
    assert!(!context.environment("").exists() && !context.path("tools/node").exists(), "{shown}");
}

#[test]
fn ctrl_c_at_the_question() {
    let context = TestContext::new();
    context.up();
    let mut session = spawn(&context, &["down"]);
    session.exp_string("Remove the environment").unwrap();
    session.send_control('c').unwrap();
    let (shown, code) = end(session);
    assert_eq!(code, 130, "{shown}");
    assert!(shown.rfind(CURSOR) >= shown.rfind("\u{1b}[?25l"), "{shown:?}");
    assert!(context.environment("environment.json").exists());
}

/// Without a terminal no Ctrl-C reaches the children by itself.
#[test]
#[cfg(target_os = "linux")]
#[expect(clippy::disallowed_methods, reason = "a child that is signalled while it runs")]
fn whoever_ends_it_politely_ends_its_children_too() {
    use rustix::process::{Pid, Signal, kill_process};

    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let context = TestContext::new();
        context.on("kind", "create cluster", &["mark creating", "await never"]);
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_windtunnel"));
        command.arg("up").current_dir(context.path("project")).env_clear().envs(context.variables());
        let mut child = command.stderr(std::process::Stdio::null()).spawn().unwrap();
        context.wait_for("tools/creating");
        kill_process(Pid::from_child(&child), signal).unwrap();
        assert_eq!(ended(&mut child).code(), Some(130));
        let kind = context.path("bin/kind").display().to_string();
        let begin = std::time::Instant::now();
        while runs(&kind) {
            assert!(begin.elapsed().as_secs() < 10, "kind was left running after {signal:?}");
            std::thread::yield_now();
        }
    }
}

#[cfg(target_os = "linux")]
fn runs(program: &str) -> bool {
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let mut lines = processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
    lines.any(|line| line.starts_with(program.as_bytes()))
}
