//! `windtunnel down`: removes the cluster, the forward and the state of one environment, and nothing else.

mod existing;
mod kind;
mod minikube;
mod node_images;

use serde_json::json;

use super::remembered;
use super::work::Work;
use crate::cli::DownArgs;
use crate::error::{Failure, Kind};
use crate::plan::ClusterPlan;
use crate::providers::Found;
use crate::state::{EnvironmentPaths, Record};
use crate::steps;
use crate::surroundings::Surroundings;
use crate::ui::Ui;
use crate::ui::event::Event;
use node_images::NodeImages;

/// What an environment has in or as its cluster.
pub(super) enum Cluster {
    /// A kind cluster, all of which goes.
    Kind(kind::Kind),
    /// A minikube profile, all of which goes.
    Minikube(minikube::ProfileFound),
    /// A cluster that stays.
    Existing(Box<existing::Existing>),
}

impl Cluster {
    /// Looks what is there; without a record a kind cluster of that name.
    ///
    /// # Errors
    /// What is there is somebody else's; a tool, the engine or the API server fail.
    pub(super) async fn look(
        name: &str,
        record: Option<&Record>,
        paths: &EnvironmentPaths,
        surroundings: &Surroundings,
        ui: &Ui,
    ) -> Result<Self, Failure> {
        Ok(match record.map(|record| (record, &record.cluster)) {
            Some((record, ClusterPlan::Existing { .. })) => {
                Self::Existing(Box::new(existing::look(record, paths).await?))
            }
            Some((record, ClusterPlan::Minikube { driver, .. })) => {
                Self::Minikube(minikube::look(record, driver, paths, surroundings, ui).await?)
            }
            _ => Self::Kind(kind::look(name, record, paths, surroundings, ui).await?),
        })
    }

    /// What of it goes, for a person.
    pub(super) fn what_goes(&self) -> Vec<String> {
        match self {
            Self::Kind(kind) => kind.what_goes(),
            Self::Minikube(profile) => profile.what_goes(),
            Self::Existing(existing) => existing.what_goes(),
        }
    }

    /// What of it stays though its claim goes, for a person.
    pub(super) fn what_stays(&self) -> Option<String> {
        match self {
            Self::Kind(_) | Self::Minikube(_) => None,
            Self::Existing(existing) => existing.what_stays(),
        }
    }

    /// The images of its node, where its next node can be made with them, and the node.
    fn images(&self) -> Option<(&NodeImages, &Found)> {
        match self {
            Self::Kind(kind) => Some((&kind.images, &kind.found)),
            Self::Minikube(profile) => profile.images.as_ref().map(|images| (images, &profile.found)),
            Self::Existing(_) => None,
        }
    }

    /// Why there is nothing to keep.
    fn keeps_nothing(&self) -> Failure {
        let (why, hint) = match self {
            Self::Existing(_) => ("the nodes stay, with their images", "leave the option out: `windtunnel down`"),
            Self::Kind(_) | Self::Minikube(_) => (
                "minikube fills each new node itself, but for one with containerd from a bundle",
                "the engine keeps what was pulled: `windtunnel down`; or keep the node: `windtunnel stop`",
            ),
        };
        Failure::usage(format!("--keep-images has nothing to keep: {why}")).hint(hint)
    }

    /// Removes it.
    ///
    /// # Errors
    /// A tool, the engine or the API server fail, or what goes is not gone in time.
    pub(super) async fn remove(
        &self,
        paths: &EnvironmentPaths,
        surroundings: &Surroundings,
        ui: &Ui,
    ) -> Result<(), Failure> {
        match self {
            Self::Kind(kind) => kind.remove(paths, surroundings, ui).await,
            Self::Minikube(profile) => profile.remove(paths, ui).await,
            Self::Existing(existing) => existing.remove(paths, surroundings, ui).await,
        }
    }
}

/// Removes an environment, after a yes.
///
/// # Errors
/// There is nothing of that name; what is there is somebody else's; nobody said yes; a tool, the engine or the API server fail.
pub async fn down(arguments: &DownArgs, name: &str, ui: &Ui, surroundings: &Surroundings) -> Result<(), Failure> {
    crate::plan::check_name("environment name", name)?;
    let paths = surroundings.paths.environment(name);
    let record = remembered::record(name, ui, surroundings).await?;
    let cluster = Cluster::look(name, record.as_ref(), &paths, surroundings, ui).await?;
    let (keep, forget) = if arguments.keep_images {
        (Some(cluster.images().ok_or_else(|| cluster.keeps_nothing())?), None)
    } else {
        (None, cluster.images())
    };
    let kept = forget.and_then(|(images, _)| images.kept());
    if matches!(&cluster, Cluster::Kind(kind) if kind.is_absent()) && kept.is_none() && !paths.root().exists() {
        return Err(Failure::new(Kind::NoEnvironment, format!("there is no environment `{name}`: nothing to remove")));
    }

    let mut what = cluster.what_goes();
    what.push(format!("the forward, keys and files in {}", paths.root().display()));
    what.extend(kept);
    let stays = cluster.what_stays();
    if arguments.dry_run {
        show(&what, stays.as_deref(), ui);
        return Ok(());
    }
    ui.say(&format!("This goes: {}", what.join(", ")));
    if let Some(stays) = stays {
        ui.say(&format!("This stays: {stays}"));
    }
    if keep.is_some() {
        ui.say("This stays: the images of the node, in a node image");
    }
    ui.confirm(&format!("Remove the environment {name} with its database and logs?"))?;

    // Created anew where only a cluster is left: the lock needs its folder.
    paths.create()?;
    let _work = Work::begin(name, &paths, ui).await?;
    if let Some((images, found)) = keep {
        images.keep(found, record.as_ref(), &paths, ui).await?;
    }
    steps::forward::stop(&paths, ui).await?;
    cluster.remove(&paths, surroundings, ui).await?;
    if let Some((images, _)) = forget {
        images.forget(&paths, ui).await?;
    }
    remove_state(record.as_ref(), &paths, ui)?;
    ui.event(&Event::Result { result: json!({"name": name, "removed": what}) });
    Ok(())
}

fn remove_state(record: Option<&Record>, paths: &EnvironmentPaths, ui: &Ui) -> Result<(), Failure> {
    let step = ui.step("remove_state", "Removing state");
    if let Some(record) = record.filter(|record| record.made_dags) {
        // Only an empty folder goes: this call refuses any other, which then is the user's.
        let _ = std::fs::remove_dir(&record.dags);
    }
    paths.remove()?;
    step.done(paths.root().display().to_string());
    Ok(())
}

fn show(what: &[String], stays: Option<&str>, ui: &Ui) {
    if ui.is_json() {
        ui.event(&Event::Result {
            result: json!({"would_remove": what, "would_keep": stays.into_iter().collect::<Vec<_>>()}),
        });
        return;
    }
    let stays = stays.map(|stays| format!("\n\nWould stay:\n  {stays}")).unwrap_or_default();
    ui.data(&format!("Would remove:\n  {}{stays}\n\nNothing was changed.\n", what.join("\n  ")));
}
