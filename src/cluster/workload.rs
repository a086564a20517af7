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

    /// A command of kubectl's with the environment's own kubeconfig, in backticks.
    #[must_use]
    pub fn kubectl(&self, namespace: &str, words: &str) -> String {
        let kubeconfig = self.command("kubeconfig");
        format!("`kubectl --kubeconfig \"$({})\" --namespace {namespace} {words}`", kubeconfig.trim_matches('`'))
    }
}

/// A set of pods that must be ready.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Workload {
    /// What controls the pods.
    pub kind: WorkloadKind,
    /// The object's name.
    pub name: String,
    /// It need not be there: the user's values may leave it out. What is there must be ready all the same.
    #[serde(skip)]
    pub optional: bool,
}

/// What controls the pods of a workload.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub enum WorkloadKind {
    /// A Deployment.
    Deployment,
    /// A `StatefulSet`.
    StatefulSet,
    /// A Job, known by its pods alone: complete when none of them is at work, for it may have been removed since.
    Job,
}

impl Workload {
    /// The Deployment of this name.
    pub fn deployment(name: impl Into<String>) -> Self {
        Self { kind: WorkloadKind::Deployment, name: name.into(), optional: false }
    }

    /// The `StatefulSet` of this name.
    pub fn stateful_set(name: impl Into<String>) -> Self {
        Self { kind: WorkloadKind::StatefulSet, name: name.into(), optional: false }
    }

    /// The Job of this name.
    pub fn job(name: impl Into<String>) -> Self {
        Self { kind: WorkloadKind::Job, name: name.into(), optional: true }
    }

    /// The same, where it need not be there.
    #[must_use]
    pub fn optional(self) -> Self {
        Self { optional: true, ..self }
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            WorkloadKind::Deployment => "deployment",
            WorkloadKind::StatefulSet => "stateful set",
            WorkloadKind::Job => "job",
        };
        write!(formatter, "{kind} `{}`", self.name)
    }
}
