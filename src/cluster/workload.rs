//! What a release is made of, as far as readiness needs to know. Plain data.

use serde::Serialize;

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
    /// A StatefulSet.
    StatefulSet,
}
