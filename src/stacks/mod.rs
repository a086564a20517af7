//! The charts that windtunnel installs: which values, which service, which pods make it complete. Pure.

mod community;
mod data;
mod guard;
mod lite;
mod official;
mod overrides;
mod services;
mod shape;

use std::path::PathBuf;

use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};

use crate::cluster::workload::Workload;
use crate::error::Failure;
use crate::plan::Plan;
use crate::profile::{self, Executor, Generation, StackName};
use crate::state::Credentials;
pub use guard::{check, check_change, check_values};
pub use overrides::{left_out, merged, warnings};
use services::{DATABASE_PORT, REDIS_PORT};
pub use services::{Served, served, service, services};
pub use shape::Shape;

/// The user that the Airflow image is made for.
const IMAGE_USER: u32 = 50_000;

/// The one DAG folder of Airflow 2, and the two in it: the user's, and that of `windtunnel smoke`. Mounted side by side, because nothing can be
/// mounted into a folder that is itself mounted read-only.
const BOTH: &str = "/opt/airflow/folders";
const BOTH_DAGS: &str = "/opt/airflow/folders/dags";
const BOTH_SMOKE: &str = "/opt/airflow/folders/windtunnel";

/// Airflow 2's REST interface answers those who know the password, and its own pages.
const BASIC_AUTH: &str = "airflow.api.auth.backend.basic_auth,airflow.api.auth.backend.session";

/// Everything that Helm and the wait need to know of one environment.
#[derive(Clone, Debug)]
pub struct Release {
    /// The Helm releases, in the order in which they are installed; the last one is Airflow's.
    pub parts: Vec<HelmRelease>,
    /// The service of the web interface.
    pub service: String,
    /// The service's port.
    pub service_port: u16,
    /// The pods that must be ready.
    pub workloads: Vec<Workload>,
}

/// One Helm release.
#[derive(Clone, Debug)]
pub struct HelmRelease {
    /// Its name.
    pub name: String,
    /// The chart.
    pub chart: Chart,
    /// The values, complete but for the user's own; they hold no secret.
    pub values: Value,
    /// Whether the user's values files and single values are for this release.
    pub takes_user_values: bool,
    /// Jobs that are deleted before an upgrade, because they cannot be changed.
    pub replaced: Vec<String>,
}

impl HelmRelease {
    /// The user's values files and single values for this release.
    #[must_use]
    pub fn user_values<'a>(&self, plan: &'a Plan) -> (&'a [PathBuf], &'a [String]) {
        if self.takes_user_values { (&plan.values, &plan.set) } else { (&[], &[]) }
    }
}

/// A chart of a release.
#[derive(Clone, Debug)]
pub enum Chart {
    /// In this binary: path in the chart's folder, and text.
    Embedded(Vec<(&'static str, &'static str)>),
    /// Elsewhere.
    Named(profile::Chart),
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
    /// The Redis image as the node knows it, where Celery runs.
    pub redis_image: Option<&'a str>,
    /// The user on this machine that the DAG folder belongs to.
    pub user: u32,
    /// The DAG folder inside the node; `None` where nodes see no folder of this machine.
    pub dags: Option<&'a str>,
    /// The folder inside the node that `windtunnel smoke` puts its DAG into; `None` likewise.
    pub smoke: Option<&'a str>,
}

impl Inputs<'_> {
    /// A pod's volume with the user's DAGs: the folder in the node, a claim, or nothing yet.
    fn dags_volume(&self, name: &str) -> Value {
        match (self.dags, &self.plan.dags_claim) {
            (Some(folder), _) => json!({"name": name, "hostPath": {"path": folder, "type": "Directory"}}),
            (None, Some(claim)) => {
                json!({"name": name, "persistentVolumeClaim": {"claimName": claim, "readOnly": true}})
            }
            (None, None) => json!({"name": name, "emptyDir": {}}),
        }
    }

    /// A pod's volume with the smoke DAG.
    fn smoke_volume(&self, name: &str) -> Value {
        match self.smoke {
            Some(folder) => json!({"name": name, "hostPath": {"path": folder, "type": "Directory"}}),
            None => json!({"name": name, "configMap": {"name": smoke_config_map(&self.plan.name)}}),
        }
    }
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
    let shape = Shape::from(inputs.plan);
    let (service, service_port) = service(shape);
    let parts = match (&inputs.plan.profile.chart, shape.stack) {
        (None, _) | (_, StackName::Lite) => vec![lite::release(inputs, shape)],
        (Some(chart), StackName::Official) => vec![
            data::release(inputs, shape),
            other(inputs, shape, chart, official::values(inputs, shape), official::replaced(shape)),
        ],
        (Some(chart), StackName::Community) => vec![
            data::release(inputs, shape),
            other(inputs, shape, chart, community::values(inputs, shape), Vec::new()),
        ],
    };
    Release { parts, service, service_port, workloads: workloads(shape) }
}

/// Airflow's release by another's chart. What the profile says is laid over what is said here, where the chart has it.
fn other(
    inputs: &Inputs<'_>,
    shape: Shape<'_>,
    chart: &profile::Chart,
    own: Map<String, Value>,
    replaced: Vec<String>,
) -> HelmRelease {
    let mut values = match &chart.values_under {
        Some(key) => Map::from_iter([(key.clone(), Value::Object(own))]),
        None => own,
    };
    lay_over(&mut values, &inputs.plan.profile.values);
    HelmRelease {
        name: shape.name.to_owned(),
        chart: Chart::Named(chart.clone()),
        values: Value::Object(values),
        takes_user_values: true,
        replaced,
    }
}

/// The name of the Secret that must be there before Helm runs; its keys are those of [`crate::state::Credentials`] and what follows from them.
#[must_use]
pub fn credentials_secret(release: &str) -> String {
    format!("{release}-credentials")
}

/// The name of the ConfigMap that a smoke run's DAG goes into where nodes see no folder of this machine.
#[must_use]
pub fn smoke_config_map(release: &str) -> String {
    format!("{release}-smoke")
}

/// The name of the Secret with the address of Redis, which the official chart wants under a key that the first one has taken.
fn broker_secret(release: &str) -> String {
    format!("{release}-broker")
}

/// The names of the Secrets that a stack's pods read.
#[must_use]
pub fn secret_names(shape: Shape<'_>) -> Vec<String> {
    let broker = (shape.executor == Executor::Celery).then(|| broker_secret(shape.name));
    std::iter::once(credentials_secret(shape.name)).chain(broker).collect()
}

/// The Secrets that a stack's pods read: name, and keys with values.
#[must_use]
pub fn secrets(shape: Shape<'_>, credentials: &Credentials) -> Vec<(String, Vec<(&'static str, String)>)> {
    let mut entries: Vec<_> = credentials.entries().map(|(key, value)| (key, value.to_owned())).into();
    if shape.stack != StackName::Lite {
        let password = credentials.database_password.expose_secret();
        // The password is of characters that are safe in an address.
        let connection = format!("postgresql://airflow:{password}@{}:{DATABASE_PORT}/airflow", shape.database());
        entries.push(("connection", connection));
        // Airflow 2's name of it.
        entries.push(("webserver-secret-key", credentials.api_secret_key.expose_secret().to_owned()));
    }
    let mut secrets = vec![(credentials_secret(shape.name), entries)];
    if shape.executor == Executor::Celery {
        let password = credentials.database_password.expose_secret();
        let broker = format!("redis://:{password}@{}:{REDIS_PORT}/0", shape.redis());
        secrets.push((broker_secret(shape.name), vec![("connection", broker)]));
    }
    secrets
}

/// Bytes of memory that the chart asks for, with one worker.
#[must_use]
pub fn memory_request(stack: StackName) -> u64 {
    match stack {
        StackName::Lite => lite::MEMORY_REQUEST,
        StackName::Official => official::MEMORY_REQUEST,
        StackName::Community => community::MEMORY_REQUEST,
    }
}

/// The user that Airflow runs as in its pods: `user`, so that files are its own, but never root.
#[must_use]
pub fn pod_user(user: u32) -> u32 {
    if user == 0 { IMAGE_USER } else { user }
}

/// The pods that make a release complete.
#[must_use]
pub fn workloads(shape: Shape<'_>) -> Vec<Workload> {
    match shape.stack {
        StackName::Lite => lite::workloads(shape.name),
        StackName::Official => official::workloads(shape),
        StackName::Community => community::workloads(shape),
    }
}

/// The workloads that use the database, and are none themselves: what must rest while it is replaced.
#[must_use]
pub fn database_users(shape: Shape<'_>) -> Vec<Workload> {
    let kept = shape.data_workloads();
    workloads(shape).into_iter().filter(|workload| !kept.contains(workload)).collect()
}

/// The names of the Helm releases of an environment, Airflow's last.
#[must_use]
pub fn release_names(shape: Shape<'_>) -> Vec<String> {
    let mut names = vec![shape.data_release(), shape.name.to_owned()];
    names.dedup();
    names
}

/// A component of a release by its name.
///
/// # Errors
/// There is none of that name; the ones there are, are named.
pub fn component(shape: Shape<'_>, name: &str) -> Result<Component, Failure> {
    let known = components(shape);
    let names = known.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    known.into_iter().find(|(known, _)| *known == name).map(|(_, component)| component).ok_or_else(|| {
        Failure::usage(format!("there is no component `{name}`")).hint(format!("components: {names}, forward"))
    })
}

/// What nothing works without, whatever the user's values leave out: the web server, the scheduler, the database.
#[must_use]
pub fn needed(shape: Shape<'_>) -> Vec<Workload> {
    let needed = ["api-server", "webserver", "scheduler", "database"];
    let components = components(shape).into_iter().filter(|(name, _)| needed.contains(name));
    components.map(|(_, component)| component.workload).collect()
}

/// Every component of a stack that has a log, with the name by which people ask for it.
#[must_use]
pub fn components(shape: Shape<'_>) -> Vec<(&'static str, Component)> {
    if shape.stack == StackName::Lite {
        return lite::components(shape.name);
    }
    let mut containers = match shape.stack {
        StackName::Community => vec![
            ("migrate", "db-migrations", "db-migrations"),
            ("webserver", "web", "airflow-web"),
            ("scheduler", "scheduler", "airflow-scheduler"),
            ("triggerer", "triggerer", "airflow-triggerer"),
            ("sync-users", "sync-users", "sync-airflow-users"),
            ("worker", "worker", "airflow-worker"),
        ],
        _ => vec![
            ("migrate", "run-airflow-migrations", "run-airflow-migrations"),
            ("create-user", "create-user", "create-user"),
            (official::web(shape.generation), official::web(shape.generation), official::web(shape.generation)),
            ("scheduler", "scheduler", "scheduler"),
            ("dag-processor", "dag-processor", "dag-processor"),
            ("triggerer", "triggerer", "triggerer"),
            ("worker", "worker", "worker"),
        ],
    };
    containers.retain(|(name, ..)| match *name {
        "worker" => shape.executor == Executor::Celery,
        "dag-processor" => shape.generation == Generation::Three,
        _ => true,
    });
    let workloads = workloads(shape);
    let found = |name: String| workloads.iter().find(|workload| workload.name == name).cloned();
    let of_airflow = containers.into_iter().filter_map(|(name, part, container)| {
        Some((name, Component { workload: found(shape.part(part))?, container }))
    });
    let database = found(shape.database()).map(|workload| ("database", Component { workload, container: "database" }));
    let redis = found(shape.redis()).map(|workload| ("redis", Component { workload, container: "redis" }));
    of_airflow.chain(database).chain(redis).collect()
}

/// Repository and tag of an image's reference.
fn split_image(reference: &str) -> (&str, &str) {
    match reference.rsplit_once(':') {
        // What follows the last colon is a registry's port.
        Some((_, tag)) if tag.contains('/') => (reference, "latest"),
        Some(parts) => parts,
        None => (reference, "latest"),
    }
}

fn requests(millicores: u32, mebibytes: u32) -> Value {
    json!({"requests": {"cpu": format!("{millicores}m"), "memory": format!("{mebibytes}Mi")}})
}

/// A variable of a container whose value is an entry of a Secret.
fn from_secret(variable: &str, secret: &str, key: &str) -> Value {
    json!({"name": variable, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}})
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
mod tests;
