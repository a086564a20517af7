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
        watcher(services, one_service).map(|event| event.map(News::Service)),
        watcher(slices, its_slices).map(|event| event.map(News::Slice)),
    );
    follow(cluster, target, news, backends).await
}

enum News {
    Service(Event<Service>),
    Slice(Event<EndpointSlice>),
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
            Ok(Some(Ok(News::Service(event)))) => objects.service(event, target.service_port),
            Ok(Some(Ok(News::Slice(event)))) => objects.slice(event),
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
