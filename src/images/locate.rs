//! Where each image is before anything is created: in the node, in the bundle, in the engine, or in its registry.

use std::cell::Cell;
use std::path::Path;
use std::time::Duration;

use super::Image;
use super::configurations;
use super::node::Listed;
use super::reference::Reference;
use super::registry::{Layer, Registries, Trouble};
use crate::codes::Code;
use crate::error::{Failure, Kind};
use crate::tools::docker::Docker;
use crate::ui::Ui;

/// Where an image is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Place {
    /// The node has it.
    Node,
    /// The bundle has its archive.
    Bundle,
    /// The engine has it.
    Engine,
    /// It is downloaded from this registry.
    Registry(String),
}

impl Place {
    /// As it is shown.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Node => "node",
            Self::Bundle => "bundle",
            Self::Engine => "engine",
            Self::Registry(registry) => registry,
        }
    }
}

/// An image that can be had.
#[derive(Clone, Debug)]
pub struct Located {
    /// The image; with the digest of its configuration, where that is known now.
    pub image: Image,
    /// Where it is.
    pub place: Place,
    /// Bytes: what its archive has, what the node or the engine keep, or what is downloaded.
    pub bytes: Option<u64>,
    /// What is downloaded.
    pub layers: Vec<Layer>,
    /// How long it took to get it to where it is needed, once it is there.
    pub took: Cell<Option<Duration>>,
}

impl Located {
    /// An image whose whereabouts are known.
    #[must_use]
    pub const fn new(image: Image, place: Place, bytes: Option<u64>) -> Self {
        Self { image, place, bytes, layers: Vec::new(), took: Cell::new(None) }
    }
}

/// An image that cannot be had.
#[derive(Clone, Debug)]
pub struct Lost {
    /// The image.
    pub image: Box<Image>,
    /// Why.
    pub trouble: Trouble,
}

/// Looks where no network is needed: among what the node has, in the bundle, in the engine. What the engine has under the same name goes
/// before what the node has, where they differ: it was built or pulled anew. `configurations` is the file of that memory.
///
/// # Errors
/// The engine does not answer.
pub async fn nearby(
    image: &Image,
    node: &[Listed],
    docker: Option<&Docker>,
    configurations: &Path,
    ui: &Ui,
) -> Result<Option<Located>, Failure> {
    let in_node = |listed: &Listed| Located::new(image.clone(), Place::Node, listed.bytes());
    let listed = node.iter().find(|listed| listed.is(image));
    if let Some(archive) = &image.archive {
        let bytes = std::fs::metadata(archive).map(|metadata| metadata.len()).ok();
        return Ok(listed.map(in_node).or_else(|| Some(Located::new(image.clone(), Place::Bundle, bytes))));
    }
    let found = match docker {
        Some(docker) => docker.image(&image.reference, ui).await?,
        None => None,
    };
    let Some(found) = found else { return Ok(listed.map(in_node)) };
    if let Some(same) = configurations::same(node, image, &found, configurations) {
        return Ok(Some(in_node(same)));
    }
    let mut image = image.clone();
    image.id = found.config().map(str::to_owned);
    Ok(Some(Located::new(image, Place::Engine, Some(found.size))))
}

/// Asks the image's registry.
///
/// # Errors
/// Why the image cannot be had.
pub async fn remote(
    image: &Image,
    platform: &str,
    registries: &Registries<'_>,
    waiting: impl Fn(&str),
) -> Result<Located, Lost> {
    let lost = |trouble| Lost { image: Box::new(image.clone()), trouble };
    let reference = Reference::parse(&image.reference).ok_or_else(|| {
        lost(Trouble::new(Code::ReferenceInvalid, format!("`{}` is no image's name", image.reference)))
    })?;
    let manifest = registries.find(&reference, platform, waiting).await.map_err(lost)?;
    let image = Image { id: Some(manifest.config().to_owned()), ..image.clone() };
    let located = Located::new(image, Place::Registry(reference.registry), Some(manifest.bytes()));
    Ok(Located { layers: manifest.layers, ..located })
}

/// All that cannot be had, in one failure.
#[must_use]
pub fn failure(lost: &[Lost], wanted: usize) -> Option<Failure> {
    let first = lost.first()?;
    let message = match lost {
        [one] => format!("the image {} cannot be had", one.image.reference),
        several => format!("{} of {wanted} images cannot be had", several.len()),
    };
    let mut failure = Failure::new(Kind::Image, message).code(first.trouble.code);
    for Lost { image, trouble } in lost {
        failure = failure.evidence(format!("{:9} {}", image.role, image.reference)).evidence(format!(
            "          {} {}: {}",
            trouble.code.id(),
            trouble.code.name(),
            trouble.words
        ));
    }
    let mut hints: Vec<String> = lost.iter().map(hint).collect();
    hints.sort();
    hints.dedup();
    Some(hints.into_iter().fold(failure, Failure::hint))
}

fn hint(Lost { image, trouble }: &Lost) -> String {
    let reference = Reference::parse(&image.reference);
    let registry = reference.as_ref().map_or("", |reference| reference.registry.as_str());
    let moved = reference.as_ref().and_then(Reference::moved_to);
    match trouble.code {
        Code::RegistryImageMissing | Code::RegistryLoginNeeded if moved.is_some() => {
            format!("Bitnami moved its images: name {} instead", moved.unwrap_or_default())
        }
        Code::RegistryLoginNeeded => format!("log in: `docker login {registry}`, then `windtunnel up`"),
        Code::RegistryRateLimited => format!("wait, or log in, which raises the limit: `docker login {registry}`"),
        Code::RegistryWrongPlatform => "name an image for this platform in the profile or the values".to_owned(),
        Code::RegistryUnreachable => "without a network use a bundle: `windtunnel up --bundle FOLDER`".to_owned(),
        Code::RegistryUntrusted => {
            format!("trust it: put its authority's certificate at `/etc/docker/certs.d/{registry}/ca.crt`")
        }
        Code::RegistryFailed => "try again later: `windtunnel up`".to_owned(),
        _ => "correct the name in the profile or the values, then `windtunnel up`".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost(role: &str, reference: &str, code: Code, words: &str) -> Lost {
        let image = Image { role: role.to_owned(), reference: reference.to_owned(), id: None, archive: None };
        Lost { image: Box::new(image), trouble: Trouble::new(code, words) }
    }

    #[test]
    fn several_causes_make_one_failure_with_the_first_one_as_its_code() {
        let several = [
            lost("database", "bitnami/postgresql:16", Code::RegistryImageMissing, "docker.io has none"),
            lost("git-sync", "ghcr.io/a/b:1", Code::RegistryLoginNeeded, "ghcr.io wants a login"),
        ];
        let failure = failure(&several, 4).unwrap();
        assert_eq!((failure.kind, failure.code), (Kind::Image, Some(Code::RegistryImageMissing)));
        assert_eq!(failure.message, "2 of 4 images cannot be had");
        assert_eq!(failure.evidence[0], "database  bitnami/postgresql:16");
        assert_eq!(failure.evidence[1], "          WT203 registry_image_missing: docker.io has none");
        assert_eq!(failure.hints[0], "Bitnami moved its images: name docker.io/bitnamilegacy/postgresql:16 instead");
        assert_eq!(failure.hints[1], "log in: `docker login ghcr.io`, then `windtunnel up`");
        assert!(super::failure(&[], 4).is_none());
    }
}
