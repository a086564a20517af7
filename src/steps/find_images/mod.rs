//! "Finding images": every image of the chart can be had, which is known before anything is created.

mod table;

use futures_util::future::join_all;

use super::Context;
use super::prerequisites::{Prerequisites, Provider};
use crate::cluster::NodeImages;
use crate::codes::Code;
use crate::error::Failure;
use crate::images::Image;
use crate::images::bundle::Role;
use crate::images::configurations;
use crate::images::locate::{Located, Lost, Place, failure, nearby, remote};
use crate::images::node::{self, Listed, list};
use crate::images::reference::Reference;
use crate::images::registry::Registries;
use crate::images::size::size;
use crate::plan::{Plan, Provider as ProviderName};
use crate::providers::Found;
use crate::tools::binary;
use crate::tools::docker::{Docker, Info};
use crate::ui::Step;
pub use table::{lines, show};

/// Finds the images that the charts name, and the node image where a node is to be made.
///
/// # Errors
/// The images that cannot be had, all of them in one failure.
pub async fn ensure(context: Context<'_>, ready: &Prerequisites) -> Result<Vec<Located>, Failure> {
    let Context { surroundings, ui, .. } = context;
    let step = ui.step("find_images", "Finding images");
    let inside = inside(context, &ready.provider).await?;
    let mut wanted: Vec<Image> = (ready.rendering.images)
        .iter()
        .map(|(name, reference)| Image::of_container(name, reference, &ready.images, ready.bundle.as_ref()))
        .collect();
    if makes_node(context, ready) {
        wanted.push(ready.images.node.clone());
    }
    // What a cluster needs first, first: the node, then the database, which Airflow waits for.
    let first = [Role::Node.name(), Role::Database.name(), Role::Airflow.name()];
    wanted.sort_by_key(|image| first.iter().position(|role| *role == image.role).unwrap_or(first.len()));

    let registries = Registries { logins: &surroundings.logins, proxies: &surroundings.proxies, ui };
    let docker = ready.provider.docker();
    let near = join_all(wanted.iter().map(|image| look_nearby(image, &inside, docker, context))).await;
    let near: Vec<Option<Located>> = near.into_iter().collect::<Result<_, _>>()?;
    let far: Vec<&Image> =
        wanted.iter().zip(&near).filter(|(_, near)| near.is_none()).map(|(image, _)| image).collect();
    let mut asked = look_in_registries(context, &far, &inside, docker, &registries, &step).await?.into_iter();
    let (mut found, mut lost) = (Vec::new(), Vec::new());
    for near in near {
        match near.map(Ok).or_else(|| asked.next()) {
            Some(Ok(located)) => found.push(located),
            Some(Err(one)) => lost.push(one),
            None => return Err(Failure::bug("an image was looked for nowhere")),
        }
    }
    if let Some(failure) = failure(&lost, wanted.len()) {
        return Err(failure);
    }
    for located in &found {
        table::tell(located, ui);
    }
    step.done(words(&found));
    Ok(found)
}

/// What nodes that run are known to have.
#[derive(Default)]
struct Inside {
    /// A node of ours.
    node: Vec<Listed>,
    /// The nodes of a cluster that exists, as far as this user may know them.
    existing: Option<NodeImages>,
}

async fn inside(context: Context<'_>, provider: &Provider) -> Result<Inside, Failure> {
    match (provider, provider.docker(), provider.found()) {
        (Provider::Existing(source), ..) => {
            let existing = source.cluster().await?.node_images().await?;
            Ok(Inside { existing, ..Inside::default() })
        }
        // One whose making or removal was cut short is made anew.
        (_, Some(docker), Some(Found::Running(node))) if !context.paths.incomplete().exists() => {
            let runtime = context.plan.cluster.container_runtime();
            let inside = node::Inside { docker, node: &node.container, runtime };
            // Of one that does not answer nothing is known; it is for the step that starts it to tell, which asks anew.
            let node = list(inside, context.ui).await.unwrap_or_default();
            Ok(Inside { node, ..Inside::default() })
        }
        _ => Ok(Inside::default()),
    }
}

/// Whether a node is made, of an image that it takes windtunnel to bring: without a bundle minikube brings its own.
fn makes_node(context: Context<'_>, ready: &Prerequisites) -> bool {
    let is_new = matches!(ready.provider.found(), Some(Found::Absent)) || context.paths.incomplete().exists();
    match ready.provider {
        Provider::Kind { .. } => is_new,
        Provider::Minikube { .. } => is_new && ready.images.node.archive.is_some(),
        Provider::Existing(_) => false,
    }
}

async fn look_nearby(
    image: &Image,
    inside: &Inside,
    docker: Option<&Docker>,
    context: Context<'_>,
) -> Result<Option<Located>, Failure> {
    if context.plan.cluster.provider() == ProviderName::Existing {
        let name = Reference::parse(&image.reference).map(|reference| reference.qualified());
        let nodes = inside.existing.as_ref().zip(name);
        let is_there = image.archive.is_some() || nodes.is_some_and(|(nodes, name)| nodes.names.contains(&name));
        return Ok(is_there.then(|| Located::new(image.clone(), Place::Node, None)));
    }
    if image.role == Role::Node.name()
        && let Some(docker) = docker
        && let Some(located) = super::start_cluster::in_engine(context, docker, image).await?
    {
        return Ok(Some(located));
    }
    nearby(image, &inside.node, docker, &configurations::file(&context.surroundings.cache), context.ui).await
}

/// Asks the registries, side by side. What an engine or a node with a way of its own may have nevertheless is warned of.
async fn look_in_registries(
    context: Context<'_>,
    images: &[&Image],
    inside: &Inside,
    docker: Option<&Docker>,
    registries: &Registries<'_>,
    step: &Step<'_>,
) -> Result<Vec<Result<Located, Lost>>, Failure> {
    if images.is_empty() {
        return Ok(Vec::new());
    }
    let engine = match docker {
        Some(docker) => Some(docker.info(context.ui).await?),
        None => None,
    };
    let of_nodes = || inside.existing.as_ref().and_then(|nodes| nodes.platform.clone());
    let platform = engine.as_ref().map(Info::platform).or_else(of_nodes).unwrap_or_else(this_platform);
    step.doing(format!("asking for {} in their registries", images.len()));
    let asked = images.iter().map(|image| remote(image, &platform, registries, |words| step.note(words)));
    let answers = join_all(asked).await;
    let way = engine.as_ref().and_then(Info::own_way);
    Ok(answers.into_iter().map(|answer| answer.or_else(|lost| excuse(context, context.plan, lost, way))).collect())
}

/// Where this machine's answer is not the last word.
fn excuse(context: Context<'_>, plan: &Plan, lost: Lost, way: Option<&str>) -> Result<Located, Lost> {
    let code = lost.trouble.code;
    let other = match (plan.cluster.provider(), way) {
        // Its nodes have logins, mirrors and a network of their own.
        (ProviderName::Existing, _) if ![Code::RegistryImageMissing, Code::ReferenceInvalid].contains(&code) => {
            "the nodes pull it themselves".to_owned()
        }
        (_, Some(way)) if [Code::RegistryUnreachable, Code::RegistryUntrusted].contains(&code) => {
            format!("the engine has {way}")
        }
        _ => return Err(lost),
    };
    let Lost { image, trouble } = lost;
    context.ui.warn(&format!("{} was not found from here, but {other}: {}", image.reference, trouble.words));
    let registry = Reference::parse(&image.reference).map(|reference| reference.registry).unwrap_or_default();
    Ok(Located::new(*image, Place::Registry(registry), None))
}

/// The platform of containers on this machine, where no engine tells.
fn this_platform() -> String {
    format!("linux/{}", binary::processor(std::env::consts::ARCH))
}

/// `3 in the bundle`, `3: 2 in the engine, 1 at docker.io (120 MB)`.
fn words(found: &[Located]) -> String {
    let mut places: Vec<&Place> = Vec::new();
    for located in found {
        if !places.contains(&&located.place) {
            places.push(&located.place);
        }
    }
    let parts: Vec<String> = places
        .into_iter()
        .map(|place| {
            let here = || found.iter().filter(|located| located.place == *place);
            let count = here().count();
            match place {
                Place::Registry(registry) => {
                    let bytes: u64 = here().filter_map(|located| located.bytes).sum();
                    format!("{count} at {registry} ({})", size(bytes))
                }
                near => format!("{count} in the {}", near.name()),
            }
        })
        .collect();
    match parts.as_slice() {
        [one] => one.clone(),
        several => format!("{}: {}", found.len(), several.join(", ")),
    }
}
