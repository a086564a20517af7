//! A bundle of tiny files with the right sizes and digests, and ways to break it.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The node image's reference.
pub(crate) const NODE: &str = "windtunnel.local/node:v1.34.4";
/// Airflow's.
pub(crate) const AIRFLOW: &str = "windtunnel.local/airflow:3.3.2";
/// PostgreSQL's.
pub(crate) const DATABASE: &str = "windtunnel.local/postgres:17.6";

/// A bundle in a folder.
pub(crate) struct Bundle {
    pub(crate) folder: PathBuf,
}

impl Bundle {
    /// Writes one with the three images and no tools.
    pub(crate) fn write(folder: &Path) -> Self {
        std::fs::create_dir(folder).unwrap();
        let image = |role: &str, reference: &str, version: &str| {
            let file = format!("{role}.tar");
            let content = format!("this stands for {reference}");
            std::fs::write(folder.join(&file), &content).unwrap();
            json!({
                "role": role, "reference": reference, "version": version, "file": file, "size": content.len(),
                "sha256": sha256(content.as_bytes()), "platform": "linux/amd64", "image_id": image_id(role),
            })
        };
        let bundle = Self { folder: folder.to_owned() };
        bundle.write_manifest(&json!({
            "format": 1,
            "entries": [
                image("node", NODE, "1.34.4"),
                image("airflow", AIRFLOW, "3.3.2"),
                image("database", DATABASE, "17.6"),
            ],
        }));
        bundle
    }

    /// Changes the manifest.
    pub(crate) fn edit(&self, change: impl FnOnce(&mut Value)) {
        let text = std::fs::read_to_string(self.folder.join("bundle.json")).unwrap();
        let mut manifest = serde_json::from_str(&text).unwrap();
        change(&mut manifest);
        self.write_manifest(&manifest);
    }

    fn write_manifest(&self, manifest: &Value) {
        std::fs::write(self.folder.join("bundle.json"), format!("{manifest:#}\n")).unwrap();
    }
}

/// The id by which an engine knows the image of a role.
pub(crate) fn image_id(role: &str) -> String {
    format!("sha256:{}", sha256(role.as_bytes()))
}

/// What `crictl images` prints when both images of the pods are in the node.
pub(crate) fn listing() -> Value {
    let listed = |role: &str, reference: &str| json!({"id": image_id(role), "repoTags": [reference]});
    json!({"images": [listed("database", DATABASE), listed("airflow", AIRFLOW)]})
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}
