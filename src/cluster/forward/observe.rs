//! Keeps an eye on the Service and its endpoints for as long as the environment exists.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{iter, pending, select};
use futures_util::{Stream, StreamExt};
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::Api;
use kube::runtime::watcher::{self, Event, watcher};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::Target;
use super::backends::Backends;
use super::objects::{Objects, selector};
use crate::cluster::Cluster;
use crate::error::{Failure, chain};

/// How long the first lists may take together.
const LISTS: Duration = Duration::from_secs(10);
/// How long the pods' readiness is doubted after the API server was away. When a node starts again its pods still count
/// as ready until the kubelet reports on them, some three seconds later, and their old addresses may by then be those of
/// other pods.
const REPORT: Duration = Duration::from_secs(10);
/// The pause before the API server is tried again, doubled up to the longest. It is local and a refused connection
/// costs next to nothing, so that a cluster that was paused for days is found again within seconds.
const SHORTEST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(3);

/// Watches until the private kubeconfig is gone: then the environment was removed.
pub(super) async fn observe(target: &Target, backends: &watch::Sender<Backends>) {
    let mut pause = SHORTEST;
    let mut past = Past::default();
    // `try_exists` fails where the folder may not be read; that is no removal.
    while target.kubeconfig.try_exists().unwrap_or(true) {
        let epoch = backends.borrow().epoch;
        // Read anew each time: a cluster that was made again has other certificates and another port.
        let end = match Cluster::open(&target.kubeconfig, &target.context).await {
            Ok(cluster) => watch_until_it_breaks(&cluster, target, backends, &mut past).await,
            Err(failure) => End::Trouble(one_line(&failure)),
        };
        past.away = backends.borrow().epoch == epoch;
        if !past.away {
            pause = SHORTEST;
        }
        if let End::Trouble(trouble) = end {
            backends.send_modify(|now| {
                now.cluster = None;
                now.trouble = Some(trouble);
            });
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST);
    }
}

/// What is remembered from one watch to the next.
#[derive(Default)]
struct Past {
    /// The API server could not be reached the last time.
    away: bool,
    /// The pods as last seen.
    versions: Vec<String>,
}

/// Why a watch ended. One that the server ends in the normal way goes on by itself.
#[derive(Debug, Eq, PartialEq)]
enum End {
    /// The Service has other pods now, so others must be watched.
    OtherPods,
    /// The API server cannot be reached, and why.
    Trouble(String),
}

async fn watch_until_it_breaks(
    cluster: &Cluster,
    target: &Target,
    backends: &watch::Sender<Backends>,
    past: &mut Past,
) -> End {
    let namespace = target.namespace.as_str();
    let services = Api::<Service>::namespaced(cluster.client.clone(), namespace);
    let pods = Api::<Pod>::namespaced(cluster.client.clone(), namespace);
    let slices = Api::<EndpointSlice>::namespaced(cluster.client.clone(), namespace);
    let labels = match timeout(LISTS, services.get_opt(&target.service)).await {
        Ok(Ok(service)) => service.as_ref().and_then(selector),
        Ok(Err(error)) => return End::Trouble(unreachable(&explain(&error))),
        Err(_) => return End::Trouble(silent()),
    };
    let one_service = watcher::Config::default().fields(&format!("metadata.name={}", target.service));
    let its_slices = watcher::Config::default().labels(&format!("kubernetes.io/service-name={}", target.service));
    let its_pods = match &labels {
        Some(labels) => watcher(pods, watcher::Config::default().labels(labels)).boxed(),
        None => iter([Ok(Event::Init), Ok(Event::InitDone)]).chain(pending()).boxed(),
    };
    let news = select(
        watcher(services, one_service).map(|event| event.map(|event| News::Service(Box::new(event)))),
        select(
            its_pods.map(|event| event.map(|event| News::Pod(Box::new(event)))),
            watcher(slices, its_slices).map(|event| event.map(|event| News::Slice(Box::new(event)))),
        ),
    );
    follow(cluster, target, labels.as_deref(), news, backends, past).await
}

/// What a watch brings.
enum News {
    Service(Box<Event<Service>>),
    Pod(Box<Event<Pod>>),
    Slice(Box<Event<EndpointSlice>>),
}

/// What the watch is about to see.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Phase {
    Listing,
    Stale,
    Live,
}

async fn follow(
    cluster: &Cluster,
    target: &Target,
    labels: Option<&str>,
    news: impl Stream<Item = watcher::Result<News>>,
    backends: &watch::Sender<Backends>,
    past: &mut Past,
) -> End {
    let mut news = std::pin::pin!(news);
    let mut objects = Objects::default();
    let (mut phase, mut deadline) = (Phase::Listing, Instant::now() + LISTS);
    loop {
        let next = match phase {
            Phase::Live => Some(news.next().await),
            Phase::Listing | Phase::Stale => timeout_at(deadline, news.next()).await.ok(),
        };
        match next {
            Some(Some(Ok(News::Service(event)))) => {
                if let Event::Apply(service) | Event::InitApply(service) = &*event
                    && selector(service).as_deref() != labels
                {
                    return End::OtherPods;
                }
                objects.service(*event, target.service_port);
            }
            Some(Some(Ok(News::Pod(event)))) => objects.pod(*event),
            Some(Some(Ok(News::Slice(event)))) => objects.slice(*event),
            Some(Some(Err(error))) => return End::Trouble(unreachable(&reason(&error))),
            Some(None) => return End::Trouble("the watch ended".to_owned()),
            None if phase == Phase::Listing => return End::Trouble(silent()),
            // Nothing has changed for so long: what was true before the API server was away still is.
            None => phase = Phase::Live,
        }
        if !objects.complete() {
            continue;
        }
        let anew = phase == Phase::Listing;
        let same = past.versions == objects.versions();
        if anew {
            let stale = past.away && (same || past.versions.is_empty());
            (phase, deadline) = (if stale { Phase::Stale } else { Phase::Live }, Instant::now() + REPORT);
        } else if !same {
            phase = Phase::Live;
        }
        past.versions = objects.versions();
        publish(backends, &objects, phase == Phase::Stale, anew.then_some(cluster));
    }
}

fn publish(backends: &watch::Sender<Backends>, objects: &Objects, stale: bool, anew: Option<&Cluster>) {
    let (pods, node_port, agrees) = (objects.ready_pods(), objects.node_port(), objects.node_port_agrees());
    let exist = objects.uids();
    backends.send_if_modified(|now| {
        let same =
            now.pods == pods && now.exist == exist && now.node_port == node_port && now.node_port_agrees == agrees;
        let modified = anew.is_some() || now.stale != stale || !same;
        if now.epoch > 0 {
            let instant = Instant::now();
            if now.pods != pods {
                now.changed = Some(instant);
            }
            if anew.is_some() {
                now.reached_anew = Some(instant);
            }
        }
        if let Some(cluster) = anew {
            now.epoch += 1;
            now.cluster = Some(Arc::new(cluster.clone()));
            now.trouble = None;
        }
        now.stale = stale;
        now.pods = pods;
        now.exist = exist;
        now.node_port = node_port;
        now.node_port_agrees = agrees;
        modified
    });
}

fn reason(error: &watcher::Error) -> String {
    use watcher::Error::{InitialListFailed, WatchError, WatchFailed, WatchStartFailed};
    match error {
        InitialListFailed(error) | WatchStartFailed(error) | WatchFailed(error) => explain(error),
        WatchError(status) => status.message.clone(),
        watcher::Error::NoResourceVersion => error.to_string(),
    }
}

/// Without the debug form of the API server's answer that the error's own text ends in.
fn explain(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => chain(other).join(": "),
    }
}

fn unreachable(reason: &str) -> String {
    format!("the API server cannot be reached: {reason}")
}

fn silent() -> String {
    format!("the API server did not answer within {LISTS:?}")
}

fn one_line(failure: &Failure) -> String {
    std::iter::once(&failure.message).chain(&failure.evidence).map(String::as_str).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use hyper::{Request, Response};
    use kube::client::Body;
    use kube::{Client, Config};
    use serde_json::{Value, json};
    use tower_test::mock::{Handle, pair};

    use super::*;

    fn target() -> Target {
        Target {
            kubeconfig: "/nowhere".into(),
            context: "kind-demo".to_owned(),
            namespace: "demo".to_owned(),
            service: "demo-web".to_owned(),
            service_port: 8080,
        }
    }

    fn service() -> Value {
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "demo-web", "resourceVersion": "1"},
            "spec": {"selector": {"app": "web"}, "ports": [{"name": "web", "port": 8080, "nodePort": 30080}]}
        })
    }

    fn pod(version: &str, name: &str) -> Value {
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "uid": name, "resourceVersion": version},
            "status": {"podIPs": [{"ip": "10.244.0.5"}], "conditions": [{"type": "Ready", "status": "True"}]}
        })
    }

    /// Answers as an API server does: lists first, then on the watch of pods one new pod, and then it goes away.
    async fn api_server(mut requests: Handle<Request<Body>, Response<Body>>) {
        let mut watched = false;
        while let Some((request, send)) = requests.next_request().await {
            let (path, query) = (request.uri().path(), request.uri().query().unwrap_or_default());
            let answer = |document: &Value| Response::new(Body::from(format!("{document}\n").into_bytes()));
            let items = match path {
                "/api/v1/namespaces/demo/services/demo-web" => {
                    send.send_response(answer(&service()));
                    continue;
                }
                "/api/v1/namespaces/demo/services" => {
                    assert!(query.contains("fieldSelector=metadata.name%3Ddemo-web"), "{query}");
                    json!([service()])
                }
                "/api/v1/namespaces/demo/pods" => {
                    assert!(query.contains("labelSelector=app%3Dweb"), "{query}");
                    json!([pod("1", "old")])
                }
                "/apis/discovery.k8s.io/v1/namespaces/demo/endpointslices" => {
                    assert!(query.contains("labelSelector=kubernetes.io%2Fservice-name%3Ddemo-web"), "{query}");
                    json!([])
                }
                other => panic!("nobody should ask for {other}"),
            };
            if !query.contains("watch=true") {
                send.send_response(answer(&json!({"metadata": {"resourceVersion": "1"}, "items": items})));
            } else if !path.ends_with("pods") {
                // A watch on which nothing happens: held open for as long as the test lasts.
                std::mem::forget(send);
            } else if std::mem::replace(&mut watched, true) {
                send.send_error(std::io::Error::from(std::io::ErrorKind::ConnectionRefused));
            } else {
                send.send_response(answer(&json!({"type": "ADDED", "object": pod("2", "new")})));
            }
        }
    }

    #[tokio::test]
    async fn what_the_watch_says_becomes_the_backends_until_the_api_server_goes() {
        let (service, requests) = pair::<Request<Body>, Response<Body>>();
        tokio::spawn(api_server(requests));
        let mut cluster = Cluster::of(Config::new("http://127.0.0.1:1".parse().unwrap()));
        cluster.client = Client::new(service, "default");
        let (sender, mut backends) = watch::channel(Backends::default());
        let watching = tokio::spawn(async move {
            let end = watch_until_it_breaks(&cluster, &target(), &sender, &mut Past::default()).await;
            (end, sender)
        });
        let seen = backends.wait_for(|now| now.pods.iter().any(|pod| pod.pod == "new")).await.unwrap().clone();
        assert_eq!((seen.epoch, seen.node_port, seen.pods.len()), (1, Some(30080), 2));
        assert_eq!(seen.exist, ["new", "old"]);
        assert!(seen.changed.is_some() && !seen.node_port_is_sure(), "kube-proxy does not know of the new pod yet");
        let (end, _sender) = watching.await.unwrap();
        assert_eq!(end, End::Trouble("the API server cannot be reached: ServiceError: connection refused".to_owned()));
    }

    /// What a follower of these events makes of them, when they are followed by nothing.
    async fn after(events: Vec<News>, past: &mut Past) -> (Backends, End) {
        let cluster = Cluster::of(Config::new("http://127.0.0.1:1".parse().unwrap()));
        let (sender, backends) = watch::channel(Backends::default());
        let end = follow(&cluster, &target(), Some("app=web"), iter(events.into_iter().map(Ok)), &sender, past).await;
        let backends = backends.borrow().clone();
        (backends, end)
    }

    fn listed(pod: &Value) -> Vec<News> {
        let service = Event::InitApply(serde_json::from_value(service()).unwrap());
        let pod = Event::InitApply(serde_json::from_value(pod.clone()).unwrap());
        let mut news: Vec<News> =
            [Event::Init, service, Event::InitDone].map(|event| News::Service(Box::new(event))).into();
        news.extend([Event::Init, pod, Event::InitDone].map(|event| News::Pod(Box::new(event))));
        news.extend([Event::Init, Event::InitDone].map(|event| News::Slice(Box::new(event))));
        news
    }

    #[tokio::test]
    async fn after_the_api_server_was_away_readiness_counts_once_it_was_reported_anew() {
        let mut past = Past::default();
        assert!(after(listed(&pod("1", "web")), &mut past).await.0.ready());
        past.away = true;
        assert!(!after(listed(&pod("1", "web")), &mut past).await.0.ready());
        assert!(after(listed(&pod("2", "web")), &mut past).await.0.ready());
        let mut later = listed(&pod("2", "web"));
        later.push(News::Pod(Box::new(Event::Apply(serde_json::from_value(pod("3", "web")).unwrap()))));
        assert!(after(later, &mut past).await.0.ready());
    }

    #[tokio::test]
    async fn where_nothing_was_known_before_an_absent_api_server_is_doubted_too() {
        let mut past = Past { away: true, ..Past::default() };
        let (backends, _) = after(listed(&pod("1", "web")), &mut past).await;
        assert!(!backends.ready());
        assert_eq!(backends.missing("web"), "the cluster is back, and the node has yet to report on its pods");
    }

    #[tokio::test]
    async fn a_service_that_selects_other_pods_is_watched_anew() {
        let mut other = service();
        other["spec"]["selector"]["app"] = json!("api");
        let mut news = listed(&pod("1", "web"));
        news.push(News::Service(Box::new(Event::Apply(serde_json::from_value(other).unwrap()))));
        assert_eq!(after(news, &mut Past::default()).await.1, End::OtherPods);
    }

    #[tokio::test]
    async fn without_its_kubeconfig_the_environment_is_gone() {
        let (sender, _backends) = watch::channel(Backends::default());
        observe(&target(), &sender).await;
        assert!(sender.borrow().trouble.is_none());
    }
}
