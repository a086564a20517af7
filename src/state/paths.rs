//! Where things are kept.

use std::path::{Path, PathBuf};

use crate::error::{During, Failure, Kind};

/// The folders of this user's windtunnel.
#[derive(Clone, Debug)]
pub struct Paths {
    state: PathBuf,
}

impl Paths {
    /// `state` holds everything that must outlive a reboot, by default `~/.local/state/windtunnel`.
    #[must_use]
    pub const fn new(state: PathBuf) -> Self {
        Self { state }
    }

    /// The folder of all that is remembered, which `WINDTUNNEL_STATE` names.
    #[must_use]
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// The paths of one environment, which need not exist.
    #[must_use]
    pub fn environment(&self, name: &str) -> EnvironmentPaths {
        EnvironmentPaths { root: self.environments().join(name) }
    }

    /// The names of all environments that have a folder, sorted.
    ///
    /// # Errors
    /// The folder of environments exists and cannot be read.
    pub fn environment_names(&self) -> Result<Vec<String>, Failure> {
        let folder = self.environments();
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error).during(Kind::Usage, format!("cannot read {}", folder.display())),
        };
        let mut names: Vec<String> = entries
            .filter_map(Result::ok)
            .filter(|entry| entry.path().is_dir())
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        names.sort();
        Ok(names)
    }

    /// Which network of kind's nodes came with a node of windtunnel's.
    #[must_use]
    pub fn kind_network(&self) -> PathBuf {
        self.state.join("kind-network")
    }

    fn environments(&self) -> PathBuf {
        self.state.join("environments")
    }
}

/// The files of one environment.
#[derive(Clone, Debug)]
pub struct EnvironmentPaths {
    root: PathBuf,
}

impl EnvironmentPaths {
    /// The folder itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What was asked for and made: [`crate::state::Record`].
    #[must_use]
    pub fn record(&self) -> PathBuf {
        self.root.join("environment.json")
    }

    /// The same again: what befalls one file need not befall the other, and a cluster that does not run cannot be asked.
    #[must_use]
    pub fn record_copy(&self) -> PathBuf {
        self.root.join("environment.copy.json")
    }

    /// Keys and passwords: [`crate::state::Credentials`].
    #[must_use]
    pub fn credentials(&self) -> PathBuf {
        self.root.join("credentials.json")
    }

    /// The private kubeconfig, the only one that windtunnel uses.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.root.join("kubeconfig")
    }

    /// The configuration that the cluster was made with.
    #[must_use]
    pub fn kind_config(&self) -> PathBuf {
        self.root.join("kind.json")
    }

    /// There while the cluster is being made or removed: found by a later run, it means that this was cut short.
    #[must_use]
    pub fn incomplete(&self) -> PathBuf {
        self.root.join("incomplete")
    }

    /// There while a node that runs is being stopped: found by a later run, it means that the stopping was cut short.
    #[must_use]
    pub fn stopping(&self) -> PathBuf {
        self.root.join("stopping")
    }

    /// The chart of a Helm release, as last installed from the binary.
    #[must_use]
    pub fn chart(&self, release: &str) -> PathBuf {
        self.root.join(self.of_release("chart", release, ""))
    }

    /// windtunnel's values of a Helm release, as last installed.
    #[must_use]
    pub fn values(&self, release: &str) -> PathBuf {
        self.root.join(self.of_release("values", release, ".json"))
    }

    /// The images that the charts named, and what they were made of.
    #[must_use]
    pub fn rendered(&self) -> PathBuf {
        self.root.join("rendered.json")
    }

    /// A file's name for Airflow's own release, which has the environment's name, or for another one of it.
    fn of_release(&self, what: &str, release: &str, ending: &str) -> String {
        let is_airflow = self.root.file_name().is_some_and(|name| name == release);
        if is_airflow { format!("{what}{ending}") } else { format!("{what}-{release}{ending}") }
    }

    /// The folder whose DAGs `smoke` puts before Airflow, next to the user's own.
    #[must_use]
    pub fn smoke_dags(&self) -> PathBuf {
        self.root.join("smoke")
    }

    /// What the running forward says of itself.
    #[must_use]
    pub fn forward(&self) -> PathBuf {
        self.root.join("forward.json")
    }

    /// Held by the forward for as long as it lives.
    #[must_use]
    pub fn forward_lock(&self) -> PathBuf {
        self.root.join("forward.lock")
    }

    /// The forward's log.
    #[must_use]
    pub fn forward_log(&self) -> PathBuf {
        self.root.join("forward.log")
    }

    /// The events of the last `up`, one JSON object a line: its steps with their times, and how it ended.
    #[must_use]
    pub fn events(&self) -> PathBuf {
        self.root.join("events.jsonl")
    }

    /// There while a restore lets Airflow rest and changes databases: the keys that the new one needs.
    #[must_use]
    pub fn restoring(&self) -> PathBuf {
        self.root.join("restoring.json")
    }

    /// Held by the one command that changes the environment.
    #[must_use]
    pub fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    /// Makes the folder, for this user only, and in it the one that the cluster's pods read.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn create(&self) -> Result<(), Failure> {
        use std::os::unix::fs::DirBuilderExt;
        let make = |folder: &Path, mode| std::fs::DirBuilder::new().recursive(true).mode(mode).create(folder);
        make(&self.root, 0o700)
            .and_then(|()| make(&self.smoke_dags(), 0o755))
            .during(Kind::Usage, format!("cannot make the folder {}", self.root.display()))
    }

    /// Removes the folder and all in it.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn remove(&self) -> Result<(), Failure> {
        match std::fs::remove_dir_all(&self.root) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).during(Kind::Usage, format!("cannot remove the folder {}", self.root.display()))
            }
            _ => Ok(()),
        }
    }
}
