//! `windtunnel.yaml`: the settings of an environment, in the folder of its project. Its keys are the options of `up`.
//!
//! Consents (`--allow-remote`, `--adopt-namespace`) are no keys: who runs the command gives them, not who wrote the file.

use std::num::{NonZeroU16, NonZeroU32, NonZeroU64};
use std::path::{Path, PathBuf};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ContainerRuntime, Provider, Wishes, inside, is_path};
use crate::error::Failure;
use crate::profile::Executor;

/// The file's name.
pub const FILE: &str = "windtunnel.yaml";

/// Each key, what it is for, and what stands for it where it is not set.
const KEYS: [(&str, &str, &str); 18] = [
    ("name", "The environment, its cluster and its release.", "name: airflow-cluster"),
    ("provider", "What provides the cluster: kind, minikube or existing.", "provider: kind"),
    ("driver", "The driver of a minikube cluster.", "driver: docker"),
    (
        "container-runtime",
        "What runs the containers of a minikube cluster: containerd or docker.",
        "container-runtime: containerd",
    ),
    ("cpus", "The processors of a new minikube cluster; without this, all that its driver has.", "cpus: 4"),
    ("memory", "The memory of a new minikube cluster; without this, all that its driver has.", "memory: 6g"),
    ("context", "The kubeconfig context of an existing cluster.", "context: my-cluster"),
    ("kubeconfig", "The kubeconfig that names it; without this, your own.", "kubeconfig: kubeconfig.yaml"),
    ("profile", "Which Airflow: a name of `windtunnel profiles`, or a file.", "profile: lite"),
    ("executor", "What runs the tasks: kubernetes, local or celery.", "executor: kubernetes"),
    ("dags", "The folder with your DAGs, seen live by Airflow.", "dags: dags"),
    ("dags-claim", "The PersistentVolumeClaim with the DAGs of an existing cluster.", "dags-claim: dags"),
    ("port", "The port of the web interface, on 127.0.0.1.", "port: 7070"),
    ("namespace", "The namespace of the release; without this, the environment's name.", "namespace: airflow-cluster"),
    ("bundle", "Images and tools from this bundle, and nothing from a registry.", "bundle: bundle"),
    ("values", "Values files for Helm, which win over the profile.", "values: [values.yaml]"),
    ("set", "Single values for Helm, which win over the files.", "set: [key=value]"),
    ("timeout", "How many seconds to wait for the pods.", "timeout: 900"),
];

/// Options of `up` that are no keys.
const CONSENTS: [&str; 2] = ["--allow-remote", "--adopt-namespace"];
/// How near to a key a word must be to be taken for it, by Jaro's measure: `prot` and `port` have 0.92.
const NEAR: f64 = 0.7;

/// The document. Paths in it are relative to its folder.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(title = "windtunnel.yaml")]
pub struct ProjectFile {
    /// The environment, its cluster and its release.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What provides the cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<Provider>,
    /// The driver of a minikube cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// What runs the containers of a minikube cluster.
    #[serde(rename = "container-runtime", skip_serializing_if = "Option::is_none")]
    pub container_runtime: Option<ContainerRuntime>,
    /// The processors of a new minikube cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpus: Option<NonZeroU32>,
    /// The memory of a new minikube cluster: `6g`, `6144m`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<String>,
    /// The kubeconfig context of a cluster that is there already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// The kubeconfig file that names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kubeconfig: Option<PathBuf>,
    /// A shipped profile's name or a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// What runs the tasks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executor: Option<Executor>,
    /// The DAG folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dags: Option<PathBuf>,
    /// The PersistentVolumeClaim that holds the DAGs of a cluster that is there already.
    #[serde(rename = "dags-claim", skip_serializing_if = "Option::is_none")]
    pub dags_claim: Option<String>,
    /// The port of the web interface, on 127.0.0.1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<NonZeroU16>,
    /// The namespace of the release.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// A bundle's folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bundle: Option<PathBuf>,
    /// Values files for Helm, in order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub values: Option<Vec<PathBuf>>,
    /// Single values for Helm, in order, as `helm --set` takes them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set: Option<Vec<String>>,
    /// How many seconds to wait for the pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<NonZeroU64>,
}

impl ProjectFile {
    /// Reads the document; one that says nothing is as good as any. `path` is for errors.
    ///
    /// # Errors
    /// Usage, with line and column; for an unknown key, the nearest that there is.
    pub fn parse(text: &str, path: &Path) -> Result<Self, Failure> {
        let file: Self = serde_yaml::from_str::<Option<Self>>(text)
            .map_err(|error| refused(&error.to_string().replace("struct ProjectFile", "keys with values"), text, path))?
            .unwrap_or_default();
        let of_shell = file.paths().find(|named| named.starts_with("~")).cloned();
        match of_shell {
            None => Ok(file),
            Some(named) => Err(Failure::usage(format!("{} is not valid", path.display()))
                .evidence(format!("`{}`: only a shell knows what `~` stands for", named.display()))
                .hint("write the path in full, or relative to the folder of the file")),
        }
    }

    /// The settings as wishes, paths made absolute; `folder` is the file's.
    #[must_use]
    pub fn wishes(&self, folder: &Path) -> Wishes {
        let absolute = |path: &Option<PathBuf>| path.as_ref().map(|path| inside(folder, path));
        let profile = self.profile.as_ref().map(|profile| {
            if is_path(profile) {
                inside(folder, Path::new(profile)).to_string_lossy().into_owned()
            } else {
                profile.clone()
            }
        });
        Wishes {
            name: self.name.clone(),
            provider: self.provider,
            driver: self.driver.clone(),
            container_runtime: self.container_runtime,
            cpus: self.cpus,
            memory: self.memory.clone(),
            context: self.context.clone(),
            kubeconfig: absolute(&self.kubeconfig),
            allow_remote: false,
            namespace: self.namespace.clone(),
            port: self.port.map(NonZeroU16::get),
            dags: absolute(&self.dags),
            dags_claim: self.dags_claim.clone(),
            profile,
            bundle: absolute(&self.bundle),
            executor: self.executor,
            values: self.values.iter().flatten().map(|path| inside(folder, path)).collect(),
            set: self.set.clone().unwrap_or_default(),
            adopt_namespace: false,
            timeout: self.timeout.map(|seconds| Duration::from_secs(seconds.get())),
        }
    }

    fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        let single = [&self.kubeconfig, &self.dags, &self.bundle];
        single.into_iter().flatten().chain(self.values.iter().flatten())
    }
}

/// What is wrong with a document. The parser names the key and the place, and every key that it would have taken.
fn refused(error: &str, text: &str, path: &Path) -> Failure {
    let failure = Failure::usage(format!("{} is not valid", path.display()));
    let unknown = error.split_once("unknown field `").and_then(|(_, rest)| rest.split_once('`')).map(|(key, _)| key);
    let Some(unknown) = unknown else {
        return failure.evidence(error).hint("every key with what it takes: `windtunnel init`, in another folder");
    };
    let failure = failure.evidence(format!("unknown key `{unknown}` in line {}", line_of(text, unknown)));
    if let Some(consent) = CONSENTS.iter().find(|consent| consent[2..] == unknown.replace('_', "-")) {
        return failure.hint(format!("this is for you to say each time, not for a file: `windtunnel up {consent}`"));
    }
    let keys = KEYS.iter().map(|(key, ..)| *key);
    let near = keys.clone().max_by(|one, other| strsim::jaro(one, unknown).total_cmp(&strsim::jaro(other, unknown)));
    failure.hint(match near.filter(|near| strsim::jaro(near, unknown) > NEAR) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("the keys are: {}", keys.collect::<Vec<_>>().join(", ")),
    })
}

/// The text of a file with these settings: every key with what it is for, those that are not set as comments.
#[must_use]
pub fn render(file: &ProjectFile) -> String {
    let values = serde_json::to_value(file).unwrap_or_default();
    let mut text =
        "# The settings of windtunnel in this folder and those below; `windtunnel config show` says what counts.\n\
                    # Options and WINDTUNNEL_* variables win over this file. Paths are relative to its folder.\n"
            .to_owned();
    for (key, comment, example) in KEYS {
        let line = match values.get(key) {
            // JSON is YAML, and is right about what must be quoted.
            Some(value) => format!("{key}: {}", plain(value)),
            None => format!("# {example}"),
        };
        text.extend(["\n# ", comment, "\n", &line, "\n"]);
    }
    text
}

/// A value in YAML on one line, without quotes where it means the same.
fn plain(value: &serde_json::Value) -> String {
    let is_plain = |text: &&str| {
        !text.is_empty()
            && text.chars().all(|sign| sign.is_ascii_alphanumeric() || "-_./@".contains(sign))
            && serde_yaml::from_str::<serde_json::Value>(text).is_ok_and(|read| read == **text)
    };
    value.as_str().filter(is_plain).map_or_else(|| value.to_string(), str::to_owned)
}

/// The line that a key stands in, counted from one.
#[must_use]
pub(crate) fn line_of(text: &str, key: &str) -> usize {
    let is_key = |line: &str| line.strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with(':'));
    text.lines().position(is_key).map_or(1, |line| line + 1)
}

#[cfg(test)]
mod tests;
