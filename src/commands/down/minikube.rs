//! A minikube profile goes as a whole.

use super::node_images::NodeImages;
use crate::error::Failure;
use crate::providers::{Found, minikube as provider};
use crate::state::{self, EnvironmentPaths, Record};
use crate::surroundings::Surroundings;
use crate::tools::minikube::{Minikube, Profile};
use crate::ui::Ui;

/// What there is of the profile.
pub(in crate::commands) struct ProfileFound {
    name: String,
    minikube: Minikube,
    pub(super) found: Found,
    /// `None` where what the node is given is not its image's.
    pub(super) images: Option<NodeImages>,
    /// Whether minikube knows of it, with a node or without.
    is_known: bool,
}

/// Looks what is there.
pub(super) async fn look(
    record: &Record,
    driver: &str,
    paths: &EnvironmentPaths,
    surroundings: &Surroundings,
    ui: &Ui,
) -> Result<ProfileFound, Failure> {
    let provider::Looked { docker, minikube, found } = provider::look(record, driver, paths, surroundings, ui).await?;
    let docker = docker.filter(|_| record.cluster.makes_node_of_image_alone(record.bundle.is_some()));
    let images = match docker {
        Some(docker) => Some(NodeImages::look(&record.name, docker, paths, ui).await?),
        None => None,
    };
    let is_known = provider::file(&surroundings.minikube, &record.name).exists();
    Ok(ProfileFound { name: record.name.clone(), minikube, found, images, is_known })
}

impl ProfileFound {
    pub(super) fn what_goes(&self) -> Vec<String> {
        match self.found.node() {
            Some(node) => vec![format!("the minikube profile {} (node {} and its volume)", self.name, node.container)],
            None if self.is_known => vec![format!("the minikube profile {}, which has no node", self.name)],
            None => Vec::new(),
        }
    }

    pub(super) async fn remove(&self, paths: &EnvironmentPaths, ui: &Ui) -> Result<(), Failure> {
        let step = ui.step("delete_cluster", "Deleting minikube profile");
        // A making that was cut short, or somebody else, leaves a profile without a node.
        if self.found == Found::Absent && !self.is_known {
            step.done("none is there");
            return Ok(());
        }
        state::write_private(&paths.incomplete(), b"")?;
        self.minikube.delete(Profile { name: &self.name, kubeconfig: &paths.kubeconfig() }, ui).await?;
        step.done(&self.name);
        Ok(())
    }
}
