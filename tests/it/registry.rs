//! A registry on loopback, as far as `up` asks it: manifests by name, with the answers that a test wants.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use hyper::{Request, StatusCode};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::api_server::{json_answer, serve};

/// How an image is answered for.
#[derive(Clone)]
pub(crate) enum Image {
    /// An index with these architectures.
    Of(&'static [&'static str]),
    /// One manifest, whose configuration has this architecture.
    Alone(&'static str),
    /// For this user and password only, by a token.
    Private(&'static str),
    /// 429, and how long to wait; so many times, then as one for amd64.
    Limited(u32, u32),
    /// 503.
    Broken,
}

/// The server; it ends when this is dropped.
pub(crate) struct Registry {
    address: SocketAddr,
    images: Arc<Mutex<BTreeMap<String, Image>>>,
    /// The requests that came: method, path, and whether there was a login.
    requests: Arc<Mutex<Vec<String>>>,
    _stop: oneshot::Sender<()>,
}

const TOKEN: &str = "Bearer a-token-that-nobody-may-see";
/// `me:s3cret`.
pub(crate) const LOGIN: &str = "bWU6czNjcmV0";

impl Registry {
    /// Starts it, with nothing in it.
    pub(crate) fn start() -> Self {
        let images: Arc<Mutex<BTreeMap<String, Image>>> = Arc::default();
        let requests: Arc<Mutex<Vec<String>>> = Arc::default();
        let (stop, stopped) = oneshot::channel();
        let (seen, asked) = (Arc::clone(&images), Arc::clone(&requests));
        let address = serve(stopped, move |request| {
            let header = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
            let login = header("authorization").unwrap_or_default();
            let line =
                format!("{} {} {}", request.method(), request.uri(), if login.is_empty() { "-" } else { "login" });
            asked.lock().unwrap().push(line);
            let mut answer = answer(&request, &login, &header("host").unwrap(), &mut seen.lock().unwrap());
            let wanted = answer.1.take();
            async move {
                let mut response = json_answer(answer.0, &answer.2);
                if let Some((name, value)) = wanted {
                    response.headers_mut().insert(name, value.parse().unwrap());
                }
                response
            }
        });
        Self { address, images, requests, _stop: stop }
    }

    /// From now on it has an image of this name; its reference.
    pub(crate) fn put(&self, name: &str, image: Image) -> String {
        self.images.lock().unwrap().insert(name.to_owned(), image);
        self.reference(name)
    }

    /// What an image of this name is called, whether it is there or not.
    pub(crate) fn reference(&self, name: &str) -> String {
        format!("{}/{name}", self.address)
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// The requests that came.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

type Answer = (StatusCode, Option<(&'static str, String)>, Value);

fn answer<B>(request: &Request<B>, login: &str, host: &str, images: &mut BTreeMap<String, Image>) -> Answer {
    let path = request.uri().path();
    if path == "/token" {
        return if login == format!("Basic {LOGIN}") {
            (StatusCode::OK, None, json!({"token": TOKEN.trim_start_matches("Bearer ")}))
        } else {
            error(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "authentication required")
        };
    }
    let parts: Vec<&str> = path.trim_start_matches("/v2/").split('/').collect();
    let &[name, what, version] = parts.as_slice() else {
        return error(StatusCode::NOT_FOUND, "NAME_UNKNOWN", "unknown");
    };
    if what == "blobs" {
        let architecture = version.trim_start_matches("sha256:config-");
        return (StatusCode::OK, None, json!({"os": "linux", "architecture": architecture}));
    }
    if let Some(architecture) = version.strip_prefix("sha256:") {
        return (StatusCode::OK, None, manifest(architecture));
    }
    match images.get_mut(&format!("{name}:{version}")) {
        None => error(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN", "manifest unknown"),
        Some(Image::Of(architectures)) => (StatusCode::OK, None, index(architectures)),
        Some(Image::Alone(architecture)) => (StatusCode::OK, None, manifest(architecture)),
        Some(Image::Private(_)) if login == TOKEN => (StatusCode::OK, None, index(&["amd64"])),
        Some(Image::Private(service)) => {
            let challenge = format!("Bearer realm=\"http://{host}/token\",service=\"{service}\"");
            let (status, _, document) = error(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "authentication required");
            (status, Some(("www-authenticate", challenge)), document)
        }
        Some(Image::Limited(times @ 1.., after)) => {
            *times -= 1;
            let (status, _, document) = error(StatusCode::TOO_MANY_REQUESTS, "TOOMANYREQUESTS", "pull rate limit");
            (status, Some(("retry-after", after.to_string())), document)
        }
        Some(Image::Limited(..)) => (StatusCode::OK, None, index(&["amd64"])),
        Some(Image::Broken) => error(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", "storage is gone"),
    }
}

fn index(architectures: &[&str]) -> Value {
    let listed = |architecture: &&str| json!({"digest": format!("sha256:{architecture}"), "platform": {"os": "linux", "architecture": architecture}});
    json!({"schemaVersion": 2, "manifests": architectures.iter().map(listed).collect::<Vec<_>>()})
}

fn manifest(architecture: &str) -> Value {
    json!({
        "schemaVersion": 2, "config": {"digest": format!("sha256:config-{architecture}"), "size": 1},
        "layers": [{"digest": "sha256:aaaaaaaaaaaaaaaa", "size": 30_000_000}, {"digest": "sha256:bbbbbbbbbbbbbbbb", "size": 2_000_000}],
    })
}

fn error(status: StatusCode, code: &str, message: &str) -> Answer {
    (status, None, json!({"errors": [{"code": code, "message": message}]}))
}
