//! The one error that reaches a person: its kind, what happened, the evidence, and what to do next.
//!
//! Everything that can fail returns [`Failure`]. It is rendered in one place, [`crate::ui`], as text or as JSON.

use serde::{Deserialize, Serialize};

use crate::codes::Code;

/// What went wrong, as far as a script needs to know. Each kind is one documented exit code.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Looked at, and not well: `status`, `smoke` or the web check found something unhealthy. Exit code 1.
    Unhealthy,
    /// The command line, the environment, a profile or another file of the user's is wrong. Exit code 2.
    Usage,
    /// Something this machine needs is missing or too small: engine, tool, memory, disk, port. Exit code 3.
    Prerequisite,
    /// The cluster could not be made, reached or removed. Exit code 4.
    Cluster,
    /// An image or a bundle could not be had, verified or brought into the node. Exit code 5.
    Image,
    /// Helm did not install the chart. Exit code 6.
    Chart,
    /// A terminal cause keeps the stack from becoming ready: a verdict. Exit code 7.
    Verdict,
    /// A deadline passed while there was no terminal cause. Exit code 8.
    Timeout,
    /// It belongs to somebody else and is left as it is: cluster, namespace, port, file. Exit code 9.
    Foreign,
    /// There is no such environment on this machine. Exit code 10.
    NoEnvironment,
    /// Another windtunnel is working on this environment. Exit code 11.
    Locked,
    /// Ctrl-C, or a question answered with no. Exit code 130.
    Interrupted,
    /// A fault of windtunnel's own. Exit code 70.
    Bug,
}

impl Kind {
    /// The exit code that stands for this kind.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Unhealthy => 1,
            Self::Usage => 2,
            Self::Prerequisite => 3,
            Self::Cluster => 4,
            Self::Image => 5,
            Self::Chart => 6,
            Self::Verdict => 7,
            Self::Timeout => 8,
            Self::Foreign => 9,
            Self::NoEnvironment => 10,
            Self::Locked => 11,
            Self::Bug => 70,
            Self::Interrupted => 130,
        }
    }
}

/// A failure as the person meets it: message, evidence, hints.
#[derive(Clone, Debug, Serialize)]
pub struct Failure {
    /// Which exit code, and which class of trouble.
    pub kind: Kind,
    /// What happened to which object: one lower-case fragment without a full stop.
    pub message: String,
    /// The cause, where it is one that has a name.
    #[serde(flatten)]
    pub code: Option<Code>,
    /// Lines that prove it, outermost first: quoted messages, log lines, a tool's last output.
    pub evidence: Vec<String>,
    /// What to do, one sentence each, commands in backticks.
    pub hints: Vec<String>,
}

impl Failure {
    /// A failure with nothing but its message.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), code: None, evidence: Vec::new(), hints: Vec::new() }
    }

    /// Adds one line of evidence; an empty one is left out.
    #[must_use]
    pub fn evidence(mut self, line: impl Into<String>) -> Self {
        let line = line.into();
        if !line.trim().is_empty() {
            self.evidence.push(line);
        }
        self
    }

    /// Adds several lines of evidence.
    #[must_use]
    pub fn evidence_lines<L: Into<String>>(self, lines: impl IntoIterator<Item = L>) -> Self {
        lines.into_iter().fold(self, Self::evidence)
    }

    /// Adds the next thing to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Makes the commands in the hints work for an environment that has not the default name.
    #[must_use]
    pub fn for_environment(mut self, name: &str) -> Self {
        name_environment(&mut self.hints, name);
        self
    }

    /// Names the cause for scripts.
    #[must_use]
    pub fn code(mut self, code: Code) -> Self {
        self.code = Some(code);
        self
    }

    /// A usage error, exit code 2.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// A fault of windtunnel's own: something that cannot be, was.
    pub fn bug(message: impl Into<String>) -> Self {
        Self::new(Kind::Bug, message).hint("this is a fault in windtunnel: please report it with the output of `-v`")
    }
}

/// Adds `--name` to windtunnel's own commands in hints, which stand between backticks, unless a hint names an environment already.
pub fn name_environment(hints: &mut [String], name: &str) {
    let option = format!(" --name {name}");
    for hint in hints.iter_mut().filter(|hint| !hint.contains("--name")) {
        let mut pieces: Vec<String> = hint.split('`').map(str::to_owned).collect();
        // Between backticks stand commands: every second piece.
        let commands = pieces.iter_mut().skip(1).step_by(2).filter(|command| command.starts_with("windtunnel "));
        commands.for_each(|command| command.push_str(&option));
        *hint = pieces.join("`");
    }
}

/// Turns any error into a failure that says what was being done when it came up.
pub trait During<T> {
    /// `kind` and `doing` become the failure, the error and its sources the evidence.
    ///
    /// # Errors
    /// The failure made from the error.
    fn during(self, kind: Kind, doing: impl Into<String>) -> Result<T, Failure>;
}

impl<T, E: std::error::Error> During<T> for Result<T, E> {
    fn during(self, kind: Kind, doing: impl Into<String>) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(kind, doing).evidence_lines(chain(&error)))
    }
}

/// An error's message and those of its sources, without repeating what the outer one says already.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> Vec<String> {
    let mut lines = vec![sentence(error.to_string())];
    let mut source = error.source();
    while let Some(inner) = source {
        let line = sentence(inner.to_string());
        if !lines.iter().any(|seen| seen.contains(&line)) {
            lines.push(line);
        }
        source = inner.source();
    }
    lines
}

/// What the API server said, without all of its answer, which kube shows behind it (`kube_client::Error::Api`).
pub(crate) fn sentence(mut line: String) -> String {
    if let Some(answer) = line.find(" (Status {") {
        line.truncate(answer);
        line = line.replace("ApiError: ", "");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_api_server_says_is_quoted_without_its_whole_answer() {
        let error =
            "failed to list: ApiError: pods is forbidden: Forbidden (Status { status: Some(Failure), code: 403 })";
        assert_eq!(chain(&std::io::Error::other(error)), ["failed to list: pods is forbidden: Forbidden"]);
    }

    #[test]
    fn exit_codes_are_distinct() {
        let kinds = [
            Kind::Unhealthy,
            Kind::Usage,
            Kind::Prerequisite,
            Kind::Cluster,
            Kind::Image,
            Kind::Chart,
            Kind::Verdict,
            Kind::Timeout,
            Kind::Foreign,
            Kind::NoEnvironment,
            Kind::Locked,
            Kind::Interrupted,
            Kind::Bug,
        ];
        let mut codes: Vec<u8> = kinds.iter().map(|kind| kind.exit_code()).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), kinds.len());
        assert!(!codes.contains(&0));
    }

    #[test]
    fn hints_for_another_environment_name_it() {
        let failure =
            Failure::usage("x").hint("see `windtunnel status`, then `docker ps`").hint("`windtunnel up --name NAME`");
        let hints = failure.for_environment("two").hints;
        assert_eq!(hints, ["see `windtunnel status --name two`, then `docker ps`", "`windtunnel up --name NAME`"]);
    }

    #[test]
    fn a_failure_keeps_the_sources_of_the_error_as_evidence() {
        let inner = std::io::Error::other("disk on fire");
        let failure = Err::<(), _>(inner).during(Kind::Image, "reading node.tar").unwrap_err();
        assert_eq!(failure.message, "reading node.tar");
        assert_eq!(failure.evidence, ["disk on fire"]);
    }
}
