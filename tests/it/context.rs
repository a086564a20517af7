//! A machine of its own for one test: home, state, cache, project, and a PATH with nothing but fakes; a cluster made of the fake
//! tools' scripts and the fake API server; and what the binary did there, as one text to compare.

use std::collections::BTreeMap;
use std::fmt;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::airflow_server::AirflowServer;
use crate::api_server::ApiServer;
use crate::bundle::Bundle;
use crate::objects;

/// Longer than any run may take.
const DEADLINE: Duration = Duration::from_mins(1);

/// One test's machine; all of it is gone when this is dropped, detached processes too.
pub(crate) struct TestContext {
    root: TempDir,
    pub(crate) api: ApiServer,
    pub(crate) airflow: AirflowServer,
    pub(crate) bundle: Bundle,
    /// The port of the forward.
    pub(crate) port: u16,
    scripts: Mutex<BTreeMap<&'static str, Vec<String>>>,
    secrets: Mutex<Vec<String>>,
    forgotten: Mutex<Vec<&'static str>>,
}

/// What one run of the binary did.
pub(crate) struct Run {
    pub(crate) command: String,
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// The commands that the fakes were given, each tool's in order.
    pub(crate) journal: Vec<String>,
    /// What the checks asked the engine side by side, which has no one order and changes nothing.
    pub(crate) asked: Vec<String>,
}

/// Runs the binary and compares everything that came of it with the test's snapshot.
macro_rules! assert_run {
    ($context:expr, $arguments:expr) => {
        crate::context::assert_run!($context, run, $arguments)
    };
    ($context:expr, $run:ident, $arguments:expr) => {{
        let run = $context.$run($arguments);
        $context.settings().bind(|| insta::assert_snapshot!(run.to_string()));
        run
    }};
}
pub(crate) use assert_run;

impl TestContext {
    /// A machine with all that is needed, and no environment yet.
    pub(crate) fn new() -> Self {
        // Short, because a socket's path may not be long and a snapshot's lines should not be.
        let root = tempfile::Builder::new().prefix("wt").tempdir().unwrap();
        for folder in ["bin", "cache", "home", "project", "state", "tools"] {
            std::fs::create_dir(root.path().join(folder)).unwrap();
        }
        let airflow = AirflowServer::start();
        let api = ApiServer::start(airflow.address, root.path().join("tools/version-asked"));
        api.change(objects::cluster);
        api.effect("delete-cluster", objects::delete_cluster);
        api.effect("install", objects::install);
        api.effect("rollback", objects::rollback);
        api.effect("uninstall", objects::uninstall);
        api.effect("scaled", objects::scaled);
        let context = Self {
            bundle: Bundle::write(&root.path().join("bundle")),
            root,
            api,
            airflow,
            port: free_port(),
            scripts: Mutex::default(),
            secrets: Mutex::default(),
            forgotten: Mutex::default(),
        };
        for tool in ["docker", "kind", "helm"] {
            context.with(tool);
        }
        context.write_scripts();
        context
    }

    /// A file or folder of this machine.
    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        self.root.path().join(inside)
    }

    /// The folder of the environment `airflow-cluster`.
    pub(crate) fn environment(&self, file: &str) -> PathBuf {
        self.path("state/environments/airflow-cluster").join(file)
    }

    /// The record of that environment, if there is one.
    pub(crate) fn remembered(&self) -> Option<String> {
        std::fs::read_to_string(self.environment("environment.json")).ok()
    }

    /// Runs the binary in the project's folder.
    #[must_use = "compare it with its snapshot, or look at a part of it"]
    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        self.run_with(arguments, &[])
    }

    /// Runs it in another folder of this machine.
    #[must_use = "compare it with its snapshot, or look at a part of it"]
    pub(crate) fn run_in(&self, folder: &str, arguments: &[&str]) -> Run {
        self.run_anywhere(folder, arguments, &[])
    }

    /// Runs it with more variables in its environment.
    #[must_use = "compare it with its snapshot, or look at a part of it"]
    pub(crate) fn run_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Run {
        self.run_anywhere("project", arguments, variables)
    }

    fn run_anywhere(&self, folder: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Run {
        let journal = self.path("tools/journal");
        for leftover in [&journal, &self.path("tools/version-asked")] {
            let _ = std::fs::remove_file(leftover);
        }
        let mut command = assert_cmd::Command::new(env!("CARGO_BIN_EXE_windtunnel"));
        command.args(arguments).current_dir(self.path(folder)).env_clear().timeout(DEADLINE);
        let output = command.envs(self.variables()).envs(variables.iter().copied()).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let mut lines: Vec<String> =
            std::fs::read_to_string(&journal).unwrap_or_default().lines().map(str::to_owned).collect();
        // Tools run side by side, each of them in order.
        lines.sort_by_key(|line| line.split(' ').next().map(str::to_owned));
        let (asked, lines) = lines.into_iter().partition(|line| is_asked_side_by_side(line));
        let run = Run {
            command: arguments.join(" "),
            code: output.status.code().unwrap_or(-1),
            stdout: text(output.stdout),
            stderr: in_one_order(&text(output.stderr)),
            journal: lines,
            asked,
        };
        self.assert_no_secret(&run);
        run
    }

    /// Starts the binary in the project's folder and leaves it to the test to end it.
    #[expect(clippy::disallowed_methods, reason = "a program that goes on while the test looks at it")]
    pub(crate) fn spawn(&self, arguments: &[&str], stderr: Stdio) -> Child {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_windtunnel"));
        command.args(arguments).current_dir(self.path("project")).env_clear().envs(self.variables());
        command.stderr(stderr).spawn().unwrap()
    }

    /// The same run without its commands: where a tool is run side by side with itself they have no one order.
    #[must_use]
    pub(crate) fn run_without_commands(&self, arguments: &[&str]) -> Run {
        Run { journal: Vec::new(), ..self.run(arguments) }
    }

    /// Brings the environment up, without a look at how, until its forward has chosen a route: what `status` says of it depends on that.
    pub(crate) fn up(&self) {
        self.up_with(&["up"]);
    }

    /// The same with more arguments.
    pub(crate) fn up_with(&self, arguments: &[&str]) {
        let run = self.run(arguments);
        assert_eq!(run.code, 0, "{run}");
        self.await_forward("to choose a route", |state| !state["route"].is_null());
    }

    /// Waits until the forward has written a state that is as wanted.
    pub(crate) fn await_forward(&self, what: &str, is_so: impl Fn(&Value) -> bool) {
        let started = Instant::now();
        let forward = self.environment("forward.json");
        let is_there = || {
            let state = std::fs::read(&forward).ok();
            let state: Option<Value> = state.and_then(|state| serde_json::from_slice(&state).ok());
            state.is_some_and(|state| is_so(&state))
        };
        while !is_there() {
            assert!(started.elapsed() < DEADLINE, "the forward was waited for {what}");
            std::thread::yield_now();
        }
    }

    /// From now on this variable is not set.
    pub(crate) fn forget_variable(&self, name: &'static str) {
        self.forgotten.lock().unwrap().push(name);
    }

    /// The variables that the binary lives in.
    pub(crate) fn variables(&self) -> Vec<(&'static str, String)> {
        let path = |inside: &str| self.path(inside).display().to_string();
        let forgotten = self.forgotten.lock().unwrap();
        let mut variables = vec![
            ("HOME", path("home")),
            ("PATH", path("bin")),
            ("WINDTUNNEL_STATE", path("state")),
            ("XDG_CACHE_HOME", path("cache")),
            ("FAKE_TOOLS", path("tools")),
            ("WINDTUNNEL_PORT", self.port.to_string()),
            ("WINDTUNNEL_BUNDLE", path("bundle")),
            ("COLUMNS", "100".to_owned()),
            ("LC_ALL", "C.UTF-8".to_owned()),
            ("NO_COLOR", "1".to_owned()),
            ("TERM", "xterm-256color".to_owned()),
        ];
        variables.retain(|(name, _)| !forgotten.contains(name));
        variables
    }

    /// What differs from run to run, and what stands for it in a snapshot.
    pub(crate) fn settings(&self) -> insta::Settings {
        let mut settings = insta::Settings::clone_current();
        settings.set_omit_expression(true);
        settings.set_prepend_module_to_snapshot(true);
        for (pattern, stand_in) in [
            (self.root.path().display().to_string().as_str(), "[ROOT]"),
            (&format!(r"\b{}\b", self.port), "[PORT]"),
            (&self.api.url(), "http://[API]"),
            // The time of a step, which a slow machine shows and a fast one does not.
            (r"(?m) +\d+\.\d+s$", ""),
            (r"(?m)( (?:creating|starting|waiting for a node)) \d+ s$", "$1 [N] s"),
            (r"moved last, \d+ s ago", "moved last, [N] s ago"),
            (r#""milliseconds":\d+"#, r#""milliseconds":[N]"#),
            (r"windtunnel-inputs=[0-9a-f]{32}", "windtunnel-inputs=[DIGEST]"),
            (r"environment-id=[0-9a-f]{20}", "environment-id=[ID]"),
            (r"/\.tmp\w+", "/[TEMPORARY]"),
            (r"(/kept/[a-z-]+):[0-9a-f]{12}", "$1:[FOLDER]"),
            (r"\b(process|pid) \d+", "$1 [ID]"),
            (r#""process": \d+"#, r#""process": [ID]"#),
            (r#""connections": \d+"#, r#""connections": [N]"#),
            (r"\b\d{4}-\d\d-\d\dT[0-9:.]+Z", "[TIME]"),
            // What starts an engine is another command on another system.
            (r"start it: [^\n]*(docker|Docker Desktop)[^\n]*", "start it: [HOW]"),
            // What minikube wants where the user of the tests is root.
            (r"(minikube start .*) --force\b", "$1"),
        ] {
            settings.add_filter(pattern, stand_in);
        }
        settings
    }

    /// From now on, `tool` with these words follows these lines, whatever it did before. See `tests/fakes/tool.rs`.
    pub(crate) fn on(&self, tool: &'static str, words: &str, lines: &[&str]) {
        let rule = std::iter::once(format!("on {words}")).chain(lines.iter().map(|line| (*line).to_owned()));
        let rule = rule.collect::<Vec<_>>().join("\n");
        let mut scripts = self.scripts.lock().unwrap();
        let rules = scripts.entry(tool).or_default();
        rules.insert(0, rule);
        self.write_file(&format!("tools/{tool}.script"), &(rules.join("\n\n") + "\n"));
    }

    /// The program is on PATH: a fake that does as its script says.
    pub(crate) fn with(&self, tool: &str) {
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_fake-tool"), self.path("bin").join(tool)).unwrap();
    }

    /// The program is not on PATH.
    pub(crate) fn without(&self, tool: &str) {
        std::fs::remove_file(self.path("bin").join(tool)).unwrap();
    }

    /// Changes what the engine says of itself.
    pub(crate) fn edit_engine(&self, change: impl FnOnce(&mut Value)) {
        let text = std::fs::read_to_string(self.path("tools/info.json")).unwrap();
        let mut info = serde_json::from_str(&text).unwrap();
        change(&mut info);
        self.write_file("tools/info.json", &info.to_string());
    }

    /// Waits until a file of this machine is there.
    pub(crate) fn wait_for(&self, inside: &str) {
        let started = Instant::now();
        while !self.path(inside).exists() {
            assert!(started.elapsed() < DEADLINE, "{inside} did not come");
            std::thread::yield_now();
        }
    }

    /// Writes a file of this machine.
    pub(crate) fn write_file(&self, inside: &str, text: &str) {
        let path = self.path(inside);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// No key or password of any environment may be in what a run printed, unless it was asked for, nor in any command.
    fn assert_no_secret(&self, run: &Run) {
        let environments = std::fs::read_dir(self.path("state/environments")).into_iter().flatten();
        for environment in environments {
            let file = environment.unwrap().path().join("credentials.json");
            let Ok(text) = std::fs::read_to_string(file) else { continue };
            let credentials: Value = serde_json::from_str(&text).unwrap_or_default();
            let keys = credentials.as_object().into_iter().flatten().filter(|(key, _)| *key != "windtunnel");
            let values = keys.filter_map(|(_, value)| value.as_str());
            self.secrets.lock().unwrap().extend(values.map(str::to_owned));
        }
        let printed = if run.command.starts_with("credentials") { "" } else { &run.stdout };
        for secret in self.secrets.lock().unwrap().iter() {
            let found = [printed, &run.stderr].iter().any(|text| text.contains(secret))
                || run.journal.iter().any(|line| line.contains(secret));
            assert!(!found, "a secret came out: {run}");
        }
    }
}

impl Drop for TestContext {
    fn drop(&mut self) {
        let environments = std::fs::read_dir(self.path("state/environments")).into_iter().flatten().flatten();
        for environment in environments.filter(|environment| environment.path().join("forward.json").exists()) {
            let name = environment.file_name().into_string().unwrap();
            let mut command = assert_cmd::Command::new(env!("CARGO_BIN_EXE_windtunnel"));
            let stopped =
                command.args(["forward", "stop", "--name", &name]).env_clear().envs(self.variables()).output();
            assert!(
                stopped.is_ok_and(|output| output.status.success()) || std::thread::panicking(),
                "a forward was left"
            );
        }
    }
}

impl Run {
    /// Where in the journal the first command is that begins so.
    pub(crate) fn ran(&self, command: &str) -> usize {
        let found = self.journal.iter().position(|line| line.starts_with(command));
        found.unwrap_or_else(|| panic!("no `{command}`\n{self}"))
    }
}

impl fmt::Display for Run {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "$ windtunnel {}\nexit code {}", self.command, self.code)?;
        let commands = self.journal.join("\n");
        for (title, text) in [("stdout", &self.stdout), ("stderr", &self.stderr), ("commands", &commands)] {
            if !text.is_empty() {
                writeln!(formatter, "----- {title} -----\n{}", text.trim_end_matches('\n'))?;
            }
        }
        Ok(())
    }
}

fn is_asked_side_by_side(line: &str) -> bool {
    let clusters = "docker container ls --all --filter 'label=io.x-k8s.kind.cluster' --format ";
    ["docker version ", "docker network ls ", "docker network inspect ", clusters]
        .iter()
        .any(|begin| line.starts_with(begin))
}

/// Cluster and images come side by side, and either step may end first.
fn in_one_order(talk: &str) -> String {
    let mut lines: Vec<&str> = talk.split('\n').collect();
    let is = |line: &str, title: &str| line.trim_start().starts_with(title);
    if let Some(loading) = lines.windows(2).position(|pair| is(pair[0], "Loading images") && is(pair[1], "Starting ")) {
        lines.swap(loading, loading + 1);
    }
    lines.join("\n")
}

/// A port that is free and that no other test gets: below those that the kernel gives away by itself.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + u16::try_from(std::process::id() % 40).unwrap() * 250;
    let mut ports = std::iter::repeat_with(|| first + NEXT.fetch_add(1, Ordering::Relaxed));
    ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap()
}

/// How a process ended, which has to come soon: one that does not end is killed.
pub(crate) fn ended(child: &mut Child) -> ExitStatus {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if started.elapsed() > DEADLINE {
            child.kill().unwrap();
            panic!("the process {} did not end", child.id());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
