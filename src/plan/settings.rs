//! Every setting of a plan, with where its value comes from.

use std::path::PathBuf;

use serde::Serialize;
use serde_json::{Value, json};

use super::{ClusterPlan, Plan, Wishes};

/// Where a value comes from, from the weakest to the strongest.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(tag = "origin", content = "from", rename_all = "snake_case")]
pub enum Origin {
    /// windtunnel's own.
    Default,
    /// The profile of this name or path.
    Profile(String),
    /// What the environment was brought up with before.
    Before,
    /// A file of the project, with the line.
    File {
        /// Where it is.
        path: PathBuf,
        /// Counted from one.
        line: usize,
    },
    /// A variable of the environment.
    Variable(String),
    /// An option of the command.
    Flag(String),
}

impl std::fmt::Display for Origin {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Default => formatter.write_str("default"),
            Self::Profile(profile) => write!(formatter, "profile {profile}"),
            Self::Before => formatter.write_str("brought up with before"),
            Self::File { path, line } => {
                write!(formatter, "{}:{line}", path.file_name().unwrap_or_default().display())
            }
            Self::Variable(name) => formatter.write_str(name),
            Self::Flag(option) => formatter.write_str(option),
        }
    }
}

/// One setting.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Setting {
    /// Its key in `windtunnel.yaml`, or in the profile.
    pub key: &'static str,
    /// Its value; null where it has none.
    pub value: Value,
    /// Where that comes from.
    #[serde(flatten)]
    pub origin: Origin,
}

/// The layers that a plan was made of.
#[derive(Clone, Copy)]
pub struct Layers<'a> {
    /// What was given on the command line or by variables, and by which, for a key.
    pub given: &'a dyn Fn(&str) -> Option<Origin>,
    /// What the project's file says, and in which line a key stands.
    pub file: &'a Wishes,
    /// The origin that a key of the file has.
    pub in_file: &'a dyn Fn(&str) -> Option<Origin>,
    /// Whether the environment was brought up before.
    pub before: bool,
}

impl Plan {
    /// Every setting, in the order of `windtunnel.yaml`, then what the profile says.
    #[must_use]
    pub fn settings(&self, layers: Layers<'_>) -> Vec<Setting> {
        let (mut driver, mut runtime, mut kubeconfig) = (Value::Null, Value::Null, Value::Null);
        let (mut cpus, mut memory) = (Value::Null, Value::Null);
        match &self.cluster {
            ClusterPlan::Kind => {}
            ClusterPlan::Minikube { driver: named, container_runtime, cpus: number, memory: size } => {
                (driver, runtime) = (json!(named), json!(container_runtime));
                (cpus, memory) = (json!(number), json!(size));
            }
            ClusterPlan::Existing { kubeconfig: file, .. } => kubeconfig = json!(file),
        }
        // The nodes of a cluster that exists see no folder of this machine.
        let dags = if self.cluster.provider().sees_dag_folder() { json!(self.dags) } else { Value::Null };
        let own = [
            ("name", json!(self.name)),
            ("provider", json!(self.cluster.provider())),
            ("driver", driver),
            ("container-runtime", runtime),
            ("cpus", cpus),
            ("memory", memory),
            ("context", json!(self.context())),
            ("kubeconfig", kubeconfig),
            ("profile", json!(self.profile_origin)),
            ("executor", json!(self.executor)),
            ("dags", dags),
            ("dags-claim", json!(self.dags_claim)),
            ("port", json!(self.port)),
            ("namespace", json!(self.namespace)),
            ("bundle", json!(self.bundle)),
            ("values", json!(self.values)),
            ("set", json!(self.set)),
            ("timeout", json!(self.timeout.as_secs())),
        ];
        let of_profile = [("stack", json!(self.profile.stack)), ("airflow", json!(self.profile.airflow))];
        let origin = Origin::Profile(self.profile_origin.clone());
        own.into_iter()
            .map(|(key, value)| {
                let origin = layers.origin(key, &value);
                Setting { key, value, origin }
            })
            .chain(of_profile.map(|(key, value)| Setting { key, value, origin: origin.clone() }))
            .collect()
    }
}

impl Layers<'_> {
    fn origin(&self, key: &str, value: &Value) -> Origin {
        // A detail of a cluster that is not the chosen one has no value, and then no other origin than that.
        if value.is_null() {
            return Origin::Default;
        }
        if let Some(origin) = (self.given)(key) {
            return origin;
        }
        if self.file.says(key)
            && let Some(origin) = (self.in_file)(key)
        {
            return origin;
        }
        // A deadline belongs to a run, not to an environment; an environment's name is what it is found by.
        let is_kept = self.before && !["name", "timeout"].contains(&key);
        if is_kept && *value != json!([]) { Origin::Before } else { Origin::Default }
    }
}

impl Wishes {
    /// Whether anything was said about the setting of this key.
    #[must_use]
    pub fn says(&self, key: &str) -> bool {
        match key {
            "name" => self.name.is_some(),
            "provider" => self.provider.is_some(),
            "driver" => self.driver.is_some(),
            "container-runtime" => self.container_runtime.is_some(),
            "cpus" => self.cpus.is_some(),
            "memory" => self.memory.is_some(),
            "context" => self.context.is_some(),
            "kubeconfig" => self.kubeconfig.is_some(),
            "profile" => self.profile.is_some(),
            "executor" => self.executor.is_some(),
            "dags" => self.dags.is_some(),
            "dags-claim" => self.dags_claim.is_some(),
            "port" => self.port.is_some(),
            "namespace" => self.namespace.is_some(),
            "bundle" => self.bundle.is_some(),
            "values" => !self.values.is_empty(),
            "set" => !self.set.is_empty(),
            "timeout" => self.timeout.is_some(),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::profile;

    #[test]
    fn the_strongest_layer_that_speaks_is_the_origin() {
        let file = Wishes { port: Some(7171), dags: Some("/project/flows".into()), ..Wishes::default() };
        let given = Wishes { port: Some(8080), ..Wishes::default() };
        let profile = profile::shipped("lite").unwrap();
        let wishes = given.over(file.clone());
        let plan = super::super::resolve(&wishes, None, "lite".to_owned(), profile, Path::new("/project"), &[]);
        let settings = plan.unwrap().settings(Layers {
            given: &|key| (key == "port").then(|| Origin::Flag("--port".to_owned())),
            file: &file,
            in_file: &|_| Some(Origin::File { path: "/project/windtunnel.yaml".into(), line: 2 }),
            before: false,
        });
        let of = |key: &str| settings.iter().find(|setting| setting.key == key).unwrap();
        assert_eq!((&of("port").value, of("port").origin.to_string().as_str()), (&json!(8080), "--port"));
        assert_eq!(of("dags").origin.to_string(), "windtunnel.yaml:2");
        assert_eq!(of("namespace").origin, Origin::Default);
        assert_eq!(of("airflow").origin.to_string(), "profile lite");
    }
}
