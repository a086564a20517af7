//! Which images an environment needs, where they come from, and how they get into the node.

pub mod bundle;
pub mod configurations;
pub mod kept;
pub mod locate;
pub mod node;
pub mod pull;
pub mod reference;
pub mod registry;
pub mod rendered;
pub mod size;
mod verify;

pub use verify::{digest_of, hexadecimal};

use std::path::PathBuf;

use crate::error::Failure;
use crate::profile;
use bundle::{Bundle, Entry, Role};

/// One image.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Image {
    /// What it is for: a bundle's role, or the name of a container.
    pub role: String,
    /// As Docker and Kubernetes name it.
    pub reference: String,
    /// The digest of its configuration, by which an engine knows it; known for bundled images.
    pub id: Option<String>,
    /// The archive that holds it; `None` where it is pulled.
    pub archive: Option<PathBuf>,
}

impl Image {
    fn bundled(bundle: &Bundle, entry: &Entry) -> Self {
        Self {
            role: entry.role.name().to_owned(),
            reference: entry.reference.clone(),
            id: entry.image_id.clone(),
            archive: Some(bundle.path_of(entry)),
        }
    }

    /// The image that a bundle has under this very name.
    #[must_use]
    pub fn in_bundle(reference: &str, bundle: &Bundle) -> Option<Self> {
        Some(Self::bundled(bundle, bundle.image_named(reference)?))
    }

    /// The image that a container of a chart runs: one of those that are known by their role, one that the bundle has besides, or another
    /// one, known by the container's name.
    #[must_use]
    pub fn of_container(name: &str, reference: &str, known: &Images, bundle: Option<&Bundle>) -> Self {
        let known = known.all().into_iter().find(|image| image.reference == reference).cloned();
        known.unwrap_or_else(|| Self::named(name, reference, bundle))
    }

    /// The bundle's image of this very name, or one to be pulled.
    fn named(role: &str, reference: &str, bundle: Option<&Bundle>) -> Self {
        let pulled = || Self { role: role.to_owned(), reference: reference.to_owned(), id: None, archive: None };
        bundle.and_then(|bundle| Self::in_bundle(reference, bundle)).unwrap_or_else(pulled)
    }
}

/// The images of one environment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Images {
    /// The kind node, which the engine needs.
    pub node: Image,
    /// Airflow, which the node needs.
    pub airflow: Image,
    /// PostgreSQL, which the node needs.
    pub database: Image,
    /// Redis, which the node needs where Celery runs.
    pub redis: Option<Image>,
}

impl Images {
    /// The images that a profile names. Where there is a bundle, one that a shipped profile names too is nobody's choice, and the bundle's
    /// image of that role takes its place; one of the user's own stays what it is, and comes from the bundle if that has it.
    ///
    /// # Errors
    /// The bundle lacks one, or Redis is needed and the profile names none.
    pub fn wanted(images: &profile::Images, bundle: Option<&Bundle>, needs_redis: bool) -> Result<Self, Failure> {
        let image = |role: Role, reference: &String| -> Result<Image, Failure> {
            match bundle {
                Some(bundle) if profile::ships_image(reference)? => Ok(Image::bundled(bundle, bundle.image(role)?)),
                _ => Ok(Image::named(role.name(), reference, bundle)),
            }
        };
        let redis = match (&images.redis, bundle, needs_redis) {
            (_, _, false) => None,
            (Some(redis), _, true) => Some(image(Role::Redis, redis)?),
            (None, Some(bundle), true) => Some(Image::bundled(bundle, bundle.image(Role::Redis)?)),
            (None, None, true) => {
                return Err(Failure::usage("CeleryExecutor needs Redis, and the profile names no image of it")
                    .hint("name one in the profile: `images.redis: redis:7.2-bookworm`"));
            }
        };
        Ok(Self {
            node: image(Role::Node, &images.node)?,
            airflow: image(Role::Airflow, &images.airflow)?,
            database: image(Role::Database, &images.database)?,
            redis,
        })
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> Vec<&Image> {
        [&self.node, &self.airflow, &self.database].into_iter().chain(&self.redis).collect()
    }
}
