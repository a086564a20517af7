//! What was asked for and made: how every later command finds an environment again.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::plan::ClusterPlan;
use crate::profile::{Executor, StackName};

use super::credentials::bytes;
use super::{EnvironmentPaths, ExtraPort, read_json, write_json};
use crate::error::{Failure, Kind};

/// The format of the record that this version writes and reads.
pub const FORMAT: u32 = 1;

/// One environment as last brought up.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// [`FORMAT`].
    pub format: u32,
    /// The environment's name, which is the release's as well, and that of a cluster that windtunnel made.
    pub name: String,
    /// What tells it from every other environment of its name; records of before there were ids have none.
    #[serde(default)]
    pub id: Option<String>,
    /// The cluster.
    #[serde(default)]
    pub cluster: ClusterPlan,
    /// The kubeconfig context, always given explicitly.
    pub context: String,
    /// The namespace of the release.
    pub namespace: String,
    /// The local port of the forward, on 127.0.0.1.
    pub port: u16,
    /// The host folder that Airflow reads DAGs from.
    pub dags: PathBuf,
    /// Whether windtunnel made that folder.
    pub made_dags: bool,
    /// The claim that holds the DAGs where nodes do not see that folder.
    #[serde(default)]
    pub dags_claim: Option<String>,
    /// The profile's name, or the path of a file of the user's.
    pub profile: String,
    /// The chart's kind.
    #[serde(default)]
    pub stack: StackName,
    /// The Airflow that is expected to run.
    #[serde(default = "first_airflow")]
    pub airflow: semver::Version,
    /// The bundle that the images came from.
    pub bundle: Option<PathBuf>,
    /// What runs the tasks.
    #[serde(default)]
    pub executor: Executor,
    /// The user's values files.
    #[serde(default)]
    pub values: Vec<PathBuf>,
    /// The user's single values.
    #[serde(default)]
    pub set: Vec<String>,
    /// The parts of Airflow that the user's values leave out, as its health document has them.
    #[serde(default)]
    pub left_out: Vec<String>,
    /// The ports that the forward serves beside that of the web interface.
    #[serde(default)]
    pub also: Vec<ExtraPort>,
    /// When it was brought up for the first time; records of before do not say.
    #[serde(default)]
    pub made: Option<Timestamp>,
    /// The images that were used.
    pub images: Vec<RecordedImage>,
}

/// One image of an environment.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RecordedImage {
    /// `node`, `airflow` or `database`.
    pub role: String,
    /// As Docker names it.
    pub reference: String,
}

/// What every environment had before records said which.
const fn first_airflow() -> semver::Version {
    semver::Version::new(3, 3, 2)
}

/// Draws the id of a new environment: 80 bits, as a value of a label.
///
/// # Errors
/// The operating system has no randomness to give.
pub fn new_id() -> Result<String, Failure> {
    Ok(bytes::<10>()?.iter().map(|byte| format!("{byte:02x}")).collect())
}

impl Record {
    /// The record of an environment, if there is one.
    ///
    /// # Errors
    /// The file is damaged or of a newer windtunnel.
    pub fn load(paths: &EnvironmentPaths) -> Result<Option<Self>, Failure> {
        let read = read_json::<Self>(&paths.record());
        let hint = "remove the file: `windtunnel up` and `windtunnel down` go on without it, by the options you give";
        let Some(record) = read.map_err(|failure| failure.hint(hint))? else { return Ok(None) };
        if record.format != FORMAT {
            return Err(Failure::usage(format!(
                "{} is of format {}, this windtunnel reads {FORMAT}",
                paths.record().display(),
                record.format
            ))
            .hint("use the windtunnel that made this environment"));
        }
        Ok(Some(record))
    }

    /// The record of an environment that must be there.
    ///
    /// # Errors
    /// As [`Record::load`]; no environment where there is none.
    pub fn require(paths: &EnvironmentPaths, name: &str) -> Result<Self, Failure> {
        Self::load(paths)?.ok_or_else(|| Self::missing(name))
    }

    /// That there is no environment of this name.
    #[must_use]
    pub fn missing(name: &str) -> Failure {
        Failure::new(Kind::NoEnvironment, format!("there is no environment `{name}`"))
            .hint("to make it: `windtunnel up`")
    }

    /// Writes the record.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, paths: &EnvironmentPaths) -> Result<(), Failure> {
        write_json(&paths.record(), self)
    }
}
