//! The profile document: a stack, versions, images and values, as YAML. Pure: text in, a checked document or an error with its line out.

mod chart;
mod nearest;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::Failure;
pub use chart::{Chart, Place};
pub use nearest::nearest;

/// The profile used when none is named.
pub const DEFAULT: &str = "lite";

/// The profiles that come with the binary: name and text.
pub const SHIPPED: [(&str, &str); 4] = [
    ("lite", include_str!("../../profiles/lite.yaml")),
    ("official", include_str!("../../profiles/official.yaml")),
    ("official-2", include_str!("../../profiles/official-2.yaml")),
    ("community", include_str!("../../profiles/community.yaml")),
];

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
    /// The images. A bundle replaces those that are as in a profile of windtunnel's.
    pub images: Images,
    /// The chart, for every stack but `lite`, whose chart is in the binary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chart: Option<Chart>,
    /// Values for the chart, over windtunnel's own.
    #[serde(default)]
    pub values: serde_json::Map<String, serde_json::Value>,
}

/// A chart that windtunnel knows how to install and judge.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StackName {
    /// windtunnel's own small chart: one pod for Airflow, one for PostgreSQL, workers as pods.
    #[default]
    Lite,
    /// Apache's chart, or one that has it as a part: Airflow 3, and 2.11.
    Official,
    /// The community's chart 8.x, for Airflow 2.0 to 2.10.
    Community,
}

impl std::fmt::Display for StackName {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Lite => "lite",
            Self::Official => "official",
            Self::Community => "community",
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

/// Airflows that are spoken to and set up alike. What differs between them hangs on this, not on versions.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Generation {
    /// Airflow 2: `/api/v1` with basic authentication, `/health`, one DAG folder.
    Two,
    /// Airflow 3: `/api/v2` with tokens, DAG bundles, a DAG processor of its own.
    #[default]
    Three,
}

impl Generation {
    /// The generation of a version.
    #[must_use]
    pub const fn of(version: &semver::Version) -> Self {
        if version.major < 3 { Self::Two } else { Self::Three }
    }
}

impl Airflow {
    /// The generation of this Airflow.
    #[must_use]
    pub const fn generation(&self) -> Generation {
        Generation::of(&self.version)
    }
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
    /// Redis, which only `CeleryExecutor` needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redis: Option<String>,
}

/// Reads a profile. `origin` is its name or path, for errors.
///
/// # Errors
/// The text is not a profile: the error has its line and column, and names the key and the nearest one that there is.
pub fn parse(text: &str, origin: &str) -> Result<Profile, Failure> {
    let profile: Profile = serde_yaml::from_str(text).map_err(|error| {
        let complaint = error.to_string();
        let failure = Failure::usage(format!("the profile {origin} is not valid")).evidence(&complaint);
        let failure = match nearest::in_complaint(&complaint) {
            Some((written, meant)) => failure.hint(format!("did you mean `{meant}` instead of `{written}`?")),
            None => failure,
        };
        failure.hint(
            "the keys are those of `profiles/lite.yaml`; an editor checks them with `profiles/profile.schema.json`",
        )
    })?;
    check(&profile)
        .map_err(|failure| Failure { message: format!("the profile {origin}: {}", failure.message), ..failure })?;
    Ok(profile)
}

/// What only several keys together can get wrong.
fn check(profile: &Profile) -> Result<(), Failure> {
    match (&profile.chart, profile.stack) {
        (Some(_), StackName::Lite) => {
            Err(Failure::usage("`chart` does not go with the stack `lite`, whose chart is in windtunnel")
                .hint("for another chart: `stack: official` or `stack: community`"))
        }
        (None, StackName::Official | StackName::Community) => {
            Err(Failure::usage(format!("`chart` is missing, which the stack `{}` needs", profile.stack))
                .hint(format!("see what it says in `profiles/{}.yaml`", profile.stack)))
        }
        (chart, _) => chart.as_ref().map_or(Ok(()), Chart::check),
    }
}

/// A shipped profile by its name.
///
/// # Errors
/// There is none of that name; the ones there are, are named.
pub fn shipped(name: &str) -> Result<Profile, Failure> {
    parse(shipped_text(name)?, name)
}

/// The text of a shipped profile.
///
/// # Errors
/// As [`shipped`].
pub fn shipped_text(name: &str) -> Result<&'static str, Failure> {
    match SHIPPED.iter().find(|(shipped, _)| *shipped == name) {
        Some((_, text)) => Ok(text),
        None => Err(Failure::usage(format!("there is no profile `{name}`")).hint(format!(
            "shipped profiles: {}; a file of your own is named by its path: `--profile ./{name}.yaml`",
            SHIPPED.map(|(name, _)| name).join(", ")
        ))),
    }
}

/// Whether a shipped profile names this image, in any role.
///
/// # Errors
/// As [`shipped`].
pub fn ships_image(reference: &str) -> Result<bool, Failure> {
    for (name, _) in SHIPPED {
        let Images { node, airflow, database, redis } = shipped(name)?.images;
        if [Some(node), Some(airflow), Some(database), redis].contains(&Some(reference.to_owned())) {
            return Ok(true);
        }
    }
    Ok(false)
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
    fn the_bundles_of_the_build_have_the_airflow_of_their_profiles() {
        let versions = include_str!("../../scripts/images/versions.env");
        for (name, line) in
            [("lite", "AIRFLOW="), ("official", "AIRFLOW="), ("official-2", "OFFICIAL_2="), ("community", "COMMUNITY=")]
        {
            let value = versions.lines().find_map(|text| text.strip_prefix(line)).unwrap();
            let version = value.rsplit(":-").next().unwrap().trim_end_matches('}');
            assert_eq!(shipped(name).unwrap().airflow.version.to_string(), version, "{name}");
        }
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line() {
        let text = SHIPPED[0].1.replace("stack:", "stak:");
        let failure = parse(&text, "mine.yaml").unwrap_err();
        assert!(failure.evidence[0].contains("unknown field `stak`"), "{:?}", failure.evidence);
        assert!(failure.evidence[0].contains("line"), "{:?}", failure.evidence);
        assert_eq!(failure.hints[0], "did you mean `stack` instead of `stak`?");
    }

    #[test]
    fn a_chart_goes_with_the_stacks_that_need_one() {
        let chart = "chart: {from: ./airflow.tgz, version: 1.22.0}";
        let of = |stack: &str, chart: &str| SHIPPED[0].1.replace("stack: lite", &format!("stack: {stack}\n{chart}"));
        parse(&of("official", chart), "mine.yaml").unwrap();
        let failure = parse(&of("lite", chart), "mine.yaml").unwrap_err();
        assert!(failure.message.contains("does not go with the stack `lite`"), "{}", failure.message);
        let failure = parse(&of("community", ""), "mine.yaml").unwrap_err();
        assert!(failure.message.contains("`chart` is missing"), "{}", failure.message);
        let failure = parse(&of("comunity", ""), "mine.yaml").unwrap_err();
        assert_eq!(failure.hints[0], "did you mean `community` instead of `comunity`?");
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
