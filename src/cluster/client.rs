//! A connection to one cluster: always a named context of a named kubeconfig, never the current one.

use std::path::Path;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

use crate::error::{During, Failure, Kind};

/// One cluster.
#[derive(Clone)]
pub struct Cluster {
    pub(super) client: Client,
    pub(super) config: Config,
}

impl Cluster {
    /// Reads the kubeconfig and prepares the client; nothing is sent yet.
    ///
    /// # Errors
    /// The kubeconfig cannot be read or has no such context.
    pub async fn open(kubeconfig: &Path, context: &str) -> Result<Self, Failure> {
        let doing = || format!("cannot use the kubeconfig {}", kubeconfig.display());
        let document = Kubeconfig::read_from(kubeconfig).during(Kind::Cluster, doing())?;
        let options = KubeConfigOptions { context: Some(context.to_owned()), ..KubeConfigOptions::default() };
        let mut config = Config::from_custom_kubeconfig(document, &options).await.during(Kind::Cluster, doing())?;
        // The cluster is local: a proxy of the surroundings must not come between (kube reads HTTPS_PROXY by itself).
        config.proxy_url = None;
        let client = Client::try_from(config.clone()).during(Kind::Cluster, doing())?;
        Ok(Self { client, config })
    }
}
