//! Several nodes at once: what they are, and the disk that they take, in one call each.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::{Container, Docker, unreachable_engine};
use crate::error::{During, Failure, Kind};
use crate::ui::Ui;

/// What the engine holds, by name: `docker system df --verbose`, whose sizes are texts for a person (docker/cli,
/// `cli/command/formatter/disk_usage.go`).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DiskUsage {
    containers: Vec<Measured>,
    volumes: Vec<Measured>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Measured {
    #[serde(alias = "Names")]
    name: String,
    size: String,
}

impl Docker {
    /// The bytes in folders of a container, as far as they are there; `None` where it cannot be asked.
    pub async fn bytes_inside(&self, container: &str, folders: &[&str], ui: &Ui) -> Option<u64> {
        let command = [&["du", "--summarize", "--bytes", "--total"], folders].concat();
        let output = self.exec(container, command).outcome(Kind::Cluster, ui).await.ok()?;
        // A folder that is missing, and what is renamed while it is counted, make du fail, and the sum is told all the same.
        output.stdout.lines().last()?.split_whitespace().next()?.parse().ok()
    }

    /// Those of the containers that are there, by name.
    ///
    /// # Errors
    /// Prerequisite, where the engine does not answer within `deadline`, or not what it should.
    pub async fn containers(
        &self,
        names: &[String],
        deadline: Duration,
        ui: &Ui,
    ) -> Result<BTreeMap<String, Container>, Failure> {
        let command = self.command(["container", "inspect"]).args(names).deadline(deadline);
        let output = command.outcome(Kind::Prerequisite, ui).await?;
        let others = output.stderr.iter().filter(|line| !line.to_lowercase().contains("no such container"));
        if output.code != Some(0) && (output.stderr.is_empty() || others.count() > 0) {
            return Err(unreachable_engine(&output.stderr));
        }
        let stdout = if output.stdout.trim().is_empty() { "[]" } else { &output.stdout };
        let containers: Vec<Container> = serde_json::from_str(stdout)
            .during(Kind::Prerequisite, format!("`{}` printed something unexpected", command.line()))?;
        Ok(containers.into_iter().map(|found| (found.name.trim_start_matches('/').to_owned(), found)).collect())
    }

    /// Has the engine measure what containers and volumes take: a walk through all their files.
    ///
    /// # Errors
    /// The engine does not answer within `deadline`, or not what it should.
    pub async fn disk_usage(&self, deadline: Duration, ui: &Ui) -> Result<DiskUsage, Failure> {
        let command = self.command(["system", "df", "--verbose", "--format", "{{json .}}"]).deadline(deadline);
        let output = command.run(Kind::Prerequisite, ui).await?;
        serde_json::from_str(&output.stdout)
            .during(Kind::Prerequisite, format!("`{}` printed something unexpected", command.line()))
    }
}

impl DiskUsage {
    /// Bytes of a container: the layer that it writes into, and its volumes. To the digits that the engine gives.
    #[must_use]
    pub fn of(&self, name: &str, container: &Container) -> Option<u64> {
        let layer = self.containers.iter().find(|measured| measured.name == name)?;
        let volumes =
            self.volumes.iter().filter(|volume| container.mounts.iter().any(|mount| mount.name == volume.name));
        std::iter::once(layer).chain(volumes).map(|measured| bytes(&measured.size)).sum()
    }
}

/// `850kB (virtual 1.16GB)` as bytes; `None` where the engine could not measure it.
pub(super) fn bytes(size: &str) -> Option<u64> {
    let size = size.split_whitespace().next()?;
    let (number, unit) = size.split_at(size.find(|sign: char| sign.is_ascii_alphabetic())?);
    let factor = match unit {
        "B" => 1.0,
        "kB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        "TB" => 1e12,
        _ => return None,
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a size is no negative number")]
    number.parse::<f64>().ok().map(|number| (number * factor).round() as u64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_node_takes_its_layer_and_its_volumes() {
        let usage: DiskUsage = serde_json::from_value(json!({
            "Images": [],
            "Containers": [{"Names": "a", "Size": "850kB (virtual 1.16GB)"}, {"Names": "b", "Size": "1MB"}],
            "Volumes": [{"Name": "v", "Size": "202.6MB"}, {"Name": "w", "Size": "1GB"}],
        }))
        .unwrap();
        let container: Container = serde_json::from_value(json!({
            "Name": "/a", "State": {"Status": "running"}, "Config": {"Image": "n"},
            "Mounts": [{"Name": "v", "Source": "/v", "Destination": "/var"}, {"Source": "/s", "Destination": "/d"}],
        }))
        .unwrap();
        assert_eq!(usage.of("a", &container), Some(203_450_000));
        assert_eq!(usage.of("c", &container), None);
    }

    #[test]
    fn sizes_are_read_with_their_units() {
        assert_eq!(
            ["0B", "12.5kB", "1.2GB", "3TB"].map(bytes),
            [0, 12_500, 1_200_000_000, 3_000_000_000_000].map(Some)
        );
        assert_eq!(["N/A", "", "12"].map(bytes), [None; 3]);
    }
}
