//! What is told after Ctrl-C: what is there, by what this machine knows without asking anybody, and how to go on.

use crate::cli::Command;
use crate::cluster::forward::supervise;
use crate::error::{Failure, Kind};
use crate::plan::Provider;
use crate::state::document::Kept;
use crate::state::{EnvironmentPaths, Record};
use crate::surroundings::Surroundings;
use crate::ui::Ui;

/// The failure that an interrupted command ends with. `None` is the wizard.
#[must_use]
pub fn interrupted(command: Option<&Command>, ui: &Ui, surroundings: &Surroundings) -> Failure {
    let failure = Failure::new(Kind::Interrupted, "interrupted");
    let work = ui.work();
    let Some(name) = work.environment else {
        return failure.hint("run the same command again to go on from here");
    };
    let paths = surroundings.paths.environment(&name);
    let record = match Record::kept(&paths) {
        Kept::There(record) => Some(record),
        Kept::Absent | Kept::Damaged(_) | Kept::Newer(_) => None,
    };
    let failure = match &record {
        Some(record) => failure.evidence_lines(left(record, &paths, &work.cut_short)),
        None if paths.root().exists() => failure.evidence("nothing was made yet"),
        None => failure.evidence("nothing of the environment is left on this machine"),
    };
    let go_on = match command {
        Some(Command::Down(_)) => "to go on: `windtunnel down`",
        Some(Command::Stop) => "to go on: `windtunnel stop`; to let it run again: `windtunnel start`",
        Some(Command::Backup(_) | Command::Restore(_) | Command::Forward(_)) => {
            "run the same command again to go on from here"
        }
        Some(Command::Reset(_)) => "to go on from here: `windtunnel up`; the same reset again begins anew",
        _ => "run the same command again to go on from here, or: `windtunnel up`",
    };
    let failure = failure.hint(go_on);
    match (command, record) {
        (Some(Command::Up(_) | Command::Start | Command::Reset(_)) | None, Some(_)) => {
            failure.hint("to remove what is there: `windtunnel down`")
        }
        _ => failure,
    }
}

fn left(record: &Record, paths: &EnvironmentPaths, cut_short: &[&str]) -> Vec<String> {
    let Record { name, namespace, context, cluster, port, .. } = record;
    let was_at = |step: &str| cut_short.contains(&step);
    let described = cluster.describe(name);
    let has_cluster = paths.kubeconfig().exists();
    let mut lines = vec![if paths.incomplete().exists() {
        format!("{described} is not complete: it was being made or removed")
    } else if paths.stopping().exists() {
        format!("{described} was being stopped")
    } else if !has_cluster {
        "no cluster was made yet".to_owned()
    } else if cluster.provider() == Provider::Existing {
        format!("what was made so far is in the namespace {namespace} of {context}")
    } else {
        format!("{described} is there")
    }];
    if was_at("install") {
        lines.push(format!(
            "the release {name} was being installed: Helm may have left it pending, which `windtunnel up` mends"
        ));
    } else if was_at("remove_release") {
        lines.push(format!("the release {name} was being removed"));
    } else if has_cluster && paths.values(name).exists() {
        lines.push(format!("the release {name} is installed in it"));
    }
    if paths.restoring().exists() {
        lines.push(
            "the database of a backup was being put in place, which `windtunnel up` brings to its end".to_owned(),
        );
    }
    if matches!(supervise::status(paths), Ok(Some(_))) {
        lines.push(format!("the forward serves 127.0.0.1:{port}"));
    }
    lines
}
