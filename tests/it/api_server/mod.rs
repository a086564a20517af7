//! A small Kubernetes API server inside the test: a store of objects that the test fills, lists, watches, logs and `portforward`.
//! No controller acts: an object is what somebody put there.

mod address;
mod discovery;
mod portforward;
mod rights;
mod store;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch as change};

pub(crate) use address::Address;
use address::Query;
pub(crate) use store::{Store, now};
use watch::Watch;

/// The body of an answer.
type Body = UnsyncBoxBody<Bytes, Infallible>;

/// What happens when a fake tool posts its arguments to `/fake/NAME`.
type Effect = Box<dyn Fn(&mut Store, &[String]) + Send>;

/// The server; it ends when this is dropped.
pub(crate) struct ApiServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    _stop: oneshot::Sender<()>,
}

/// What somebody wrote or deleted by a request.
pub(crate) struct Write {
    /// `DELETE`, `PATCH`, …
    pub(crate) method: Method,
    pub(crate) address: Address,
    /// The object as it was before; `None` where there was none.
    pub(crate) before: Option<Value>,
}

struct Shared {
    store: Arc<Mutex<Store>>,
    changed: change::Sender<u64>,
    airflow: SocketAddr,
    effects: Mutex<BTreeMap<String, Effect>>,
    logs: Mutex<BTreeMap<(String, String), String>>,
    /// How many requests for a log are still to be refused.
    lost_logs: Mutex<u32>,
    failing: Arc<Mutex<u32>>,
    requests: Mutex<u32>,
    /// Resources of which somebody has begun a watch.
    watched: Mutex<BTreeSet<String>>,
    refused: Mutex<Vec<String>>,
    writes: Mutex<Vec<Write>>,
    /// A file that is made when somebody asks for the version: the first question to a new cluster.
    asked: PathBuf,
}

impl ApiServer {
    /// Starts it on a thread of its own. Forwarded ports lead to `airflow`; `asked` is made when somebody asks for the version.
    pub(crate) fn start(airflow: SocketAddr, asked: PathBuf) -> Self {
        let shared = Arc::new(Shared {
            store: Arc::default(),
            changed: change::Sender::new(0),
            airflow,
            effects: Mutex::default(),
            logs: Mutex::default(),
            lost_logs: Mutex::default(),
            failing: Arc::default(),
            requests: Mutex::new(0),
            watched: Mutex::default(),
            refused: Mutex::default(),
            writes: Mutex::default(),
            asked,
        });
        let (stop, stopped) = oneshot::channel();
        let served = Arc::clone(&shared);
        let address = serve(stopped, move |request| {
            let shared = Arc::clone(&served);
            async move { shared.answer(request).await }
        });
        Self { address, shared, _stop: stop }
    }

    /// The address that a kubeconfig names.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Changes objects; watches are told.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Store) -> T) -> T {
        self.shared.change(change)
    }

    /// What a fake tool causes by `post …/fake/NAME`.
    pub(crate) fn effect(&self, name: &str, effect: impl Fn(&mut Store, &[String]) + Send + 'static) {
        self.shared.effects.lock().unwrap().insert(name.to_owned(), Box::new(effect));
    }

    /// The log of a container.
    pub(crate) fn log(&self, pod: &str, container: &str, text: &str) {
        self.shared.logs.lock().unwrap().insert((pod.to_owned(), container.to_owned()), text.to_owned());
    }

    /// The next `count` requests for a log are refused, as by a kubelet that is about to begin the container's next run.
    pub(crate) fn lose_logs(&self, count: u32) {
        *self.shared.lost_logs.lock().unwrap() = count;
    }

    /// The next `count` requests are answered with 500, and watches that are open end.
    pub(crate) fn fail_next(&self, count: u32) {
        *self.shared.failing.lock().unwrap() = count;
        self.change(|_| ());
    }

    /// How many requests came.
    pub(crate) fn requests(&self) -> u32 {
        *self.shared.requests.lock().unwrap()
    }

    /// Whether somebody has begun to watch a resource.
    pub(crate) fn was_watched(&self, resource: &str) -> bool {
        self.shared.watched.lock().unwrap().contains(resource)
    }

    /// What was written and deleted by requests since this was asked last.
    pub(crate) fn take_writes(&self) -> Vec<Write> {
        std::mem::take(&mut *self.shared.writes.lock().unwrap())
    }

    /// From now on the user may not do this: verb and resource, as `create secrets`, or for all namespaces `list pods everywhere`.
    pub(crate) fn refuse(&self, right: &str) {
        self.shared.refused.lock().unwrap().push(right.to_owned());
    }
}

impl Shared {
    fn change<T>(&self, change: impl FnOnce(&mut Store) -> T) -> T {
        let mut store = self.store.lock().unwrap();
        let result = change(&mut store);
        self.changed.send_replace(store.version());
        result
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        if let Some(effect) = path.strip_prefix("/fake/") {
            let body = request.into_body().collect().await.unwrap().to_bytes();
            let arguments: Vec<String> = String::from_utf8_lossy(&body).lines().map(str::to_owned).collect();
            let effects = self.effects.lock().unwrap();
            self.change(|store| effects[effect](store, &arguments));
            return json_answer(StatusCode::OK, &json!({}));
        }
        *self.requests.lock().unwrap() += 1;
        if take_one(&self.failing) {
            return failure(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", "etcdserver: leader changed");
        }
        if path == "/version" {
            std::fs::write(&self.asked, "").unwrap();
        }
        if let Some(document) = discovery::document(&path) {
            return json_answer(StatusCode::OK, &document);
        }
        if path == rights::PATH {
            let review = request.into_body().collect().await.unwrap().to_bytes();
            return json_answer(StatusCode::CREATED, &rights::answer(&review, &self.refused.lock().unwrap()));
        }
        let Some(address) = Address::read(&path) else {
            return failure(StatusCode::NOT_FOUND, "NotFound", "the server could not find the requested resource");
        };
        let query = Query::read(request.uri().query().unwrap_or_default());
        match (address.subresource.as_deref(), method) {
            (Some("portforward"), _) => portforward::answer(request, self.airflow),
            (Some("log"), _) if take_one(&self.lost_logs) => {
                failure(StatusCode::BAD_REQUEST, "BadRequest", "previous terminated container not found")
            }
            (Some("log"), _) => {
                let container = query.value("container").unwrap_or_default().to_owned();
                let logs = self.logs.lock().unwrap();
                let text = logs.get(&(address.name.unwrap_or_default(), container)).cloned().unwrap_or_default();
                Response::new(Full::from(text).boxed_unsync())
            }
            (Some(_), _) => failure(StatusCode::NOT_FOUND, "NotFound", "the fake has no such subresource"),
            (None, Method::GET) => self.read(&request, address, query),
            (None, method) => self.write(request, &address, method).await,
        }
    }

    fn read(&self, request: &Request<Incoming>, address: Address, query: Query) -> Response<Body> {
        let accept = request.headers().get("accept").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let partial = accept.contains("as=PartialObjectMetadata");
        let shown = |object: &Value| if partial { metadata_only(object) } else { object.clone() };
        let store = self.store.lock().unwrap();
        if address.name.is_some() {
            return match store.get(&address) {
                Some(object) => json_answer(StatusCode::OK, &shown(object)),
                None => not_found(&address),
            };
        }
        if query.value("watch") == Some("true") {
            self.watched.lock().unwrap().insert(address.resource.clone());
            let (store, changed) = (Arc::clone(&self.store), self.changed.subscribe());
            let failing = Arc::clone(&self.failing);
            return Response::new(Watch { store, changed, failing, collection: address, query, partial }.body());
        }
        let everywhere = format!("list {} everywhere", address.resource);
        if address.namespace.is_none() && self.refused.lock().unwrap().contains(&everywhere) {
            return failure(StatusCode::FORBIDDEN, "Forbidden", "you may not look at the whole cluster");
        }
        let items: Vec<Value> = store.list(&address).filter(|object| query.selects(object)).map(shown).collect();
        let (group_version, kind) = if partial {
            ("meta.k8s.io/v1", "PartialObjectMetadata")
        } else {
            (address.group_version.as_str(), address.kind().unwrap_or_default())
        };
        let metadata = json!({"resourceVersion": store.version().to_string()});
        json_answer(
            StatusCode::OK,
            &json!({"apiVersion": group_version, "kind": format!("{kind}List"), "metadata": metadata, "items": items}),
        )
    }

    async fn write(&self, request: Request<Incoming>, address: &Address, method: Method) -> Response<Body> {
        let is_merge = request.headers().get("content-type").is_some_and(|kind| kind == "application/merge-patch+json");
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let before = self.store.lock().unwrap().get(address).cloned();
        let uid = before.as_ref().map(|object| object["metadata"]["uid"].clone());
        self.writes.lock().unwrap().push(Write { method: method.clone(), address: address.clone(), before });
        if method == Method::DELETE {
            let options: Value = serde_json::from_slice(&body).unwrap_or_default();
            let wanted = &options["preconditions"]["uid"];
            if uid.is_some_and(|uid| !wanted.is_null() && *wanted != uid) {
                return failure(StatusCode::CONFLICT, "Conflict", "the UID in the precondition is not the object's");
            }
            let deleted = self.change(|store| store.delete(address));
            return deleted.map_or_else(|| not_found(address), |object| json_answer(StatusCode::OK, &object));
        }
        let Ok(mut object) = serde_json::from_slice::<Value>(&body) else {
            return failure(StatusCode::BAD_REQUEST, "BadRequest", "the body is not JSON");
        };
        if is_merge {
            return self.merge(address, &object);
        }
        if let Some(namespace) = &address.namespace {
            object["metadata"]["namespace"] = namespace.clone().into();
        }
        if let Some(name) = &address.name {
            object["metadata"]["name"] = name.clone().into();
        }
        json_answer(StatusCode::OK, &self.change(|store| store.put(object)))
    }
}

impl Shared {
    /// What a controller does of it is the effect `scaled`, which gets the object's name and its replicas.
    fn merge(&self, address: &Address, patch: &Value) -> Response<Body> {
        let effects = self.effects.lock().unwrap();
        let merged = self.change(|store| {
            let mut object = store.get(address)?.clone();
            merge(&mut object, patch);
            let object = store.put(object);
            let words = ["/metadata/name", "/metadata/namespace", "/spec/replicas"].map(|path| {
                let value = object.pointer(path).unwrap_or(&Value::Null);
                value.as_str().map_or_else(|| value.to_string(), str::to_owned)
            });
            if !patch["spec"]["replicas"].is_null() {
                effects["scaled"](store, &words);
            }
            Some(object)
        });
        merged.map_or_else(|| not_found(address), |object| json_answer(StatusCode::OK, &object))
    }
}

/// RFC 7396.
fn merge(object: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *object = patch.clone();
        return;
    };
    if !object.is_object() {
        *object = json!({});
    }
    for (key, value) in patch {
        if value.is_null() {
            object.as_object_mut().unwrap().remove(key);
        } else {
            merge(&mut object[key], value);
        }
    }
}

/// Serves HTTP/1 on a free port of 127.0.0.1 until `stopped` resolves, on a thread of its own.
pub(crate) fn serve<A>(
    stopped: oneshot::Receiver<()>,
    answer: impl Fn(Request<Incoming>) -> A + Clone + Send + 'static,
) -> SocketAddr
where
    A: Future<Output = Response<Body>> + Send + 'static,
{
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let serving = async {
            let listener = TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                let answer = answer.clone();
                let service = service_fn(move |request| {
                    let answer = answer(request);
                    async move { Ok::<_, Infallible>(answer.await) }
                });
                let http = hyper::server::conn::http1::Builder::new();
                // A client that goes away in the middle is none of our business.
                tokio::spawn(http.serve_connection(TokioIo::new(stream), service).with_upgrades());
            }
        };
        runtime.block_on(async {
            tokio::select! { () = serving => {}, _ = stopped => {} }
        });
    });
    address
}

/// A JSON document as an answer.
pub(crate) fn json_answer(status: StatusCode, document: &Value) -> Response<Body> {
    let body = Full::from(document.to_string()).boxed_unsync();
    Response::builder().status(status).header("content-type", "application/json").body(body).unwrap()
}

fn empty() -> Body {
    Empty::new().boxed_unsync()
}

fn failure(status: StatusCode, reason: &str, message: &str) -> Response<Body> {
    let code = status.as_u16();
    json_answer(
        status,
        &json!({
            "apiVersion": "v1", "kind": "Status", "status": "Failure", "metadata": {}, "reason": reason, "message": message,
            "code": code,
        }),
    )
}

fn not_found(address: &Address) -> Response<Body> {
    let name = address.name.as_deref().unwrap_or_default();
    failure(StatusCode::NOT_FOUND, "NotFound", &format!("{} \"{name}\" not found", address.resource))
}

/// An object as `PartialObjectMetadata`.
fn metadata_only(object: &Value) -> Value {
    json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": object["metadata"]})
}

/// Counts down; whether there was anything to count.
fn take_one(left: &Mutex<u32>) -> bool {
    let mut left = left.lock().unwrap();
    let is_left = *left > 0;
    *left = left.saturating_sub(1);
    is_left
}
