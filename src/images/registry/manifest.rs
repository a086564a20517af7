//! Manifests: which platforms there are, what the layers weigh, and the digest that an image has in an engine.

use serde::Deserialize;

use super::trouble::Trouble;
use crate::codes::Code;
use crate::images::reference::Reference;

/// The manifest of an image for one platform.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
pub struct Manifest {
    config: Layer,
    /// What is downloaded, compressed.
    pub layers: Vec<Layer>,
}

/// One file of an image.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
pub struct Layer {
    /// With its `sha256:`.
    pub digest: String,
    /// In bytes, compressed.
    pub size: u64,
}

impl Manifest {
    /// The digest of the image's configuration, by which a node knows it.
    #[must_use]
    pub fn config(&self) -> &str {
        &self.config.digest
    }

    /// Bytes that are downloaded where none of the layers is there.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.layers.iter().map(|layer| layer.size).sum()
    }
}

/// What is under a name.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Document {
    Index(Index),
    One(Manifest),
}

/// A list of manifests, one for each platform.
#[derive(Deserialize)]
pub(super) struct Index {
    manifests: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    digest: String,
    platform: Option<Platform>,
}

#[derive(Deserialize)]
struct Platform {
    os: String,
    architecture: String,
    variant: Option<String>,
}

impl Platform {
    fn name(&self) -> String {
        format!("{}/{}", self.os, self.architecture)
    }
}

pub(super) fn read(body: &[u8], image: &Reference) -> Result<Document, Trouble> {
    serde_json::from_slice(body).map_err(|_| unreadable(image))
}

impl Document {
    pub(super) fn of_one_platform(self, image: &Reference) -> Result<Manifest, Trouble> {
        match self {
            Self::One(manifest) => Ok(manifest),
            Self::Index(_) => Err(unreadable(image)),
        }
    }
}

impl Index {
    pub(super) fn digest_for(self, platform: &str, image: &Reference) -> Result<String, Trouble> {
        // Of two variants the one without a name is the one that every processor takes.
        let mut fitting: Vec<&Listed> = self
            .manifests
            .iter()
            .filter(|listed| listed.platform.as_ref().is_some_and(|found| found.name() == platform))
            .collect();
        fitting.sort_by_key(|listed| listed.platform.as_ref().is_some_and(|found| found.variant.is_some()));
        if let Some(listed) = fitting.first() {
            return Ok(listed.digest.clone());
        }
        let mut names: Vec<String> =
            self.manifests.iter().filter_map(|listed| listed.platform.as_ref().map(Platform::name)).collect();
        // Attestations are listed too, as a platform of their own (moby/buildkit, `docs/attestations/attestation-storage.md`).
        names.retain(|name| name != "unknown/unknown");
        names.sort();
        names.dedup();
        Err(wrong(image, platform, &names.join(", ")))
    }
}

/// Looks into the configuration of an image that is of one platform only.
pub(super) fn check_platform(config: &[u8], platform: &str, image: &Reference) -> Result<(), Trouble> {
    let found: Platform = serde_json::from_slice(config).map_err(|_| unreadable(image))?;
    if found.name() == platform { Ok(()) } else { Err(wrong(image, platform, &found.name())) }
}

fn wrong(image: &Reference, platform: &str, found: &str) -> Trouble {
    let Reference { registry, repository, version } = image;
    Trouble::new(
        Code::RegistryWrongPlatform,
        format!("{registry} has {repository} {version} for {found}, not for {platform}"),
    )
}

fn unreadable(image: &Reference) -> Trouble {
    Trouble::new(Code::RegistryFailed, format!("what {} says of {} cannot be read", image.registry, image.repository))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image() -> Reference {
        Reference::parse("quay.io/a/b:1").unwrap()
    }

    #[test]
    fn the_platform_is_chosen_from_the_index_and_attestations_are_none() {
        let listed = |digest: &str, os: &str, architecture: &str, variant: &str| {
            format!(r#"{{"digest":"{digest}","platform":{{"os":"{os}","architecture":"{architecture}"{variant}}}}}"#)
        };
        let index = format!(
            r#"{{"manifests":[{},{},{},{}]}}"#,
            listed("1", "linux", "amd64", r#","variant":"v3""#),
            listed("2", "linux", "amd64", ""),
            listed("3", "linux", "arm64", r#","variant":"v8""#),
            listed("4", "unknown", "unknown", "")
        );
        let digest = |platform: &str| match read(index.as_bytes(), &image()).unwrap() {
            Document::Index(index) => index.digest_for(platform, &image()),
            Document::One(_) => panic!("an index was taken for a manifest"),
        };
        assert_eq!(digest("linux/amd64").unwrap(), "2");
        assert_eq!(digest("linux/arm64").unwrap(), "3");
        let trouble = digest("linux/s390x").unwrap_err();
        assert_eq!(trouble.words, "quay.io has a/b 1 for linux/amd64, linux/arm64, not for linux/s390x");
    }

    #[test]
    fn an_image_of_one_platform_tells_it_in_its_configuration() {
        check_platform(br#"{"os":"linux","architecture":"amd64"}"#, "linux/amd64", &image()).unwrap();
        let trouble = check_platform(br#"{"os":"linux","architecture":"arm64"}"#, "linux/amd64", &image()).unwrap_err();
        assert_eq!(trouble.code, Code::RegistryWrongPlatform);
    }

    #[test]
    fn a_manifest_weighs_what_its_layers_do() {
        let text = br#"{"config":{"digest":"sha256:c","size":9},"layers":[{"digest":"sha256:a","size":5},{"digest":"sha256:b","size":7}]}"#;
        let manifest = read(text, &image()).unwrap().of_one_platform(&image()).unwrap();
        assert_eq!((manifest.bytes(), manifest.config()), (12, "sha256:c"));
    }
}
