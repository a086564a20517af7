//! A container that ends when it should run: out of memory, a migration that fails, or any crash loop, with its last log lines.
//!
//! A crash loop is terminal with the third failed run in a row, when the kubelet backs off for longer than its first 10 s. A run that began before
//! the workloads that this one may need were ready is forgiven. Out of memory is terminal with the first kill of a container that has a memory
//! limit of its own, because the same work meets the same limit; otherwise with the second. That an image is for another processor
//! may show in the log only.

use k8s_openapi::api::core::v1::{ContainerStateTerminated, Pod};
use kube::ResourceExt;

use super::super::workload::Workload;
use super::view::{ContainerView, View, condition};
use super::{LogSource, Verdict, count, start};

/// The container that migrates the metadata database.
const MIGRATION: &str = "migrate";
/// Restarts until a crash loop counts; with them three runs have failed.
const RESTARTS: i32 = 2;
/// Seconds until what has just become ready is known to be so everywhere in the cluster.
const SETTLING: i64 = 5;

pub(super) fn judge(view: &View<'_>, workload: &Workload, pod: &Pod, container: &ContainerView<'_>) -> Option<Verdict> {
    let ended = start::ended(container)?;
    if ended.exit_code == 0 && container.init && container.waiting().0.is_empty() {
        return None;
    }
    let restarts = container.status.map_or(0, |status| status.restart_count);
    let source = log_source(pod, container);
    let lines = view.observed.logs.get(&source).cloned().unwrap_or_default();
    let mut verdict = if ended.reason.as_deref() == Some("OOMKilled") {
        out_of_memory(view, pod, container, restarts)
    } else if lines.iter().any(|line| line.contains("exec format error")) {
        start::wrong_platform(view, pod, container)
    } else {
        let again_and_again = restarts >= RESTARTS && is_backing_off(container) && is_on_its_own(view, workload, ended);
        crash(view, pod, container).terminal_if(again_and_again)
    };
    verdict = verdict.evidence(format!("{}, restarted {restarts} times", exit(ended)));
    verdict.evidence.extend(lines);
    verdict.log = Some(source);
    Some(verdict)
}

fn crash(view: &View<'_>, pod: &Pod, container: &ContainerView<'_>) -> Verdict {
    let name = container.spec.name.as_str();
    let (code, what) = if name == MIGRATION {
        ("migration_failed", "the migration of the metadata database fails again and again")
    } else {
        ("crash_loop", "it ends again and again")
    };
    Verdict::new(code, container.of(pod), what)
        .hint(format!("see its whole log: {}", view.command(&format!("logs {name}"))))
        .hint(format!("when the cause is gone: {}", view.command("up")))
}

fn out_of_memory(view: &View<'_>, pod: &Pod, container: &ContainerView<'_>, restarts: i32) -> Verdict {
    let limits = container.spec.resources.as_ref().and_then(|resources| resources.limits.as_ref());
    let limit = limits.and_then(|limits| limits.get("memory")).map(|limit| limit.0.as_str());
    let what = limit.map_or_else(
        || "it was killed because the node has no memory left".to_owned(),
        |limit| format!("it was killed because it needs more memory than its limit of {limit}"),
    );
    let hint = if limit.is_some() {
        "raise its memory limit in the profile"
    } else {
        "give the container engine more memory, or end what else runs"
    };
    Verdict::new("out_of_memory", container.of(pod), what)
        .hint(format!("{hint}, then {}", view.command("up")))
        .terminal_if(limit.is_some() || restarts >= 1)
}

/// The kubelet waits for longer than after the first failure in a row: what was restarted days ago does not count.
fn is_backing_off(container: &ContainerView<'_>) -> bool {
    let (reason, message) = container.waiting();
    reason == "CrashLoopBackOff" && !message.starts_with("back-off 10s ")
}

/// The run began when all that this workload may need had been ready for a while.
fn is_on_its_own(view: &View<'_>, workload: &Workload, ended: &ContainerStateTerminated) -> bool {
    let Some(began) = &ended.started_at else { return true };
    let before = view.expected.workloads.iter().take_while(|other| *other != workload);
    before.into_iter().all(|other| {
        let since = view.pods(other).into_iter().filter_map(|pod| {
            condition(pod, "Ready").filter(|ready| ready.status == "True")?.last_transition_time.as_ref()
        });
        let newest = since.map(|time| time.0).max();
        count(view, other).ready() && newest.is_none_or(|ready| began.0.duration_since(ready).as_secs() >= SETTLING)
    })
}

fn log_source(pod: &Pod, container: &ContainerView<'_>) -> LogSource {
    let state = container.status.and_then(|status| status.state.as_ref());
    let previous = state.is_none_or(|state| state.terminated.is_none());
    LogSource { pod: pod.name_any(), container: container.spec.name.clone(), previous }
}

fn exit(ended: &ContainerStateTerminated) -> String {
    let reason = ended.reason.as_deref().unwrap_or("Error");
    match ended.signal {
        Some(signal) if signal != 0 => format!("ended by signal {signal} ({reason})"),
        _ => format!("exit code {} ({reason})", ended.exit_code),
    }
}
