//! "Checking prerequisites": everything that can be known to be wrong before anything is touched.

mod dags;
mod resources;

use std::path::PathBuf;

use super::Context;
use crate::error::Failure;
use crate::images::Images;
use crate::images::bundle::Bundle;
use crate::providers::kind::{self, Found};
use crate::stacks;
use crate::state::Record;
use crate::tools::docker::{Docker, Info};
use crate::tools::{find, helm, kind as kind_tool};
pub use resources::{Room, measure};

/// What the later steps work with.
pub struct Prerequisites {
    /// The docker command; its engine answers.
    pub docker: Docker,
    /// A kind that is new enough.
    pub kind: kind_tool::Kind,
    /// A Helm that is new enough.
    pub helm: helm::Helm,
    /// The images, each with where it comes from.
    pub images: Images,
    /// The cluster, as it is.
    pub found: Found,
}

/// Checks the lot, side by side.
///
/// # Errors
/// The first thing that is missing, too old, too small, broken or somebody else's, in the order of the list below.
pub async fn check(context: Context<'_>) -> Result<Prerequisites, Failure> {
    let Context { plan, surroundings, ui, .. } = context;
    let step = ui.step("check_prerequisites", "Checking prerequisites");
    let bundle = plan.bundle.as_deref().map(Bundle::open).transpose()?;
    let docker = Docker::find(&surroundings.search_path, &surroundings.folder)?;
    if let Some(bundle) = &bundle {
        step.doing(format!("reading {}", bundle.folder.display()));
    }
    let (engine, kind, helm, digests) = tokio::join!(
        look_at_engine(&docker, context),
        async { kind_tool::Kind::at(tool("kind", kind_tool::INSTALL, bundle.as_ref(), context)?, ui).await },
        async { helm::Helm::at(tool("helm", helm::INSTALL, bundle.as_ref(), context)?, ui).await },
        verify(bundle.as_ref(), context),
    );
    let (info, found) = engine?;
    let (kind, helm) = (kind?, helm?);
    digests?;
    dags::check(plan, surroundings.user)?;
    check_mounts(context, &found)?;
    check_namespace(context, &found)?;
    super::forward::check_port(context)?;
    let images = match &bundle {
        Some(bundle) => {
            bundle.check_platform(&info.platform())?;
            Images::of_bundle(bundle)?
        }
        None => Images::of_profile(&plan.profile.images),
    };
    // An environment that runs has taken its share already.
    let room = measure(&info);
    if !matches!(found, Found::Running(_)) {
        resources::check(&room, stacks::memory_request(plan.profile.stack))?;
    }
    step.done(format!(
        "docker {}, kind {}, helm {} · {room}",
        short(&info.server_version),
        short(&kind.tool.version.to_string()),
        short(&helm.tool.version.to_string()),
    ));
    Ok(Prerequisites { docker, kind, helm, images, found })
}

async fn look_at_engine(docker: &Docker, context: Context<'_>) -> Result<(Info, Found), Failure> {
    // The second question would only repeat the first one's failure.
    let info = docker.info(context.ui).await?;
    let found = kind::find(docker, &context.plan.name, context.paths, context.ui).await?;
    Ok((info, found))
}

fn tool(name: &str, install: &str, bundle: Option<&Bundle>, context: Context<'_>) -> Result<PathBuf, Failure> {
    let bundled = bundle.and_then(|bundle| bundle.tool(name));
    find::bundled_or_on_path(bundled, name, &context.surroundings.search_path, &context.surroundings.folder, install)
}

async fn verify(bundle: Option<&Bundle>, context: Context<'_>) -> Result<(), Failure> {
    match bundle {
        Some(bundle) => bundle.verify(&context.surroundings.cache.join("verified.json")).await,
        None => Ok(()),
    }
}

/// A kind node keeps the mounts it was made with.
fn check_mounts(context: Context<'_>, found: &Found) -> Result<(), Failure> {
    let (Found::Running(node) | Found::Stopped(node)) = found else { return Ok(()) };
    let wanted = &context.plan.dags;
    match &node.dags {
        Some(mounted) if mounted != wanted && mounted.canonicalize().ok() != wanted.canonicalize().ok() => {
            Err(Failure::usage(format!(
                "the cluster was made with the DAG folder {}, not {}",
                mounted.display(),
                wanted.display()
            ))
            .hint("a cluster keeps its DAG folder: `windtunnel down`, then `windtunnel up --dags FOLDER`")
            .hint("or another environment beside it: `windtunnel up --name NAME --port PORT --dags FOLDER`"))
        }
        _ => Ok(()),
    }
}

/// A release does not move: its database would stay behind, and a second one begin beside it.
fn check_namespace(context: Context<'_>, found: &Found) -> Result<(), Failure> {
    // The credentials are kept as soon as the namespace has been taken.
    let is_installed = *found != Found::Absent && context.paths.credentials().exists();
    match Record::load(context.paths)? {
        Some(before) if is_installed && before.namespace != context.plan.namespace => Err(Failure::usage(format!(
            "the environment is in the namespace `{}`, not `{}`",
            before.namespace, context.plan.namespace
        ))
        .hint("a release keeps its namespace: `windtunnel down`, then `windtunnel up --namespace NAMESPACE`")
        .hint("or another environment beside it: `windtunnel up --name NAME --port PORT --namespace NAMESPACE`")),
        _ => Ok(()),
    }
}

/// The first two numbers of a version, which is what people compare.
fn short(version: &str) -> String {
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
