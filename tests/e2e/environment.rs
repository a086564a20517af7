//! One environment for one test: its place, its port, and its removal whatever happens.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::artefacts::tell_of_failures;
use crate::docker::docker;
use crate::outcome::Outcome;
use crate::place::Place;
use crate::{artefacts, leftovers};

/// Two clusters at once would make every wait a guess.
static TURN: Mutex<()> = Mutex::new(());

/// Removed with all its traces when dropped.
pub(crate) struct Environment {
    place: Place,
    /// The port of its forward.
    pub(crate) port: u16,
    /// `None` in one that is beside another, whose place and turn it shares.
    held: Option<(File, MutexGuard<'static, ()>)>,
}

impl Environment {
    /// Takes a name, a port and the machine. No cluster is made.
    pub(crate) fn claim(label: &str) -> Self {
        // A failed test must not fail the others.
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        tell_of_failures();
        bundle();
        let (place, lock) = leftovers::claim(label);
        Self { place, port: free_port(), held: Some((lock, turn)) }
    }

    /// A second one of the same user, in the same place. There is but one.
    pub(crate) fn beside(&self) -> Self {
        Self { place: self.place.beside(), port: free_port(), held: None }
    }

    /// Runs `windtunnel up` with this environment's port and bundle and more arguments.
    pub(crate) fn up(&self, more: &[&str]) -> Outcome {
        self.up_from(&bundle(), more)
    }

    /// The same with another bundle.
    pub(crate) fn up_from(&self, bundle: &Path, more: &[&str]) -> Outcome {
        let port = self.port.to_string();
        let mut arguments = vec!["up", "--port", &port, "--bundle", bundle.to_str().unwrap()];
        arguments.extend(more);
        self.windtunnel(&arguments)
    }
}

impl Deref for Environment {
    type Target = Place;

    fn deref(&self) -> &Place {
        &self.place
    }
}

impl Drop for Environment {
    fn drop(&mut self) {
        if std::thread::panicking() {
            artefacts::keep_evidence(&self.place);
        }
        match self.held {
            Some(_) => leftovers::remove(&self.place),
            None => leftovers::remove_cluster(&self.place),
        }
    }
}

/// The bundle's folder.
pub(crate) fn bundle() -> PathBuf {
    let folder = std::env::var_os("WINDTUNNEL_E2E_BUNDLE").map(PathBuf::from);
    let folder = folder
        .expect("WINDTUNNEL_E2E_BUNDLE must name a bundle: make one with `scripts/images/build.sh --bundle FOLDER`");
    assert!(
        folder.join("bundle.json").exists(),
        "WINDTUNNEL_E2E_BUNDLE={} has no bundle.json: make it with `scripts/images/build.sh --bundle {0}`",
        folder.display()
    );
    // The folder of the commands is not the one of the test.
    folder.canonicalize().unwrap()
}

/// The bundle with another node image, which the engine has: its archive is not read then, and a few bytes stand for it.
pub(crate) fn bundle_with_node(place: &Place, node: &str) -> PathBuf {
    let (original, folder) = (bundle(), place.folder.join("bundle"));
    let mut manifest: Value = serde_json::from_slice(&std::fs::read(original.join("bundle.json")).unwrap()).unwrap();
    std::fs::create_dir_all(folder.join("bin")).unwrap();
    for entry in manifest["entries"].as_array_mut().unwrap() {
        let file = entry["file"].as_str().unwrap().to_owned();
        if entry["role"] != "node" {
            std::os::unix::fs::symlink(original.join(&file), folder.join(&file)).unwrap();
            continue;
        }
        let content = "the engine has it";
        std::fs::write(folder.join(&file), content).unwrap();
        let id = docker(&["image", "inspect", "--format", "{{.Id}}", node]).succeeded().stdout;
        entry["reference"] = node.into();
        entry["image_id"] = id.trim().into();
        entry["size"] = content.len().into();
        entry["sha256"] = windtunnel::images::hexadecimal(&Sha256::digest(content)).into();
    }
    std::fs::write(folder.join("bundle.json"), manifest.to_string()).unwrap();
    folder
}

/// The image of this role in the bundle.
pub(crate) fn reference(role: &str) -> String {
    let manifest: Value = serde_json::from_slice(&std::fs::read(bundle().join("bundle.json")).unwrap()).unwrap();
    let entries = manifest["entries"].as_array().unwrap();
    let entry = entries.iter().find(|entry| entry["role"] == role).unwrap();
    entry["reference"].as_str().unwrap().to_owned()
}

/// A port that nobody listens on, outside the range that the kernel gives to outgoing connections.
pub(crate) fn free_port() -> u16 {
    let mut random = [0; 2];
    getrandom::fill(&mut random).unwrap();
    let begin = 20_000 + u16::from_le_bytes(random) % 10_000;
    (begin..begin + 2_000).find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok()).unwrap()
}
