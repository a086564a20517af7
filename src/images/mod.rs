//! Which images an environment needs, where they come from, and how they get into the node.

pub mod bundle;
pub mod node;
mod verify;

pub use verify::{digest_of, hexadecimal};

use std::path::PathBuf;

use crate::error::Failure;
use crate::profile;
use bundle::{Bundle, Role};

/// One image.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Image {
    /// What it is for.
    pub role: Role,
    /// As Docker and Kubernetes name it.
    pub reference: String,
    /// The digest of its configuration, by which an engine knows it; known for bundled images.
    pub id: Option<String>,
    /// The archive that holds it; `None` where it is pulled.
    pub archive: Option<PathBuf>,
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
        let pulled = |role, reference: &String| Image { role, reference: reference.clone(), id: None, archive: None };
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
        let bundled = |role| {
            let entry = bundle.image(role)?;
            Ok::<_, Failure>(Image {
                role,
                reference: entry.reference.clone(),
                id: entry.image_id.clone(),
                archive: Some(bundle.path_of(entry)),
            })
        };
        let redis = if needs_redis { Some(bundled(Role::Redis)?) } else { None };
        Ok(Self {
            node: bundled(Role::Node)?,
            airflow: bundled(Role::Airflow)?,
            database: bundled(Role::Database)?,
            redis,
        })
    }

    /// The images that the node must have, the one that is needed first in front.
    #[must_use]
    pub fn in_node(&self) -> Vec<&Image> {
        [&self.database, &self.airflow].into_iter().chain(&self.redis).collect()
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> Vec<&Image> {
        [&self.node, &self.airflow, &self.database].into_iter().chain(&self.redis).collect()
    }
}
