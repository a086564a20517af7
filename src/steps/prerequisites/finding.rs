//! What a check says: that all is well, or what is not, why it matters, and what to do about it.

use serde::Serialize;

use crate::codes::Code;
use crate::error::{Failure, Kind};

/// Whether a finding keeps `up` from going on.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// `up` would fail.
    Error,
    /// `up` goes on; something may not work, or not well.
    Warning,
}

/// One thing that is not as it should be.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// The cause, where it is one that has a name.
    #[serde(flatten)]
    pub code: Option<Code>,
    /// Whether it keeps `up` from going on.
    pub severity: Severity,
    /// The class of trouble, which is the exit code of an `up` that ends by it.
    pub kind: Kind,
    /// What is wrong with which object: one lower-case fragment without a full stop.
    pub what: String,
    /// What was seen, one line each.
    pub found: Vec<String>,
    /// What it takes.
    pub needed: String,
    /// Why it matters.
    pub why: String,
    /// What to do on this system, one sentence each, commands in backticks.
    pub fixes: Vec<String>,
    /// What `doctor --fix` can do about it.
    pub repair: Option<Repair>,
}

/// What `doctor --fix` can do: each a command that is shown first.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Repair {
    /// Downloads the tool of this name into windtunnel's own folder.
    Download(&'static str),
    /// Raises kernel parameters until the next boot: name and value.
    Raise(Vec<(String, u64)>),
    /// Runs windtunnel itself with these words.
    Windtunnel(Vec<String>),
}

impl Finding {
    /// Something that keeps `up` from going on.
    pub fn error(code: Code, what: impl Into<String>) -> Self {
        Self {
            code: Some(code),
            severity: Severity::Error,
            kind: Kind::Prerequisite,
            what: what.into(),
            found: Vec::new(),
            needed: String::new(),
            why: String::new(),
            fixes: Vec::new(),
            repair: None,
        }
    }

    /// Something that `up` can live with.
    pub fn warning(code: Code, what: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, what) }
    }

    /// The finding that a failure is.
    #[must_use]
    pub fn of(failure: &Failure) -> Self {
        Self {
            code: failure.code,
            severity: Severity::Error,
            kind: failure.kind,
            what: failure.message.clone(),
            found: failure.evidence.clone(),
            needed: String::new(),
            why: String::new(),
            fixes: failure.hints.clone(),
            repair: None,
        }
    }

    /// The number of its cause, in brackets of this kind, or nothing.
    #[must_use]
    pub fn number(&self, open: &str, close: &str) -> String {
        self.code.map(|code| format!("{open}{}{close}", code.id())).unwrap_or_default()
    }

    /// Adds a line of what was seen.
    #[must_use]
    pub fn found(mut self, line: impl Into<String>) -> Self {
        self.found.push(line.into());
        self
    }

    /// Says what it takes, and why.
    #[must_use]
    pub fn needed(mut self, needed: impl Into<String>, why: impl Into<String>) -> Self {
        (self.needed, self.why) = (needed.into(), why.into());
        self
    }

    /// Adds something to do.
    #[must_use]
    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fixes.push(fix.into());
        self
    }

    /// Says what `doctor --fix` can do.
    #[must_use]
    pub fn repair(mut self, repair: Repair) -> Self {
        self.repair = Some(repair);
        self
    }

    /// The failure that ends `up` by this finding alone.
    #[must_use]
    pub fn failure(&self) -> Failure {
        let failure = Failure::new(self.kind, self.what.clone()).evidence_lines(self.found.clone());
        let failure = self.code.into_iter().fold(failure, Failure::code);
        self.fixes.iter().cloned().fold(failure, Failure::hint)
    }
}

/// What came of looking at one thing.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// What was looked at: `engine`, `kind`.
    pub check: &'static str,
    /// How it is; without a finding, why all is well or why it was not looked at.
    pub detail: String,
    /// Whether it could not be looked at.
    pub skipped: bool,
    /// What is not well.
    pub findings: Vec<Finding>,
}

impl Check {
    /// All is well.
    pub fn passed(check: &'static str, detail: impl Into<String>) -> Self {
        Self { check, detail: detail.into(), skipped: false, findings: Vec::new() }
    }

    /// It could not be looked at.
    pub fn skipped(check: &'static str, why: impl Into<String>) -> Self {
        Self { skipped: true, ..Self::passed(check, why) }
    }

    /// Something is not well.
    #[must_use]
    pub fn found(check: &'static str, finding: Finding) -> Self {
        Self { findings: vec![finding], ..Self::passed(check, "") }
    }

    /// Something is not well, or all is.
    pub fn of(check: &'static str, finding: Option<Finding>, detail: impl Into<String>) -> Self {
        finding.map_or_else(|| Self::passed(check, detail), |finding| Self::found(check, finding))
    }
}

/// The one failure that all errors make; `None` where there is none.
#[must_use]
pub fn failure(checks: &[Check]) -> Option<Failure> {
    let errors: Vec<&Finding> = (checks.iter().flat_map(|check| &check.findings))
        .filter(|finding| finding.severity == Severity::Error)
        .collect();
    let (first, rest) = errors.split_first()?;
    if rest.is_empty() {
        return Some(first.failure());
    }
    let same = rest.iter().all(|finding| finding.kind == first.kind);
    let kind = if same { first.kind } else { Kind::Prerequisite };
    let failure = Failure::new(kind, format!("{} things are missing or wrong", errors.len()));
    let failure = errors.iter().enumerate().fold(failure, |failure, (number, finding)| {
        let failure = failure.evidence(format!("{}. {}{}", number + 1, finding.what, finding.number(" (", ")")));
        let failure = failure.evidence_lines(finding.found.iter().map(|line| format!("   {line}")));
        failure.evidence_lines(finding.fixes.iter().map(|fix| format!("   fix: {fix}")))
    });
    Some(failure.hint("all checks, and why each matters: `windtunnel doctor`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(tool: &str) -> Check {
        Check::found("tool", Finding::error(Code::ToolMissing, format!("`{tool}` is not on PATH")).fix("install it"))
    }

    #[test]
    fn one_error_is_the_failure_that_it_always_was() {
        let failure = failure(&[Check::passed("engine", "docker 28.2.2"), missing("kind")]).unwrap();
        assert_eq!((failure.message.as_str(), failure.code), ("`kind` is not on PATH", Some(Code::ToolMissing)));
        assert_eq!(failure.hints, ["install it"]);
    }

    #[test]
    fn several_errors_are_told_together_each_with_its_fix() {
        let port = Finding { kind: Kind::Foreign, ..Finding::error(Code::PortTaken, "port 7070 is taken") };
        let warning = Check::found("proxy", Finding::warning(Code::ProxyBypass, "not told"));
        let failure = failure(&[missing("kind"), missing("helm"), Check::found("port", port), warning]).unwrap();
        assert_eq!((failure.kind, failure.message.as_str()), (Kind::Prerequisite, "3 things are missing or wrong"));
        assert_eq!(failure.evidence[..2], ["1. `kind` is not on PATH (WT107)", "   fix: install it"]);
        assert_eq!(failure.evidence.len(), 5);
    }

    #[test]
    fn warnings_alone_stop_nothing() {
        assert!(failure(&[Check::found("x", Finding::warning(Code::ProxyBypass, "y"))]).is_none());
    }
}
