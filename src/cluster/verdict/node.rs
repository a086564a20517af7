//! The node: not ready, without a network, short of disk, memory or processes, and the pods it evicted.
//!
//! A node becomes ready a while after its cluster is made, and its network is, so both are terminal after 60 s. Pressure is terminal after 10 s: the kubelet
//! keeps it up for 5 minutes (`--eviction-pressure-transition-period`) and nothing starts until then. One eviction may free what was short;
//! the second one of a workload is terminal, or the first while one of several nodes is still under pressure, or for the pod's own limit, which the next
//! pod meets as well. Conditions that others invent are not judged: which of their values is the good one is not known (k3s has `EtcdIsVoter`).

use k8s_openapi::api::core::v1::{Node, NodeCondition};
use kube::ResourceExt;

use super::super::workload::{Workload, WorkloadKind};
use super::Verdict;
use super::view::{View, condition, is_owned};
use crate::codes::Code;

/// Seconds that a node may take to become ready.
const NOT_READY: u64 = 60;
/// Seconds that pressure must last.
const PRESSURE: u64 = 10;
/// Seconds after which an eviction is history.
const EVICTED: u64 = 300;

/// How the kubelet says that a pod went beyond a limit of its own, not the node's (`pkg/kubelet/eviction/helpers.go`).
const OWN_LIMITS: [&str; 3] =
    ["exceeds the limit", "exceeded its local ephemeral storage limit", "exceeds the total limit of containers"];

const PRESSURES: [(&str, Code, &str); 3] = [
    ("DiskPressure", Code::NodeDiskPressure, "disk"),
    ("MemoryPressure", Code::NodeMemoryPressure, "memory"),
    ("PIDPressure", Code::NodePidPressure, "processes"),
];

pub(super) fn judge(view: &View<'_>) -> Vec<Verdict> {
    // With several nodes the others may do: the scheduler's message about each pod tells then.
    let [node] = view.observed.nodes.as_slice() else { return Vec::new() };
    let object = format!("node `{}`", node.name_any());
    let pressed = PRESSURES.iter().filter_map(|(name, code, resource)| {
        let found = of(node, name).filter(|condition| condition.status == "True")?;
        let verdict = Verdict::new(*code, &object, format!("it is short of {resource}, so no pod can start"))
            .evidence(found.message.clone().unwrap_or_default())
            .terminal_if(view.seconds_since(found.last_transition_time.as_ref()) >= PRESSURE);
        Some(match *name {
            "DiskPressure" => {
                verdict.hint("free disk space where the container engine keeps its data: `docker system df`")
            }
            _ => verdict.hint("give the container engine more, or end what else runs"),
        })
    });
    let unready = of(node, "Ready").filter(|condition| condition.status != "True").map(|condition| {
        Verdict::new(Code::NodeNotReady, &object, "it is not ready")
            .evidence(condition.message.clone().unwrap_or_default())
            .hint(format!(
                "stop and start the node's container, or {} and {}",
                view.command("down"),
                view.command("up")
            ))
            .terminal_if(view.seconds_since(condition.last_transition_time.as_ref()) >= NOT_READY)
    });
    let cut_off = of(node, "NetworkUnavailable").filter(|condition| condition.status == "True").map(|condition| {
        Verdict::new(Code::NodeNetworkUnavailable, &object, "its network is not set up, so no pod is placed on it")
            .evidence(condition.message.clone().unwrap_or_default())
            .hint(format!("see what sets it up: {}", view.kubectl_in("kube-system", "get pods")))
            .hint(format!("when it does: {}", view.command("up")))
            .terminal_if(view.seconds_since(condition.last_transition_time.as_ref()) >= NOT_READY)
    });
    pressed.chain(unready).chain(cut_off).collect()
}

/// Whether each node is ready for pods.
pub(super) fn all_ready(view: &View<'_>) -> bool {
    view.observed.nodes.iter().all(|node| of(node, "Ready").is_some_and(|condition| condition.status == "True"))
}

pub(super) fn judge_evictions(view: &View<'_>, workload: &Workload) -> Option<Verdict> {
    let uid = match workload.kind {
        // Its controller replaces what was evicted, up to a limit.
        WorkloadKind::Job => return None,
        WorkloadKind::Deployment => view.replica_set(view.deployment(&workload.name)?)?.metadata.uid.as_deref(),
        WorkloadKind::StatefulSet => view.stateful_set(&workload.name)?.metadata.uid.as_deref(),
    };
    let evicted: Vec<_> = view
        .observed
        .pods
        .iter()
        .filter(|pod| is_owned(&pod.metadata, uid))
        .filter(|pod| pod.status.as_ref().and_then(|status| status.reason.as_deref()) == Some("Evicted"))
        .filter(|pod| {
            let since = condition(pod, "DisruptionTarget").and_then(|found| found.last_transition_time.as_ref());
            view.seconds_since(since.or(pod.metadata.creation_timestamp.as_ref())) < EVICTED
        })
        .collect();
    let last = evicted.iter().max_by_key(|pod| pod.creation_timestamp().map(|time| time.0))?;
    let pressed = view.observed.nodes.iter().any(|node| {
        PRESSURES.iter().any(|(name, ..)| of(node, name).is_some_and(|condition| condition.status == "True"))
    });
    let message = last.status.as_ref().and_then(|status| status.message.clone()).unwrap_or_default();
    let is_its_own = OWN_LIMITS.iter().any(|words| message.contains(words));
    let (what, hint) = if is_its_own {
        (
            "the node evicted it: it wrote more than its own limit of disk",
            "raise the limit in the profile or the values",
        )
    } else {
        ("the node evicted it", "free disk space or memory for the container engine")
    };
    let verdict = Verdict::new(Code::Evicted, format!("pod `{}`", last.name_any()), what).evidence(message);
    let verdict = verdict.hint(format!("{hint}, then {}", view.command("up")));
    // Of a single node the pressure itself is the cause.
    let is_told_there = pressed && view.observed.nodes.len() == 1;
    Some(verdict.terminal_if(is_its_own || !is_told_there && (pressed || evicted.len() >= 2)))
}

fn of<'a>(node: &'a Node, name: &str) -> Option<&'a NodeCondition> {
    node.status.as_ref()?.conditions.as_ref()?.iter().find(|condition| condition.type_ == name)
}
