//! The user's own values: merged as Helm merges them, and looked through for what breaks a promise.

use serde_json::{Map, Value};

use super::{Shape, lay_over};
use crate::profile::StackName;

/// A value that the user may set, and what it costs. The value `true` in `only` warns only where it is switched on, `false` where off.
struct Promise {
    path: &'static str,
    only: Option<bool>,
    cost: &'static str,
}

const fn any(path: &'static str, cost: &'static str) -> Promise {
    Promise { path, only: None, cost }
}

const fn on(path: &'static str, cost: &'static str) -> Promise {
    Promise { path, only: Some(true), cost }
}

const HOOKS: &str = "the Job becomes a Helm hook: Helm waits for it blindly, and no cause is told when it fails";
const KEYS: &str = "the key is not the environment's own any more: connections and sessions of before cannot be read";
const DATABASE: &str = "Airflow uses another database than windtunnel's own, which keeps running, unused";
const MOUNTS: &str = "the list replaces windtunnel's: the DAG folder, the smoke DAG and the shared logs are missing unless it names them too";
const LOGIN: &str = "the login that `windtunnel credentials` prints may not exist, and `windtunnel smoke` uses it";
const LOGS: &str = "task logs may be lost with their worker pods";

const OFFICIAL: [Promise; 17] = [
    on("migrateDatabaseJob.useHelmHooks", HOOKS),
    on("createUserJob.useHelmHooks", HOOKS),
    any("migrateDatabaseJob.enabled", "without the migration the pods wait for it until they give up"),
    any("fernetKey", KEYS),
    any("fernetKeySecretName", KEYS),
    any("apiSecretKey", KEYS),
    any("apiSecretKeySecretName", KEYS),
    any("jwtSecret", KEYS),
    any("jwtSecretName", KEYS),
    any("webserverSecretKey", KEYS),
    any("data.metadataSecretName", DATABASE),
    any("data.metadataConnection", DATABASE),
    on("postgresql.enabled", DATABASE),
    any("volumeMounts", MOUNTS),
    any("volumes", MOUNTS),
    any("createUserJob.args", LOGIN),
    any("logs.persistence", LOGS),
];

const COMMUNITY: [Promise; 9] = [
    on("airflow.dbMigrations.runAsJob", HOOKS),
    any("airflow.fernetKey", KEYS),
    any("airflow.webserverSecretKey", KEYS),
    any(
        "airflow.extraEnv",
        "the list replaces windtunnel's: the environment's own keys are missing unless it names them too",
    ),
    any("externalDatabase", DATABASE),
    on("postgresql.enabled", DATABASE),
    any("airflow.extraVolumeMounts", MOUNTS),
    any("airflow.extraVolumes", MOUNTS),
    any("airflow.users", LOGIN),
];

const LITE: [Promise; 2] = [
    any("credentialsSecret", KEYS),
    any("environment", "the objects are not found by the label of this environment any more"),
];

/// What the user's values are together: later files win over earlier ones, single values over all of them.
#[must_use]
pub fn merged(files: impl IntoIterator<Item = Map<String, Value>>, set: &[String]) -> Map<String, Value> {
    let mut values = Map::new();
    for file in files {
        lay_over(&mut values, &file);
    }
    // Only plain paths are understood: this is for warnings, Helm itself reads the text.
    for assignment in set.iter().flat_map(|set| set.split(',')) {
        let Some((path, text)) = assignment.split_once('=') else { continue };
        let value = serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()));
        let nested = path.split('.').rev().fold(value, |inner, key| {
            let key = key.split('[').next().unwrap_or(key);
            Value::Object(Map::from_iter([(key.to_owned(), inner)]))
        });
        if let Value::Object(nested) = nested {
            lay_over(&mut values, &nested);
        }
    }
    values
}

/// The parts of Airflow that values leave out, by the names that its health document has.
#[must_use]
pub fn left_out(shape: Shape<'_>, under: Option<&str>, values: &Map<String, Value>) -> Vec<String> {
    let switches: &[(&str, &str)] = match shape.stack {
        StackName::Lite => &[],
        StackName::Official => &[("dag processor", "dagProcessor.enabled"), ("triggerer", "triggerer.enabled")],
        StackName::Community => &[("triggerer", "triggerer.enabled")],
    };
    let is_off = |path: &str| at(under, path, values) == Some(&Value::Bool(false));
    switches.iter().filter(|(_, path)| is_off(path)).map(|(part, _)| (*part).to_owned()).collect()
}

/// The value at a path of keys, below the one that the chart's values nest under.
pub(super) fn at<'a>(under: Option<&str>, path: &str, values: &'a Map<String, Value>) -> Option<&'a Value> {
    let mut keys = under.into_iter().chain(path.split('.'));
    let first = values.get(keys.next()?)?;
    keys.try_fold(first, |at, key| at.get(key))
}

/// One sentence for each value that breaks a promise, naming it. `under` is the key that the chart's values nest under.
#[must_use]
pub fn warnings(shape: Shape<'_>, under: Option<&str>, values: &Map<String, Value>) -> Vec<String> {
    let promises: &[Promise] = match shape.stack {
        StackName::Lite => &LITE,
        StackName::Official => &OFFICIAL,
        StackName::Community => &COMMUNITY,
    };
    let full = |path: &str| under.map_or_else(|| path.to_owned(), |under| format!("{under}.{path}"));
    let broken = promises.iter().filter(|promise| match (at(under, promise.path, values), promise.only) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some(value), Some(only)) => value.as_bool() == Some(only),
    });
    broken.map(|promise| format!("your value `{}`: {}", full(promise.path), promise.cost)).collect()
}
