//! How a program ended: its exit code, all that it said, and when.

use std::time::{Duration, SystemTime};

use serde_json::Value;

/// A program that has ended.
pub(crate) struct Outcome {
    /// The command, as one would type it.
    pub(crate) line: String,
    /// The exit code; `None` where a signal or the test's deadline ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
    pub(crate) ended: SystemTime,
}

impl Outcome {
    /// Runs a command to its end, for at most `deadline`.
    pub(crate) fn of(mut command: assert_cmd::Command, line: String, deadline: Duration) -> Self {
        let begin = std::time::Instant::now();
        let output = command.timeout(deadline).output().unwrap_or_else(|error| panic!("`{line}`: {error}"));
        Self {
            line,
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            took: begin.elapsed(),
            ended: SystemTime::now(),
        }
    }

    /// Insists on exit code 0.
    pub(crate) fn succeeded(self) -> Self {
        self.ended_with(0)
    }

    /// Insists on this exit code.
    pub(crate) fn ended_with(self, code: i32) -> Self {
        assert!(self.code == Some(code), "expected exit code {code}\n{self}");
        self
    }

    /// The one document on stdout.
    pub(crate) fn document(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("stdout is no document: {error}\n{self}"))
    }

    /// The events on stdout, one a line.
    pub(crate) fn events(&self) -> Vec<Value> {
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("`{line}`: {error}\n{self}"));
        self.stdout.lines().map(parse).collect()
    }

    /// The last event.
    pub(crate) fn last_event(&self) -> Value {
        self.events().pop().unwrap_or_else(|| panic!("there is no event\n{self}"))
    }

    /// Insists that what it said has all of these, in any order.
    pub(crate) fn says(&self, parts: &[&str]) {
        for part in parts {
            assert!(self.stdout.contains(part) || self.stderr.contains(part), "`{part}` is missing\n{self}");
        }
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { line, code, stdout, stderr, took, .. } = self;
        let ending = code.map_or_else(|| "was killed".to_owned(), |code| format!("ended with {code}"));
        let seconds = took.as_secs_f64();
        write!(formatter, "`{line}` {ending} after {seconds:.1} s\n--- stdout\n{stdout}--- stderr\n{stderr}")
    }
}
