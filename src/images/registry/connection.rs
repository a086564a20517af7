//! One question to a registry: name, connection, TLS and answer, each with its deadline, so that each failure has its own words.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig};
use rustls_platform_verifier::Verifier;
use secrecy::{ExposeSecret, SecretString};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tower::ServiceExt;

use super::trouble::Trouble;
use crate::codes::Code;
use crate::error::chain;

/// How long the name, the connection and the handshake may take together.
const CONNECT: Duration = Duration::from_secs(5);
/// How long the answer may take from then on.
const ANSWER: Duration = Duration::from_secs(10);
/// The largest answer that is read: a manifest may have 4 MiB (opencontainers/distribution-spec).
const LARGEST_BODY: usize = 4 << 20;
/// Where the engine looks for the certificates of registries (docs.docker.com/engine/security/certificates).
const ENGINE_CERTIFICATES: &str = "/etc/docker/certs.d";

/// What a registry answered.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    /// A header as text.
    pub(super) fn header(&self, name: impl hyper::header::AsHeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// A question.
pub(super) struct Question<'a> {
    pub(super) url: &'a Uri,
    pub(super) headers: &'a [(HeaderName, HeaderValue)],
    /// A form, which makes it a `POST`.
    pub(super) form: Option<SecretString>,
}

/// Asks, and reads the whole answer.
pub(super) async fn ask(question: &Question<'_>, proxy: &Matcher) -> Result<Answer, Trouble> {
    let url = question.url;
    let host = url.host().unwrap_or_default();
    let is_tls = url.scheme_str() == Some("https");
    let connected = timeout(CONNECT, connect(url, host, is_tls, proxy)).await;
    let connected = connected
        .map_err(|_| unreachable(format!("{host} did not accept a connection within {} s", CONNECT.as_secs())))?;
    let answered = match connected? {
        Connected::Plain(stream) => timeout(ANSWER, exchange(stream, question)).await,
        Connected::Tls(stream) => timeout(ANSWER, exchange(*stream, question)).await,
    };
    answered.map_err(|_| unreachable(format!("{host} did not answer within {} s", ANSWER.as_secs())).again())?
}

enum Connected {
    Plain(TcpStream),
    Tls(Box<tokio_rustls::client::TlsStream<TcpStream>>),
}

async fn connect(url: &Uri, host: &str, is_tls: bool, proxy: &Matcher) -> Result<Connected, Trouble> {
    let name = host.trim_matches(['[', ']']);
    let port = url.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
    let stream = match proxy.intercept(url).filter(|_| is_tls) {
        Some(proxy) => through(&proxy, &format!("{host}:{port}")).await?,
        None => straight(name, port).await?,
    };
    if !is_tls {
        return Ok(Connected::Plain(stream));
    }
    let authority = url.authority().map_or(name, |authority| authority.as_str());
    let connector = TlsConnector::from(Arc::new(tls(authority)?));
    let server = ServerName::try_from(name.to_owned()).map_err(|error| unreachable(error.to_string()))?;
    let stream = connector.connect(server, stream).await.map_err(|error| handshake_failed(name, &error))?;
    Ok(Connected::Tls(Box::new(stream)))
}

async fn straight(name: &str, port: u16) -> Result<TcpStream, Trouble> {
    let addresses = tokio::net::lookup_host((name, port)).await;
    let addresses: Vec<_> =
        addresses.map_err(|error| unreachable(format!("{name} has no address: {error}")))?.collect();
    // Tries one address after the other.
    let connected = TcpStream::connect(addresses.as_slice()).await;
    connected.map_err(|error| unreachable(format!("{name}:{port} cannot be reached: {}", reason(&error))))
}

async fn through(proxy: &Intercept, target: &str) -> Result<TcpStream, Trouble> {
    let mut tunnel = Tunnel::new(proxy.uri().clone(), HttpConnector::new());
    if let Some(authorization) = proxy.basic_auth() {
        tunnel = tunnel.with_auth(authorization.clone());
    }
    let target = Uri::builder().scheme("https").authority(target).path_and_query("/").build();
    let target = target.map_err(|error| unreachable(error.to_string()))?;
    // What stands before the sign is a password.
    let place = proxy.uri().authority().and_then(|authority| authority.as_str().rsplit('@').next()).unwrap_or_default();
    let connected = tunnel.oneshot(target).await;
    let connected =
        connected.map_err(|error| unreachable(format!("the proxy {place}: {}", chain(&error).join(": "))))?;
    Ok(connected.into_inner())
}

/// Trusts whom the system trusts, and whom the engine trusts for this registry.
fn tls(authority: &str) -> Result<ClientConfig, Trouble> {
    let failed = |error: rustls::Error| Trouble::new(Code::RegistryFailed, format!("TLS cannot be used here: {error}"));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let files = fs::read_dir(Path::new(ENGINE_CERTIFICATES).join(authority)).into_iter().flatten().flatten();
    let files = files.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|ending| ending == "crt"));
    let roots = files.filter_map(|path| CertificateDer::pem_file_iter(path).ok()).flatten().flatten();
    let verifier = Verifier::new_with_extra_roots(roots, Arc::clone(&provider)).map_err(failed)?;
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(failed)?;
    Ok(builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth())
}

fn handshake_failed(name: &str, error: &std::io::Error) -> Trouble {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidCertificate(why)) => {
            let why = match why {
                CertificateError::UnknownIssuer => "its issuer is not known here".to_owned(),
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired".to_owned(),
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                    "it is not valid yet: is this machine's clock right?".to_owned()
                }
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                    "it is for another name".to_owned()
                }
                // webpki's own words, which rustls hands on as they are.
                other if format!("{other:?}").contains("CaUsedAsEndEntity") => "it signs itself".to_owned(),
                other => other.to_string(),
            };
            Trouble::new(Code::RegistryUntrusted, format!("the certificate of {name} is not trusted: {why}"))
        }
        Some(rustls::Error::InvalidMessage(_)) => {
            Trouble::new(Code::RegistryUntrusted, format!("{name} does not speak TLS"))
        }
        _ => unreachable(format!("the TLS handshake with {name} failed: {error}")).again(),
    }
}

async fn exchange<S>(stream: S, question: &Question<'_>) -> Result<Answer, Trouble>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let url = question.url;
    let host = url.authority().map_or("", |authority| authority.as_str());
    let broken = |error: &dyn std::error::Error| {
        unreachable(format!("{host} broke the connection off: {}", chain(error).join(": "))).again()
    };
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| broken(&error))?;
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let mut request = Request::get(path).header(HOST, host).header(USER_AGENT, "windtunnel");
    for (name, value) in question.headers {
        request = request.header(name, value);
    }
    if question.form.is_some() {
        request = request.method(Method::POST).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    }
    let form = question.form.as_ref().map_or_else(String::new, |form| form.expose_secret().to_owned());
    let request = request.body(Full::new(Bytes::from(form)));
    let request = request.map_err(|error| Trouble::new(Code::RegistryFailed, error.to_string()))?;
    let conversation = async move {
        let (head, body) = sender.send_request(request).await.map_err(|error| broken(&error))?.into_parts();
        let body = Limited::new(body, LARGEST_BODY).collect().await.map_err(|error| broken(error.as_ref()))?;
        Ok(Answer { status: head.status, headers: head.headers, body: body.to_bytes() })
    };
    // The connection must be driven while the conversation goes on; what ends it early, the conversation reports as well.
    let (answer, _) = tokio::join!(conversation, connection);
    answer
}

fn unreachable(words: String) -> Trouble {
    Trouble::new(Code::RegistryUnreachable, words)
}

/// The usual reasons in words of their own.
fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::ConnectionRefused => "nothing listens there".to_owned(),
        std::io::ErrorKind::NetworkUnreachable | std::io::ErrorKind::HostUnreachable => {
            "no network leads there".to_owned()
        }
        std::io::ErrorKind::TimedOut => "no answer".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[test]
    fn a_certificate_that_is_not_trusted_is_no_network_trouble() {
        let of = |error: rustls::Error| handshake_failed("registry.corp", &std::io::Error::other(error));
        for (why, words) in [
            (CertificateError::UnknownIssuer, "its issuer is not known here"),
            (CertificateError::Expired, "it has expired"),
            (CertificateError::NotValidYet, "it is not valid yet: is this machine's clock right?"),
            (CertificateError::NotValidForName, "it is for another name"),
        ] {
            let expected = format!("the certificate of registry.corp is not trusted: {words}");
            assert_eq!(of(why.into()), Trouble::new(Code::RegistryUntrusted, expected));
        }
        let other = of(rustls::Error::HandshakeNotComplete);
        assert_eq!((other.code, other.is_passing), (Code::RegistryUnreachable, true));
    }

    #[tokio::test]
    async fn a_registry_without_tls_is_not_trusted() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url: Uri = format!("https://{}/v2/", listener.local_addr().unwrap()).parse().unwrap();
        let server = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            // The client may be gone before it has read all of this.
            let _ = stream.write_all(b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTPS request\n").await;
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest).await;
        };
        let question = Question { url: &url, headers: &[], form: None };
        let (answer, ()) = tokio::join!(async { ask(&question, &Matcher::builder().build()).await.err() }, server);
        assert_eq!(answer, Some(Trouble::new(Code::RegistryUntrusted, "127.0.0.1 does not speak TLS")));
    }
}
