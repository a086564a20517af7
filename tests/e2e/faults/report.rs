//! One fault that was met: told in a line, and judged.

use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::artefacts::say;
use crate::docker::node;
use crate::environment::Environment;
use crate::outcome::Outcome;

/// How many lines a failure may take.
const SCREEN: usize = 15;
/// How long after a fault can be seen its cause may be on the screen, as what it may be or as what it is. The promise is 5 s; events have whole
/// seconds, and on a small machine Airflow's own work is going on.
pub(super) const NAMED: Duration = Duration::from_secs(15);

/// How `up` met a fault.
pub(super) struct Met<'a> {
    pub(super) title: &'a str,
    pub(super) up: &'a Outcome,
    /// When the fault could first be seen.
    pub(super) seen: SystemTime,
}

impl Met<'_> {
    fn failure(&self) -> Value {
        let failure = self.up.last_event();
        assert_eq!(failure["event"], "failure", "{}", self.up);
        failure
    }

    fn seconds(&self) -> f64 {
        self.up.ended.duration_since(self.seen).unwrap_or_default().as_secs_f64()
    }

    /// The same until its cause was on the screen: as what it may be, or as what it is.
    fn seconds_to_its_name(&self) -> f64 {
        let failure = self.failure();
        let events = self.up.events();
        let is_it = |event: &&Value| event["event"] == "suspicion" && event["cause"] == failure["cause"];
        let failed = |event: &&Value| event["event"] == "step_finished" && event["ok"] == false;
        let milliseconds = |event: &Value| event["milliseconds"].as_f64().unwrap();
        let (first, end) = (events.iter().find(is_it), events.iter().rfind(failed));
        let earlier = first.zip(end).map_or(0.0, |(first, end)| milliseconds(end) - milliseconds(first));
        (self.seconds() - earlier / 1000.0).max(0.0)
    }

    /// Lines of the failure on a screen: its message, the evidence, an empty line, the hints.
    fn lines(&self) -> usize {
        let failure = self.failure();
        let count = |key: &str| failure[key].as_array().map_or(0, Vec::len);
        2 + count("evidence") + count("hints")
    }

    /// The row of the matrix.
    pub(super) fn say(&self) {
        let failure = self.failure();
        say(&format!(
            "matrix | {} | {} {} | named after {:.1} s, ended after {:.1} s | exit {} | {} lines",
            self.title,
            failure["code"].as_str().unwrap_or("-"),
            failure["cause"].as_str().unwrap_or("-"),
            self.seconds_to_its_name(),
            self.seconds(),
            self.up.code.unwrap_or(-1),
            self.lines(),
        ));
    }

    pub(super) fn assert_named(&self, codes: &[String], exit: i32, names: &[String]) {
        let failure = self.failure();
        assert!(codes.iter().any(|code| failure["cause"] == code.as_str()), "{}: {codes:?}\n{failure:#}", self.title);
        assert_eq!(self.up.code, Some(exit), "{}\n{}", self.title, self.up);
        let text = failure.to_string();
        assert!(names.iter().all(|name| text.contains(name.as_str())), "{names:?} are to be named\n{failure:#}");
        assert!(self.lines() < SCREEN, "{} lines\n{failure:#}", self.lines());
    }

    pub(super) fn assert_named_soon(&self, within: Duration) {
        let seconds = self.seconds_to_its_name();
        assert!(seconds <= within.as_secs_f64(), "{}: named after {seconds:.1} s\n{}", self.title, self.up);
    }

    pub(super) fn assert_soon(&self, within: Duration) {
        assert!(self.seconds() <= within.as_secs_f64(), "{}: {:.1} s\n{}", self.title, self.seconds(), self.up);
    }

    /// A hint names this command; those commands that only look are run, and must succeed.
    pub(super) fn assert_hint(&self, environment: &Environment, part: &str) {
        let failure = self.failure();
        let hints: Vec<&str> = failure["hints"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert!(hints.iter().any(|hint| hint.contains(part)), "`{part}` is in no hint\n{failure:#}");
        let commands = hints.iter().flat_map(|hint| hint.split('`').skip(1).step_by(2));
        let looks = ["windtunnel logs ", " get ", " describe "];
        for command in commands.filter(|command| looks.iter().any(|look| command.contains(look))) {
            let kubectl = format!(
                "kubectl() {{ docker exec {} kubectl --kubeconfig=/etc/kubernetes/admin.conf \"${{@:3}}\"; }}",
                node(&environment.name)
            );
            // The node has kubectl, this machine need not: the kubeconfig of the hint is left out there.
            let line = if command.starts_with("kubectl --kubeconfig") {
                format!("bash -euc '{kubectl}; {command}'")
            } else {
                command.to_owned()
            };
            environment.shell(&line).succeeded();
        }
    }
}

/// Keeps what the verdict looked at as a fixture, where `WINDTUNNEL_E2E_RECORD` names a folder for that.
pub(super) fn record(environment: &Environment, title: &str, code: &str) {
    let Some(folder) = std::env::var_os("WINDTUNNEL_E2E_RECORD") else { return };
    let file = std::path::Path::new(&folder).join(format!("{}.yaml", title.replace(' ', "_")));
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/faults/record.sh");
    let mut command = assert_cmd::Command::new(script);
    command.args([&node(&environment.name), &environment.name, &environment.name, code]).arg(file);
    Outcome::of(command, script.to_owned(), Duration::from_mins(1)).succeeded();
}
