//! What was asked for and made: how every later command finds an environment again.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::credentials::bytes;
use super::document::{self, Document, Kept, Step};
use super::{EnvironmentPaths, ExtraPort, remove_file};
use crate::error::{Failure, Kind};
use crate::plan::ClusterPlan;
use crate::profile::{Executor, StackName};

/// One environment as last brought up.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The environment's name, which is the release's as well, and that of a cluster that windtunnel made.
    pub name: String,
    /// What tells it from every other environment of its name; records of before there were ids have none.
    pub id: Option<String>,
    /// The cluster.
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
    pub dags_claim: Option<String>,
    /// The profile's name, or the path of a file of the user's.
    pub profile: String,
    /// The chart's kind.
    pub stack: StackName,
    /// The Airflow that is expected to run.
    pub airflow: semver::Version,
    /// The bundle that the images came from.
    pub bundle: Option<PathBuf>,
    /// What runs the tasks.
    pub executor: Executor,
    /// The user's values files.
    pub values: Vec<PathBuf>,
    /// The user's single values.
    pub set: Vec<String>,
    /// The parts of Airflow that the user's values leave out, as its health document has them.
    pub left_out: Vec<String>,
    /// The ports that the forward serves beside that of the web interface.
    pub also: Vec<ExtraPort>,
    /// When it was brought up for the first time; records of before do not say.
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

impl Document for Record {
    const STEPS: &'static [Step] = &[say_all];
}

/// Format 1 left out what an environment could not yet have when it was written; format 2 says all of it, and which windtunnel wrote it.
fn say_all(record: &mut Map<String, Value>) {
    for (key, value) in [
        ("id", Value::Null),
        ("cluster", json!({"provider": "kind"})),
        ("stack", json!("lite")),
        ("airflow", json!("3.3.2")),
        ("executor", json!("kubernetes")),
        ("values", json!([])),
        ("set", json!([])),
        ("left_out", json!([])),
        ("also", json!([])),
    ] {
        record.entry(key).or_insert(value);
    }
}

/// Draws the id of a new environment: 80 bits, as a value of a label.
///
/// # Errors
/// The operating system has no randomness to give.
pub fn new_id() -> Result<String, Failure> {
    Ok(format!("{:020x}", u128::from_be_bytes(bytes()?) >> 48))
}

impl Record {
    /// The record of an environment, if there is one.
    ///
    /// # Errors
    /// The file is damaged or of a newer windtunnel.
    pub fn load(paths: &EnvironmentPaths) -> Result<Option<Self>, Failure> {
        Self::kept(paths).into_result()
    }

    /// The same, told apart.
    #[must_use]
    pub fn kept(paths: &EnvironmentPaths) -> Kept<Self> {
        match document::read(&paths.record()) {
            Kept::Damaged(failure) => Kept::Damaged(
                failure
                    .hint("its cluster keeps a copy: let it run, then run the same command again")
                    .hint("or put the file back from a backup of this machine")
                    .hint(format!("if nothing of its cluster is left: remove {}", paths.root().display())),
            ),
            kept => kept,
        }
    }

    /// The copy beside it, for where the record is lost.
    #[must_use]
    pub fn copy(paths: &EnvironmentPaths) -> Kept<Self> {
        document::read(&paths.record_copy())
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

    /// Writes the record, and its copy beside it.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn save(&self, paths: &EnvironmentPaths) -> Result<(), Failure> {
        document::write(&paths.record(), self)?;
        document::write(&paths.record_copy(), self)
    }

    /// Removes both.
    ///
    /// # Errors
    /// A file cannot be removed.
    pub fn forget(paths: &EnvironmentPaths) -> Result<(), Failure> {
        remove_file(&paths.record_copy())?;
        remove_file(&paths.record())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Paths;

    /// Records as windtunnel wrote them in each format, from the first on. What is in them is never changed: people have such files.
    const WRITTEN: [(&str, &str); 2] = [
        ("format 1, at first", include_str!("testdata/record-1-first.json")),
        ("format 1, at last", include_str!("testdata/record-1-last.json")),
    ];

    #[test]
    fn what_older_ones_wrote_is_read_and_stays_what_it_says() {
        for (which, text) in WRITTEN {
            let record: Record =
                document::parse(text.as_bytes()).unwrap_or_else(|trouble| panic!("{which}: {trouble:?}"));
            let said: Map<String, Value> = serde_json::from_str(text).unwrap();
            let kept = serde_json::to_value(&record).unwrap();
            for (key, value) in said.iter().filter(|(key, _)| *key != "format") {
                assert_eq!(&kept[key], value, "{which}: {key}");
            }
        }
    }

    #[test]
    fn what_the_first_ones_did_not_say_is_what_there_was() {
        let record: Record = document::parse(WRITTEN[0].1.as_bytes()).unwrap();
        assert_eq!(
            (record.cluster, record.stack, record.executor),
            (ClusterPlan::Kind, StackName::Lite, Executor::Kubernetes)
        );
        assert_eq!((record.airflow, record.made), (semver::Version::new(3, 3, 2), None));
    }

    #[test]
    fn one_that_is_brought_forward_is_saved_in_todays_format() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::new(folder.path().into()).environment("demo");
        paths.create().unwrap();
        std::fs::write(paths.record(), WRITTEN[1].1).unwrap();
        let record = Record::load(&paths).unwrap().unwrap();
        record.save(&paths).unwrap();
        let text = std::fs::read_to_string(paths.record()).unwrap();
        assert!(text.contains(r#""format": 2"#) && text.contains(env!("CARGO_PKG_VERSION")), "{text}");
        assert_eq!(Record::load(&paths).unwrap().unwrap(), record);
    }
}
