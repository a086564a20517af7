//! A connection to one cluster: always a named context of a named kubeconfig, never the current one.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kube::client::{Body, ConfigExt};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use tower::{BoxError, ServiceBuilder};

use crate::error::{During, Failure, Kind};

/// How long a TCP connection to the API server may take: it is on this machine.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a silent connection is trusted before the kernel asks whether the other end still lives.
const KEEPALIVE: Duration = Duration::from_secs(20);
/// How long the kernel waits for an answer to that, and how often it asks before the other end counts as gone.
const QUESTION: (Duration, u32) = (Duration::from_secs(5), 3);

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
        let doing = format!("cannot use the kubeconfig {}", kubeconfig.display());
        let document = Kubeconfig::read_from(kubeconfig).during(Kind::Cluster, doing.as_str())?;
        Self::of_document(document, context, &doing).await
    }

    /// The same for a kubeconfig that is no file.
    ///
    /// # Errors
    /// The text is no kubeconfig or has no such context.
    pub async fn open_text(kubeconfig: &str, context: &str) -> Result<Self, Failure> {
        let doing = format!("cannot use the context `{context}`");
        let document = Kubeconfig::from_yaml(kubeconfig).during(Kind::Cluster, doing.as_str())?;
        Self::of_document(document, context, &doing).await
    }

    async fn of_document(document: Kubeconfig, context: &str, doing: &str) -> Result<Self, Failure> {
        let options = KubeConfigOptions { context: Some(context.to_owned()), ..KubeConfigOptions::default() };
        let mut config = Config::from_custom_kubeconfig(document, &options).await.during(Kind::Cluster, doing)?;
        // The cluster is local: a proxy of the surroundings must not come between (kube reads HTTPS_PROXY by itself).
        config.proxy_url = None;
        let client = client(&config).during(Kind::Cluster, doing)?;
        Ok(Self { client, config })
    }

    /// Where the API server is.
    pub(super) fn address(&self) -> String {
        self.config.cluster_url.to_string()
    }

    /// The cluster that a configuration leads to.
    #[cfg(test)]
    pub(super) fn of(config: Config) -> Self {
        Self { client: client(&config).unwrap(), config }
    }

    /// A cluster whose API server does not answer.
    #[cfg(test)]
    pub(crate) fn unreachable() -> Self {
        // Port 1 is tcpmux, which nothing has answered for decades.
        Self::of(Config::new("http://127.0.0.1:1".parse().unwrap()))
    }

    /// The same cluster, certificates and user, but spoken to at another address of its API server.
    pub(super) fn at(&self, address: SocketAddr) -> Result<Self, Failure> {
        let doing = || format!("cannot speak to the API server at {address}");
        let mut config = self.config.clone();
        config.cluster_url = format!("https://{address}").parse().during(Kind::Cluster, doing())?;
        // The certificate must be for this very address, not for the name that the kubeconfig may ask for.
        config.tls_server_name = None;
        let client = client(&config).during(Kind::Cluster, doing())?;
        Ok(Self { client, config })
    }
}

/// Builds what `Client::try_from` builds, with two differences.
///
/// `TCP_NODELAY` is on: kube's own connector leaves Nagle's algorithm on, which costs every small exchange 40 ms. And no
/// call is repeated behind the caller's back: kube would repeat 429, 503 and 504 for minutes, past every deadline.
fn client(config: &Config) -> kube::Result<Client> {
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(CONNECT));
    connector.set_keepalive(Some(KEEPALIVE));
    connector.set_keepalive_interval(Some(QUESTION.0));
    connector.set_keepalive_retries(Some(QUESTION.1));
    let connector = config.rustls_https_connector_with_connector(connector)?;
    let connections: hyper_util::client::legacy::Client<_, Body> =
        hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build(connector);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(BoxError::from)
        .service(connections);
    Ok(Client::new(service, config.default_namespace.clone()))
}
