//! A cluster that is there already: named by a context of the user's kubeconfig, used as it is, and never made or removed.
//!
//! What the context says is copied into the environment's private kubeconfig, so that nothing later depends on which files
//! and which current context the user has by then.

use std::path::{Path, PathBuf};

use crate::cluster::{Cluster, kubeconfig};
use crate::codes::Code;
use crate::error::{Failure, Kind};
use crate::{plan, state};

/// The context that the user named, as the user's kubeconfig has it.
#[derive(Clone)]
pub struct Source {
    /// The context's name.
    pub context: String,
    /// The API server's address.
    pub server: String,
    /// The files that name it.
    files: Vec<PathBuf>,
    /// A kubeconfig with this context and nothing else. It may hold a secret.
    document: String,
}

impl Source {
    /// Reads the context.
    ///
    /// # Errors
    /// The kubeconfig cannot be read, has no such context, or its server is not on this machine or a private network and
    /// `allow_remote` is not set.
    pub fn read(files: &[PathBuf], context: &str, allow_remote: bool) -> Result<Self, Failure> {
        let found = kubeconfig::extract(files, context)?;
        if !allow_remote && !kubeconfig::is_near(&found.server) {
            return Err(Failure::new(
                Kind::Foreign,
                format!("the context `{context}` does not look like a cluster of this machine"),
            )
            .code(Code::ContextRemote)
            .evidence(format!("its API server is {}", found.server))
            .hint("if that is the cluster you mean: `windtunnel up --allow-remote`"));
        }
        Ok(Self {
            context: context.to_owned(),
            server: found.server,
            files: files.to_owned(),
            document: found.document,
        })
    }

    /// Connects, without a trace on the disk.
    ///
    /// # Errors
    /// The context is not usable.
    pub async fn cluster(&self) -> Result<Cluster, Failure> {
        Cluster::open_text(&self.document, &self.context).await
    }

    /// A kubectl command for the context. `usual` are the kubeconfig files that kubectl reads by itself.
    #[must_use]
    pub fn kubectl(&self, usual: &[PathBuf], words: &str) -> String {
        plan::kubectl(&self.files, usual, &format!("--context {} {words}", self.context))
    }

    /// How to see that it is the cluster which does not answer.
    #[must_use]
    pub fn unreachable(&self, usual: &[PathBuf], failure: Failure) -> Failure {
        failure.hint(format!("see whether it answers to others: `{}`", self.kubectl(usual, "get nodes")))
    }

    /// Writes the private kubeconfig, as the context is now.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn keep(&self, private: &Path) -> Result<(), Failure> {
        state::write_private(private, self.document.as_bytes())
    }
}
