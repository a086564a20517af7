//! A minikube profile goes as a whole.

use crate::error::Failure;
use crate::providers::{Found, minikube as provider};
use crate::state::{EnvironmentPaths, Record};
use crate::surroundings::Surroundings;
use crate::tools::minikube::{Minikube, Profile};
use crate::ui::Ui;

/// What there is of the profile.
pub(super) struct ProfileFound {
    name: String,
    minikube: Minikube,
    found: Found,
}

/// Looks what is there.
pub(super) async fn look(
    record: &Record,
    driver: &str,
    paths: &EnvironmentPaths,
    surroundings: &Surroundings,
    ui: &Ui,
) -> Result<ProfileFound, Failure> {
    let (minikube, found) = provider::look(record, driver, paths, surroundings, ui).await?;
    Ok(ProfileFound { name: record.name.clone(), minikube, found })
}

impl ProfileFound {
    pub(super) fn what_goes(&self) -> Vec<String> {
        let profile = |container| format!("the minikube profile {} (node {container} and its volume)", self.name);
        self.found.node().map(|node| profile(&node.container)).into_iter().collect()
    }

    pub(super) async fn remove(&self, paths: &EnvironmentPaths, ui: &Ui) -> Result<(), Failure> {
        let step = ui.step("delete_cluster", "Deleting minikube profile");
        // A making that was cut short leaves a profile without a node.
        if self.found == Found::Absent && !paths.creating().exists() {
            step.done("none is there");
            return Ok(());
        }
        self.minikube.delete(Profile { name: &self.name, kubeconfig: &paths.kubeconfig() }, ui).await?;
        step.done(&self.name);
        Ok(())
    }
}
