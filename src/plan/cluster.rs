//! Which cluster an environment is on.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Wishes;
use crate::error::Failure;
use crate::state::Record;

/// What provides the cluster of an environment.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// A cluster of one kind node that windtunnel makes.
    #[default]
    Kind,
    /// A minikube profile that windtunnel makes.
    Minikube,
    /// A cluster that is there already, named by a kubeconfig context.
    Existing,
}

impl Provider {
    /// Whether the nodes see the DAG folder of this machine.
    #[must_use]
    pub const fn sees_dag_folder(self) -> bool {
        !matches!(self, Self::Existing)
    }

    /// Whether the nodes see a second folder, that of the smoke DAG. minikube mounts one only, and that is the user's.
    #[must_use]
    pub const fn sees_smoke_folder(self) -> bool {
        matches!(self, Self::Kind)
    }

    /// As the user names it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kind => "kind",
            Self::Minikube => "minikube",
            Self::Existing => "existing",
        }
    }
}

/// What runs the containers of a minikube node.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ContainerRuntime {
    /// containerd, as in kind's nodes.
    #[default]
    Containerd,
    /// A Docker Engine of the node's own.
    Docker,
}

impl ContainerRuntime {
    /// As minikube and the user name it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Containerd => "containerd",
            Self::Docker => "docker",
        }
    }
}

/// The cluster of an environment, with what its provider needs to know.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "provider", rename_all = "lowercase", deny_unknown_fields)]
pub enum ClusterPlan {
    /// A kind cluster of the environment's name.
    #[default]
    Kind,
    /// A minikube profile of the environment's name.
    Minikube {
        /// minikube's driver: `docker`, or whatever `minikube start --driver` takes.
        driver: String,
        /// What runs the containers of the node.
        #[serde(default)]
        container_runtime: ContainerRuntime,
        /// How many processors it has; `None` for all that the driver has.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cpus: Option<NonZeroU32>,
        /// How much memory it has, as `6g` or `6144m`; `None` for all that the driver has.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        memory: Option<String>,
    },
    /// A cluster that is there already.
    Existing {
        /// The kubeconfig files that name it, as one.
        kubeconfig: Vec<PathBuf>,
        /// The context in it.
        context: String,
    },
}

impl ClusterPlan {
    /// The provider.
    #[must_use]
    pub const fn provider(&self) -> Provider {
        match self {
            Self::Kind => Provider::Kind,
            Self::Minikube { .. } => Provider::Minikube,
            Self::Existing { .. } => Provider::Existing,
        }
    }

    /// What runs the containers of nodes that windtunnel makes.
    #[must_use]
    pub const fn container_runtime(&self) -> ContainerRuntime {
        match self {
            Self::Kind | Self::Existing { .. } => ContainerRuntime::Containerd,
            Self::Minikube { container_runtime, .. } => *container_runtime,
        }
    }

    /// Whether all images that a new node has are those of its node image, so that a node image with more in it makes a node that has more.
    /// minikube's own nodes are filled by minikube, and one with a Docker Engine has its images in that; with a bundle nodes come from the bundle.
    #[must_use]
    pub fn makes_node_of_image_alone(&self, has_bundle: bool) -> bool {
        match self {
            Self::Kind => true,
            Self::Minikube { container_runtime, .. } => {
                has_bundle && *container_runtime == ContainerRuntime::Containerd
            }
            Self::Existing { .. } => false,
        }
    }

    /// As a person would say it: the cluster of the environment `name`.
    #[must_use]
    pub fn describe(&self, name: &str) -> String {
        match self {
            Self::Kind => format!("the kind cluster `{name}`"),
            Self::Minikube { driver, container_runtime, cpus, memory } => {
                let runtime = match container_runtime {
                    ContainerRuntime::Containerd => String::new(),
                    ContainerRuntime::Docker => ", container runtime docker".to_owned(),
                };
                let cpus = cpus.map(|cpus| format!(", {cpus} CPUs")).unwrap_or_default();
                let memory = memory.as_ref().map(|memory| format!(", {memory} of memory")).unwrap_or_default();
                format!("the minikube profile `{name}` (driver {driver}{runtime}{cpus}{memory})")
            }
            Self::Existing { context, .. } => format!("the cluster of the context `{context}`"),
        }
    }

    /// The kubeconfig context of the cluster of the environment `name`.
    #[must_use]
    pub fn context(&self, name: &str) -> String {
        match self {
            Self::Kind => format!("kind-{name}"),
            Self::Minikube { .. } => name.to_owned(),
            Self::Existing { context, .. } => context.clone(),
        }
    }
}

/// The driver that minikube is asked for when none is named.
const DEFAULT_DRIVER: &str = "docker";

/// The cluster that was asked for, else the one used before, else kind's.
///
/// # Errors
/// Usage, where an environment would move to another cluster, or an existing cluster is wanted and no context named.
pub(super) fn resolve(
    wishes: &Wishes,
    before: Option<&Record>,
    name: &str,
    kubeconfig: &[PathBuf],
    folder: &Path,
) -> Result<ClusterPlan, Failure> {
    let former = before.map(|record| &record.cluster);
    let provider = wishes.provider.or_else(|| former.map(ClusterPlan::provider)).unwrap_or(match wishes.context {
        Some(_) => Provider::Existing,
        None => Provider::default(),
    });
    if provider != Provider::Existing && (wishes.context.is_some() || wishes.kubeconfig.is_some()) {
        return Err(Failure::usage(format!(
            "--context and --kubeconfig name a cluster that exists, not one of {}",
            provider.name()
        ))
        .hint("to use it: `--provider existing`"));
    }
    if provider == Provider::Existing && wishes.dags.is_some() {
        return Err(Failure::usage("the nodes of a cluster that exists do not see the folders of this machine")
            .hint(
                "put the DAGs into a PersistentVolumeClaim of the release's namespace and name it: `--dags-claim NAME`",
            )
            .hint("or let a values file bring them, with git-sync in a sidecar: `--values FILE`"));
    }
    if provider != Provider::Existing && wishes.dags_claim.is_some() {
        return Err(Failure::usage(format!(
            "--dags-claim is for a cluster that exists, not for one of {}",
            provider.name()
        ))
        .hint("here a folder is seen live: `--dags FOLDER`"));
    }
    let of_minikube = [
        ("--driver", wishes.driver.is_some()),
        ("--container-runtime", wishes.container_runtime.is_some()),
        ("--cpus", wishes.cpus.is_some()),
        ("--memory", wishes.memory.is_some()),
    ];
    if provider != Provider::Minikube
        && let Some((option, _)) = of_minikube.iter().find(|(_, said)| *said)
    {
        return Err(Failure::usage(format!("{option} is minikube's, not one of {}", provider.name()))
            .hint("to use minikube: `--provider minikube`"));
    }
    let cluster = match provider {
        Provider::Kind => ClusterPlan::Kind,
        Provider::Minikube => {
            let (former_driver, former_runtime, former_cpus, former_memory) = match former {
                Some(ClusterPlan::Minikube { driver, container_runtime, cpus, memory }) => {
                    (driver.as_str(), *container_runtime, *cpus, memory.clone())
                }
                _ => (DEFAULT_DRIVER, ContainerRuntime::default(), None, None),
            };
            if let Some(memory) = &wishes.memory {
                check_memory(memory)?;
            }
            ClusterPlan::Minikube {
                driver: wishes.driver.clone().unwrap_or_else(|| former_driver.to_owned()),
                container_runtime: wishes.container_runtime.unwrap_or(former_runtime),
                cpus: wishes.cpus.or(former_cpus),
                memory: wishes.memory.clone().or(former_memory),
            }
        }
        Provider::Existing => {
            let (former_kubeconfig, former_context) = match former {
                Some(ClusterPlan::Existing { kubeconfig, context }) => {
                    (Some(kubeconfig.clone()), Some(context.clone()))
                }
                _ => (None, None),
            };
            let named = wishes.kubeconfig.as_ref().map(|path| vec![super::inside(folder, path)]);
            let files = named.or(former_kubeconfig).unwrap_or_else(|| kubeconfig.to_owned());
            let context = wishes.context.clone().or(former_context).ok_or_else(|| {
                let list = super::kubectl(&files, kubeconfig, "config get-contexts");
                Failure::usage("which cluster? `--provider existing` needs the name of a kubeconfig context")
                    .hint(format!("name it: `--context NAME`; the names: `{list}`"))
            })?;
            ClusterPlan::Existing { kubeconfig: files, context }
        }
    };
    match former {
        Some(former) if is_another(former, &cluster) => Err(Failure::usage(format!(
            "the environment `{name}` is on {}, not {}",
            former.describe(name),
            cluster.describe(name)
        ))
        .hint("an environment keeps its cluster: `windtunnel down`, then `windtunnel up` with the other one")
        .hint("or another environment beside it: `windtunnel up --name NAME --port PORT`")),
        _ => Ok(cluster),
    }
}

/// Checks a size of memory as minikube takes it: a number of `m`ebibytes or `g`ibibytes.
///
/// # Errors
/// Usage, where it is something else.
pub fn check_memory(size: &str) -> Result<(), Failure> {
    let number = size.strip_suffix(['m', 'g']).unwrap_or_default();
    if number.parse::<NonZeroU32>().is_ok() {
        return Ok(());
    }
    Err(Failure::usage(format!("`{size}` is no size of memory")).hint("a number with `m` or `g`: `--memory 6g`"))
}

/// Whether an environment would move. A kubeconfig may: it is the same cluster by another file.
fn is_another(former: &ClusterPlan, cluster: &ClusterPlan) -> bool {
    match (former, cluster) {
        (ClusterPlan::Existing { context: former, .. }, ClusterPlan::Existing { context, .. }) => former != context,
        _ => former != cluster,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(wishes: &Wishes) -> Result<ClusterPlan, Failure> {
        resolve(wishes, None, "demo", &["/home/me/.kube/config".into()], Path::new("/project"))
    }

    #[test]
    fn kind_is_the_default_and_a_context_means_a_cluster_that_exists() {
        assert_eq!(resolved(&Wishes::default()).unwrap(), ClusterPlan::Kind);
        let wishes = Wishes { context: Some("work".to_owned()), ..Wishes::default() };
        let expected =
            ClusterPlan::Existing { kubeconfig: vec!["/home/me/.kube/config".into()], context: "work".to_owned() };
        assert_eq!(resolved(&wishes).unwrap(), expected);
    }

    #[test]
    fn no_context_is_ever_guessed() {
        let failure = resolved(&Wishes { provider: Some(Provider::Existing), ..Wishes::default() }).unwrap_err();
        assert!(failure.hints[0].contains("--context NAME"), "{failure:?}");
    }

    #[test]
    fn memory_is_a_number_with_a_unit() {
        for size in ["6g", "6144m"] {
            check_memory(size).unwrap();
        }
        for size in ["", "g", "0g", "6", "6 GiB", "-1m", "1.5g"] {
            assert_eq!(check_memory(size).unwrap_err().kind, crate::error::Kind::Usage, "{size}");
        }
    }

    #[test]
    fn what_belongs_to_another_provider_is_refused() {
        let kind = Some(Provider::Kind);
        for wishes in [
            Wishes { provider: kind, context: Some("work".to_owned()), ..Wishes::default() },
            Wishes { provider: kind, driver: Some("podman".to_owned()), ..Wishes::default() },
        ] {
            assert_eq!(resolved(&wishes).unwrap_err().kind, crate::error::Kind::Usage);
        }
    }
}
