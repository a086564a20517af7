//! What is observed, and the questions that every judge asks about it.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::batch::v1::{Job, JobCondition};
use k8s_openapi::api::core::v1::{Container, ContainerStatus, Event, Node, PersistentVolumeClaim, Pod, PodCondition};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::ResourceExt;

use super::super::workload::{Expected, Workload, WorkloadKind};
use super::LogSource;

/// The label that the Job controller gives its pods.
const JOB_NAME: &str = "batch.kubernetes.io/job-name";
/// The annotation by which a Deployment and its current `ReplicaSet` know each other.
const REVISION: &str = "deployment.kubernetes.io/revision";

/// The objects of a namespace, and the nodes, at one moment.
#[derive(Clone, Debug, Default)]
pub(in crate::cluster) struct Observed {
    pub(in crate::cluster) claims: Vec<Arc<PersistentVolumeClaim>>,
    pub(in crate::cluster) deployments: Vec<Arc<Deployment>>,
    /// The pods of the cluster's DNS, where they were asked for and this user may see them.
    pub(in crate::cluster) dns: Option<Vec<Arc<Pod>>>,
    pub(in crate::cluster) events: Vec<Arc<Event>>,
    pub(in crate::cluster) jobs: Vec<Arc<Job>>,
    pub(in crate::cluster) logs: BTreeMap<LogSource, Vec<String>>,
    pub(in crate::cluster) nodes: Vec<Arc<Node>>,
    pub(in crate::cluster) pods: Vec<Arc<Pod>>,
    pub(in crate::cluster) replica_sets: Vec<Arc<ReplicaSet>>,
    pub(in crate::cluster) stateful_sets: Vec<Arc<StatefulSet>>,
}

/// What is observed, in the light of what is expected, at one time.
pub(in crate::cluster) struct View<'a> {
    pub(in crate::cluster) expected: Expected<'a>,
    pub(in crate::cluster) observed: &'a Observed,
    pub(in crate::cluster) now: Timestamp,
}

/// A container of a pod, with its status once the kubelet has written one.
pub(in crate::cluster) struct ContainerView<'a> {
    pub(in crate::cluster) spec: &'a Container,
    pub(in crate::cluster) status: Option<&'a ContainerStatus>,
    /// It runs before the others and must end.
    pub(in crate::cluster) init: bool,
}

impl<'a> View<'a> {
    pub(in crate::cluster) fn deployment(&self, name: &str) -> Option<&'a Deployment> {
        self.observed.deployments.iter().find(|deployment| deployment.name_any() == name).map(Arc::as_ref)
    }

    pub(in crate::cluster) fn stateful_set(&self, name: &str) -> Option<&'a StatefulSet> {
        self.observed.stateful_sets.iter().find(|set| set.name_any() == name).map(Arc::as_ref)
    }

    fn job(&self, name: &str) -> Option<&'a Job> {
        self.observed.jobs.iter().find(|job| job.name_any() == name).map(Arc::as_ref)
    }

    /// The condition of this type, where it is true.
    pub(in crate::cluster) fn job_condition(&self, name: &str, condition: &str) -> Option<&'a JobCondition> {
        condition_of(self.job(name)?, condition)
    }

    /// Whether the workload's object exists.
    pub(in crate::cluster) fn is_there(&self, workload: &Workload) -> bool {
        match workload.kind {
            WorkloadKind::Deployment => self.deployment(&workload.name).is_some(),
            WorkloadKind::StatefulSet => self.stateful_set(&workload.name).is_some(),
            // One that is complete may be removed at any time: it is there as long as it is at work, or has failed.
            WorkloadKind::Job => {
                let is_open = |job: &Job| condition_of(job, "Complete").is_none();
                !self.pods(workload).is_empty() || self.job(&workload.name).is_some_and(is_open)
            }
        }
    }

    /// The `ReplicaSet` that makes the pods of the Deployment's current template; none until the controller has made it.
    pub(in crate::cluster) fn replica_set(&self, deployment: &Deployment) -> Option<&'a ReplicaSet> {
        let seen = deployment.status.as_ref().and_then(|status| status.observed_generation);
        let revision = deployment.annotations().get(REVISION);
        if seen < deployment.metadata.generation || revision.is_none() {
            return None;
        }
        let sets = self.observed.replica_sets.iter();
        let mut owned = sets.filter(|set| is_owned(&set.metadata, deployment.metadata.uid.as_deref()));
        owned.find(|set| set.annotations().get(REVISION) == revision).map(Arc::as_ref)
    }

    /// The pods of a workload that count: of its current template, neither going away nor ended.
    ///
    /// A pod of a `StatefulSet`'s earlier revision counts as well while it is not ready: see `of_an_earlier_revision`.
    pub(in crate::cluster) fn pods(&self, workload: &Workload) -> Vec<&'a Pod> {
        let alive = self.observed.pods.iter().map(Arc::as_ref).filter(|pod| is_alive(pod));
        match workload.kind {
            WorkloadKind::Job => alive.filter(|pod| of_job(pod, &workload.name)).collect(),
            WorkloadKind::Deployment => {
                let set = self.deployment(&workload.name).and_then(|deployment| self.replica_set(deployment));
                let uid = set.and_then(|set| set.metadata.uid.as_deref());
                alive.filter(|pod| is_owned(&pod.metadata, uid)).collect()
            }
            WorkloadKind::StatefulSet => {
                let Some(set) = self.stateful_set(&workload.name) else { return Vec::new() };
                let seen = set.status.as_ref().map(|status| status.observed_generation).unwrap_or_default();
                if seen < set.metadata.generation {
                    return Vec::new();
                }
                let owned = alive.filter(|pod| is_owned(&pod.metadata, set.metadata.uid.as_deref()));
                owned.filter(|pod| self.is_of_current_revision(workload, pod) || !is_ready(pod)).collect()
            }
        }
    }

    pub(in crate::cluster) fn is_of_current_revision(&self, workload: &Workload, pod: &Pod) -> bool {
        let Some(set) = self.stateful_set(&workload.name) else { return true };
        let wanted = set.status.as_ref().and_then(|status| status.update_revision.as_ref());
        pod.labels().get("controller-revision-hash") == wanted
    }

    /// The events about the object with this identity: not those about an earlier one of the same name.
    pub(in crate::cluster) fn events(&self, meta: &ObjectMeta) -> impl Iterator<Item = &'a Event> {
        let uid = meta.uid.clone();
        let events = self.observed.events.iter().map(Arc::as_ref);
        events.filter(move |event| uid.is_some() && event.involved_object.uid == uid)
    }

    /// Whether a pod is going away, which until then holds what it asked for.
    pub(in crate::cluster) fn has_pods_that_leave(&self) -> bool {
        self.observed.pods.iter().any(|pod| pod.metadata.deletion_timestamp.is_some())
    }

    /// Seconds from `time` to now; none for a time that is unknown or, by another machine's clock, still to come.
    pub(in crate::cluster) fn seconds_since(&self, time: Option<&Time>) -> u64 {
        time.and_then(|time| u64::try_from(self.now.duration_since(time.0).as_secs()).ok()).unwrap_or_default()
    }

    /// A command of windtunnel's for this environment, in backticks.
    pub(in crate::cluster) fn command(&self, words: &str) -> String {
        self.expected.command(words)
    }

    /// The command that shows a container's log, or all logs where it has no name of its own there, in backticks.
    pub(in crate::cluster) fn logs(&self, container: &str) -> String {
        let component = component(container).unwrap_or_default();
        self.command(format!("logs {component}").trim_end())
    }

    /// A command of kubectl's for this environment's namespace, in backticks.
    pub(in crate::cluster) fn kubectl(&self, words: &str) -> String {
        self.kubectl_in(self.expected.namespace, words)
    }

    /// The same for another namespace.
    pub(in crate::cluster) fn kubectl_in(&self, namespace: &str, words: &str) -> String {
        self.expected.kubectl(namespace, words)
    }

    /// The command that deletes the Secret with the environment's keys, in backticks.
    pub(in crate::cluster) fn delete_secret(&self) -> String {
        self.kubectl(&format!("delete secret {}-credentials", self.expected.environment))
    }
}

/// What `windtunnel logs` calls a container: of the lite chart, of Apache's or of the community's.
fn component(container: &str) -> Option<&str> {
    Some(match container {
        "api-server" | "webserver" | "scheduler" | "dag-processor" | "triggerer" | "worker" | "create-user"
        | "database" | "redis" => container,
        "migrate" | "run-airflow-migrations" | "db-migrations" => "migrate",
        "airflow-web" => "webserver",
        "airflow-scheduler" => "scheduler",
        "airflow-triggerer" => "triggerer",
        "airflow-worker" => "worker",
        "sync-airflow-users" => "sync-users",
        _ => return None,
    })
}

/// Whether a Job made the pod.
pub(in crate::cluster) fn of_job(pod: &Pod, job: &str) -> bool {
    pod.labels().get(JOB_NAME).is_some_and(|name| name == job)
}

fn condition_of<'a>(job: &'a Job, name: &str) -> Option<&'a JobCondition> {
    let conditions = job.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|condition| condition.type_ == name && condition.status == "True")
}

/// All containers of a pod, those that run before the others first.
pub(in crate::cluster) fn containers(pod: &Pod) -> Vec<ContainerView<'_>> {
    let Some(spec) = &pod.spec else { return Vec::new() };
    let status = pod.status.as_ref();
    let before = status.and_then(|status| status.init_container_statuses.as_deref()).unwrap_or_default();
    let main = status.and_then(|status| status.container_statuses.as_deref()).unwrap_or_default();
    let initial = spec.init_containers.iter().flatten().map(|spec| ContainerView {
        status: before.iter().find(|status| status.name == spec.name),
        // A sidecar is written among them but goes on running.
        init: spec.restart_policy.as_deref() != Some("Always"),
        spec,
    });
    let others = spec.containers.iter().map(|spec| ContainerView {
        status: main.iter().find(|status| status.name == spec.name),
        init: false,
        spec,
    });
    initial.chain(others).collect()
}

impl ContainerView<'_> {
    /// The container in words.
    pub(in crate::cluster) fn of(&self, pod: &Pod) -> String {
        format!("container `{}` of pod `{}`", self.spec.name, pod.name_any())
    }

    /// Reason and message of a container that waits, empty otherwise.
    pub(in crate::cluster) fn waiting(&self) -> (&str, &str) {
        let state = self.status.and_then(|status| status.state.as_ref()).and_then(|state| state.waiting.as_ref());
        state.map_or(("", ""), |waiting| {
            (waiting.reason.as_deref().unwrap_or_default(), waiting.message.as_deref().unwrap_or_default())
        })
    }
}

/// The pod's condition of this type.
pub(in crate::cluster) fn condition<'a>(pod: &'a Pod, name: &str) -> Option<&'a PodCondition> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|condition| condition.type_ == name)
}

/// Whether the pod is ready to serve.
pub(in crate::cluster) fn is_ready(pod: &Pod) -> bool {
    condition(pod, "Ready").is_some_and(|condition| condition.status == "True")
}

fn is_alive(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    pod.metadata.deletion_timestamp.is_none() && !matches!(phase, Some("Failed" | "Succeeded"))
}

/// Whether the controller with this identity made the object.
pub(in crate::cluster) fn is_owned(meta: &ObjectMeta, uid: Option<&str>) -> bool {
    let owners = meta.owner_references.as_deref().unwrap_or_default();
    uid.is_some() && owners.iter().any(|owner| Some(owner.uid.as_str()) == uid && owner.controller == Some(true))
}

/// How often the event happened: the API server keeps one object for equal ones.
pub(in crate::cluster) fn times(event: &Event) -> i32 {
    event.count.or_else(|| event.series.as_ref().and_then(|series| series.count)).unwrap_or(1).max(1)
}

/// When the event happened first.
pub(in crate::cluster) fn first_time(event: &Event) -> Option<Time> {
    let of_series = || event.event_time.as_ref().map(|time| Time(time.0));
    event.first_timestamp.clone().or_else(of_series).or_else(|| event.metadata.creation_timestamp.clone())
}

/// When the event happened last.
pub(in crate::cluster) fn last_time(event: &Event) -> Option<Time> {
    let of_series =
        || event.series.as_ref().and_then(|series| series.last_observed_time.as_ref()).map(|time| Time(time.0));
    event.last_timestamp.clone().or_else(of_series).or_else(|| first_time(event))
}

/// The event's message, empty if it has none: without what stands before it where one event stands for many (client-go,
/// `tools/record/events_cache.go`).
pub(in crate::cluster) fn message(event: &Event) -> &str {
    let message = event.message.as_deref().unwrap_or_default();
    message.strip_prefix("(combined from similar events): ").unwrap_or(message)
}
