//! What the user means: flags, variables, `windtunnel.yaml`, what the environment was brought up with before, the profile and the
//! defaults, resolved and valid. Pure.

mod cluster;
mod file;
mod kubectl;
mod name;
mod settings;
mod wishes;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::Failure;
use crate::profile::{Executor, Profile};
use crate::state::Record;
pub use cluster::{ClusterPlan, ContainerRuntime, Provider, check_memory};
pub(crate) use file::line_of;
pub use file::{FILE, ProjectFile, render};
pub use kubectl::kubectl;
pub use name::check as check_name;
pub use settings::{Layers, Origin, Setting};
pub use wishes::Wishes;

/// The environment, release and namespace used when none is named.
pub const DEFAULT_NAME: &str = "airflow-cluster";
/// The local port used when none is named.
pub const DEFAULT_PORT: u16 = 7070;
/// The DAG folder used when none is named, in the folder of the command.
pub const DEFAULT_DAGS: &str = "dags";
/// How long `up` waits for the pods when there is neither progress to see nor a terminal cause.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_mins(15);

/// An environment as it is to be.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The environment's name; the release has it too, and a cluster that windtunnel makes.
    pub name: String,
    /// What tells it from every other environment of its name, once it has been brought up.
    pub id: Option<String>,
    /// The cluster.
    pub cluster: ClusterPlan,
    /// Use a cluster that does not look like one of this machine.
    pub allow_remote: bool,
    /// The namespace of the release.
    pub namespace: String,
    /// The local port of the forward, on 127.0.0.1.
    pub port: u16,
    /// The DAG folder, absolute. A cluster that exists does not see it.
    pub dags: PathBuf,
    /// The PersistentVolumeClaim that holds the DAGs of a cluster that exists, in the release's namespace.
    pub dags_claim: Option<String>,
    /// The profile's name or its absolute path.
    pub profile_origin: String,
    /// The profile.
    pub profile: Profile,
    /// The bundle's folder, absolute.
    pub bundle: Option<PathBuf>,
    /// What runs the tasks.
    pub executor: Executor,
    /// The user's values files, absolute, in order: they win over windtunnel's own values and the profile's.
    pub values: Vec<PathBuf>,
    /// The user's single values, which win over the files.
    pub set: Vec<String>,
    /// Use a namespace that somebody else made and that holds something.
    pub adopt_namespace: bool,
    /// For how long nothing may move while pods are waited for.
    pub timeout: Duration,
}

impl Plan {
    /// The kubeconfig context of the environment's cluster.
    #[must_use]
    pub fn context(&self) -> String {
        self.cluster.context(&self.name)
    }

    /// The address of the web interface.
    #[must_use]
    pub fn url(&self) -> String {
        url(self.port)
    }
}

/// The address of a forward on this port.
#[must_use]
pub fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

/// The profile that a plan is to be made of: what was asked for, else what was used before, else the default.
#[must_use]
pub fn profile_origin(wishes: &Wishes, before: Option<&Record>, folder: &Path) -> String {
    match (&wishes.profile, before) {
        (Some(profile), _) if is_path(profile) => inside(folder, Path::new(profile)).to_string_lossy().into_owned(),
        (Some(profile), _) => profile.clone(),
        (None, Some(record)) => record.profile.clone(),
        (None, None) => crate::profile::DEFAULT.to_owned(),
    }
}

/// A path that was given in a folder, absolute and without the `.` that people type.
fn inside(folder: &Path, path: &Path) -> PathBuf {
    folder.join(path).components().collect()
}

/// Whether a profile is named by its path instead of its name.
#[must_use]
pub fn is_path(profile: &str) -> bool {
    profile.contains('/') || [".yaml", ".yml"].iter().any(|ending| profile.ends_with(ending))
}

/// Resolves the wishes. `before` is what the environment was last brought up with, which a wish overrides and a default
/// does not; `folder` is the folder of the command, `kubeconfig` the user's own kubeconfig.
///
/// # Errors
/// Usage, for a name or port that cannot be, or for a wish that only a new cluster could fulfil.
pub fn resolve(
    wishes: &Wishes,
    before: Option<&Record>,
    profile_origin: String,
    profile: Profile,
    folder: &Path,
    kubeconfig: &[PathBuf],
) -> Result<Plan, Failure> {
    let name = wishes.name.clone().unwrap_or_else(|| DEFAULT_NAME.to_owned());
    check_name("environment name", &name)?;
    let namespace = wishes
        .namespace
        .clone()
        .or_else(|| before.map(|record| record.namespace.clone()))
        .unwrap_or_else(|| name.clone());
    check_name("namespace", &namespace)?;
    let cluster = cluster::resolve(wishes, before, &name, kubeconfig, folder)?;
    let port = wishes.port.or_else(|| before.map(|record| record.port)).unwrap_or(DEFAULT_PORT);
    let dags = wishes
        .dags
        .as_ref()
        .map(|dags| inside(folder, dags))
        .or_else(|| before.map(|record| record.dags.clone()))
        .unwrap_or_else(|| folder.join(DEFAULT_DAGS));
    let dags_claim = wishes.dags_claim.clone().or_else(|| before.and_then(|record| record.dags_claim.clone()));
    let bundle = wishes
        .bundle
        .as_ref()
        .map(|bundle| inside(folder, bundle))
        .or_else(|| before.and_then(|record| record.bundle.clone()));
    let values = if wishes.values.is_empty() {
        before.map(|record| record.values.clone()).unwrap_or_default()
    } else {
        wishes.values.iter().map(|file| inside(folder, file)).collect()
    };
    let set = if wishes.set.is_empty() {
        before.map(|record| record.set.clone()).unwrap_or_default()
    } else {
        wishes.set.clone()
    };
    Ok(Plan {
        name,
        id: before.and_then(|record| record.id.clone()),
        cluster,
        allow_remote: wishes.allow_remote,
        namespace,
        port,
        dags,
        dags_claim,
        profile_origin,
        profile,
        bundle,
        executor: wishes.executor.or_else(|| before.map(|record| record.executor)).unwrap_or_default(),
        values,
        set,
        adopt_namespace: wishes.adopt_namespace,
        timeout: wishes.timeout.unwrap_or(DEFAULT_TIMEOUT),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile;

    fn plan(wishes: &Wishes, before: Option<&Record>) -> Result<Plan, Failure> {
        resolve(wishes, before, "lite".to_owned(), profile::shipped("lite").unwrap(), Path::new("/project"), &[])
    }

    fn record() -> Record {
        Record {
            name: "airflow-cluster".to_owned(),
            id: None,
            cluster: ClusterPlan::Kind,
            context: "kind-airflow-cluster".to_owned(),
            executor: Executor::Kubernetes,
            values: Vec::new(),
            set: Vec::new(),
            namespace: "airflow".to_owned(),
            port: 8081,
            dags: "/elsewhere/dags".into(),
            made_dags: false,
            dags_claim: None,
            profile: "lite".to_owned(),
            stack: profile::StackName::Lite,
            airflow: semver::Version::new(3, 3, 2),
            bundle: Some("/bundle".into()),
            left_out: Vec::new(),
            also: Vec::new(),
            made: None,
            images: Vec::new(),
        }
    }

    #[test]
    fn the_defaults_are_those_of_the_classic_sequence() {
        let plan = plan(&Wishes::default(), None).unwrap();
        assert_eq!(
            (plan.name.as_str(), plan.namespace.as_str(), plan.port),
            ("airflow-cluster", "airflow-cluster", 7070)
        );
        assert_eq!(plan.dags, Path::new("/project/dags"));
        assert_eq!(plan.context(), "kind-airflow-cluster");
    }

    #[test]
    fn a_wish_wins_over_the_record_and_the_record_over_a_default() {
        let before = record();
        let again = plan(&Wishes::default(), Some(&before)).unwrap();
        assert_eq!(
            (again.namespace.as_str(), again.port, again.dags.as_path()),
            ("airflow", 8081, Path::new("/elsewhere/dags"))
        );
        let wishes = Wishes { port: Some(9000), dags: Some("mine".into()), ..Wishes::default() };
        let changed = plan(&wishes, Some(&before)).unwrap();
        assert_eq!((changed.port, changed.dags.as_path()), (9000, Path::new("/project/mine")));
        assert_eq!(changed.bundle.as_deref(), Some(Path::new("/bundle")));
    }

    #[test]
    fn a_profile_is_a_path_only_if_it_looks_like_one() {
        let origin = |text: &str| {
            profile_origin(&Wishes { profile: Some(text.to_owned()), ..Wishes::default() }, None, Path::new("/project"))
        };
        assert_eq!(origin("lite"), "lite");
        assert_eq!(origin("mine.yaml"), "/project/mine.yaml");
        assert_eq!(origin("./profiles/./mine.yaml"), "/project/profiles/mine.yaml");
        assert_eq!(origin("/etc/mine"), "/etc/mine");
    }

    #[test]
    fn a_bad_name_is_a_usage_error() {
        let wishes = Wishes { name: Some("Air_flow".to_owned()), ..Wishes::default() };
        assert_eq!(plan(&wishes, None).unwrap_err().kind, crate::error::Kind::Usage);
    }
}
