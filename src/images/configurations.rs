//! Whether the node has an image as the engine has it: both know it by the digest of its configuration, but for an engine whose images
//! containerd keeps. That one tells the digest of a manifest or an index alone, so what a node said after an import is remembered.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Image;
use super::node::Listed;
use super::reference::Reference;
use crate::error::{During, Failure, Kind};
use crate::state;
use crate::tools::docker::EngineImage;

/// Configurations by what the engine calls the image, and its platform: an index has one for each.
type Known = BTreeMap<String, String>;

/// The file of what is remembered, in the folder of caches. All of it is true for ever: both sides name content.
#[must_use]
pub fn file(cache: &Path) -> PathBuf {
    cache.join("configurations.json")
}

/// The digest of the configuration of an image in the engine, where that is known.
#[must_use]
pub fn known(file: &Path, found: &EngineImage) -> Option<String> {
    found.config().map(str::to_owned).or_else(|| read(file).remove(&key(found)))
}

/// Remembers the configuration of an image in the engine, unless the engine tells it.
///
/// # Errors
/// The file cannot be written.
pub fn remember(file: &Path, found: &EngineImage, configuration: &str) -> Result<(), Failure> {
    if known(file, found).as_deref() == Some(configuration) {
        return Ok(());
    }
    let mut all = read(file);
    all.insert(key(found), configuration.to_owned());
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).during(Kind::Usage, format!("cannot make the folder {}", folder.display()))?;
    }
    state::write_json(file, &all)
}

/// The image among those of a node that is the one of the engine. One of the same name alone may be from before it was built or pulled anew.
#[must_use]
pub fn same<'l>(node: &'l [Listed], image: &Image, found: &EngineImage, file: &Path) -> Option<&'l Listed> {
    let named = node.iter().find(|listed| listed.is(image))?;
    let says_content = Reference::parse(&image.reference).is_some_and(|reference| reference.is_digest());
    (says_content || known(file, found).as_deref() == Some(named.id())).then_some(named)
}

fn key(found: &EngineImage) -> String {
    format!("{} {}", found.id, found.platform())
}

/// A memory that cannot be read only costs time.
fn read(file: &Path) -> Known {
    state::read_json(file).ok().flatten().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn image(reference: &str) -> Image {
        Image { role: "airflow".to_owned(), reference: reference.to_owned(), id: None, archive: None }
    }

    fn listed(id: &str, tag: &str) -> Vec<Listed> {
        serde_json::from_value(json!([{"id": id, "repoTags": [tag], "repoDigests": ["docker.io/a/b@sha256:0"]}]))
            .unwrap()
    }

    #[test]
    fn what_an_engine_of_its_own_store_has_is_compared_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = file(folder.path());
        let found = serde_json::from_value(json!({"Id": "sha256:1", "GraphDriver": {"Name": "overlay2"}})).unwrap();
        let image = image("localhost:5000/a:1");
        assert!(same(&listed("sha256:1", "localhost:5000/a:1"), &image, &found, &file).is_some());
        assert!(same(&listed("sha256:2", "localhost:5000/a:1"), &image, &found, &file).is_none());
        assert!(same(&listed("sha256:1", "localhost:5000/a:2"), &image, &found, &file).is_none());
        remember(&file, &found, "sha256:1").unwrap();
        assert!(!file.exists());
    }

    #[test]
    fn what_containerd_has_is_compared_by_what_a_node_said() {
        let folder = tempfile::tempdir().unwrap();
        let file = file(&folder.path().join("cache"));
        // Docker Engine 29.7.2 of an index of two platforms, one of which it has.
        let index = "sha256:fe92fa3e95d7f29821487fcd112e2f86b7294ccce77ecf6f60f85c17142f1bcc";
        let media_type = "application/vnd.docker.distribution.manifest.list.v2+json";
        let of = |architecture: &str| {
            let descriptor = json!({"mediaType": media_type, "digest": index, "size": 731});
            serde_json::from_value::<EngineImage>(
                json!({"Id": index, "Os": "linux", "Architecture": architecture, "Descriptor": descriptor}),
            )
            .unwrap()
        };
        let (image, node) = (image("localhost:5000/a:1"), listed("sha256:1", "localhost:5000/a:1"));
        assert!(same(&node, &image, &of("amd64"), &file).is_none());
        remember(&file, &of("amd64"), "sha256:1").unwrap();
        assert!(same(&node, &image, &of("amd64"), &file).is_some());
        assert!(same(&node, &image, &of("arm64"), &file).is_none());
        assert_eq!(of("arm64").archive_platform().as_deref(), Some("linux/arm64"));
    }

    #[test]
    fn a_name_with_a_digest_is_always_the_same() {
        let found = serde_json::from_value(json!({"Id": "sha256:1", "GraphDriver": {"Name": "overlay2"}})).unwrap();
        let node = listed("sha256:2", "docker.io/a/b:1");
        assert!(same(&node, &image("a/b@sha256:0"), &found, Path::new("/nowhere")).is_some());
    }
}
