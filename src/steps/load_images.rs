//! "Loading images": the node has what the pods need. Works while Kubernetes is still starting.

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::sync::oneshot;

use super::Context;
use super::prerequisites::Prerequisites;
use crate::error::{Failure, Kind};
use crate::images::bundle::Role;
use crate::images::locate::{Located, Place, failure};
use crate::images::node::{Inside, Listed, import, list};
use crate::images::pull::{Progress, pull};
use crate::images::reference::Reference;
use crate::images::registry::Registries;
use crate::images::size::size;
use crate::images::{Image, configurations};
use crate::providers::{self, Found, Node};
use crate::tools::docker::{Docker, EngineImage};
use crate::ui::{Step, Ui};

/// How often the rate of a download is measured.
const RATE: Duration = Duration::from_secs(2);

/// Brings the images into the node, as soon as it runs. What is to be pulled comes into the engine meanwhile.
///
/// # Errors
/// An image cannot be pulled or imported. `Ok(())` also where the node never came to run: that is for the step that starts it to tell.
pub async fn ensure(
    context: Context<'_>,
    ready: &Prerequisites,
    located: &[Located],
    node_runs: oneshot::Receiver<Node>,
) -> Result<(), Failure> {
    let ui = context.ui;
    // Where there is no engine of ours, nodes are no containers of ours to fill: they pull.
    let Some(docker) = ready.provider.docker() else { return Ok(()) };
    let wanted: Vec<&Located> = located.iter().filter(|located| goes_into_node(located)).collect();
    let far: Vec<&Located> =
        wanted.iter().filter(|located| matches!(located.place, Place::Registry(_))).copied().collect();
    let step = (!far.is_empty()).then(|| ui.step("load_images", "Loading images"));
    if let Some(step) = &step {
        pull_all(context, docker, &far, step).await?;
    }
    let Ok(node) = node_runs.await else { return Ok(()) };
    let step = step.unwrap_or_else(|| ui.step("load_images", "Loading images"));
    let inside = Inside { docker, node: &node.container, runtime: context.plan.cluster.container_runtime() };
    let mut brought = Vec::new();
    for located in wanted.iter().filter(|located| located.place != Place::Node) {
        brought.push(Brought::of(located, docker, ui).await?);
    }
    let memory = configurations::file(&context.surroundings.cache);
    let before = if brought.is_empty() { Vec::new() } else { list(inside, ui).await? };
    let absent: Vec<&Brought> = brought.iter().filter(|brought| !brought.is_among(&before, &memory)).collect();
    for (index, brought) in absent.iter().enumerate() {
        let image = &brought.image;
        step.doing(format!("{} ({} of {})", image.reference, index + 1, absent.len()));
        let begun = Instant::now();
        let in_engine = brought.in_engine.as_ref();
        let imported = import(inside, image, in_engine, node.images.as_deref(), providers::IMAGES, ui).await;
        imported.map_err(|failure| {
            failure
                .hint(format!("see what room the node has: `docker exec {} df -h /var`", node.container))
                .hint("to try again: `windtunnel up`")
        })?;
        let pulled = brought.took.get().unwrap_or_default();
        brought.took.set(Some(pulled + begun.elapsed()));
    }
    let after = if absent.is_empty() { Vec::new() } else { list(inside, ui).await? };
    let has_pods = matches!(ready.provider.found(), Some(Found::Running(_)));
    for brought in &absent {
        let image = &brought.image;
        let listed = after.iter().find(|listed| listed.is(image)).ok_or_else(|| {
            let message = format!("the node does not have {} although it was loaded", image.reference);
            Failure::new(Kind::Image, message).hint(format!("see what it has: `{}`", inside.listing()))
        })?;
        if let Some(found) = &brought.in_engine {
            configurations::remember(&memory, found, listed.id())?;
        }
        if has_pods && before.iter().any(|old| old.is_named(image) && old.id() != listed.id()) {
            let name = &image.reference;
            ui.warn(&format!("{name} is another image now; pods that run keep the one before: `windtunnel reset release` makes them anew"));
        }
    }
    step.done(format!("{} of {} (already there: {})", wanted.len(), wanted.len(), wanted.len() - absent.len()));
    Ok(())
}

/// Whether it is windtunnel that brings it: a name with a digest is the registry's own, under which no archive can be imported, so the node
/// pulls it.
fn goes_into_node(located: &Located) -> bool {
    let by_digest = Reference::parse(&located.image.reference).is_some_and(|reference| reference.is_digest());
    located.image.role != Role::Node.name() && !by_digest
}

/// An image on its way into the node.
struct Brought<'a> {
    image: Image,
    took: &'a Cell<Option<Duration>>,
    /// As the engine has it, where it has no archive.
    in_engine: Option<EngineImage>,
}

impl<'a> Brought<'a> {
    async fn of(located: &'a Located, docker: &Docker, ui: &Ui) -> Result<Self, Failure> {
        let mut image = located.image.clone();
        let in_engine = if image.archive.is_some() { None } else { docker.image(&located.image.reference, ui).await? };
        // What the engine has is what the node gets, though the registry may have changed since.
        if let Some(found) = &in_engine {
            image.id = found.config().map(str::to_owned);
        }
        Ok(Self { image, took: &located.took, in_engine })
    }

    /// Whether it is one of those that a node has.
    fn is_among(&self, node: &[Listed], memory: &Path) -> bool {
        match &self.in_engine {
            Some(found) => configurations::same(node, &self.image, found, memory).is_some(),
            None => node.iter().any(|listed| listed.is(&self.image)),
        }
    }
}

/// Pulls images into the engine, side by side.
///
/// # Errors
/// All that cannot be had, in one failure.
pub(super) async fn pull_all(
    context: Context<'_>,
    docker: &Docker,
    images: &[&Located],
    step: &Step<'_>,
) -> Result<(), Failure> {
    let Context { surroundings, ui, .. } = context;
    let registries = Registries { logins: &surroundings.logins, proxies: &surroundings.proxies, ui };
    let platform = docker.info(ui).await?.platform();
    let progress = RefCell::new(images.iter().map(|located| Progress::new(&located.layers)).collect::<Vec<_>>());
    let rate = RefCell::new((Instant::now(), 0, 0));
    let pulls = images.iter().enumerate().map(|(index, located)| {
        let (progress, rate, registries, platform) = (&progress, &rate, &registries, &platform);
        async move {
            let begun = Instant::now();
            let on_piece = |piece: &str| {
                progress.borrow_mut()[index].see(piece);
                step.doing(words(&progress.borrow(), &mut rate.borrow_mut()));
            };
            let lost = pull(located, platform, docker, registries, on_piece, |words| step.note(words)).await?;
            located.took.set(Some(begun.elapsed()));
            Ok::<_, Failure>(lost)
        }
    });
    let mut lost = Vec::new();
    for ended in join_all(pulls).await {
        lost.extend(ended?);
    }
    match failure(&lost, images.len()) {
        None => Ok(()),
        Some(failure) => Err(failure.hint(format!("see it by itself: `docker pull {}`", lost[0].image.reference))),
    }
}

/// `pulling 2 images: 120 of 610 MB, 12 MB/s`; `rate` is when it was measured last, the bytes then, and what it was.
fn words(progress: &[Progress], rate: &mut (Instant, u64, u64)) -> String {
    let (came, all) = progress.iter().map(Progress::bytes).fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    let elapsed = rate.0.elapsed();
    if elapsed >= RATE {
        let milliseconds = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        // What was there before came at once, and says nothing of the rate.
        let speed = if rate.1 == 0 { 0 } else { came.saturating_sub(rate.1) * 1000 / milliseconds };
        *rate = (Instant::now(), came, speed);
    }
    let speed = if rate.2 == 0 { String::new() } else { format!(", {}/s", size(rate.2)) };
    format!("pulling {}: {} of {}{speed}", progress.len(), size(came), size(all))
}
