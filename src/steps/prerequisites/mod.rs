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

pub use super::render::Rendering;
use super::{Context, render};
use crate::error::{Failure, Kind};
use crate::images::bundle::{Bundle, Entry};
use crate::images::{Image, Images};
use crate::plan::Plan;
use crate::profile::Executor;
use crate::providers::{Found, Node};
use crate::state::Record;
use crate::tools::docker::Info;
use crate::tools::helm;
use facts::{BundleSeen, Facts};
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
    /// What is to be installed.
    pub rendering: Rendering,
}

/// Checks the lot, side by side. Usage errors come first and alone; then everything that this machine lacks is told together.
///
/// # Errors
/// Something is wrong with what was asked for, or missing, too old, too small, broken or somebody else's.
pub async fn check(context: Context<'_>) -> Result<Prerequisites, Failure> {
    let ui = context.ui;
    let step = ui.step("check_prerequisites", "Checking prerequisites");
    if let Some(folder) = &context.plan.bundle {
        step.doing(format!("reading {}", folder.display()));
    }
    let Looked { facts, bundle, images, rendering } = Box::pin(look(context, Depth::Quick)).await?;
    let checks = judge(&facts);
    if let Some(failure) = failure(&checks) {
        return Err(failure);
    }
    let missed = || Failure::bug("the checks missed what cannot be rendered");
    let (images, rendering) = (images.ok_or_else(missed)?, rendering.ok_or_else(missed)?);
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
    Ok(Prerequisites { provider, helm, images, bundle, rendering })
}

/// Looks at everything, closely, and judges it, without an environment.
///
/// # Errors
/// Something is wrong with what was asked for.
pub async fn examine(context: Context<'_>) -> Result<Vec<Check>, Failure> {
    Ok(judge(&Box::pin(look(context, Depth::Full)).await?.facts))
}

/// What was seen, and what of it the later steps work with.
struct Looked<'a> {
    facts: Facts<'a>,
    bundle: Option<Bundle>,
    images: Option<Images>,
    rendering: Option<Rendering>,
}

async fn look(context: Context<'_>, depth: Depth) -> Result<Looked<'_>, Failure> {
    let plan = context.plan;
    let opened = plan.bundle.as_deref().map(Bundle::open);
    let bundle = opened.as_ref().and_then(|opened| opened.as_ref().ok().cloned());
    let (mut facts, digests) = tokio::join!(observe(context, bundle.as_ref(), depth), verify(bundle.as_ref(), context));
    let images = check_wishes(context, bundle.as_ref(), &mut facts)?;
    if let (Some(opened), Some(folder)) = (opened, &plan.bundle) {
        let platform = facts.info().map(Info::platform);
        let fits =
            || bundle.as_ref().zip(platform).map_or(Ok(()), |(bundle, platform)| bundle.check_platform(&platform));
        let is_readable = opened.is_ok();
        let looked = [opened.map(drop), digests, fits(), images.as_ref().map(drop).map_err(Failure::clone)];
        let faults = looked.into_iter().filter_map(Result::err).collect();
        facts.bundle = Some(BundleSeen { folder: folder.clone(), is_readable, faults });
    }
    let images = images.ok();
    // Where something is wrong already, nothing is downloaded.
    let may_act = depth == Depth::Quick && failure(&judge(&facts)).is_none();
    let rendered = match (&facts.helm, &images) {
        (Ok(helm), Some(images)) => {
            let inputs = render::Inputs { helm, images, bundle: bundle.as_ref() };
            render::rendering(context, inputs, may_act).await.transpose()
        }
        _ => None,
    };
    let (pods, rendering) = match rendered {
        Some(Ok(rendering)) => (Some(Ok(rendering.pods.clone())), Some(rendering)),
        Some(Err(failure)) => (Some(Err(failure)), None),
        None => (None, None),
    };
    facts.pods = pods;
    Ok(Looked { facts, bundle, images, rendering })
}

/// What no machine could fulfil comes first, as an error; then the images that are wanted, if the bundle has them.
fn check_wishes(
    context: Context<'_>,
    bundle: Option<&Bundle>,
    facts: &mut Facts<'_>,
) -> Result<Result<Images, Failure>, Failure> {
    let Context { plan, surroundings, .. } = context;
    if plan.cluster.provider().sees_dag_folder() {
        facts.dags = dags::look(plan, surroundings.user)?;
    }
    let node = facts.found.as_ref().and_then(|found| found.as_ref().ok()).map(Found::node);
    check_mounts(context, node.flatten())?;
    // Without an answer nobody knows whether there is a cluster, and that is told first.
    if facts.existing.is_some() || node.is_some() {
        check_namespace(context, facts.existing.is_some() || node.flatten().is_some())?;
    }
    let images = match Images::wanted(&plan.profile.images, bundle, plan.executor == Executor::Celery) {
        Ok(images) => images,
        Err(failure) if failure.kind == Kind::Usage => return Err(failure),
        Err(failure) => return Ok(Err(failure)),
    };
    if let Some(bundle) = bundle {
        check_version(plan, bundle, &images.airflow)?;
    }
    // What is there already may be somebody else's, and then needs no advice on how to make it.
    if !matches!(facts.found, Some(Err(_))) {
        provider::check(plan, &images.node, surroundings.user)?;
    }
    Ok(Ok(images))
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
