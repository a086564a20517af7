//! Watches of everything that a verdict looks at: one stream of *something changed*, and what is there now.
//!
//! A young API server answers with errors for a while, so a watch that fails begins again after a pause. What fails for longer than the
//! caller's patience ends in a failure that quotes the last error. Nothing is polled.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::stream::{BoxStream, SelectAll};
use futures_util::{FutureExt, StreamExt};
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Event, Node, PersistentVolumeClaim, Pod};
use kube::runtime::reflector::{self, Store};
use kube::runtime::utils::Backoff;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;

use super::Cluster;
use super::verdict::Observed;
use crate::codes::Code;
use crate::error::{Failure, Kind, chain};

/// From the failure of a watch to its next beginning. Steady, because the cluster is local and a verdict must not be late;
/// kube's own grows to 30 s.
const PAUSE: Duration = Duration::from_millis(500);
/// Without another error for so long a watch has recovered: one that goes on where it was says nothing until an object changes.
const QUIET: Duration = Duration::from_secs(3);
/// The one kind that no namespace has.
const NODES: &str = "nodes";
/// The one kind that not every chart has.
const JOBS: &str = "jobs";
/// The code of a failure that is a matter of rights.
const FORBIDDEN: Code = Code::ApiForbidden;
/// How many kinds are watched.
const KINDS: usize = 8;

/// All watches of one namespace, and of the nodes.
pub(super) struct Watch {
    changes: SelectAll<BoxStream<'static, Change>>,
    claims: Store<PersistentVolumeClaim>,
    deployments: Store<Deployment>,
    events: Store<Event>,
    jobs: Store<Job>,
    nodes: Store<Node>,
    pods: Store<Pod>,
    replica_sets: Store<ReplicaSet>,
    stateful_sets: Store<StatefulSet>,
    began: Instant,
    /// The last errors, by kind.
    errors: BTreeMap<&'static str, Trouble>,
    /// Kinds that have been listed completely, at least once.
    listed: BTreeSet<&'static str>,
    patience: Duration,
}

/// The error of a watch.
struct Trouble {
    /// When the errors in a row began.
    since: Instant,
    last: Instant,
    error: watcher::Error,
}

/// What one watch says.
enum Change {
    Failed(&'static str, watcher::Error),
    Listed(&'static str),
    Object(&'static str),
    /// It begins to list, which it also does right before each failure.
    Started,
}

impl Watch {
    /// Starts the watches. Their failures are borne for `patience`.
    pub(super) fn open(cluster: &Cluster, namespace: &str, patience: Duration) -> Self {
        let client = || cluster.client.clone();
        let mut changes = SelectAll::new();
        Self {
            claims: add(&mut changes, "persistentvolumeclaims", Api::namespaced(client(), namespace)),
            deployments: add(&mut changes, "deployments", Api::namespaced(client(), namespace)),
            events: add(&mut changes, "events", Api::namespaced(client(), namespace)),
            jobs: add(&mut changes, JOBS, Api::namespaced(client(), namespace)),
            nodes: add(&mut changes, NODES, Api::all(client())),
            pods: add(&mut changes, "pods", Api::namespaced(client(), namespace)),
            replica_sets: add(&mut changes, "replicasets", Api::namespaced(client(), namespace)),
            stateful_sets: add(&mut changes, "statefulsets", Api::namespaced(client(), namespace)),
            began: Instant::now(),
            changes,
            errors: BTreeMap::new(),
            listed: BTreeSet::new(),
            patience,
        }
    }

    /// Waits until something has changed, then takes in all that has. Safe to be dropped half-way.
    pub(super) async fn changed(&mut self) {
        let mut change = self.changes.next().await;
        while let Some(one) = change {
            self.take_in(one);
            change = self.changes.next().now_or_never().flatten();
        }
    }

    /// What is there now; none until each kind has been listed, nor while one of them fails and what is known may be old.
    pub(super) fn observed(&self) -> Option<Observed> {
        (self.listed.len() == KINDS && self.last_error().is_none()).then(|| Observed {
            claims: self.claims.state(),
            deployments: self.deployments.state(),
            dns: None,
            events: self.events.state(),
            jobs: self.jobs.state(),
            logs: BTreeMap::new(),
            nodes: self.nodes.state(),
            pods: self.pods.state(),
            replica_sets: self.replica_sets.state(),
            stateful_sets: self.stateful_sets.state(),
        })
    }

    /// The failure to end with, once patience has run out.
    pub(super) fn trouble(&self) -> Option<Failure> {
        let mut errors = self.errors.iter();
        let lasting = errors.find(|(kind, trouble)| {
            let listed = self.listed.contains(*kind);
            let time = if listed { trouble.last.duration_since(trouble.since) } else { self.began.elapsed() };
            time >= self.patience
        });
        if let Some((kind, trouble)) = lasting {
            let failure = Failure::new(Kind::Cluster, format!("cannot watch the {kind} of the cluster"));
            return Some(failure.code(code(&trouble.error)).evidence_lines(chain(&trouble.error)));
        }
        (self.listed.len() < KINDS && self.began.elapsed() >= self.patience).then(|| {
            let seconds = self.patience.as_secs();
            Failure::new(Kind::Cluster, format!("the API server has not answered for {seconds} s"))
                .code(Code::ApiUnreachable)
        })
    }

    /// The last error of a watch that fails: the reason of a wait.
    pub(super) fn last_error(&self) -> Option<String> {
        let recent = |trouble: &Trouble| trouble.last.elapsed() < QUIET;
        let (kind, trouble) = self.errors.iter().find(|(_, trouble)| recent(trouble))?;
        Some(format!("cannot watch {kind}: {}", chain(&trouble.error).pop().unwrap_or_default()))
    }

    fn take_in(&mut self, change: Change) {
        match change {
            // The user of one namespace may not see the nodes, nor Jobs where the chart has none; the verdicts do without them.
            Change::Failed(kind @ (NODES | JOBS), error) if code(&error) == FORBIDDEN => {
                self.listed.insert(kind);
            }
            Change::Failed(kind, error) => {
                let now = Instant::now();
                let before = self.errors.remove(kind).filter(|trouble| trouble.last.elapsed() < QUIET);
                let since = before.map_or(now, |trouble| trouble.since);
                self.errors.insert(kind, Trouble { since, last: now, error });
            }
            Change::Listed(kind) => {
                self.errors.remove(kind);
                self.listed.insert(kind);
            }
            Change::Object(kind) => {
                self.errors.remove(kind);
            }
            Change::Started => {}
        }
    }
}

/// Adds the watch of one kind.
fn add<K>(changes: &mut SelectAll<BoxStream<'static, Change>>, kind: &'static str, api: Api<K>) -> Store<K>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    let (reader, writer) = reflector::store();
    let events = watcher(api, watcher::Config::default()).backoff(Pause).reflect(writer);
    let mapped = events.map(move |event| match event {
        Ok(watcher::Event::Init) => Change::Started,
        Ok(watcher::Event::InitDone) => Change::Listed(kind),
        Ok(_) => Change::Object(kind),
        Err(error) => Change::Failed(kind, error),
    });
    changes.push(mapped.boxed());
    reader
}

fn code(error: &watcher::Error) -> Code {
    let source = match error {
        watcher::Error::InitialListFailed(source)
        | watcher::Error::WatchStartFailed(source)
        | watcher::Error::WatchFailed(source) => source,
        watcher::Error::NoResourceVersion | watcher::Error::WatchError(_) => return Code::ApiUnreachable,
    };
    match source {
        kube::Error::Api(status) if status.code == 401 || status.code == 403 => FORBIDDEN,
        _ => Code::ApiUnreachable,
    }
}

/// Watches one kind until what is there is as wanted.
///
/// # Errors
/// What was there at the end, where it is not so within `deadline`.
pub(super) async fn until<K>(
    api: Api<K>,
    which: watcher::Config,
    deadline: Duration,
    is_so: impl Fn(&[Arc<K>]) -> bool,
) -> Result<(), Vec<Arc<K>>>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    let (reader, writer) = reflector::store();
    let mut changes = watcher(api, which).backoff(Pause).reflect(writer).boxed();
    let watched = async {
        while let Some(change) = changes.next().await {
            // Before the first list is complete the store is empty. Errors of a young API server pass.
            let listed = !matches!(change, Ok(watcher::Event::Init | watcher::Event::InitApply(_)) | Err(_));
            if listed && is_so(&reader.state()) {
                return;
            }
        }
    };
    tokio::time::timeout(deadline, watched).await.map_err(|_| reader.state())
}

/// [`PAUSE`], always.
pub(super) struct Pause;

impl Iterator for Pause {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        Some(PAUSE)
    }
}

impl Backoff for Pause {
    fn reset(&mut self) {}
}
