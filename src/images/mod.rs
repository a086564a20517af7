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
        let bundled = || bundle.and_then(|bundle| Self::in_bundle(reference, bundle));
        known.or_else(bundled).unwrap_or_else(|| Self {
            role: name.to_owned(),
            reference: reference.to_owned(),
            id: None,
            archive: None,
        })
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
    /// The images that a profile names, to be pulled.
    ///
    /// # Errors
    /// Redis is needed, and the profile names none.
    pub fn of_profile(images: &profile::Images, needs_redis: bool) -> Result<Self, Failure> {
        let pulled = |role: Role, reference: &String| Image {
            role: Role::name(role).to_owned(),
            reference: reference.clone(),
            id: None,
            archive: None,
        };
        let redis = match (&images.redis, needs_redis) {
            (_, false) => None,
            (Some(redis), true) => Some(pulled(Role::Redis, redis)),
            (None, true) => {
                return Err(Failure::usage("CeleryExecutor needs Redis, and the profile names no image of it")
                    .hint("name one in the profile: `images.redis: redis:7.2-bookworm`"));
            }
        };
        Ok(Self {
            node: pulled(Role::Node, &images.node),
            airflow: pulled(Role::Airflow, &images.airflow),
            database: pulled(Role::Database, &images.database),
            redis,
        })
    }

    /// The images that a bundle carries.
    ///
    /// # Errors
    /// The bundle lacks one.
    pub fn of_bundle(bundle: &Bundle, needs_redis: bool) -> Result<Self, Failure> {
        let bundled = |role| Ok::<_, Failure>(Image::bundled(bundle, bundle.image(role)?));
        let redis = if needs_redis { Some(bundled(Role::Redis)?) } else { None };
        Ok(Self {
            node: bundled(Role::Node)?,
            airflow: bundled(Role::Airflow)?,
            database: bundled(Role::Database)?,
            redis,
        })
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> Vec<&Image> {
        [&self.node, &self.airflow, &self.database].into_iter().chain(&self.redis).collect()
    }
}
