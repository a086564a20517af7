//! "Checking prerequisites": everything that can be known to be wrong before anything is touched.
//!
//! `observe` looks and judges nothing, `judge` judges and looks at nothing; between them are plain facts.

mod dags;
mod facts;
mod finding;
mod judge;
mod observe;
mod provider;
mod resources;

use super::Context;
use crate::error::{Failure, Kind};
use crate::images::bundle::{Bundle, Entry};
use crate::images::{Image, Images};
use crate::plan::Plan;
use crate::profile::Executor;
use crate::providers::{Found, Node};
use crate::state::Record;
use crate::tools::helm;
use facts::Facts;
pub use finding::{Check, Finding, Repair, Severity, failure};
use judge::judge;
use observe::{Depth, observe};
pub use provider::Provider;
use provider::short;
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

/// Checks the lot, side by side. Usage errors come first and alone; then everything that this machine lacks is told together.
///
/// # Errors
/// Something is wrong with what was asked for, or missing, too old, too small, broken or somebody else's.
pub async fn check(context: Context<'_>) -> Result<Prerequisites, Failure> {
    let Context { plan, ui, .. } = context;
    let step = ui.step("check_prerequisites", "Checking prerequisites");
    let bundle = plan.bundle.as_deref().map(Bundle::open).transpose()?;
    if let Some(bundle) = &bundle {
        step.doing(format!("reading {}", bundle.folder.display()));
    }
    let (facts, digests) =
        tokio::join!(observe(context, bundle.as_ref(), Depth::Quick), verify(bundle.as_ref(), context));
    let images = check_wishes(context, bundle.as_ref(), &facts)?;
    let checks = judge(&facts);
    if let Some(failure) = failure(&checks) {
        return Err(failure);
    }
    digests?;
    if let (Some(engine), Some(bundle)) = (facts.info(), &bundle) {
        bundle.check_platform(&engine.platform())?;
    }
    let room = facts.room.map(|room| format!(" · {room}")).unwrap_or_default();
    let helm = facts.helm.clone()?;
    let (provider, words) = Provider::of(facts)?;
    step.done(format!("{words}, helm {}{room}", short(&helm.tool.version.to_string())));
    for finding in checks.iter().flat_map(|check| &check.findings) {
        ui.warn(&format!("{}{}; what to do: `windtunnel doctor`", finding.what, finding.number(" (", ")")));
    }
    if let (Provider::Existing(_), Some(bundle)) = (&provider, &bundle) {
        let folder = bundle.folder.display();
        ui.warn(&format!(
            "the nodes must have the bundle's images already: none of {folder} is brought into a cluster that exists"
        ));
    }
    Ok(Prerequisites { provider, helm, images, bundle })
}

/// Looks at everything, closely, and judges it, without an environment.
///
/// # Errors
/// The bundle is not one, or something is wrong with what was asked for.
pub async fn examine(context: Context<'_>) -> Result<Vec<Check>, Failure> {
    let bundle = context.plan.bundle.as_deref().map(Bundle::open).transpose()?;
    let facts = observe(context, bundle.as_ref(), Depth::Full).await;
    check_wishes(context, bundle.as_ref(), &facts)?;
    Ok(judge(&facts))
}

fn is_usage<T>(looked: &Result<T, Failure>) -> bool {
    looked.as_ref().is_err_and(|failure| failure.kind == Kind::Usage)
}

/// What no machine could fulfil, and the images that are wanted.
fn check_wishes(context: Context<'_>, bundle: Option<&Bundle>, facts: &Facts<'_>) -> Result<Images, Failure> {
    let Context { plan, surroundings, .. } = context;
    if let Some(Err(failure)) = facts.existing.as_ref().filter(|existing| is_usage(existing)) {
        return Err(failure.clone());
    }
    if plan.cluster.provider().sees_dag_folder() {
        dags::check(plan, surroundings.user)?;
    }
    let node = facts.found.as_ref().and_then(|found| found.as_ref().ok()).map(Found::node);
    check_mounts(context, node.flatten())?;
    // Without an answer nobody knows whether there is a cluster, and that is told first.
    if facts.existing.is_some() || node.is_some() {
        check_namespace(context, facts.existing.is_some() || node.flatten().is_some())?;
    }
    let needs_redis = plan.executor == Executor::Celery;
    let images = Images::wanted(&plan.profile.images, bundle, needs_redis)?;
    if let Some(bundle) = bundle {
        check_version(plan, bundle, &images.airflow)?;
    }
    // What is there already may be somebody else's, and then needs no advice on how to make it.
    if !matches!(facts.found, Some(Err(_))) {
        provider::check(plan, &images.node, surroundings.user)?;
    }
    Ok(images)
}

async fn verify(bundle: Option<&Bundle>, context: Context<'_>) -> Result<(), Failure> {
    match bundle {
        Some(bundle) => bundle.verify(&context.surroundings.cache.join("verified.json")).await,
        None => Ok(()),
    }
}

/// Another Airflow in the image than the values are made for would fail in ways that nobody understands.
/// What is inside an image that the bundle does not have is not known before it runs.
fn check_version(plan: &Plan, bundle: &Bundle, airflow: &Image) -> Result<(), Failure> {
    let Some(Entry { version: bundled, .. }) = bundle.image_named(&airflow.reference) else { return Ok(()) };
    let wanted = plan.profile.airflow.version.to_string();
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
            .hint("a cluster keeps its DAG folder: `windtunnel reset all --dags FOLDER` makes another")
            .hint("or another environment beside it: `windtunnel up --name NAME --port PORT --dags FOLDER`"))
        }
        _ => Ok(()),
    }
}

/// A release does not move: its database would stay behind, and a second one begin beside it.
fn check_namespace(context: Context<'_>, has_cluster: bool) -> Result<(), Failure> {
    // The credentials are kept as soon as the namespace has been taken.
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
