//! Where a profile's chart comes from.

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::Failure;

/// The name that both charts have in their repositories.
const NAME: &str = "airflow";

/// A chart that is not windtunnel's own: which, from where, and how it is known to be the right one.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Chart {
    /// A repository (`https://airflow.apache.org`), an OCI reference (`oci://registry/charts/airflow`), an archive (`https://…/airflow-1.22.0.tgz`),
    /// or the path of an archive or a folder, relative to the profile.
    pub from: String,
    /// The chart's name in its repository; `airflow` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The chart's version, as in its `Chart.yaml`.
    pub version: semver::Version,
    /// The archive's digest, 64 hexadecimal digits. Everything that is downloaded needs one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// The key that the values of Apache's chart are under, where it is a part of this one: `airflow` in Astronomer's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values_under: Option<String>,
}

/// The kinds of places that a chart can be at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Place<'a> {
    /// An archive's address, or an OCI reference: Helm takes both as they are.
    Address(&'a str),
    /// The chart of this name in the repository with this address.
    Repository(&'a str, &'a str),
    /// An archive or a folder on this machine.
    Path(&'a str),
}

impl Chart {
    /// Where the chart is.
    #[must_use]
    pub fn place(&self) -> Place<'_> {
        let from = self.from.as_str();
        let is_archive = Path::new(from).extension().is_some_and(|ending| ending == "tgz");
        if from.starts_with("oci://") || (is_address(from) && is_archive) {
            Place::Address(from)
        } else if is_address(from) {
            Place::Repository(from, self.name.as_deref().unwrap_or(NAME))
        } else {
            Place::Path(from)
        }
    }

    /// What the text alone can tell.
    pub(super) fn check(&self) -> Result<(), Failure> {
        let digest = self.sha256.as_deref();
        if digest.is_some_and(|digest| digest.len() != 64 || !digest.bytes().all(|byte| byte.is_ascii_hexdigit())) {
            return Err(Failure::usage("`chart.sha256` is not a digest: it has 64 hexadecimal digits"));
        }
        if digest.is_none() && !matches!(self.place(), Place::Path(_)) {
            return Err(Failure::usage(format!("`chart.sha256` is missing: {} is downloaded", self.from))
                .hint("have the archive once, by `helm pull`, look that it is the right one, and give what `sha256sum` says of it")
                .hint("or name the archive itself: `from: ./airflow.tgz` needs no digest"));
        }
        if self.from.starts_with("http://") {
            return Err(Failure::usage(format!("`chart.from` is not a secure address: {}", self.from))
                .hint("use `https://`, `oci://` or a path"));
        }
        Ok(())
    }
}

fn is_address(from: &str) -> bool {
    from.starts_with("https://") || from.starts_with("http://")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(from: &str, sha256: Option<&str>) -> Chart {
        Chart {
            from: from.to_owned(),
            name: None,
            version: semver::Version::new(1, 22, 0),
            sha256: sha256.map(str::to_owned),
            values_under: None,
        }
    }

    #[test]
    fn a_place_is_told_by_its_looks() {
        for (from, place) in [
            ("https://airflow.apache.org", Place::Repository("https://airflow.apache.org", "airflow")),
            ("https://a.org/airflow-1.22.0.tgz", Place::Address("https://a.org/airflow-1.22.0.tgz")),
            ("oci://a.org/charts/airflow", Place::Address("oci://a.org/charts/airflow")),
            ("./airflow-1.22.0.tgz", Place::Path("./airflow-1.22.0.tgz")),
            ("/charts/airflow", Place::Path("/charts/airflow")),
        ] {
            assert_eq!(chart(from, None).place(), place);
        }
    }

    #[test]
    fn what_is_downloaded_needs_a_digest() {
        let failure = chart("https://airflow.apache.org", None).check().unwrap_err();
        assert!(failure.message.starts_with("`chart.sha256` is missing"), "{}", failure.message);
        chart("./chart", None).check().unwrap();
        chart("https://airflow.apache.org", Some(&"0a".repeat(32))).check().unwrap();
        assert!(chart("./chart", Some("0a")).check().unwrap_err().message.contains("64 hexadecimal digits"));
        assert!(chart("http://a.org/x.tgz", Some(&"0a".repeat(32))).check().unwrap_err().message.contains("secure"));
    }
}
