//! Keeps an eye on the Service and its endpoints for as long as the environment exists.

use std::time::Duration;

use futures_util::stream::select;
use futures_util::{Stream, StreamExt};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::Api;
use kube::runtime::watcher::{self, Event, watcher};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};

use super::Target;
use super::backends::{Backends, Objects};
use crate::cluster::Cluster;
use crate::error::{Failure, chain};

/// How long the first two lists may take together.
const LISTS: Duration = Duration::from_secs(10);
/// The pause before the API server is tried again, doubled up to the longest. It is local and a refused connection
/// costs next to nothing, so that a cluster that was paused for days is found again within seconds.
const SHORTEST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(3);

/// Watches until the private kubeconfig is gone: then the environment was removed.
pub(super) async fn observe(target: &Target, backends: &watch::Sender<Backends>) {
    let mut pause = SHORTEST;
    // `try_exists` fails where the folder may not be read; that is no removal.
    while target.kubeconfig.try_exists().unwrap_or(true) {
        let epoch = backends.borrow().epoch;
        // Read anew each time: a cluster that was made again has other certificates and another port.
        let trouble = match Cluster::open(&target.kubeconfig, &target.context).await {
            Ok(cluster) => watch_until_it_breaks(&cluster, target, backends).await,
            Err(failure) => one_line(&failure),
        };
        if backends.borrow().epoch != epoch {
            pause = SHORTEST;
        }
        backends.send_modify(|now| {
            now.cluster = None;
            now.trouble = Some(trouble);
        });
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST);
    }
}

/// Returns why the watch ended. A watch that the server ends in the normal way goes on by itself.
async fn watch_until_it_breaks(cluster: &Cluster, target: &Target, backends: &watch::Sender<Backends>) -> String {
    let namespace = target.namespace.as_str();
    let services = Api::<Service>::namespaced(cluster.client.clone(), namespace);
    let slices = Api::<EndpointSlice>::namespaced(cluster.client.clone(), namespace);
    let one_service = watcher::Config::default().fields(&format!("metadata.name={}", target.service));
    let its_slices = watcher::Config::default().labels(&format!("kubernetes.io/service-name={}", target.service));
    let news = select(
        watcher(services, one_service).map(|event| event.map(|event| News::Service(Box::new(event)))),
        watcher(slices, its_slices).map(|event| event.map(|event| News::Slice(Box::new(event)))),
    );
    follow(cluster, target, news, backends).await
}

enum News {
    // Boxed, because both are large.
    Service(Box<Event<Service>>),
    Slice(Box<Event<EndpointSlice>>),
}

async fn follow(
    cluster: &Cluster,
    target: &Target,
    news: impl Stream<Item = watcher::Result<News>>,
    backends: &watch::Sender<Backends>,
) -> String {
    let mut news = std::pin::pin!(news);
    let mut objects = Objects::default();
    let deadline = Instant::now() + LISTS;
    let mut reached = false;
    loop {
        let next = if reached { Ok(news.next().await) } else { timeout_at(deadline, news.next()).await };
        match next {
            Ok(Some(Ok(News::Service(event)))) => objects.service(*event, target.service_port),
            Ok(Some(Ok(News::Slice(event)))) => objects.slice(*event),
            Ok(Some(Err(error))) => return format!("the API server cannot be reached: {}", chain(&error).join(": ")),
            Ok(None) => return "the watch ended".to_owned(),
            Err(_) => return format!("the API server did not answer within {LISTS:?}"),
        }
        if !objects.complete() {
            continue;
        }
        let anew = !std::mem::replace(&mut reached, true);
        let (pods, node_port) = (objects.pods(), objects.node_port());
        backends.send_if_modified(|now| {
            let modified = anew || now.pods != pods || now.node_port != node_port;
            if anew {
                now.epoch += 1;
                now.cluster = Some(cluster.clone());
                now.trouble = None;
            }
            now.pods = pods;
            now.node_port = node_port;
            modified
        });
    }
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

    fn slice(version: &str, pod: &str, ready: bool) -> Value {
        json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"name": "demo-web-1", "resourceVersion": version},
            "ports": [{"name": "web", "port": 8080}],
            "endpoints": [{"addresses": ["10.244.0.5"], "conditions": {"ready": ready},
                           "targetRef": {"kind": "Pod", "name": pod, "uid": pod}}]
        })
    }

    /// Answers as an API server does: lists first, then on the watch of slices one new pod, and then it goes away.
    async fn api_server(mut requests: Handle<Request<Body>, Response<Body>>) {
        let service = json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "demo-web", "resourceVersion": "1"},
            "spec": {"ports": [{"name": "web", "port": 8080, "nodePort": 30080}]}
        });
        let mut watched = false;
        while let Some((request, send)) = requests.next_request().await {
            let (path, query) = (request.uri().path(), request.uri().query().unwrap_or_default());
            let items = match path {
                "/api/v1/namespaces/demo/services" => {
                    assert!(query.contains("fieldSelector=metadata.name%3Ddemo-web"), "{query}");
                    json!([service])
                }
                "/apis/discovery.k8s.io/v1/namespaces/demo/endpointslices" => {
                    assert!(query.contains("labelSelector=kubernetes.io%2Fservice-name%3Ddemo-web"), "{query}");
                    json!([slice("1", "old", true)])
                }
                other => panic!("nobody should ask for {other}"),
            };
            if !query.contains("watch=true") {
                let list = json!({"metadata": {"resourceVersion": "1"}, "items": items});
                send.send_response(Response::new(Body::from(list.to_string().into_bytes())));
            } else if path.ends_with("services") {
                // A watch on which nothing happens: held open for as long as the test lasts.
                std::mem::forget(send);
            } else if std::mem::replace(&mut watched, true) {
                send.send_error(std::io::Error::from(std::io::ErrorKind::ConnectionRefused));
            } else {
                let event = json!({"type": "MODIFIED", "object": slice("2", "new", true)});
                send.send_response(Response::new(Body::from(format!("{event}\n").into_bytes())));
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
            let trouble = watch_until_it_breaks(&cluster, &target(), &sender).await;
            (trouble, sender)
        });
        let seen = backends.wait_for(|now| now.pods.iter().any(|pod| pod.pod == "new")).await.unwrap().clone();
        assert_eq!((seen.epoch, seen.node_port, seen.pods.len()), (1, Some(30080), 1));
        let (trouble, _sender) = watching.await.unwrap();
        assert!(trouble.starts_with("the API server cannot be reached: "), "{trouble}");
        assert!(trouble.contains("connection refused"), "{trouble}");
    }

    #[tokio::test]
    async fn without_its_kubeconfig_the_environment_is_gone() {
        let (sender, _backends) = watch::channel(Backends::default());
        observe(&target(), &sender).await;
        assert!(sender.borrow().trouble.is_none());
    }
}
