//! What is there at one moment, and the cause if it is not ready: what `status` shows.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::api::ListParams;
use kube::{Api, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::Cluster;
use super::evidence::complete_once;
use super::verdict::{Judgement, Observed, Starts, Verdict, View, containers, count, judge, summary};
use super::workload::{Expected, Workload, WorkloadKind};
use crate::error::{During, Failure, Kind};

/// How long the API server may take to answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// A release and its nodes at one moment.
#[derive(Clone, Debug, Serialize)]
pub struct Survey {
    /// Every workload is ready.
    pub ready: bool,
    /// The cluster's nodes.
    pub nodes: Vec<NodeState>,
    /// What the release is made of.
    pub workloads: Vec<WorkloadState>,
    /// The pods of the workloads.
    pub pods: Vec<PodSummary>,
    /// What keeps it from being ready; without `terminal`, what may do so if it stays.
    pub verdict: Option<Verdict>,
    /// Since when the containers run.
    #[serde(skip)]
    pub starts: Starts,
}

impl Survey {
    /// Whether nothing is wanted to run, as after `windtunnel stop`.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        !self.workloads.is_empty() && self.workloads.iter().all(|workload| workload.state == "stopped")
    }

    /// The first of these workloads of which no pod is wanted.
    #[must_use]
    pub fn stopped<'a>(&self, workloads: &'a [Workload]) -> Option<&'a Workload> {
        let is_stopped = |workload: &&Workload| {
            let mut states = self.workloads.iter().filter(|state| state.state == "stopped");
            states.any(|state| state.kind == workload.kind && state.name == workload.name)
        };
        workloads.iter().find(is_stopped)
    }

    /// What keeps it from being ready, with its code, evidence and hints: a verdict, or unhealthy where it may yet go away by itself.
    #[must_use]
    pub fn cause(&self) -> Option<Failure> {
        let verdict = self.verdict.clone()?;
        let is_terminal = verdict.terminal;
        let mut cause = Failure::from(verdict);
        if !is_terminal {
            cause.kind = Kind::Unhealthy;
            cause.evidence.insert(0, "this may yet go away by itself: Kubernetes tries again".to_owned());
        }
        Some(cause)
    }
}

/// One node.
#[derive(Clone, Debug, Serialize)]
pub struct NodeState {
    /// Its name.
    pub name: String,
    /// Whether it takes pods.
    pub ready: bool,
    /// The kubelet's version, as `v1.34.4`.
    pub version: String,
}

/// One workload.
#[derive(Clone, Debug, Serialize)]
pub struct WorkloadState {
    /// What controls the pods.
    pub kind: WorkloadKind,
    /// The object's name.
    pub name: String,
    /// Pods of the current template that are ready.
    pub ready: usize,
    /// Pods that there should be.
    pub wanted: usize,
    /// `ready`, `not ready`, `stopped` when no pod is wanted, `missing` when there is no such object.
    pub state: &'static str,
}

/// One pod.
#[derive(Clone, Debug, Serialize)]
pub struct PodSummary {
    /// Its name.
    pub name: String,
    /// Containers that are ready.
    pub ready: usize,
    /// Containers that should be; not counting those that run before them.
    pub containers: usize,
    /// Restarts of all its containers together.
    pub restarts: i32,
    /// `ready`, or what its containers are doing.
    pub state: String,
}

/// Takes a survey with one round of requests.
///
/// # Errors
/// The API server does not answer within 10 s, or refuses.
pub async fn take(cluster: &Cluster, expected: Expected<'_>) -> Result<Survey, Failure> {
    let mut observed = Box::pin(observe(cluster, expected.namespace)).await?;
    complete_once(cluster, expected, &mut observed).await;
    let now = Timestamp::now();
    let judgement = judge(expected, &observed, now);
    let view = View { expected, observed: &observed, now };
    Ok(Survey {
        ready: matches!(judgement, Judgement::Ready { .. }),
        nodes: nodes(&observed),
        workloads: workloads(&view),
        pods: pods(&view),
        starts: Starts::of(&view),
        verdict: match judgement {
            Judgement::Stopped(verdict) | Judgement::Progressing { suspicion: Some(verdict), .. } => Some(verdict),
            Judgement::Progressing { suspicion: None, .. } | Judgement::Ready { .. } => None,
        },
    })
}

async fn observe(cluster: &Cluster, namespace: &str) -> Result<Observed, Failure> {
    let client = || cluster.client.clone();
    let (claims, deployments, events, jobs, nodes, pods, replica_sets, stateful_sets) = tokio::try_join!(
        list(Api::namespaced(client(), namespace)),
        list(Api::namespaced(client(), namespace)),
        list(Api::namespaced(client(), namespace)),
        unless_forbidden(Api::namespaced(client(), namespace)),
        unless_forbidden(Api::all(client())),
        list(Api::namespaced(client(), namespace)),
        list(Api::namespaced(client(), namespace)),
        list(Api::namespaced(client(), namespace)),
    )?;
    Ok(Observed { claims, deployments, events, jobs, nodes, pods, replica_sets, stateful_sets, ..Observed::default() })
}

async fn list<K>(api: Api<K>) -> Result<Vec<Arc<K>>, Failure>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    let doing = || format!("cannot list the {} of the cluster", K::plural(&()));
    let parameters = ListParams::default();
    let answer = timeout(PATIENCE, api.list(&parameters)).await.during(Kind::Cluster, doing())?;
    Ok(answer.during(Kind::Cluster, doing())?.items.into_iter().map(Arc::new).collect())
}

/// What this user may not see is left out: who has one namespace only need not see nodes, nor Jobs where the chart has none.
async fn unless_forbidden<K>(api: Api<K>) -> Result<Vec<Arc<K>>, Failure>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    let doing = || format!("cannot list the {} of the cluster", K::plural(&()));
    match timeout(PATIENCE, api.list(&ListParams::default())).await.during(Kind::Cluster, doing())? {
        Err(kube::Error::Api(status)) if status.is_forbidden() => Ok(Vec::new()),
        listed => Ok(listed.during(Kind::Cluster, doing())?.items.into_iter().map(Arc::new).collect()),
    }
}

fn nodes(observed: &Observed) -> Vec<NodeState> {
    let states = observed.nodes.iter().map(|node| {
        let status = node.status.as_ref();
        let mut conditions = status.and_then(|status| status.conditions.as_deref()).unwrap_or_default().iter();
        NodeState {
            name: node.name_any(),
            ready: conditions.any(|condition| condition.type_ == "Ready" && condition.status == "True"),
            version: status
                .and_then(|status| status.node_info.as_ref())
                .map(|info| info.kubelet_version.clone())
                .unwrap_or_default(),
        }
    });
    states.collect()
}

fn workloads(view: &View<'_>) -> Vec<WorkloadState> {
    // What the user's values leave out, or a Job that is done, is not missing.
    let expected = view.expected.workloads.iter().filter(|workload| !workload.optional || view.is_there(workload));
    let states = expected.map(|workload| {
        let count = count(view, workload);
        let state = match (view.is_there(workload), count.ready(), count.wanted) {
            (false, ..) => "missing",
            (true, true, 0) => "stopped",
            (true, true, _) => "ready",
            (true, false, _) => "not ready",
        };
        WorkloadState {
            kind: workload.kind,
            name: workload.name.clone(),
            ready: count.ready,
            wanted: count.wanted,
            state,
        }
    });
    states.collect()
}

fn pods(view: &View<'_>) -> Vec<PodSummary> {
    let mut summaries = Vec::new();
    for workload in view.expected.workloads {
        for pod in view.pods(workload) {
            let containers = containers(pod);
            let statuses =
                containers.iter().filter(|container| !container.init).filter_map(|container| container.status);
            let doing = summary(view, workload, pod);
            summaries.push(PodSummary {
                name: pod.name_any(),
                ready: statuses.filter(|status| status.ready).count(),
                containers: containers.iter().filter(|container| !container.init).count(),
                restarts: containers
                    .iter()
                    .filter_map(|container| container.status)
                    .map(|status| status.restart_count)
                    .sum(),
                state: if doing.is_empty() { "ready".to_owned() } else { doing },
            });
        }
    }
    summaries
}
