//! `windtunnel down`: removes the cluster, the forward and the state of one environment, and nothing else.

use serde_json::json;

use crate::cli::DownArgs;
use crate::cluster::forward::supervise;
use crate::error::{Failure, Kind};
use crate::images::bundle::Bundle;
use crate::providers::kind::{self as provider, Found};
use crate::state::{EnvironmentPaths, Lock, Record};
use crate::surroundings::Surroundings;
use crate::tools::docker::Docker;
use crate::tools::{find, kind};
use crate::ui::Ui;
use crate::ui::event::Event;

/// Removes an environment, after a yes.
///
/// # Errors
/// There is nothing of that name; what is there is somebody else's; nobody said yes; kind or the engine fail.
pub async fn down(arguments: &DownArgs, name: &str, ui: &Ui, surroundings: &Surroundings) -> Result<(), Failure> {
    crate::plan::check_name("environment name", name)?;
    let paths = surroundings.paths.environment(name);
    let docker = Docker::find(&surroundings.search_path, &surroundings.folder)?;
    docker.info(ui).await?;
    let found = provider::find(&docker, name, &paths, ui).await?;
    let record = Record::load(&paths)?;
    if found == Found::Absent && !paths.root().exists() {
        return Err(Failure::new(Kind::NoEnvironment, format!("there is no environment `{name}`: nothing to remove")));
    }

    let what = what_goes(name, &found, &paths);
    if arguments.dry_run {
        show(&what, ui);
        return Ok(());
    }
    ui.say(&format!("This goes: {}", what.join(", ")));
    ui.confirm(&format!("Remove the environment {name} with its database and logs?"))?;

    // Created anew where only a cluster is left: the lock needs its folder.
    paths.create()?;
    let _lock = Lock::take(&paths.lock())?;
    remove(name, &docker, &found, record.as_ref(), &paths, surroundings, ui).await?;
    ui.event(&Event::Result { result: json!({"name": name, "removed": what}) });
    Ok(())
}

async fn remove(
    name: &str,
    docker: &Docker,
    found: &Found,
    record: Option<&Record>,
    paths: &EnvironmentPaths,
    surroundings: &Surroundings,
    ui: &Ui,
) -> Result<(), Failure> {
    let step = ui.step("stop_forward", "Stopping the forward");
    let stopped = supervise::ensure_stopped(paths, ui).await?;
    step.done(if stopped { "stopped" } else { "none was running" });

    let step = ui.step("delete_cluster", "Deleting kind cluster");
    if *found == Found::Absent {
        step.done("none is there");
    } else {
        kind(record, surroundings, ui).await?.delete(name, &paths.kubeconfig(), ui).await?;
        docker.remove_network_without_nodes(ui).await?;
        step.done(format!("kind-{name}"));
    }

    let step = ui.step("remove_state", "Removing state");
    if let Some(record) = record.filter(|record| record.made_dags) {
        // Only an empty folder goes: this call refuses any other, which then is the user's.
        let _ = std::fs::remove_dir(&record.dags);
    }
    paths.remove()?;
    step.done(paths.root().display().to_string());
    Ok(())
}

fn what_goes(name: &str, found: &Found, paths: &EnvironmentPaths) -> Vec<String> {
    let cluster = match found {
        Found::Absent => None,
        Found::Running(node) | Found::Stopped(node) => {
            Some(format!("the kind cluster {name} (container {} and its volume)", node.container))
        }
    };
    cluster.into_iter().chain([format!("the forward, keys and files in {}", paths.root().display())]).collect()
}

fn show(what: &[String], ui: &Ui) {
    if ui.is_json() {
        ui.event(&Event::Result { result: json!({"would_remove": what}) });
    } else {
        ui.data(&format!("Would remove:\n  {}\n\nNothing was changed.\n", what.join("\n  ")));
    }
}

/// kind from the bundle that the environment was made with, else from PATH.
async fn kind(record: Option<&Record>, surroundings: &Surroundings, ui: &Ui) -> Result<kind::Kind, Failure> {
    let bundled = record
        .and_then(|record| record.bundle.as_deref())
        .and_then(|folder| Bundle::open(folder).ok())
        .and_then(|bundle| bundle.tool("kind"));
    let Surroundings { search_path, folder, .. } = surroundings;
    let path = find::bundled_or_on_path(bundled, "kind", search_path, folder, kind::INSTALL)?;
    kind::Kind::at(path, ui).await
}
