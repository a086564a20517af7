//! The provider of the cluster: its tools, and what there is already.

use std::path::PathBuf;
use std::time::Duration;

use super::super::{Context, create_namespace};
use crate::cluster::workload::WorkloadKind;
use crate::error::{Failure, Kind};
use crate::images::Image;
use crate::images::bundle::Bundle;
use crate::plan::{ClusterPlan, Plan};
use crate::providers::existing::Source;
use crate::providers::minikube::Making;
use crate::providers::{Found, kind, minikube};
use crate::stacks;
use crate::tools::docker::{Docker, Info};
use crate::tools::minikube::{self as minikube_tool, Minikube, Profile};
use crate::tools::{find, kind as kind_tool};

/// How long the API server of a cluster that exists may take to answer.
const API_SERVER: Duration = Duration::from_secs(10);
/// How many missing rights are named.
const NAMED: usize = 8;

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
}

/// Looks whether the provider can make what is planned, of this node image.
///
/// # Errors
/// As [`minikube::making`].
pub(super) fn check(plan: &Plan, image: &Image, user: u32) -> Result<(), Failure> {
    Making::of(plan, image, user).map_or(Ok(()), |making| minikube::making(making).map(drop))
}

/// What was found, what it is called on screen, and the engine that it lives in, if any.
pub(super) struct Looked {
    pub(super) provider: Provider,
    pub(super) words: String,
    pub(super) engine: Option<Info>,
}

/// Looks.
///
/// # Errors
/// A tool is missing or too old, the engine does not answer; the cluster that exists does not answer or refuses.
pub(super) async fn look(context: Context<'_>, bundle: Option<&Bundle>) -> Result<Looked, Failure> {
    match &context.plan.cluster {
        ClusterPlan::Kind => look_at_kind(context, bundle).await,
        ClusterPlan::Minikube { driver, .. } => look_at_minikube(context, driver, bundle).await,
        ClusterPlan::Existing { kubeconfig, context: name } => look_at_existing(context, kubeconfig, name).await,
    }
}

async fn look_at_kind(context: Context<'_>, bundle: Option<&Bundle>) -> Result<Looked, Failure> {
    let Context { plan, paths, surroundings, ui } = context;
    let docker = Docker::find(&surroundings.search_path, &surroundings.folder)?;
    let engine = async {
        // The second question would only repeat the first one's failure.
        let info = docker.info(ui).await?;
        let found = kind::find(&docker, &plan.name, paths, ui).await?;
        Ok::<_, Failure>((info, found))
    };
    let (engine, kind) = tokio::join!(engine, async {
        kind_tool::Kind::at(tool("kind", kind_tool::INSTALL, bundle, context)?, ui).await
    });
    let ((info, found), kind) = (engine?, kind?);
    Ok(Looked {
        words: format!("docker {}, kind {}", short(&info.server_version), short(&kind.tool.version.to_string())),
        provider: Provider::Kind { docker, kind, found },
        engine: Some(info),
    })
}

async fn look_at_minikube(context: Context<'_>, driver: &str, bundle: Option<&Bundle>) -> Result<Looked, Failure> {
    let Context { plan, paths, surroundings, ui } = context;
    let docker = if driver == minikube::DOCKER {
        Some(Docker::find(&surroundings.search_path, &surroundings.folder)?)
    } else {
        None
    };
    let engine = async {
        match &docker {
            Some(docker) => docker.info(ui).await.map(Some),
            None => Ok(None),
        }
    };
    let kubeconfig = paths.kubeconfig();
    let state = async {
        let tool = Minikube::at(tool("minikube", minikube_tool::INSTALL, bundle, context)?, ui).await?;
        let state = tool.state(Profile { name: &plan.name, kubeconfig: &kubeconfig }, ui).await?;
        Ok::<_, Failure>((tool, state))
    };
    let (engine, state) = tokio::join!(engine, state);
    let (engine, (tool, state)) = (engine?, state?);
    let found = minikube::find(docker.as_ref(), &plan.name, state, paths, ui).await?;
    let version = short(&tool.tool.version.to_string());
    let words = match &engine {
        Some(engine) => format!("docker {}, minikube {version}", short(&engine.server_version)),
        None => format!("minikube {version} (driver {driver})"),
    };
    let provider = Provider::Minikube { docker, minikube: tool, found };
    Ok(Looked { provider, words, engine })
}

async fn look_at_existing(context: Context<'_>, kubeconfig: &[PathBuf], name: &str) -> Result<Looked, Failure> {
    let plan = context.plan;
    let source = Source::read(kubeconfig, name, plan.allow_remote)?;
    let cluster = source.cluster().await?;
    let version = cluster.await_version(API_SERVER).await.map_err(|failure| source.unreachable(failure))?;
    let makes_namespace = !cluster.has_namespace(&plan.namespace).await?;
    let has_jobs = stacks::workloads(plan.into()).iter().any(|workload| workload.kind == WorkloadKind::Job);
    let missing = cluster.missing_rights(&plan.namespace, makes_namespace, has_jobs).await?;
    if !missing.is_empty() {
        let lacks_namespace = missing.iter().any(|right| right == "namespaces: create");
        let more = missing.len().saturating_sub(NAMED);
        let failure = Failure::new(
            Kind::Prerequisite,
            format!("the user of the context `{name}` lacks rights in the namespace `{}`", plan.namespace),
        )
        .evidence_lines(missing.into_iter().take(NAMED));
        let failure = if more > 0 { failure.evidence(format!("and {more} more")) } else { failure };
        let failure = failure
            .hint("ask the cluster's administrator for the role `admin` in that namespace")
            .hint(format!("to see them: `kubectl auth can-i --list --context {name} --namespace {}`", plan.namespace));
        return Err(if lacks_namespace {
            failure.hint("it is not there yet, and this user may not make it: name one of yours, `--namespace NAME`")
        } else {
            failure
        });
    }
    create_namespace::check(plan, &cluster).await?;
    Ok(Looked { words: format!("{name} (Kubernetes {version})"), provider: Provider::Existing(source), engine: None })
}

/// A tool of the bundle, else of `PATH`.
pub(super) fn tool(
    name: &str,
    install: &str,
    bundle: Option<&Bundle>,
    context: Context<'_>,
) -> Result<PathBuf, Failure> {
    let bundled = bundle.and_then(|bundle| bundle.tool(name));
    find::bundled_or_on_path(bundled, name, &context.surroundings.search_path, &context.surroundings.folder, install)
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
