//! "Keeping images": what a kind node was given becomes part of a node image, of which the environment's next node is made.

use std::path::Path;
use std::time::Duration;

use crate::error::{Failure, Kind};
use crate::images::Image;
use crate::images::bundle::Bundle;
use crate::images::kept::{self, Kept};
use crate::images::node::{Inside, Listed, import, list};
use crate::images::size::size;
use crate::plan::ContainerRuntime;
use crate::providers::{Found, IMAGES};
use crate::state::EnvironmentPaths;
use crate::tools::docker::{Docker, EngineImage};
use crate::ui::{Step, Ui};

/// Where containerd has what it has unpacked, one folder each.
const SNAPSHOTS: &str = "/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots";
/// What runs in the container at the end.
const SCRIPT: &str = include_str!("keep.sh");
/// How long the engine may take to make an image of the container: some GB are read and written.
const COMMIT: Duration = Duration::from_mins(10);

/// Whose images are kept.
#[derive(Clone, Copy)]
pub struct Keeping<'a> {
    /// The engine that has the node.
    pub docker: &'a Docker,
    /// The environment.
    pub environment: &'a str,
    /// Its files.
    pub paths: &'a EnvironmentPaths,
    /// The bundle that it was made with.
    pub bundle: Option<&'a Path>,
    /// The way to the terminal.
    pub ui: &'a Ui,
}

/// The container in which the node image is made.
fn container(environment: &str) -> String {
    format!("windtunnel-keep-{environment}")
}

/// Makes the engine have a node image with all images of the node, as far as the engine or the bundle have them too. The node is started,
/// should it not run.
///
/// # Errors
/// The engine or containerd fail, or there is no room.
pub async fn ensure(keeping: Keeping<'_>, found: &Found) -> Result<(), Failure> {
    let Keeping { docker, environment, paths, ui, .. } = keeping;
    let step = ui.step("keep_images", "Keeping images");
    let Some(node) = found.node() else {
        step.done("no node is there, of which to keep any");
        return Ok(());
    };
    let before = kept::find(docker, environment, paths, ui).await?;
    if let Found::Stopped(node) = found {
        step.doing(format!("starting {}, to see what it has", node.container));
        docker.start(&node.container, ui).await?;
    }
    let listed = list(inside(docker, &node.container), ui).await?;
    let kept = match before {
        // Made of another node image than this node: nothing will be made of it.
        Some(kept) if kept.reference != node.image => {
            docker.remove_image(&kept.reference, ui).await?;
            None
        }
        own => own,
    };
    if kept.as_ref().is_some_and(|kept| kept.has(&listed)) {
        step.done(format!("{} has them", node.image));
        return Ok(());
    }
    remove_container(docker, environment, paths, ui).await?;
    let made = make(keeping, &node.image, kept.as_ref(), &listed, &step).await;
    let removed = remove_container(docker, environment, paths, ui).await;
    step.done(made.map_err(|failure| {
        failure
            .hint("see what room Docker has and what fills it: `docker system df`")
            .hint("to remove the environment without keeping its images: `windtunnel down`")
    })?);
    removed
}

/// Removes the container in which a node image was made, be it of an earlier time that was cut short.
///
/// # Errors
/// It is somebody else's, or the engine refuses.
pub async fn remove_container(
    docker: &Docker,
    environment: &str,
    paths: &EnvironmentPaths,
    ui: &Ui,
) -> Result<(), Failure> {
    let name = container(environment);
    let Some(found) = docker.container(&name, ui).await? else { return Ok(()) };
    if !kept::is_ours(&found.config.labels, paths) {
        return Err(Failure::new(Kind::Foreign, format!("the container `{name}` was not made by this environment"))
            .hint(format!("if nobody needs it: `docker rm --force {name}`")));
    }
    docker.remove_container(&name, ui).await
}

async fn make(
    keeping: Keeping<'_>,
    node_image: &str,
    kept: Option<&Kept>,
    listed: &[Listed],
    step: &Step<'_>,
) -> Result<String, Failure> {
    let Keeping { docker, environment, paths, ui, .. } = keeping;
    let Some(base) = docker.image(node_image, ui).await? else {
        return Err(Failure::new(
            Kind::Image,
            format!("the engine does not have the node's image {node_image} any more"),
        ));
    };
    // The one that nobody has given anything.
    let made_of = kept.map_or(base.id.as_str(), Kept::node_image);
    let name = container(environment);
    step.doing(format!("starting containerd of {node_image}"));
    docker.run_containerd(&name, node_image, &kept::labels(paths, made_of, listed), ui).await?;
    let inside = inside(docker, &name);
    let has = list(inside, ui).await?;
    let wanted = to_bring(keeping, listed, &has, step).await?;
    if wanted.is_empty() {
        return Ok(format!("{node_image} has them"));
    }
    let held = snapshots(inside, ui).await?;
    for (index, (image, in_engine)) in wanted.iter().enumerate() {
        step.doing(format!("{} ({} of {})", image.reference, index + 1, wanted.len()));
        import(inside, image, in_engine.as_ref(), None, IMAGES, ui).await?;
    }
    let has = list(inside, ui).await?;
    if let Some((image, _)) = wanted.iter().find(|(image, _)| !has.iter().any(|listed| listed.is(image))) {
        return Err(Failure::new(
            Kind::Image,
            format!("containerd does not have {} although it was loaded", image.reference),
        ));
    }
    let all = snapshots(inside, ui).await?;
    let new = all.iter().filter(|snapshot| !held.contains(snapshot)).map(|name| format!("{SNAPSHOTS}/{name}"));
    let script = ["sh", "-s", "--"].map(str::to_owned);
    docker.exec_reading(&name, script.into_iter().chain(new)).input(SCRIPT).run(Kind::Image, ui).await?;
    step.doing("making the node image");
    docker.end(&name, ui).await?;
    let reference = kept::reference(environment, paths);
    docker.commit(&name, &base, &reference, COMMIT, ui).await?;
    let bytes = docker.image(&reference, ui).await?.map_or(0, |image| image.size);
    Ok(format!("{} in {reference} ({})", wanted.len(), size(bytes)))
}

/// The images that the node image lacks, from where they can be had again.
async fn to_bring(
    keeping: Keeping<'_>,
    listed: &[Listed],
    has: &[Listed],
    step: &Step<'_>,
) -> Result<Vec<(Image, Option<EngineImage>)>, Failure> {
    let bundle = keeping.bundle.and_then(|folder| Bundle::open(folder).ok());
    let mut wanted = Vec::new();
    for (listed, reference) in listed.iter().flat_map(|listed| listed.tags().iter().map(move |tag| (listed, tag))) {
        // By its content too: of the same name may be one from before it was built anew.
        if has.iter().any(|held| held.id() == listed.id() && held.tags().contains(reference)) {
            continue;
        }
        let bundled = bundle.as_ref().and_then(|bundle| Image::in_bundle(reference, bundle));
        if let Some(image) = bundled {
            wanted.push((image, None));
        } else if let Some(found) = keeping.docker.image(reference, keeping.ui).await? {
            let id = found.config().map(str::to_owned);
            let image = Image { role: reference.clone(), reference: reference.clone(), id, archive: None };
            wanted.push((image, Some(found)));
        } else {
            step.note(&format!("{reference} is not kept: the node pulled it itself"));
        }
    }
    Ok(wanted)
}

async fn snapshots(inside: Inside<'_>, ui: &Ui) -> Result<Vec<String>, Failure> {
    let output = inside.docker.exec(inside.node, ["ls", SNAPSHOTS]).run(Kind::Image, ui).await?;
    Ok(output.stdout.lines().map(str::to_owned).collect())
}

const fn inside<'a>(docker: &'a Docker, node: &'a str) -> Inside<'a> {
    Inside { docker, node, runtime: ContainerRuntime::Containerd }
}
