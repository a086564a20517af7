//! No node takes the pod: cpu, memory, storage, number of pods, taint, node selector, affinity, host port, volume; each told apart.
//!
//! Terminal 3 s after the scheduler said so, unless a node is not ready yet, or a pod that is going away may make room: the scheduler does not
//! change its mind about requests and labels by itself. A taint that the node takes off by itself (`node.kubernetes.io/…`) is the node's
//! trouble and judged there.

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::view::{View, condition};
use super::{Verdict, node, volume};

/// Seconds that the scheduler's refusal must last.
const UNSCHEDULABLE: u64 = 3;

/// The scheduler's choice, written on a claim of a pod that is not bound to the node yet.
const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";

/// A part of the scheduler's message (kube-scheduler, `pkg/scheduler/framework/plugins/…`), the code, and the cause in words.
const CAUSES: [(&str, &str, &str); 14] = [
    ("Insufficient cpu", "unschedulable_cpu", "it asks for more cpu than the node has left"),
    ("Insufficient memory", "unschedulable_memory", "it asks for more memory than the node has left"),
    ("Insufficient ephemeral-storage", "unschedulable_storage", "it asks for more disk than the node has left"),
    ("Insufficient ", "unschedulable_resource", "it asks for a resource that the node does not have left"),
    ("Too many pods", "unschedulable_pods", "the node has as many pods as it may have"),
    (
        "didn't match Pod's node affinity/selector",
        "unschedulable_node_selector",
        "no node has the labels that it asks for",
    ),
    ("anti-affinity", "unschedulable_affinity", "its affinity rules leave no node"),
    ("affinity rules", "unschedulable_affinity", "its affinity rules leave no node"),
    ("didn't have free ports", "unschedulable_port", "the host port that it asks for is taken"),
    ("volume node affinity conflict", "unschedulable_volume", "its volume is on another node"),
    ("didn't find available persistent volumes", "unschedulable_volume", "no volume fits its claim"),
    ("persistentvolumeclaim", "claim_missing", "its volume claim is missing"),
    ("were unschedulable", "unschedulable_cordoned", "the node is closed for new pods (cordoned)"),
    ("untolerated taint", "unschedulable_taint", "the node has a taint that it does not tolerate"),
];

pub(super) fn judge(view: &View<'_>, pod: &Pod) -> Option<Verdict> {
    let refused = condition(pod, "PodScheduled").filter(|found| found.status == "False")?;
    let message = refused.message.as_deref().filter(|_| refused.reason.as_deref() == Some("Unschedulable"))?;
    let (_, code, what) = CAUSES.iter().find(|(part, ..)| message.contains(part))?;
    if is_outdated(view, pod, code) {
        return None;
    }
    let lasts = view.seconds_since(refused.last_transition_time.as_ref()) >= UNSCHEDULABLE;
    let may_heal = heals_by_itself(message) || !node::all_ready(view) || somebody_leaves(view);
    let verdict = Verdict::new(code, format!("pod `{}`", pod.name_any()), *what)
        .evidence(message)
        .evidence(requests(pod, code))
        .terminal_if(lasts && !may_heal);
    Some(verdict.hint(hint(view, code)))
}

/// The scheduler does not take back its message while it waits for a volume on the node that it has found since.
fn is_outdated(view: &View<'_>, pod: &Pod, code: &str) -> bool {
    let claims = volume::claims(view, pod);
    let has_found_a_node = claims.iter().any(|claim| claim.annotations().contains_key(SELECTED_NODE));
    has_found_a_node || (code == "claim_missing" && !claims.is_empty())
}

/// Taints that Kubernetes itself sets and takes off again; a young node has some of them.
pub(super) fn heals_by_itself(message: &str) -> bool {
    message.contains("node.kubernetes.io/") || message.contains("node.cloudprovider.kubernetes.io/")
}

/// A pod that is going away still holds what it asked for.
fn somebody_leaves(view: &View<'_>) -> bool {
    view.observed.pods.iter().any(|pod| pod.metadata.deletion_timestamp.is_some())
}

/// What the pod asks for, container by container.
fn requests(pod: &Pod, code: &str) -> String {
    let resource = match code {
        "unschedulable_cpu" => "cpu",
        "unschedulable_memory" => "memory",
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

fn hint(view: &View<'_>, code: &str) -> String {
    let again = view.command("up");
    match code {
        "unschedulable_cpu" | "unschedulable_memory" | "unschedulable_storage" => {
            format!("give the container engine more, or lower the requests in the profile; then {again}")
        }
        "unschedulable_pods" | "unschedulable_port" => format!("remove what else runs in this cluster, then {again}"),
        "unschedulable_cordoned" => format!("uncordon the node, then {again}"),
        "unschedulable_volume" => format!("remove the environment with its volumes: {}", view.command("down")),
        "claim_missing" => format!("install the release again: {again}"),
        _ => format!("change the pod's rules or the node's labels and taints, then {again}"),
    }
}
