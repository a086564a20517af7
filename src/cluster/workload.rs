//! What a release is made of, as far as readiness needs to know. Plain data.

use std::fmt;

use serde::Serialize;

/// A release that is waited for or looked at.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The environment's name, for the commands in hints.
    pub environment: &'a str,
    /// The namespace that all of it is in.
    pub namespace: &'a str,
    /// What must be ready. A workload may need those before it: while one of them is not ready yet, a crash is forgiven.
    pub workloads: &'a [Workload],
}

impl Expected<'_> {
    /// A command of windtunnel's for this environment, in backticks: what a hint says.
    #[must_use]
    pub fn command(&self, words: &str) -> String {
        if self.environment == crate::plan::DEFAULT_NAME {
            format!("`windtunnel {words}`")
        } else {
            format!("`windtunnel {words} --name {}`", self.environment)
        }
    }
}

/// A set of pods that must be ready.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Workload {
    /// What controls the pods.
    pub kind: WorkloadKind,
    /// The object's name.
    pub name: String,
}

/// What controls the pods of a workload.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub enum WorkloadKind {
    /// A Deployment.
    Deployment,
    /// A `StatefulSet`.
    StatefulSet,
}

impl Workload {
    /// The Deployment of this name.
    pub fn deployment(name: impl Into<String>) -> Self {
        Self { kind: WorkloadKind::Deployment, name: name.into() }
    }

    /// The `StatefulSet` of this name.
    pub fn stateful_set(name: impl Into<String>) -> Self {
        Self { kind: WorkloadKind::StatefulSet, name: name.into() }
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            WorkloadKind::Deployment => "deployment",
            WorkloadKind::StatefulSet => "stateful set",
        };
        write!(formatter, "{kind} `{}`", self.name)
    }
}
