//! Downloads one file over HTTP(S), proves its digest, and puts the program in it in its place, at once or not at all.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_LENGTH, LOCATION, USER_AGENT};
use hyper::{Request, Response, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::connect::{Connect, HttpConnector};
use hyper_util::rt::TokioExecutor;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;
use tokio::time::timeout;

use super::unpack;
use crate::codes::Code;
use crate::error::{During, Failure, Kind, chain};
use crate::surroundings::Proxies;
use crate::ui::Step;

/// How long the server may take to answer, and how long nothing may come then.
const SILENCE: Duration = Duration::from_secs(30);
/// GitHub redirects once; more than a few are a circle.
const REDIRECTS: u32 = 5;
/// The largest file that is taken, in bytes: minikube, the largest tool, has 140 MB.
const LARGEST: u64 = 512 * 1024 * 1024;

/// A file to be had, and how it is known to be the right one.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// `https://…`; plain `http://` only where the user named a mirror so.
    pub address: &'a str,
    /// Its SHA-256, in hexadecimal digits.
    pub sha256: &'a str,
    /// Where the program is inside it; `None` where the file is the program.
    pub member: Option<&'a str>,
}

/// Downloads a file and puts the program at `target`, executable. Whatever goes wrong, nothing is left behind.
///
/// # Errors
/// Prerequisite: the server is not reached or refuses, a redirect leads to plain http, the file is cut short or has another digest.
pub async fn install(source: Source<'_>, target: &Path, proxies: &Proxies, step: &Step<'_>) -> Result<(), Failure> {
    let folder = target.parent().ok_or_else(|| Failure::bug(format!("{} has no folder", target.display())))?;
    let doing = || format!("cannot write into {}", folder.display());
    std::fs::create_dir_all(folder).during(Kind::Prerequisite, doing())?;
    let installed = fetch(source, folder, proxies, step).await.and_then(|file| place(source, file, folder, target));
    if installed.is_err() {
        // Only what is empty goes.
        for made in folder.ancestors().take(2) {
            let _ = std::fs::remove_dir(made);
        }
    }
    installed
}

fn place(source: Source<'_>, file: NamedTempFile, folder: &Path, target: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::PermissionsExt;
    let program = match source.member {
        None => file,
        Some(member) => unpack::member(file.path(), member, folder)?,
    };
    let finish = || {
        program.as_file().set_permissions(std::fs::Permissions::from_mode(0o755))?;
        program.as_file().sync_all()?;
        program.persist(target).map(drop).map_err(std::io::Error::from)
    };
    finish().during(Kind::Prerequisite, format!("cannot write {}", target.display()))
}

async fn fetch(
    source: Source<'_>,
    folder: &Path,
    proxies: &Proxies,
    step: &Step<'_>,
) -> Result<NamedTempFile, Failure> {
    let matcher = proxies.matcher();
    let mut address = source.address.to_owned();
    for _ in 0..=REDIRECTS {
        let uri: Uri = address.parse().map_err(|_| failure(format!("{address} is no address")))?;
        step.doing(format!("asking {}", uri.host().unwrap_or(&address)));
        let response = match matcher.intercept(&uri) {
            None => get(&connector(plain())?, &uri).await?,
            Some(proxy) => {
                let tunnel = Tunnel::new(proxy.uri().clone(), plain());
                let tunnel = match proxy.basic_auth() {
                    Some(credentials) => tunnel.with_auth(credentials.clone()),
                    None => tunnel,
                };
                get(&connector(tunnel)?, &uri).await?
            }
        };
        let status = response.status();
        if status.is_redirection() {
            address = redirect(&uri, response.headers().get(LOCATION).and_then(|place| place.to_str().ok()))?;
            continue;
        }
        if !status.is_success() {
            return Err(
                failure(format!("{address} cannot be downloaded")).evidence(format!("the server says {status}"))
            );
        }
        return save(response, &address, source, folder, step).await;
    }
    Err(failure(format!("{} is redirected more than {REDIRECTS} times", source.address)))
}

/// A TCP connection, over which TLS is spoken or not.
fn plain() -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector
}

/// TLS with the system's certificate store, or plain http where the user named such a mirror.
fn connector<C>(inner: C) -> Result<HttpsConnector<C>, Failure> {
    let builder = HttpsConnectorBuilder::new()
        .try_with_platform_verifier()
        .during(Kind::Prerequisite, "the system's certificates cannot be read")?;
    Ok(builder.https_or_http().enable_http1().wrap_connector(inner))
}

async fn get<C>(connector: &C, uri: &Uri) -> Result<Response<Incoming>, Failure>
where
    C: Connect + Clone + Send + Sync + 'static,
{
    let unreachable = || failure(format!("{uri} cannot be downloaded"));
    let request = Request::get(uri)
        .header(USER_AGENT, concat!("windtunnel/", env!("CARGO_PKG_VERSION")))
        .body(Empty::<Bytes>::new())
        .map_err(|error| unreachable().evidence(error.to_string()))?;
    let client = Client::builder(TokioExecutor::new()).build::<_, Empty<Bytes>>(connector.clone());
    timeout(SILENCE, client.request(request))
        .await
        .map_err(|_| unreachable().evidence(format!("no answer within {} s", SILENCE.as_secs())))?
        .map_err(|error| unreachable().evidence_lines(chain(&error)))
}

/// Where a redirect leads. What came over TLS, or is said to, must not go on without.
fn redirect(from: &Uri, place: Option<&str>) -> Result<String, Failure> {
    let place = place.ok_or_else(|| failure(format!("{from} redirects to nowhere")))?;
    let authority = from.authority().map_or("", |authority| authority.as_str());
    let scheme = from.scheme_str().unwrap_or("https");
    let to = if place.starts_with("//") {
        format!("{scheme}:{place}")
    } else if place.starts_with('/') {
        format!("{scheme}://{authority}{place}")
    } else {
        place.to_owned()
    };
    let stays = to.starts_with(&format!("http://{authority}/")) && from.scheme_str() == Some("http");
    if to.starts_with("https://") || stays {
        return Ok(to);
    }
    Err(failure(format!("{from} redirects to plain http, which is refused")).evidence(format!("to {to}")))
}

/// Writes the body into a temporary file beside the target, and looks that it is the right one.
async fn save(
    response: Response<Incoming>,
    address: &str,
    source: Source<'_>,
    folder: &Path,
    step: &Step<'_>,
) -> Result<NamedTempFile, Failure> {
    let doing = || format!("cannot write into {}", folder.display());
    let length = response.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    let mut body = response.into_body();
    let mut file = NamedTempFile::new_in(folder).during(Kind::Prerequisite, doing())?;
    let mut hasher = Sha256::new();
    let mut count: u64 = 0;
    let cut = |count: u64, why: Vec<String>| {
        let whole = length.map(|length| format!(" of {length}")).unwrap_or_default();
        failure(format!("{address} was cut short: {count}{whole} bytes came")).evidence_lines(why)
    };
    loop {
        let frame = timeout(SILENCE, body.frame()).await;
        let frame = frame.map_err(|_| cut(count, vec![format!("nothing came for {} s", SILENCE.as_secs())]))?;
        let Some(frame) = frame else { break };
        let frame = frame.map_err(|error| cut(count, chain(&error)))?;
        let Some(bytes) = frame.data_ref() else { continue };
        count += bytes.len() as u64;
        if count > LARGEST {
            return Err(failure(format!("{address} is larger than {} MiB", LARGEST >> 20)));
        }
        hasher.update(bytes);
        file.write_all(bytes).during(Kind::Prerequisite, doing())?;
        let whole = length.map(|length| format!(" of {}", length >> 20)).unwrap_or_default();
        step.doing(format!("{}{whole} MiB", count >> 20));
    }
    if length.is_some_and(|length| count < length) {
        return Err(cut(count, Vec::new()));
    }
    let found = super::hexadecimal(&hasher.finalize());
    if !found.eq_ignore_ascii_case(source.sha256) {
        return Err(failure(format!("{address} has the wrong digest"))
            .code(Code::ToolDigest)
            .evidence(format!("found     sha256 {found}"))
            .evidence(format!("expected  sha256 {}", source.sha256))
            .hint(
                "it is another version, or not what its makers published: have the mirror or the network looked at",
            ));
    }
    Ok(file)
}

fn failure(message: String) -> Failure {
    Failure::new(Kind::Prerequisite, message).code(Code::ToolDownload)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_never_leads_from_tls_to_plain_http() {
        let redirected = |from: &'static str, to| redirect(&Uri::from_static(from), Some(to));
        assert_eq!(redirected("https://a.org/x", "https://b.org/y").unwrap(), "https://b.org/y");
        assert_eq!(redirected("https://a.org/x", "/y?z").unwrap(), "https://a.org/y?z");
        assert_eq!(redirected("https://a.org/x", "//b.org/y").unwrap(), "https://b.org/y");
        assert_eq!(redirected("http://mirror:80/x", "/y").unwrap(), "http://mirror:80/y");
        for (from, to) in [
            ("https://a.org/x", "http://a.org/y"),
            ("https://a.org/x", "ftp://a.org/y"),
            ("http://mirror/x", "http://other/y"),
        ] {
            let failure = redirected(from, to).unwrap_err();
            assert!(failure.message.contains("plain http"), "{}", failure.message);
        }
    }
}
