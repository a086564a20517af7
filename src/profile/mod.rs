//! The profile document: a stack, versions, images and values, as YAML. Pure: text in, a checked document or an error with its line out.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::Failure;

/// The profile used when none is named.
pub const DEFAULT: &str = "lite";

/// The profiles that come with the binary: name and text.
pub const SHIPPED: [(&str, &str); 1] = [("lite", include_str!("../../profiles/lite.yaml"))];

/// A profile: which chart, which versions, which images, which values.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[schemars(title = "windtunnel profile")]
pub struct Profile {
    /// What the profile is for, in one sentence.
    pub description: String,
    /// Which chart is installed.
    pub stack: StackName,
    /// The Airflow that is expected to run.
    pub airflow: Airflow,
    /// Where the images come from when there is no bundle.
    pub images: Images,
    /// Values for the chart, over windtunnel's own.
    #[serde(default)]
    pub values: serde_json::Map<String, serde_json::Value>,
}

/// A chart that windtunnel knows how to install and judge.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StackName {
    /// windtunnel's own small chart: one pod for Airflow, one for PostgreSQL, workers as pods.
    Lite,
}

impl std::fmt::Display for StackName {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Lite => "lite",
        })
    }
}

/// What runs an Airflow's tasks.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Executor {
    /// A pod for each task.
    #[default]
    Kubernetes,
    /// Processes beside the scheduler.
    Local,
    /// Workers that stay, behind a Redis.
    Celery,
}

impl Executor {
    /// Airflow's name of it.
    #[must_use]
    pub const fn airflow_name(self) -> &'static str {
        match self {
            Self::Kubernetes => "KubernetesExecutor",
            Self::Local => "LocalExecutor",
            Self::Celery => "CeleryExecutor",
        }
    }
}

/// What is known of Airflow before it runs.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Airflow {
    /// The version in the image: `3.3.2`.
    pub version: semver::Version,
}

/// Image references, as one would pull them.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Images {
    /// The kind node.
    pub node: String,
    /// Airflow, for every component and the worker pods.
    pub airflow: String,
    /// PostgreSQL.
    pub database: String,
}

/// Reads a profile. `origin` is its name or path, for errors.
///
/// # Errors
/// The text is not a profile: the error has its line and column, and names the key.
pub fn parse(text: &str, origin: &str) -> Result<Profile, Failure> {
    serde_yaml::from_str(text).map_err(|error| {
        Failure::usage(format!("the profile {origin} is not valid")).evidence(error.to_string()).hint(
            "the keys are those of `profiles/lite.yaml`; an editor checks them with `profiles/profile.schema.json`",
        )
    })
}

/// A shipped profile by its name.
///
/// # Errors
/// There is none of that name; the ones there are, are named.
pub fn shipped(name: &str) -> Result<Profile, Failure> {
    match SHIPPED.iter().find(|(shipped, _)| *shipped == name) {
        Some((_, text)) => parse(text, name),
        None => Err(Failure::usage(format!("there is no profile `{name}`")).hint(format!(
            "shipped profiles: {}; a file of your own is named by its path: `--profile ./{name}.yaml`",
            SHIPPED.map(|(name, _)| name).join(", ")
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_profile_is_valid_and_pins_its_images() {
        for (name, _) in SHIPPED {
            let profile = shipped(name).unwrap();
            for image in [&profile.images.node, &profile.images.airflow, &profile.images.database] {
                let tag = image.rsplit_once(':').map(|(_, tag)| tag);
                assert!(tag.is_some_and(|tag| tag != "latest"), "{name}: {image} has no version");
            }
            assert!(profile.images.airflow.contains(&profile.airflow.version.to_string()), "{name}");
        }
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line() {
        let text = SHIPPED[0].1.replace("stack:", "stak:");
        let failure = parse(&text, "mine.yaml").unwrap_err();
        assert!(failure.evidence[0].contains("unknown field `stak`"), "{:?}", failure.evidence);
        assert!(failure.evidence[0].contains("line"), "{:?}", failure.evidence);
    }

    #[test]
    fn values_keep_the_words_that_yaml_1_1_takes_for_booleans() {
        let text = format!("{}\nvalues: {{switch: 'yes', octal: '012', time: '12:30'}}", SHIPPED[0].1);
        let profile = parse(&text, "mine.yaml").unwrap();
        let json = serde_json::to_string(&profile.values).unwrap();
        assert_eq!(json, r#"{"octal":"012","switch":"yes","time":"12:30"}"#);
    }

    #[test]
    fn the_schema_for_editors_is_up_to_date() {
        let generated = serde_json::to_string_pretty(&schemars::schema_for!(Profile)).unwrap() + "\n";
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/profiles/profile.schema.json");
        if std::fs::read_to_string(path).is_ok_and(|committed| committed == generated) {
            return;
        }
        std::fs::write(path, generated).unwrap();
        panic!("profiles/profile.schema.json was out of date and has been written anew: commit it");
    }
}
