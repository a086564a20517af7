//! What a verdict needs to know beyond what is watched: the logs of what ends or does not get on, and the pods of the cluster's DNS.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::{join_all, select_all};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::ListParams;
use tokio::time::timeout;

use super::followed::FollowedLog;
use super::verdict::{LOG_LINES, LogSource, Observed, View, lacks_names, wanted_logs};
use super::workload::Expected;
use super::{Cluster, logs};

/// How old what was said of the cluster's DNS, or a log that could not be read, may be before it is asked for again.
const FRESH: Duration = Duration::from_secs(2);
/// How long the API server may take to tell of the cluster's DNS.
const PATIENCE: Duration = Duration::from_secs(3);
/// How many logs are read at a time, those of the workloads that others need first.
const LOGS: usize = 8;

/// What a wait knows so far.
#[derive(Default)]
pub(super) struct Evidence {
    /// Of runs that have ended.
    ended: BTreeMap<LogSource, Reading>,
    /// Of runs that go on.
    running: BTreeMap<LogSource, FollowedLog>,
    dns: Option<(Instant, Option<Vec<Arc<Pod>>>)>,
}

/// The log of a run that has ended.
struct Reading {
    time: Instant,
    /// The reason, where it could not be read: a verdict is not worse for lack of a log.
    lines: Result<Vec<String>, String>,
}

impl Evidence {
    /// Waits until a log that is followed tells something new. Safe to be dropped half-way.
    pub(super) async fn changed(&mut self) {
        if self.running.is_empty() {
            return pending().await;
        }
        select_all(self.running.values_mut().map(|log| Box::pin(log.changed()))).await;
    }

    /// Puts into `observed` what is known, after reading what has ended and is not known yet, and follows what goes on.
    pub(super) async fn complete(&mut self, cluster: &Cluster, expected: Expected<'_>, observed: &mut Observed) {
        let (running, ended): (Vec<_>, Vec<_>) =
            wanted(expected, observed).into_iter().partition(|source| source.running);
        self.running.retain(|source, _| running.contains(source));
        for source in running {
            let open = || FollowedLog::open(cluster, expected.namespace, &source);
            self.running.entry(source.clone()).or_insert_with(open);
        }
        self.ended.retain(|source, _| ended.contains(source));
        let is_known = |source: &LogSource| {
            self.ended.get(source).is_some_and(|known| known.lines.is_ok() || known.time.elapsed() < FRESH)
        };
        let unknown = ended.into_iter().filter(|source| !is_known(source)).collect();
        let read = read(cluster, expected.namespace, unknown).await.into_iter();
        self.ended.extend(read.map(|(source, lines)| (source, Reading { time: Instant::now(), lines })));
        let ended = self.ended.iter().map(|(source, known)| (source.clone(), either(known.lines.clone())));
        let running = self.running.iter().filter_map(|(source, log)| Some((source.clone(), log.lines()?)));
        observed.logs = ended.chain(running).collect();
        if observed.logs.values().any(|lines| lacks_names(lines)) {
            if self.dns.as_ref().is_none_or(|(time, _)| time.elapsed() >= FRESH) {
                self.dns = Some((Instant::now(), dns(cluster).await));
            }
            observed.dns = self.dns.as_ref().and_then(|(_, pods)| pods.clone());
        }
    }
}

/// Puts into `observed` what there is to know at this moment.
pub(super) async fn complete_once(cluster: &Cluster, expected: Expected<'_>, observed: &mut Observed) {
    let read = read(cluster, expected.namespace, wanted(expected, observed)).await;
    observed.logs = read.into_iter().map(|(source, lines)| (source, either(lines))).collect();
    if observed.logs.values().any(|lines| lacks_names(lines)) {
        observed.dns = dns(cluster).await;
    }
}

fn wanted(expected: Expected<'_>, observed: &Observed) -> Vec<LogSource> {
    let mut sources = wanted_logs(&View { expected, observed, now: Timestamp::now() });
    sources.truncate(LOGS);
    sources
}

/// Reads them all side by side.
async fn read(
    cluster: &Cluster,
    namespace: &str,
    sources: Vec<LogSource>,
) -> Vec<(LogSource, Result<Vec<String>, String>)> {
    let reads = sources.into_iter().map(|source| async move {
        let lines = logs::tail(cluster, namespace, &source, LOG_LINES).await;
        (source, lines)
    });
    join_all(reads).await
}

/// The lines, or the reason why there are none as the only one.
fn either(lines: Result<Vec<String>, String>) -> Vec<String> {
    lines.unwrap_or_else(|reason| vec![reason])
}

/// The pods of `CoreDNS`, by the label that every distribution of it keeps; none where this user may not see them.
async fn dns(cluster: &Cluster) -> Option<Vec<Arc<Pod>>> {
    let pods: Api<Pod> = Api::namespaced(cluster.client.clone(), "kube-system");
    let selector = ListParams::default().labels("k8s-app=kube-dns");
    let listed = timeout(PATIENCE, pods.list(&selector)).await.ok()?.ok()?;
    Some(listed.items.into_iter().map(Arc::new).collect())
}
