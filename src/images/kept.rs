//! A node image that holds what a node was given besides: `down --keep-images` makes it, the next node of the environment is made of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::node::Listed;
use super::{Image, hexadecimal};
use crate::error::Failure;
use crate::state::EnvironmentPaths;
use crate::tools::docker::{Docker, EngineImage};
use crate::ui::Ui;

/// The label that says whose it is: the environment's folder.
const FOLDER: &str = "windtunnel.dev/folder";
/// The label with the digest by which the engine knows the node image that it was made of.
const NODE_IMAGE: &str = "windtunnel.dev/node-image";
/// The label with the digests of all images in it, one after the other.
const IMAGES: &str = "windtunnel.dev/images";

/// A node image of an environment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Kept {
    /// Its name.
    pub reference: String,
    /// Bytes, with the node image that it was made of.
    pub bytes: u64,
    node_image: String,
    images: Vec<String>,
}

/// The name of an environment's node image. Environments of other state folders have other names.
#[must_use]
pub fn reference(environment: &str, paths: &EnvironmentPaths) -> String {
    let digest = hexadecimal(&Sha256::digest(paths.root().as_os_str().as_encoded_bytes()));
    format!("windtunnel.local/kept/{environment}:{}", &digest[..12])
}

/// What an image or a container is labelled with.
#[must_use]
pub fn labels(paths: &EnvironmentPaths, node_image: &str, images: &[Listed]) -> [(&'static str, String); 3] {
    let images: Vec<&str> = images.iter().map(Listed::id).collect();
    [(FOLDER, paths.root().display().to_string()), (NODE_IMAGE, node_image.to_owned()), (IMAGES, images.join(" "))]
}

/// Whether these labels say that it is this environment's.
#[must_use]
pub fn is_ours(labels: &BTreeMap<String, String>, paths: &EnvironmentPaths) -> bool {
    labels.get(FOLDER).is_some_and(|folder| Path::new(folder) == paths.root())
}

/// Looks whether the engine has one.
///
/// # Errors
/// The engine does not answer.
pub async fn find(
    docker: &Docker,
    environment: &str,
    paths: &EnvironmentPaths,
    ui: &Ui,
) -> Result<Option<Kept>, Failure> {
    let reference = reference(environment, paths);
    let found = docker.image(&reference, ui).await?;
    Ok(found.filter(|image| is_ours(image.labels(), paths)).map(|image| Kept::of(reference, &image)))
}

/// The node images that the engine keeps, of whatever environment and state folder: name, bytes, and the environment's folder.
///
/// # Errors
/// The engine does not answer.
pub async fn all(docker: &Docker, ui: &Ui) -> Result<Vec<(String, u64, PathBuf)>, Failure> {
    let mut kept = Vec::new();
    for reference in docker.labelled_images(FOLDER, ui).await? {
        let Some(image) = docker.image(&reference, ui).await? else { continue };
        if let Some(folder) = image.labels().get(FOLDER) {
            kept.push((reference, image.size, PathBuf::from(folder)));
        }
    }
    Ok(kept)
}

impl Kept {
    fn of(reference: String, image: &EngineImage) -> Self {
        let label = |name: &str| image.labels().get(name).cloned().unwrap_or_default();
        let images = label(IMAGES).split_whitespace().map(str::to_owned).collect();
        Self { reference, bytes: image.size, node_image: label(NODE_IMAGE), images }
    }

    /// The digest of the node image that it was made of, as the engine knows it.
    #[must_use]
    pub fn node_image(&self) -> &str {
        &self.node_image
    }

    /// Whether a node made of it has all of these.
    #[must_use]
    pub fn has(&self, images: &[Listed]) -> bool {
        images.iter().all(|listed| self.images.iter().any(|id| id == listed.id()))
    }

    /// The image of a node, with this one in its place.
    #[must_use]
    pub fn in_place_of(self, image: Image) -> Image {
        Image { reference: self.reference, ..image }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Paths;

    fn image(folder: &str) -> EngineImage {
        let labels = serde_json::json!({FOLDER: folder, NODE_IMAGE: "sha256:1", IMAGES: "sha256:2 sha256:3"});
        serde_json::from_value(serde_json::json!({"Id": "sha256:4", "Size": 7, "Config": {"Labels": labels}})).unwrap()
    }

    fn listed(ids: &[&str]) -> Vec<Listed> {
        ids.iter().map(|id| serde_json::from_value(serde_json::json!({"id": id})).unwrap()).collect()
    }

    #[test]
    fn it_is_known_by_the_environments_folder() {
        let paths = Paths::new("/state".into()).environment("a");
        let (ours, another) = (image("/state/environments/a"), image("/root/state/environments/a"));
        assert!(is_ours(ours.labels(), &paths));
        assert!(!is_ours(another.labels(), &paths));
        assert_ne!(reference("a", &paths), reference("a", &Paths::new("/root/state".into()).environment("a")));
    }

    #[test]
    fn it_has_what_it_was_made_with() {
        let kept = Kept::of("kept".to_owned(), &image("/state/environments/a"));
        assert_eq!((kept.node_image(), kept.bytes), ("sha256:1", 7));
        assert!(kept.has(&listed(&["sha256:3"])));
        assert!(!kept.has(&listed(&["sha256:3", "sha256:5"])));
    }
}
