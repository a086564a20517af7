//! What provides the cluster of an environment: how it is found, made, started and removed.

pub mod existing;
pub mod kind;
pub mod kind_network;
pub mod minikube;

use std::path::PathBuf;

use jiff::Timestamp;

use crate::error::Failure;
use crate::plan::ClusterPlan;
use crate::state::{EnvironmentPaths, Record};
use crate::surroundings::Surroundings;
use crate::ui::Ui;

/// Where a node that windtunnel made sees the user's DAG folder.
pub const DAGS: &str = "/windtunnel/dags";
/// Where it sees the folder of image archives.
pub const IMAGES: &str = "/windtunnel/images";
/// Where it sees the folder that `smoke` writes its DAG into. Its mount marks the node as ours.
pub const SMOKE: &str = "/windtunnel/smoke";

/// What there is under the name of an environment whose cluster windtunnel makes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Found {
    /// Nothing.
    Absent,
    /// A node that windtunnel made for this environment, and that runs.
    Running(Node),
    /// A node that windtunnel made for this environment, and that does not run.
    Stopped(Node),
}

impl Found {
    /// The node, if there is one.
    #[must_use]
    pub const fn node(&self) -> Option<&Node> {
        match self {
            Self::Absent => None,
            Self::Running(node) | Self::Stopped(node) => Some(node),
        }
    }

    /// `running`, `stopped` or `absent`.
    #[must_use]
    pub const fn state(&self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Running(_) => "running",
            Self::Stopped(_) => "stopped",
        }
    }
}

/// Looks what there is of the cluster of an environment that was brought up before; `None` where windtunnel does not make it.
///
/// # Errors
/// What is there is somebody else's; a tool or the engine fail.
pub async fn find(
    record: &Record,
    paths: &EnvironmentPaths,
    surroundings: &Surroundings,
    ui: &Ui,
) -> Result<Option<Found>, Failure> {
    match &record.cluster {
        ClusterPlan::Existing { .. } => Ok(None),
        ClusterPlan::Minikube { driver, .. } => {
            Ok(Some(minikube::look(record, driver, paths, surroundings, ui).await?.found))
        }
        ClusterPlan::Kind => Ok(Some(kind::look(&record.name, paths, surroundings, ui).await?.1)),
    }
}

/// A node of ours, which is a container of the Docker Engine.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Node {
    /// The container's name.
    pub container: String,
    /// The node image it was made from.
    pub image: String,
    /// The host folder that is mounted at [`DAGS`].
    pub dags: Option<PathBuf>,
    /// The host folder that is mounted at [`IMAGES`].
    pub images: Option<PathBuf>,
    /// When it ended last, by the engine's clock, if it ever did.
    pub ended: Option<Timestamp>,
}
