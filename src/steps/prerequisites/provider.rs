//! The provider of the cluster, once all that it needs was found well.

use super::facts::Facts;
use crate::error::Failure;
use crate::images::Image;
use crate::plan::{ClusterPlan, Plan};
use crate::providers::existing::Source;
use crate::providers::minikube::Making;
use crate::providers::{Found, minikube};
use crate::tools::docker::Docker;
use crate::tools::kind as kind_tool;
use crate::tools::minikube::Minikube;

/// The provider, ready to be used.
pub enum Provider {
    /// kind, in a Docker Engine that answers.
    Kind {
        /// The docker command.
        docker: Docker,
        /// A kind that is new enough.
        kind: kind_tool::Kind,
        /// The cluster, as it is.
        found: Found,
    },
    /// minikube.
    Minikube {
        /// The docker command, whose engine answers; `None` where the driver makes no containers.
        docker: Option<Docker>,
        /// A minikube that is new enough.
        minikube: Minikube,
        /// The profile, as it is.
        found: Found,
    },
    /// A cluster that is there, answers, and lets this user do what is needed.
    Existing(Source),
}

impl Provider {
    /// What is there of a cluster that windtunnel makes.
    #[must_use]
    pub const fn found(&self) -> Option<&Found> {
        match self {
            Self::Kind { found, .. } | Self::Minikube { found, .. } => Some(found),
            Self::Existing(_) => None,
        }
    }

    /// The docker command, where the nodes are containers of its engine that windtunnel fills.
    #[must_use]
    pub const fn docker(&self) -> Option<&Docker> {
        match self {
            Self::Kind { docker, .. } => Some(docker),
            Self::Minikube { docker, .. } => docker.as_ref(),
            Self::Existing(_) => None,
        }
    }

    /// Whether an environment of this name runs there already.
    #[must_use]
    pub const fn is_running(&self) -> bool {
        matches!(self.found(), Some(Found::Running(_)))
    }

    /// The provider of facts without an error, and what it is called on screen.
    ///
    /// # Errors
    /// What the checks took for well was not.
    pub(super) fn of(facts: Facts<'_>) -> Result<(Self, String), Failure> {
        let engine = facts.info().map(|info| format!("docker {}", short(&info.server_version)));
        let absent = || Failure::bug("the checks missed what the provider lacks");
        let Facts { plan, docker, kind, minikube, found, existing, .. } = facts;
        Ok(match &plan.cluster {
            ClusterPlan::Kind => {
                let (docker, kind) = (docker.ok_or_else(absent)?, kind.ok_or_else(absent)??);
                let words = format!("{}, kind {}", engine.ok_or_else(absent)?, short(&kind.tool.version.to_string()));
                (Self::Kind { docker, kind, found: found.ok_or_else(absent)?? }, words)
            }
            ClusterPlan::Minikube { driver, .. } => {
                let minikube = minikube.ok_or_else(absent)??;
                let version = short(&minikube.tool.version.to_string());
                let words = match &engine {
                    Some(engine) => format!("{engine}, minikube {version}"),
                    None => format!("minikube {version} (driver {driver})"),
                };
                (Self::Minikube { docker, minikube, found: found.ok_or_else(absent)?? }, words)
            }
            ClusterPlan::Existing { context, .. } => {
                let (source, version) = existing.ok_or_else(absent)??;
                (Self::Existing(source), format!("{context} (Kubernetes {version})"))
            }
        })
    }
}

/// Looks whether the provider can make what is planned, of this node image.
///
/// # Errors
/// As [`minikube::making`].
pub(super) fn check(plan: &Plan, image: &Image, user: u32) -> Result<(), Failure> {
    Making::of(plan, image, &image.reference, user).map_or(Ok(()), |making| minikube::making(making).map(drop))
}

/// The first two numbers of a version, which is what people compare.
pub(super) fn short(version: &str) -> String {
    version.splitn(3, '.').take(2).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_shown_as_people_compare_them() {
        assert_eq!(short("28.2.2"), "28.2");
        assert_eq!(short("20.10.24+dfsg1"), "20.10");
        assert_eq!(short("5"), "5");
    }
}
