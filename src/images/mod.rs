//! Which images an environment needs, where they come from, and how they get into the node.

pub mod bundle;
pub mod node;
mod verify;

pub use verify::hexadecimal;

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
}

impl Images {
    /// The images that a profile names, to be pulled.
    #[must_use]
    pub fn of_profile(images: &profile::Images) -> Self {
        let pulled = |role, reference: &String| Image { role, reference: reference.clone(), id: None, archive: None };
        Self {
            node: pulled(Role::Node, &images.node),
            airflow: pulled(Role::Airflow, &images.airflow),
            database: pulled(Role::Database, &images.database),
        }
    }

    /// The images that a bundle carries.
    ///
    /// # Errors
    /// The bundle lacks one.
    pub fn of_bundle(bundle: &Bundle) -> Result<Self, Failure> {
        let bundled = |role| {
            let entry = bundle.image(role)?;
            Ok::<_, Failure>(Image {
                role,
                reference: entry.reference.clone(),
                id: entry.image_id.clone(),
                archive: Some(bundle.path_of(entry)),
            })
        };
        Ok(Self { node: bundled(Role::Node)?, airflow: bundled(Role::Airflow)?, database: bundled(Role::Database)? })
    }

    /// The images that the node must have, the one that is needed first in front.
    #[must_use]
    pub const fn in_node(&self) -> [&Image; 2] {
        [&self.database, &self.airflow]
    }
}
