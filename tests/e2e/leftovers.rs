//! What belongs to a run that is gone, and only that, is removed before a new environment is made.
//!
//! Each environment has a folder below the build folder and in it a file that its test holds locked for as long as it lives, however it ends.
//! A folder whose file can be locked has no owner any more. Other checkouts have other folders and are never looked at.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::docker::{docker, node, thawed};
use crate::environment::bundle;
use crate::place::Place;
use crate::traces::processes_naming;

/// The folder of all environments under test of this checkout.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("e2e")
}

/// Removes what earlier runs left, then takes a new name. The file must be kept for as long as the environment is in use.
pub(crate) fn claim(label: &str) -> (Place, File) {
    let root = root();
    std::fs::create_dir_all(&root).unwrap();
    // Between the making of a folder and its lock, another run must not find it.
    let gate = open(&root.join("gate"));
    gate.lock().unwrap();
    remove_abandoned(&root);

    let mut random = [0; 3];
    getrandom::fill(&mut random).unwrap();
    let name = format!("wt-e2e-{label}-{:02x}{:02x}{:02x}", random[0], random[1], random[2]);
    let place = Place { folder: root.join(&name), name };
    place.create();
    let lock = open(&place.folder.join("lock"));
    lock.try_lock().unwrap();
    (place, lock)
}

/// Removes an environment and the one beside it with all their traces, whatever state they are in.
pub(crate) fn remove(place: &Place) {
    if !place.folder.join("bin/docker").exists() {
        // It was cut short while its folders were made.
        std::fs::remove_dir_all(&place.folder).unwrap();
        return;
    }
    remove_cluster(&place.beside());
    remove_cluster(place);
    end_processes(place);
    std::fs::remove_dir_all(&place.folder).unwrap();
}

/// Removes an environment with its cluster.
pub(crate) fn remove_cluster(place: &Place) {
    let down = place.windtunnel(&["down", "--yes"]);
    let container = node(&place.name);
    if docker(&["container", "inspect", &container]).code == Some(0) {
        crate::artefacts::say(&format!("`down` left a cluster, kind removes it:\n{down}"));
        let kind = bundle().join("bin/kind");
        let kubeconfig = place.folder.join("kubeconfig");
        let line =
            format!("{} delete cluster --name {} --kubeconfig {}", kind.display(), place.name, kubeconfig.display());
        thawed(&container, || place.shell(&line)).succeeded();
    }
    if docker(&["container", "inspect", &place.name]).code == Some(0) {
        crate::artefacts::say(&format!("`down` left a minikube profile, minikube removes it:\n{down}"));
        place.minikube(&["delete", "--profile", &place.name]).succeeded();
    }
}

/// Ends the browser, the forward or the `up` of a test that was killed: they go on without it, and hold its lock.
fn end_processes(place: &Place) {
    for process in processes_naming(&place.folder.display().to_string()) {
        if let Some(process) = rustix::process::Pid::from_raw(process) {
            // That it has just ended by itself is as good.
            let _ = rustix::process::kill_process(process, rustix::process::Signal::KILL);
        }
    }
}

fn remove_abandoned(root: &Path) {
    for entry in std::fs::read_dir(root).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if name.starts_with("wt-e2e-") && open(&entry.path().join("lock")).try_lock().is_ok() {
            crate::artefacts::say(&format!("removing {name}, which an earlier run left"));
            let place = Place { folder: entry.path(), name };
            end_processes(&place);
            remove(&place);
        }
    }
}

fn open(path: &Path) -> File {
    File::options().write(true).create(true).truncate(false).open(path).unwrap()
}
