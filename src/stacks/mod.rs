//! The charts that windtunnel installs: which values, which service, which pods make it complete. Pure.

mod lite;

use serde_json::{Map, Value};

use crate::cluster::workload::Workload;
use crate::error::Failure;
use crate::plan::Plan;
use crate::profile::StackName;

/// The user that the Airflow image is made for.
const IMAGE_USER: u32 = 50_000;

/// Everything that Helm and the wait need to know of one release.
#[derive(Clone, Debug)]
pub struct Release {
    /// The chart's files: path in the chart's folder, and text.
    pub chart: Vec<(&'static str, &'static str)>,
    /// The values, complete; they hold no secret.
    pub values: Value,
    /// The service of the web interface.
    pub service: String,
    /// The service's port.
    pub service_port: u16,
    /// The pods that must be ready.
    pub workloads: Vec<Workload>,
}

/// What a release is made of.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// The environment.
    pub plan: &'a Plan,
    /// The Airflow image as the node knows it.
    pub airflow_image: &'a str,
    /// The PostgreSQL image as the node knows it.
    pub database_image: &'a str,
    /// The user on this machine that the DAG folder belongs to.
    pub user: u32,
    /// The DAG folder inside the node; `None` where nodes see no folder of this machine.
    pub dags: Option<&'a str>,
    /// The folder inside the node that `windtunnel smoke` puts its DAG into; `None` likewise.
    pub smoke: Option<&'a str>,
}

/// Where a component's log is found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Component {
    /// What controls its pods.
    pub workload: Workload,
    /// Its container in them.
    pub container: &'static str,
}

/// The release of a plan.
#[must_use]
pub fn release(inputs: &Inputs<'_>) -> Release {
    match inputs.plan.profile.stack {
        StackName::Lite => lite::release(inputs),
    }
}

/// The name of the Secret that must be there before Helm runs; its keys are those of [`crate::state::Credentials`].
#[must_use]
pub fn credentials_secret(release: &str) -> String {
    format!("{release}-credentials")
}

/// The name of the ConfigMap that a smoke run's DAG goes into where nodes see no folder of this machine.
#[must_use]
pub fn smoke_config_map(release: &str) -> String {
    format!("{release}-smoke")
}

/// Bytes of memory that the chart asks for, with one worker.
#[must_use]
pub fn memory_request(stack: StackName) -> u64 {
    match stack {
        StackName::Lite => lite::MEMORY_REQUEST,
    }
}

/// The user that Airflow runs as in its pods: `user`, so that files are its own, but never root.
#[must_use]
pub fn pod_user(user: u32) -> u32 {
    if user == 0 { IMAGE_USER } else { user }
}

/// The pods that make a release complete.
#[must_use]
pub fn workloads(release: &str) -> Vec<Workload> {
    lite::workloads(release)
}

/// A component of a release by its name.
///
/// # Errors
/// There is none of that name; the ones there are, are named.
pub fn component(release: &str, name: &str) -> Result<Component, Failure> {
    lite::component(release, name).ok_or_else(|| {
        Failure::usage(format!("there is no component `{name}`"))
            .hint(format!("components: {}, forward", lite::COMPONENTS.map(|(name, _)| name).join(", ")))
    })
}

/// Lays the profile's values over windtunnel's own: maps key by key, everything else replaced.
fn lay_over(values: &mut Map<String, Value>, over: &Map<String, Value>) {
    for (key, value) in over {
        match (values.get_mut(key), value) {
            (Some(Value::Object(below)), Value::Object(above)) => lay_over(below, above),
            _ => {
                values.insert(key.clone(), value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn maps_are_merged_and_all_else_is_replaced() {
        let mut values = json!({"env": {"A": "1", "B": "2"}, "list": [1, 2], "uid": 7}).as_object().unwrap().clone();
        let over = json!({"env": {"B": "3"}, "list": [4], "uid": {"is": "odd"}, "new": null});
        lay_over(&mut values, over.as_object().unwrap());
        let expected = json!({"env": {"A": "1", "B": "3"}, "list": [4], "uid": {"is": "odd"}, "new": null});
        assert_eq!(Value::Object(values), expected);
    }

    #[test]
    fn airflow_never_runs_as_root() {
        assert_eq!((pod_user(0), pod_user(1000)), (IMAGE_USER, 1000));
    }

    #[test]
    fn an_unknown_component_is_answered_with_the_known_ones() {
        let failure = component("airflow-cluster", "webserver").unwrap_err();
        assert_eq!(failure.message, "there is no component `webserver`");
        assert_eq!(
            failure.hints,
            ["components: migrate, api-server, scheduler, dag-processor, triggerer, database, forward"]
        );
    }
}
