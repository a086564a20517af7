//! A container that cannot be started: what its configuration names is missing, or the image does not have the command.
//!
//! A missing Secret or `ConfigMap` is terminal after 5 s, because Helm makes them before the pods; one that only the node has not got yet is
//! not. A command that the image lacks, may not run, or that is for another processor is terminal at once. Any other failure of the container
//! runtime is terminal when the second attempt in a row fails as well; one that was cut short, as by a node that stops, never is by itself.

use k8s_openapi::api::core::v1::{ContainerStateTerminated, Pod};

use super::view::{ContainerView, View, first_time, message, times};
use super::{Verdict, crash};
use crate::codes::Code;

/// Seconds that something named may be missing.
const MISSING: u64 = 5;
/// How the kubelet's message begins where its own copy of a Secret or `ConfigMap` does not come in time, as on a busy node that was started
/// again. It asks anew (kubernetes, `pkg/kubelet/util/manager/watch_based_manager.go`).
const LATE: &str = "failed to sync ";
/// What the kubelet and containerd say of an attempt that did not come to its end: the runtime was told to end, was too slow, or is still at an
/// earlier attempt (containerd, `internal/cri/server/container_create.go`). The next attempt may succeed.
const CUT_SHORT: [&str; 3] = ["context canceled", "context deadline exceeded", "is reserved for"];

pub(super) fn judge(view: &View<'_>, pod: &Pod, container: &ContainerView<'_>) -> Option<Verdict> {
    match container.waiting() {
        ("CreateContainerConfigError", text) => Some(configuration(view, pod, container, text)),
        // All that the kubelet may write before and at a start (kubernetes, `pkg/kubelet/kuberuntime/kuberuntime_container.go`).
        (
            "PreCreateHookError"
            | "CreateContainerError"
            | "PreStartHookError"
            | "RunContainerError"
            | "PostStartHookError",
            text,
        ) => Some(runtime(view, pod, container, text)),
        _ => {
            let ended = ended(container)
                .filter(|ended| matches!(ended.reason.as_deref(), Some("StartError" | "ContainerCannotRun")))?;
            Some(runtime(view, pod, container, ended.message.as_deref().unwrap_or_default()))
        }
    }
}

/// How the last run of a container ended that has ended now, or that the kubelet holds back for having ended.
pub(super) fn ended<'a>(container: &ContainerView<'a>) -> Option<&'a ContainerStateTerminated> {
    let status = container.status?;
    if container.waiting().0 == "CrashLoopBackOff" {
        return status.last_state.as_ref()?.terminated.as_ref();
    }
    status.state.as_ref()?.terminated.as_ref()
}

fn configuration(view: &View<'_>, pod: &Pod, container: &ContainerView<'_>, text: &str) -> Verdict {
    if text.starts_with(LATE) {
        return Verdict::new(Code::ContainerConfig, container.of(pod), "the node has not got its configuration yet")
            .evidence(text)
            .hint(format!("give it time, then {}", view.command("status")))
            .terminal_if(false);
    }
    let (code, what) = if text.starts_with("secret ") || text.contains("in Secret ") {
        (Code::SecretMissing, "a Secret that it needs is missing")
    } else if text.starts_with("configmap ") || text.contains("in ConfigMap ") {
        (Code::ConfigMissing, "a ConfigMap that it needs is missing")
    } else {
        (Code::ContainerConfig, "its configuration cannot be used")
    };
    let failed = view.events(&pod.metadata).filter(|event| !text.is_empty() && message(event).contains(text));
    let seconds = failed.map(|event| view.seconds_since(first_time(event).as_ref())).max().unwrap_or_default();
    Verdict::new(code, container.of(pod), what)
        .evidence(text)
        .hint(format!("make what is missing, then {}", view.command("up")))
        .terminal_if(seconds >= MISSING)
}

fn runtime(view: &View<'_>, pod: &Pod, container: &ContainerView<'_>, text: &str) -> Verdict {
    let again = view.command("up");
    if text.contains("exec format error") {
        return wrong_platform(view, pod, container).evidence(text);
    }
    if is_unfit(text) {
        return Verdict::new(Code::CommandNotFound, container.of(pod), "the image does not have its command")
            .evidence(text)
            .hint(format!("correct the image or the command in the profile, then {again}"));
    }
    let cut_short = CUT_SHORT.iter().any(|words| text.contains(words));
    let failed = view.events(&pod.metadata).filter(|event| !text.is_empty() && message(event).contains(text));
    let attempts = failed.map(times).max().unwrap_or_default();
    Verdict::new(Code::StartFailed, container.of(pod), "it cannot be started")
        .evidence(text)
        .hint(format!("make the cluster again: {}, then {again}", view.command("down")))
        .terminal_if(!cut_short && (attempts >= 2 || crash::fails_in_a_row(container)))
}

/// Whether it is the command that cannot be run: what runc says of it begins with `exec: "command":` or `exec /the/command:`
/// (opencontainers/runc, `libcontainer/standard_init_linux.go`). The same words of anything else pass by themselves, as of a cgroup that was
/// gone in the moment in which a process was put into it.
fn is_unfit(text: &str) -> bool {
    let causes = ["executable file not found", "no such file or directory", "permission denied", "is a directory"];
    let of_command = ["exec: \"", "exec /"].iter().find_map(|begin| text.split_once(begin));
    of_command.is_some_and(|(_, rest)| causes.iter().any(|cause| rest.contains(cause)))
}

/// The image is there but made for another processor.
pub(super) fn wrong_platform(view: &View<'_>, pod: &Pod, container: &ContainerView<'_>) -> Verdict {
    let image = container.spec.image.as_deref().unwrap_or_default();
    Verdict::new(Code::ImageWrongPlatform, container.of(pod), format!("image `{image}` is for another processor"))
        .hint(format!("pull it for this machine with `docker pull --platform`, then {}", view.command("up")))
}
