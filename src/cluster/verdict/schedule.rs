//! No node takes the pod: cpu, memory, storage, number of pods, taint, node selector, affinity, host port, volume; each told apart.
//!
//! Terminal 3 s after the scheduler said so, unless a node is not ready yet, or a pod that is going away may make room, which it cannot where
//! no node would do if it were empty: the scheduler does not change its mind about requests and labels by itself. A taint that the node takes
//! off by itself (`node.kubernetes.io/…`) is the node's trouble and judged there. A scheduling gate keeps the scheduler from looking at the pod
//! at all: whoever set it is to take it off, and has 10 s for that.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{Node, Pod, PodCondition};
use kube::ResourceExt;

use super::view::{View, condition};
use super::{Verdict, node, volume};
use crate::codes::Code;

/// Seconds that the scheduler's refusal must last.
const UNSCHEDULABLE: u64 = 3;

/// Seconds that a scheduling gate may be closed.
const GATED: u64 = 10;

/// The scheduler's choice, written on a claim of a pod that is not bound to the node yet.
const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";

/// A part of the scheduler's message (kube-scheduler, `pkg/scheduler/framework/plugins/…`), the code, and the cause in words.
const CAUSES: [(&str, Code, &str); 15] = [
    ("Insufficient cpu", Code::UnschedulableCpu, "it asks for more cpu than the node has left"),
    ("Insufficient memory", Code::UnschedulableMemory, "it asks for more memory than the node has left"),
    ("Insufficient ephemeral-storage", Code::UnschedulableStorage, "it asks for more disk than the node has left"),
    ("Insufficient ", Code::UnschedulableResource, "it asks for a resource that the node does not have left"),
    ("Too many pods", Code::UnschedulablePods, "the node has as many pods as it may have"),
    (
        "didn't match Pod's node affinity/selector",
        Code::UnschedulableNodeSelector,
        "no node has the labels that it asks for",
    ),
    ("anti-affinity", Code::UnschedulableAffinity, "its affinity rules leave no node"),
    ("affinity rules", Code::UnschedulableAffinity, "its affinity rules leave no node"),
    ("didn't have free ports", Code::UnschedulablePort, "the host port that it asks for is taken"),
    // Until Kubernetes 1.33, and since.
    ("volume node affinity conflict", Code::UnschedulableVolume, "its volume is on another node"),
    ("didn't match PersistentVolume's node affinity", Code::UnschedulableVolume, "its volume is on another node"),
    ("didn't find available persistent volumes", Code::UnschedulableVolume, "no volume fits its claim"),
    ("persistentvolumeclaim", Code::ClaimMissing, "its volume claim is missing"),
    ("were unschedulable", Code::UnschedulableCordoned, "the node is closed for new pods (cordoned)"),
    ("untolerated taint", Code::UnschedulableTaint, "the node has a taint that it does not tolerate"),
];

pub(super) fn judge(view: &View<'_>, pod: &Pod) -> Option<Verdict> {
    let refused = condition(pod, "PodScheduled").filter(|found| found.status == "False")?;
    if refused.reason.as_deref() == Some("SchedulingGated") {
        return Some(gated(view, pod, refused));
    }
    let message = refused.message.as_deref().filter(|_| refused.reason.as_deref() == Some("Unschedulable"))?;
    let &(_, code, what) = CAUSES.iter().find(|(part, ..)| message.contains(part))?;
    if is_outdated(view, pod, code) {
        return None;
    }
    let lasts = view.seconds_since(refused.last_transition_time.as_ref()) >= UNSCHEDULABLE;
    let fits_nowhere = fits_nowhere(message);
    let what = if fits_nowhere { what.strip_suffix(" left").unwrap_or(what) } else { what };
    let may_heal = heals_by_itself(message)
        || code == Code::UnschedulableTaint && view.observed.nodes.iter().any(|node| has_passing_taint(node))
        || !node::all_ready(view)
        || !fits_nowhere && view.has_pods_that_leave();
    let verdict = Verdict::new(code, format!("pod `{}`", pod.name_any()), what)
        .evidence(message)
        .evidence(requests(pod, code))
        .evidence(if code == Code::UnschedulableTaint { taints(view) } else { String::new() })
        .terminal_if(lasts && !may_heal);
    Some(verdict.hint(hint(view, code)))
}

fn gated(view: &View<'_>, pod: &Pod, refused: &PodCondition) -> Verdict {
    let gates = pod.spec.iter().flat_map(|spec| spec.scheduling_gates.iter().flatten());
    let gates: Vec<&str> = gates.map(|gate| gate.name.as_str()).collect();
    // The API server writes this condition without a time.
    let since = refused.last_transition_time.as_ref().or(pod.metadata.creation_timestamp.as_ref());
    let what = "a scheduling gate keeps it from being placed";
    Verdict::new(Code::UnschedulableGated, format!("pod `{}`", pod.name_any()), what)
        .evidence(format!("scheduling gates: {}", gates.join(", ")))
        .evidence(refused.message.clone().unwrap_or_default())
        .hint(format!(
            "see why the gate is closed with whoever sets it, a queue for example; or leave it out; then {}",
            view.command("up")
        ))
        .terminal_if(view.seconds_since(since) >= GATED)
}

/// The scheduler does not take back its message while it waits for a volume on the node that it has found since.
fn is_outdated(view: &View<'_>, pod: &Pod, code: Code) -> bool {
    let claims = volume::claims(view, pod);
    let has_found_a_node = claims.iter().any(|claim| claim.annotations().contains_key(SELECTED_NODE));
    has_found_a_node || (code == Code::ClaimMissing && !claims.is_empty())
}

/// Taints that Kubernetes itself sets and takes off again; a young node has some of them.
pub(super) fn heals_by_itself(message: &str) -> bool {
    message.contains("node.kubernetes.io/") || message.contains("node.cloudprovider.kubernetes.io/")
}

/// The same as the node has it: the scheduler of Kubernetes 1.34 no longer names taints. A cordon is no trouble of the node's.
fn has_passing_taint(node: &Node) -> bool {
    let taints = node.spec.iter().flat_map(|spec| spec.taints.iter().flatten());
    taints.map(|taint| taint.key.as_str()).any(|key| heals_by_itself(key) && key != "node.kubernetes.io/unschedulable")
}

/// Whether the pod would find no place on an empty node either; of requests beyond all that a node has the scheduler says so since
/// Kubernetes 1.34 (kubernetes/kubernetes#131345).
fn fits_nowhere(message: &str) -> bool {
    message.contains("Preemption is not helpful") && !message.contains("No preemption victims")
}

/// What the pod asks for, container by container.
fn requests(pod: &Pod, code: Code) -> String {
    let resource = match code {
        Code::UnschedulableCpu => "cpu",
        Code::UnschedulableMemory => "memory",
        _ => return String::new(),
    };
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let asked = containers.filter_map(|container| {
        let quantity = container.resources.as_ref()?.requests.as_ref()?.get(resource)?;
        Some(format!("`{}` {}", container.name, quantity.0))
    });
    let asked: Vec<String> = asked.collect();
    if asked.is_empty() { String::new() } else { format!("requests for {resource}: {}", asked.join(", ")) }
}

/// The taints of the nodes, which the scheduler of Kubernetes 1.34 no longer names.
fn taints(view: &View<'_>) -> String {
    let of_node = |node: &Arc<Node>| {
        let taints = node.spec.as_ref().and_then(|spec| spec.taints.clone()).unwrap_or_default();
        let taints: Vec<String> = taints
            .iter()
            .map(|taint| format!("{}={}:{}", taint.key, taint.value.as_deref().unwrap_or_default(), taint.effect))
            .collect();
        (!taints.is_empty()).then(|| format!("node `{}` has {}", node.name_any(), taints.join(", ")))
    };
    view.observed.nodes.iter().filter_map(of_node).collect::<Vec<_>>().join("; ")
}

fn hint(view: &View<'_>, code: Code) -> String {
    let again = view.command("up");
    match code {
        Code::UnschedulableCpu | Code::UnschedulableMemory | Code::UnschedulableStorage => {
            format!("give the container engine more, or lower the requests in the profile; then {again}")
        }
        Code::UnschedulablePods | Code::UnschedulablePort => {
            format!("remove what else runs in this cluster, then {again}")
        }
        Code::UnschedulableCordoned => format!("uncordon the node, then {again}"),
        Code::UnschedulableVolume => format!("remove the environment with its volumes: {}", view.command("down")),
        Code::ClaimMissing => format!("install the release again: {again}"),
        _ => format!("change the pod's rules or the node's labels and taints, then {again}"),
    }
}
