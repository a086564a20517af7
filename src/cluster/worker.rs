//! The worker pods of one DAG, watched: `KubernetesExecutor` makes a pod for each task and deletes it after a success.
//!
//! It labels them `dag_id`, `task_id`, `run_id` and `kubernetes_executor=True`, the values made safe for a label where they are not
//! (`providers/cncf/kubernetes/src/airflow/providers/cncf/kubernetes/pod_generator.py`).

use std::pin::Pin;

use futures_util::{Stream, StreamExt};
use k8s_openapi::api::core::v1::{ContainerState, Pod};
use kube::api::{ApiResource, ListParams, LogParams};
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt, watcher as watch};
use kube::{Api, ResourceExt};

use super::Cluster;
use super::owner::Owner;
use crate::error::{During, Failure, Kind};

/// A worker pod as last seen.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Worker {
    /// The pod's name.
    pub pod: String,
    /// How far it is.
    pub phase: Phase,
}

/// How far a worker pod is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Phase {
    /// Not running yet.
    Pending {
        /// Why, in the words of the scheduler or the kubelet: `ErrImagePull: …`, `Unschedulable: …`.
        reason: Option<String>,
    },
    /// The task's process runs.
    Running,
    /// It ended with exit code 0.
    Succeeded,
    /// It ended otherwise.
    Failed {
        /// `OOMKilled, exit code 137`.
        reason: String,
    },
    /// The pod is deleted.
    Gone,
}

/// A worker pod, and the task that it is for: `KubernetesExecutor` annotates it with the ids as they are.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TaskPod {
    /// The pod.
    pub worker: Worker,
    /// The run's id.
    pub run_id: String,
    /// The task's id.
    pub task_id: String,
}

/// The worker pods of one DAG that are there now.
///
/// # Errors
/// The API server refuses or does not answer.
pub async fn list_workers(cluster: &Cluster, namespace: &str, dag_id: &str) -> Result<Vec<TaskPod>, Failure> {
    let parameters = ListParams::default().labels("kubernetes_executor=True");
    let listed =
        pods(cluster, namespace).list(&parameters).await.during(Kind::Cluster, "cannot list the worker pods")?;
    let of_dag = listed.items.iter().filter_map(|pod| {
        let annotation = |key: &str| pod.annotations().get(key).cloned();
        let task_pod = TaskPod { worker: worker(pod), run_id: annotation("run_id")?, task_id: annotation("task_id")? };
        (annotation("dag_id")? == dag_id).then_some(task_pod)
    });
    Ok(of_dag.collect())
}

/// What becomes of the worker pods of one DAG.
pub struct Workers {
    events: Pin<Box<dyn Stream<Item = watcher::Result<Event<Pod>>> + Send>>,
    /// The pods of a list under way, to find those that went while the watch was broken.
    listed: Vec<String>,
    alive: Vec<String>,
    gone: Vec<String>,
}

impl Workers {
    /// Begins to watch the worker pods of a DAG, those that are there already included.
    #[must_use]
    pub fn watch(cluster: &Cluster, namespace: &str, dag_id: &str) -> Self {
        let config = watcher::Config::default().labels(&selector(dag_id));
        let events = watch(pods(cluster, namespace), config).default_backoff().boxed();
        Self { events, listed: Vec::new(), alive: Vec::new(), gone: Vec::new() }
    }

    /// The next thing that happens to a worker pod. Waits without a limit: the caller has the deadline.
    ///
    /// # Errors
    /// The watch broke. It is begun anew by the next call, after a pause that grows; the caller's deadline ends that too.
    pub async fn next(&mut self) -> Result<Worker, Failure> {
        loop {
            if let Some(pod) = self.gone.pop() {
                return Ok(Worker { pod, phase: Phase::Gone });
            }
            let event = self.events.next().await.ok_or_else(|| Failure::bug("a watch of pods has ended"))?;
            match event.during(Kind::Cluster, "the watch of worker pods broke")? {
                Event::Init => self.listed.clear(),
                Event::InitApply(pod) => {
                    let worker = worker(&pod);
                    self.listed.push(worker.pod.clone());
                    self.note(&worker.pod);
                    return Ok(worker);
                }
                Event::InitDone => {
                    let listed = &self.listed;
                    self.gone = self.alive.extract_if(.., |pod| !listed.contains(pod)).collect();
                }
                Event::Apply(pod) => {
                    let worker = worker(&pod);
                    self.note(&worker.pod);
                    return Ok(worker);
                }
                Event::Delete(pod) => {
                    let pod = worker(&pod).pod;
                    self.alive.retain(|alive| *alive != pod);
                    return Ok(Worker { pod, phase: Phase::Gone });
                }
            }
        }
    }

    fn note(&mut self, pod: &str) {
        if !self.alive.iter().any(|alive| alive == pod) {
            self.alive.push(pod.to_owned());
        }
    }
}

/// Deletes whatever worker pods of an environment's DAG there are, and waits for nothing.
///
/// # Errors
/// The API server refuses or does not answer.
pub async fn delete_workers(cluster: &Cluster, namespace: &str, owner: Owner<'_>, dag_id: &str) -> Result<(), Failure> {
    cluster.remove_all(namespace, &ApiResource::erase::<Pod>(&()), &selector(dag_id), owner, None).await
}

/// The last lines that a worker pod wrote to its own output, which says more than the task log where the task never began.
///
/// # Errors
/// The pod is gone, has not begun, or the API server does not answer.
pub async fn worker_output(
    cluster: &Cluster,
    namespace: &str,
    pod: &str,
    lines: usize,
) -> Result<Vec<String>, Failure> {
    let parameters = LogParams { tail_lines: Some(i64::try_from(lines).unwrap_or(i64::MAX)), ..LogParams::default() };
    let text = pods(cluster, namespace)
        .logs(pod, &parameters)
        .await
        .during(Kind::Cluster, format!("cannot read the output of pod `{pod}`"))?;
    Ok(text.lines().map(str::to_owned).collect())
}

fn pods(cluster: &Cluster, namespace: &str) -> Api<Pod> {
    Api::namespaced(cluster.client.clone(), namespace)
}

fn selector(dag_id: &str) -> String {
    format!("kubernetes_executor=True,dag_id={dag_id}")
}

fn worker(pod: &Pod) -> Worker {
    Worker { pod: pod.metadata.name.clone().unwrap_or_default(), phase: phase(pod) }
}

fn phase(pod: &Pod) -> Phase {
    let status = pod.status.clone().unwrap_or_default();
    match status.phase.as_deref() {
        Some("Running") => Phase::Running,
        Some("Succeeded") => Phase::Succeeded,
        Some("Failed") => Phase::Failed { reason: end_reason(pod) },
        _ => Phase::Pending { reason: pending_reason(pod) },
    }
}

fn states(pod: &Pod) -> impl Iterator<Item = &ContainerState> {
    let status = pod.status.as_ref();
    let init = status.and_then(|status| status.init_container_statuses.as_ref()).into_iter().flatten();
    let main = status.and_then(|status| status.container_statuses.as_ref()).into_iter().flatten();
    init.chain(main).filter_map(|container| container.state.as_ref())
}

fn pending_reason(pod: &Pod) -> Option<String> {
    let waiting = states(pod)
        .filter_map(|state| state.waiting.as_ref())
        // What every healthy pod says on its way, which is no reason for anything.
        .filter(|waiting| !matches!(waiting.reason.as_deref(), Some("ContainerCreating" | "PodInitializing")))
        .find_map(|waiting| Some((waiting.reason.as_deref()?, waiting.message.as_deref())));
    if let Some((reason, message)) = waiting {
        return Some(sentence(reason, message));
    }
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref()).into_iter().flatten();
    conditions
        .filter(|condition| condition.type_ == "PodScheduled" && condition.status == "False")
        .find_map(|condition| Some(sentence(condition.reason.as_deref()?, condition.message.as_deref())))
}

fn end_reason(pod: &Pod) -> String {
    let ended = states(pod).filter_map(|state| state.terminated.as_ref()).find(|ended| ended.exit_code != 0);
    match ended {
        Some(ended) => format!("{}, exit code {}", ended.reason.as_deref().unwrap_or("Error"), ended.exit_code),
        // The kubelet ended it as a whole: evicted, or past its deadline.
        None => pod.status.as_ref().map_or_else(String::new, |status| {
            sentence(status.reason.as_deref().unwrap_or("Failed"), status.message.as_deref())
        }),
    }
}

fn sentence(reason: &str, message: Option<&str>) -> String {
    message.map_or_else(|| reason.to_owned(), |message| format!("{reason}: {message}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: &serde_json::Value) -> Phase {
        let pod: Pod =
            serde_json::from_value(serde_json::json!({ "metadata": { "name": "w" }, "status": status })).unwrap();
        phase(&pod)
    }

    #[test]
    fn a_pod_on_its_way_has_no_reason() {
        let creating = serde_json::json!({ "phase": "Pending", "containerStatuses": [{
            "name": "base", "image": "airflow", "imageID": "", "ready": false, "restartCount": 0,
            "state": { "waiting": { "reason": "ContainerCreating" } }
        }]});
        assert_eq!(of(&creating), Phase::Pending { reason: None });
    }

    #[test]
    fn an_image_that_cannot_be_pulled_is_a_reason() {
        let pulling = serde_json::json!({ "phase": "Pending", "containerStatuses": [{
            "name": "base", "image": "airflow", "imageID": "", "ready": false, "restartCount": 0,
            "state": { "waiting": { "reason": "ErrImageNeverPull", "message": "image is not present with pull policy of Never" } }
        }]});
        let reason = "ErrImageNeverPull: image is not present with pull policy of Never".to_owned();
        assert_eq!(of(&pulling), Phase::Pending { reason: Some(reason) });
    }

    #[test]
    fn a_full_node_is_a_reason() {
        let unscheduled = serde_json::json!({ "phase": "Pending", "conditions": [
            { "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes are available: 1 Insufficient memory." }
        ]});
        let reason = "Unschedulable: 0/1 nodes are available: 1 Insufficient memory.".to_owned();
        assert_eq!(of(&unscheduled), Phase::Pending { reason: Some(reason) });
    }

    #[test]
    fn a_pod_that_ended_badly_says_how() {
        let killed = serde_json::json!({ "phase": "Failed", "containerStatuses": [{
            "name": "base", "image": "airflow", "imageID": "", "ready": false, "restartCount": 0,
            "state": { "terminated": { "reason": "OOMKilled", "exitCode": 137 } }
        }]});
        assert_eq!(of(&killed), Phase::Failed { reason: "OOMKilled, exit code 137".to_owned() });
        let evicted = serde_json::json!({ "phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory." });
        assert_eq!(of(&evicted), Phase::Failed { reason: "Evicted: The node was low on resource: memory.".to_owned() });
    }
}
