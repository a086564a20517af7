//! "Checking prerequisites": everything that can be known to be wrong before anything is touched.

mod dags;
mod provider;
mod resources;

use super::Context;
use crate::error::Failure;
use crate::images::Images;
use crate::images::bundle::{Bundle, Role};
use crate::plan::Plan;
use crate::profile::Executor;
use crate::providers::Node;
use crate::stacks;
use crate::state::Record;
use crate::tools::helm;
pub use provider::Provider;
use provider::{look, short, tool};
pub use resources::{Room, measure};

/// What the later steps work with.
pub struct Prerequisites {
    /// What provides the cluster.
    pub provider: Provider,
    /// A Helm that is new enough.
    pub helm: helm::Helm,
    /// The images, each with where it comes from.
    pub images: Images,
    /// The bundle, if one was named.
    pub bundle: Option<Bundle>,
}

/// Checks the lot, side by side.
///
/// # Errors
/// The first thing that is missing, too old, too small, broken or somebody else's, in the order of the list below.
pub async fn check(context: Context<'_>) -> Result<Prerequisites, Failure> {
    let Context { plan, surroundings, ui, .. } = context;
    let step = ui.step("check_prerequisites", "Checking prerequisites");
    let bundle = plan.bundle.as_deref().map(Bundle::open).transpose()?;
    if let Some(bundle) = &bundle {
        step.doing(format!("reading {}", bundle.folder.display()));
    }
    let (looked, helm, digests) = tokio::join!(
        look(context, bundle.as_ref()),
        async { helm::Helm::at(tool("helm", helm::INSTALL, bundle.as_ref(), context)?, ui).await },
        verify(bundle.as_ref(), context),
    );
    let (looked, helm) = (looked?, helm?);
    digests?;
    if let Some(found) = looked.provider.found() {
        dags::check(plan, surroundings.user)?;
        check_mounts(context, found.node())?;
    }
    check_namespace(context, &looked.provider)?;
    super::forward::check_port(context)?;
    let needs_redis = plan.executor == Executor::Celery;
    let images = match &bundle {
        Some(bundle) => {
            check_version(plan, bundle)?;
            Images::of_bundle(bundle, needs_redis)?
        }
        None => Images::of_profile(&plan.profile.images, needs_redis)?,
    };
    provider::check(plan, &images.node, surroundings.user)?;
    let mut words = format!("{}, helm {}", looked.words, short(&helm.tool.version.to_string()));
    if let Some(engine) = &looked.engine {
        if let Some(bundle) = &bundle {
            bundle.check_platform(&engine.platform())?;
        }
        let room = measure(engine);
        // An environment that runs has taken its share already.
        if !looked.provider.is_running() {
            resources::check(&room, stacks::memory_request(plan.profile.stack))?;
        }
        words = format!("{words} · {room}");
    }
    step.done(words);
    if let (Provider::Existing(_), Some(bundle)) = (&looked.provider, &bundle) {
        let folder = bundle.folder.display();
        ui.warn(&format!(
            "the nodes must have the bundle's images already: none of {folder} is brought into a cluster that exists"
        ));
    }
    Ok(Prerequisites { provider: looked.provider, helm, images, bundle })
}

async fn verify(bundle: Option<&Bundle>, context: Context<'_>) -> Result<(), Failure> {
    match bundle {
        Some(bundle) => bundle.verify(&context.surroundings.cache.join("verified.json")).await,
        None => Ok(()),
    }
}

/// Another Airflow in the image than the values are made for would fail in ways that nobody understands.
fn check_version(plan: &Plan, bundle: &Bundle) -> Result<(), Failure> {
    let (bundled, wanted) = (&bundle.image(Role::Airflow)?.version, plan.profile.airflow.version.to_string());
    if *bundled == wanted {
        return Ok(());
    }
    Err(Failure::usage(format!("the bundle has Airflow {bundled}, the profile {} wants {wanted}", plan.profile_origin))
        .hint("use a bundle with that Airflow, or none, so that images are pulled")
        .hint(format!("or a profile of your own with `airflow: {{version: {bundled}}}`")))
}

/// A node keeps the mounts it was made with.
fn check_mounts(context: Context<'_>, node: Option<&Node>) -> Result<(), Failure> {
    let wanted = &context.plan.dags;
    match node.and_then(|node| node.dags.as_ref()) {
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
fn check_namespace(context: Context<'_>, provider: &Provider) -> Result<(), Failure> {
    // The credentials are kept as soon as the namespace has been taken.
    let has_cluster = provider.found().is_none_or(|found| found.node().is_some());
    let is_installed = has_cluster && context.paths.credentials().exists();
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
