//! A bundle: a folder with `bundle.json` and the files that it names, enough to need no registry.
//!
//! `scripts/images/build.sh` writes the same format.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::codes::Code;
use crate::error::{During, Failure, Kind};
use crate::surroundings::Surroundings;
use crate::tools::find::Places;

/// The format that this version reads.
const FORMAT: u32 = 1;
/// What to do with a bundle that is not whole.
pub(super) const ANEW: &str = "copy the bundle again, or make it anew: `scripts/images/build.sh --bundle FOLDER`";

/// A bundle whose manifest has been read; its files have not.
#[derive(Clone, Debug)]
pub struct Bundle {
    /// The folder.
    pub folder: PathBuf,
    manifest: Manifest,
}

/// `bundle.json`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    /// The version of the format: 1.
    format: u32,
    entries: Vec<Entry>,
}

/// One file of a bundle.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// What it is for.
    pub role: Role,
    /// An image's reference, or the module and version of a tool.
    pub reference: String,
    /// A tool's name.
    pub name: Option<String>,
    /// The version of what is inside.
    pub version: String,
    /// Relative to the bundle's folder.
    pub file: PathBuf,
    /// In bytes.
    pub size: u64,
    /// In hexadecimal digits.
    pub sha256: String,
    /// `linux/amd64`.
    pub platform: String,
    /// An image's configuration digest, as `docker image inspect` names it.
    pub image_id: Option<String>,
}

/// What an entry is for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Airflow's image.
    Airflow,
    /// The archive of a chart.
    Chart,
    /// PostgreSQL's image.
    Database,
    /// The node image, for kind and for minikube.
    Node,
    /// Redis' image.
    Redis,
    /// A program: kind, helm, and minikube if it was asked for.
    Tool,
}

impl Role {
    /// The role's name in files and on the screen.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Airflow => "airflow",
            Self::Chart => "chart",
            Self::Database => "database",
            Self::Node => "node",
            Self::Redis => "redis",
            Self::Tool => "tool",
        }
    }
}

impl Bundle {
    /// Reads the manifest and looks that every file is there, whole, and for this platform. Digests are checked by [`Bundle::verify`].
    ///
    /// # Errors
    /// Image, naming the file and what is wrong with it.
    pub fn open(folder: &Path) -> Result<Self, Failure> {
        let path = folder.join("bundle.json");
        let text = std::fs::read_to_string(&path)
            .during(Kind::Image, format!("{} is not a bundle: its bundle.json cannot be read", folder.display()))
            .map_err(|failure| {
                failure.code(Code::BundleBroken).hint("a bundle is made by `scripts/images/build.sh --bundle FOLDER`")
            })?;
        let manifest: Manifest = serde_json::from_str(&text)
            .during(Kind::Image, format!("{} is not valid", path.display()))
            .map_err(|failure| failure.code(Code::BundleBroken).hint(ANEW))?;
        if manifest.format != FORMAT {
            return Err(Failure::new(
                Kind::Image,
                format!("{} is of format {}, this windtunnel reads {FORMAT}", path.display(), manifest.format),
            )
            .code(Code::BundleBroken)
            .hint("use a windtunnel and a bundle of the same version"));
        }
        let bundle = Self { folder: folder.to_owned(), manifest };
        for entry in &bundle.manifest.entries {
            bundle.check_place_and_size(entry).map_err(|failure| failure.code(Code::BundleBroken).hint(ANEW))?;
        }
        Ok(bundle)
    }

    /// Checks that every image and tool is for the engine's platform.
    ///
    /// # Errors
    /// Image, naming the file.
    pub fn check_platform(&self, platform: &str) -> Result<(), Failure> {
        // A chart is text.
        let mut entries = self.manifest.entries.iter().filter(|entry| entry.role != Role::Chart);
        match entries.find(|entry| entry.platform != platform) {
            None => Ok(()),
            Some(entry) => Err(Failure::new(
                Kind::Image,
                format!("{} is for {}, the Docker Engine is {platform}", self.path_of(entry).display(), entry.platform),
            )
            .code(Code::BundlePlatform)
            .hint("make the bundle on a machine of the same architecture")),
        }
    }

    /// The one image of a role.
    ///
    /// # Errors
    /// Image, where there is none.
    pub fn image(&self, role: Role) -> Result<&Entry, Failure> {
        self.manifest.entries.iter().find(|entry| entry.role == role).ok_or_else(|| {
            Failure::new(Kind::Image, format!("the bundle {} has no {} image", self.folder.display(), role.name()))
                .code(Code::BundleBroken)
                .hint("make it anew: `scripts/images/build.sh --bundle FOLDER`")
        })
    }

    /// The image of this very name, whatever its role.
    #[must_use]
    pub fn image_named(&self, reference: &str) -> Option<&Entry> {
        let mut images = self.manifest.entries.iter().filter(|entry| entry.image_id.is_some());
        images.find(|entry| entry.reference == reference)
    }

    /// Where the chart with this digest is, if the bundle carries it.
    #[must_use]
    pub fn chart(&self, sha256: &str) -> Option<PathBuf> {
        let mut charts = self.manifest.entries.iter().filter(|entry| entry.role == Role::Chart);
        charts.find(|entry| entry.sha256.eq_ignore_ascii_case(sha256)).map(|entry| self.path_of(entry))
    }

    /// Where a tool of the bundle is, if it carries it.
    #[must_use]
    pub fn tool(&self, name: &str) -> Option<PathBuf> {
        let entry = self
            .manifest
            .entries
            .iter()
            .find(|entry| entry.role == Role::Tool && entry.name.as_deref() == Some(name))?;
        Some(self.path_of(entry))
    }

    /// The absolute path of an entry's file.
    #[must_use]
    pub fn path_of(&self, entry: &Entry) -> PathBuf {
        self.folder.join(&entry.file)
    }

    /// Reads every file and compares its digest. `seen` remembers files that were found right and have not changed since, in a
    /// file that can be lost at any time.
    ///
    /// # Errors
    /// Image, naming the file and both digests.
    pub async fn verify(&self, seen: &Path) -> Result<(), Failure> {
        let files = self.manifest.entries.iter().map(|entry| (self.path_of(entry), entry.sha256.clone())).collect();
        super::verify::digests(files, seen).await
    }

    fn check_place_and_size(&self, entry: &Entry) -> Result<(), Failure> {
        let inside = entry.file.components().all(|part| matches!(part, std::path::Component::Normal(_)));
        if !inside {
            return Err(Failure::new(
                Kind::Image,
                format!(
                    "{} names a file outside the bundle: {}",
                    self.folder.join("bundle.json").display(),
                    entry.file.display()
                ),
            ));
        }
        let path = self.path_of(entry);
        let size = std::fs::metadata(&path)
            .during(Kind::Image, format!("the bundle's file {} cannot be read", path.display()))?
            .len();
        if size == entry.size {
            return Ok(());
        }
        let what = if size < entry.size { "is truncated" } else { "is too long" };
        Err(Failure::new(Kind::Image, format!("{} {what}: {size} of {} bytes", path.display(), entry.size)))
    }
}

/// Where to look for a tool of an environment that was brought up before, in its bundle first. That its bundle is gone keeps no
/// environment from being looked at or removed.
#[must_use]
pub fn places_of<'a>(bundle: Option<&Path>, name: &str, surroundings: &'a Surroundings) -> Places<'a> {
    let bundled = bundle.and_then(|folder| Bundle::open(folder).ok()).and_then(|bundle| bundle.tool(name));
    Places { bundled, surroundings }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle(manifest: &str, files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("bundle.json"), manifest).unwrap();
        for (name, bytes) in files {
            std::fs::write(folder.path().join(name), bytes).unwrap();
        }
        folder
    }

    fn manifest(file: &str, size: u64, sha256: &str) -> String {
        format!(
            r#"{{"format":1,"entries":[{{"role":"airflow","reference":"a:1","version":"1","file":"{file}","size":{size},"sha256":"{sha256}","platform":"linux/amd64","image_id":"sha256:1"}}]}}"#
        )
    }

    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    async fn verified(folder: &Path) -> Result<(), Failure> {
        Bundle::open(folder)?.verify(&folder.join("seen.json")).await
    }

    #[tokio::test]
    async fn a_whole_bundle_is_accepted_and_a_changed_file_is_not() {
        let folder = bundle(&manifest("a.tar", 3, ABC), &[("a.tar", b"abc")]);
        verified(folder.path()).await.unwrap();
        verified(folder.path()).await.unwrap();
        std::fs::write(folder.path().join("a.tar"), b"abd").unwrap();
        let failure = verified(folder.path()).await.unwrap_err();
        assert!(failure.message.contains("a.tar has the wrong digest"), "{}", failure.message);
    }

    #[test]
    fn a_truncated_missing_or_outside_file_is_named() {
        let open = |folder: &tempfile::TempDir| Bundle::open(folder.path()).unwrap_err().message;
        assert!(
            open(&bundle(&manifest("a.tar", 9, ABC), &[("a.tar", b"abc")]))
                .ends_with("a.tar is truncated: 3 of 9 bytes")
        );
        assert!(open(&bundle(&manifest("a.tar", 3, ABC), &[])).contains("a.tar cannot be read"));
        assert!(open(&bundle(&manifest("../a.tar", 3, ABC), &[])).contains("outside the bundle: ../a.tar"));
        assert!(open(&bundle("{", &[])).ends_with("bundle.json is not valid"));
        assert!(open(&bundle(r#"{"format":9,"entries":[]}"#, &[])).contains("of format 9"));
    }

    #[test]
    fn a_tool_is_found_by_its_name_and_need_not_be_there() {
        let manifest = manifest("a.tar", 3, ABC).replace(r#""role":"airflow""#, r#""role":"tool","name":"minikube""#);
        let folder = bundle(&manifest, &[("a.tar", b"abc")]);
        let bundle = Bundle::open(folder.path()).unwrap();
        assert_eq!(bundle.tool("minikube"), Some(folder.path().join("a.tar")));
        assert_eq!(bundle.tool("kind"), None);
    }

    #[test]
    fn another_architecture_is_refused() {
        let folder = bundle(&manifest("a.tar", 3, ABC), &[("a.tar", b"abc")]);
        let bundle = Bundle::open(folder.path()).unwrap();
        bundle.check_platform("linux/amd64").unwrap();
        let failure = bundle.check_platform("linux/arm64").unwrap_err();
        assert!(failure.message.ends_with("a.tar is for linux/amd64, the Docker Engine is linux/arm64"));
    }
}
