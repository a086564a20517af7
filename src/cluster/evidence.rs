//! What a verdict needs to know beyond what is watched: the logs of what ends or does not get on, and the pods of the cluster's DNS.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::ListParams;
use tokio::time::timeout;

use super::verdict::{LOG_LINES, LogSource, Observed, View, lacks_names, wanted_logs};
use super::workload::Expected;
use super::{Cluster, logs};

/// How old the log of a run that goes on, or one that could not be read, may be before it is read again.
const FRESH: Duration = Duration::from_secs(2);
/// How long the API server may take to tell of the cluster's DNS.
const PATIENCE: Duration = Duration::from_secs(3);
/// How many logs are read at a time, those of the workloads that others need first.
const LOGS: usize = 8;

/// The logs that have been read so far.
#[derive(Default)]
pub(super) struct Evidence {
    logs: BTreeMap<LogSource, Reading>,
}

/// A log at one time.
struct Reading {
    time: Instant,
    /// A line that says why there is none, where it could not be read: a verdict is not worse for lack of a log.
    lines: Vec<String>,
    /// Nothing more is to come.
    is_whole: bool,
}

impl Evidence {
    /// Puts into `observed` what is known, after reading what is not known yet or has grown old.
    pub(super) async fn complete(&mut self, cluster: &Cluster, expected: Expected<'_>, observed: &mut Observed) {
        let mut sources = wanted_logs(&View { expected, observed, now: Timestamp::now() });
        sources.truncate(LOGS);
        self.logs.retain(|source, _| sources.contains(source));
        let is_known = |source: &&LogSource| {
            self.logs.get(*source).is_some_and(|reading| reading.is_whole || reading.time.elapsed() < FRESH)
        };
        let unknown: Vec<LogSource> = sources.iter().filter(|source| !is_known(source)).cloned().collect();
        let reads = unknown.into_iter().map(|source| async move {
            let read = logs::tail(cluster, expected.namespace, &source, LOG_LINES).await;
            let is_whole = read.is_ok() && !source.running;
            let lines = read.unwrap_or_else(|reason| vec![reason]);
            (source, Reading { time: Instant::now(), lines, is_whole })
        });
        self.logs.extend(join_all(reads).await);
        observed.logs = self.logs.iter().map(|(source, reading)| (source.clone(), reading.lines.clone())).collect();
        if observed.logs.values().any(|lines| lacks_names(lines)) {
            observed.dns = dns(cluster).await;
        }
    }
}

/// The pods of `CoreDNS`, by the label that every distribution of it keeps; none where this user may not see them.
async fn dns(cluster: &Cluster) -> Option<Vec<Arc<Pod>>> {
    let pods: Api<Pod> = Api::namespaced(cluster.client.clone(), "kube-system");
    let selector = ListParams::default().labels("k8s-app=kube-dns");
    let listed = timeout(PATIENCE, pods.list(&selector)).await.ok()?.ok()?;
    Some(listed.items.into_iter().map(Arc::new).collect())
}
