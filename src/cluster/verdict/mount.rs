//! A pod that is on a node but has no sandbox yet: a mount that fails, or the network plugin.
//!
//! A Secret, `ConfigMap` or host folder that is missing is terminal after 5 s, because Helm makes them before the pods; `kube-root-ca.crt`,
//! which a controller puts into a young namespace, after 60 s. Any other failing mount, and a sandbox that cannot be made, are terminal with the
//! third attempt that lasts for 30 s: the kubelet's and the network plugin's own caches heal within seconds. What failed because the API server
//! did not answer the node has three minutes: the kubelet tries again at most 122 s later (`maxDurationBeforeRetry` in Kubernetes'
//! `exponential_backoff.go`), however soon the API server is back.

use k8s_openapi::api::core::v1::{Event, Pod};
use kube::ResourceExt;

use super::Verdict;
use super::view::{View, condition, containers, first_time, last_time, message, times};
use crate::codes::Code;

/// Seconds that something named may be missing.
const MISSING: u64 = 5;
/// Seconds for controllers to furnish a namespace that has just been made.
const YOUNG_NAMESPACE: u64 = 60;
/// Attempts and seconds until any other failure counts.
const ATTEMPTS: i32 = 3;
const LASTING: u64 = 30;
/// Seconds until a failure counts that is due to the API server.
const API_SERVER: u64 = 180;

pub(super) fn judge(view: &View<'_>, pod: &Pod) -> Option<Verdict> {
    let has_sandbox = condition(pod, "PodReadyToStartContainers").is_some_and(|found| found.status == "True");
    let has_started = containers(pod).iter().any(|container| {
        container.status.is_some_and(|status| status.container_id.is_some() || status.restart_count > 0)
    });
    if has_sandbox || has_started {
        return None;
    }
    let failures = view
        .events(&pod.metadata)
        .filter(|event| {
            matches!(event.reason.as_deref(), Some("FailedMount" | "FailedAttachVolume" | "FailedCreatePodSandBox"))
        })
        // The kubelet's own cache, not the object, is missing: it fills within a second.
        .filter(|event| !message(event).contains("not registered"));
    let last = failures.max_by_key(|event| last_time(event).map(|time| time.0))?;
    let (code, what, needed) = classify(last);
    let seconds = view.seconds_since(first_time(last).as_ref());
    let is_named = matches!(needed, MISSING | YOUNG_NAMESPACE);
    let terminal = seconds >= needed && (is_named || times(last) >= ATTEMPTS);
    let verdict =
        Verdict::new(code, format!("pod `{}`", pod.name_any()), what).evidence(message(last)).terminal_if(terminal);
    Some(match code {
        Code::SandboxFailed => {
            verdict.hint(format!("make the cluster again: {}, then {}", view.command("down"), view.command("up")))
        }
        Code::HostPathMissing => verdict.hint(
            "the folder must be there inside the node, and the container engine must share the host's folder with it",
        ),
        _ => verdict.hint(format!("make what is missing, then {}", view.command("up"))),
    })
}

fn classify(event: &Event) -> (Code, &'static str, u64) {
    let text = message(event);
    let lasting = if is_due_to_the_api_server(text) { API_SERVER } else { LASTING };
    if event.reason.as_deref() == Some("FailedCreatePodSandBox") {
        (Code::SandboxFailed, "its sandbox cannot be made", lasting)
    } else if text.contains("kube-root-ca.crt") {
        (Code::ConfigMissing, "its ConfigMap is missing", YOUNG_NAMESPACE)
    } else if text.contains("hostPath type check failed") {
        (Code::HostPathMissing, "a folder of the host is not there", MISSING)
    } else if text.contains("secret") && (text.contains("not found") || text.contains("non-existent")) {
        (Code::SecretMissing, "its Secret is missing", MISSING)
    } else if text.contains("configmap") && (text.contains("not found") || text.contains("non-existent")) {
        (Code::ConfigMissing, "its ConfigMap is missing", MISSING)
    } else {
        (Code::MountFailed, "a volume cannot be mounted", lasting)
    }
}

/// A request of the node's that had no answer: an error of Go's HTTP client begins with method and URL, what the API server itself says has
/// none. Without an answer for a while the kubelet's caches of Secrets and `ConfigMap`s are out of date, which it says in its own words.
fn is_due_to_the_api_server(text: &str) -> bool {
    let request = ["Get \"https://", "Post \"https://"].iter().any(|start| text.contains(start));
    (request && (text.contains("/api/v1/") || text.contains("/apis/"))) || text.contains("failed to sync")
}
