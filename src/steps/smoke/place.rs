//! Where a smoke run puts its DAG: a folder of this machine that Airflow's pods see, or a `ConfigMap` where they see none.

use std::path::Path;

use super::dag_file::{self, DagFile, SmokeDag};
use crate::cluster::Cluster;
use crate::cluster::owner::Owner;
use crate::error::Failure;
use crate::plan::Provider;
use crate::profile::Generation;
use crate::stacks;

/// Where the DAG goes.
#[derive(Clone, Copy, Debug)]
pub enum Place<'a> {
    /// A folder of this machine, mounted into the nodes: `EnvironmentPaths::smoke_dags`.
    Folder(&'a Path),
    /// The release's `ConfigMap` for it.
    ConfigMap {
        /// The environment.
        owner: Owner<'a>,
        /// The release's namespace.
        namespace: &'a str,
    },
}

/// The DAG's file while it is there.
pub(super) enum Placed {
    Folder(DagFile),
    ConfigMap,
}

impl<'a> Place<'a> {
    /// The place of an environment.
    #[must_use]
    pub fn of(provider: Provider, folder: &'a Path, owner: Owner<'a>, namespace: &'a str) -> Self {
        if provider.sees_smoke_folder() { Self::Folder(folder) } else { Self::ConfigMap { owner, namespace } }
    }

    /// Removes the files of smoke runs that were killed. Those of a `ConfigMap` go when the next one is written.
    pub(super) fn remove_leftovers(self) -> Result<(), Failure> {
        match self {
            Self::Folder(folder) => dag_file::remove_leftovers(folder),
            Self::ConfigMap { .. } => Ok(()),
        }
    }

    /// Puts the DAG there.
    pub(super) async fn put(
        self,
        dag: &SmokeDag,
        generation: Generation,
        cluster: &Cluster,
    ) -> Result<Placed, Failure> {
        match self {
            Self::Folder(folder) => DagFile::write(folder, dag, generation).map(Placed::Folder),
            Self::ConfigMap { owner, namespace } => {
                let name = stacks::smoke_config_map(owner.environment);
                cluster.put_smoke_files(namespace, &name, owner, &[(dag.file(), dag.text(generation))]).await?;
                Ok(Placed::ConfigMap)
            }
        }
    }

    /// Takes it away again.
    pub(super) async fn take(self, placed: Placed, cluster: &Cluster) -> Result<(), Failure> {
        match (self, placed) {
            (Self::ConfigMap { owner, namespace }, _) => {
                let name = stacks::smoke_config_map(owner.environment);
                cluster.put_smoke_files(namespace, &name, owner, &[]).await
            }
            (Self::Folder(_), Placed::Folder(file)) => file.remove(),
            (Self::Folder(_), Placed::ConfigMap) => Ok(()),
        }
    }
}
