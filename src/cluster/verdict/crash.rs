//! A container that ends when it should run: out of memory, a migration that fails, or any crash loop, with its last log lines.
//!
//! A crash loop is terminal with the third failed run in a row: the kubelet has backed off for its first 10 s, and the run after that has failed
//! too. A run that began before the workloads that this one may need were ready is forgiven, and for a while one that was out of time. Out of
//! memory is terminal with the first kill of a container that has a memory limit of its own, because the same work meets the same limit;
//! otherwise with the second. That an image is for another processor may show in the log only.

use std::ops::RangeInclusive;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ContainerStateTerminated, Pod};

use super::super::workload::Workload;
use super::view::{ContainerView, View, condition};
use super::{LogSource, Verdict, count, dns, said, start};
use crate::codes::Code;

/// The containers that migrate the metadata database: of the lite chart, of Apache's and of the community's.
pub(super) const MIGRATIONS: [&str; 3] = ["migrate", "run-airflow-migrations", "db-migrations"];
/// Restarts until a crash loop counts; with them three runs have failed.
const RESTARTS: i32 = 2;
/// How the command `timeout` ends (GNU coreutils), by which the community's chart bounds its containers' looks at the database to 60 s. On a
/// busy machine Airflow's start alone takes that long.
const OUT_OF_TIME: i32 = 124;
/// Restarts until a run that was out of time counts as one that failed.
const SLOW_RESTARTS: i32 = 5;
/// Seconds between two runs that tell of a back-off: the kubelet's first takes 10, its longest 300.
const BACK_OFF: RangeInclusive<i64> = 8..=330;
/// Seconds until what has just become ready is known to be so everywhere in the cluster.
const SETTLING: i64 = 5;

pub(super) fn judge(view: &View<'_>, workload: &Workload, pod: &Pod, container: &ContainerView<'_>) -> Option<Verdict> {
    let ended = start::ended(container)?;
    // A Job's container ends as well, and is run again only after a failure.
    let policy = pod.spec.as_ref().and_then(|spec| spec.restart_policy.as_deref());
    let is_to_end = container.init || matches!(policy, Some("Never" | "OnFailure"));
    if is_to_end && ended.exit_code == 0 {
        return None;
    }
    let restarts = container.status.map_or(0, |status| status.restart_count);
    let source = LogSource::ended(pod, container);
    let lines = source.and_then(|source| view.observed.logs.get(&source)).cloned().unwrap_or_default();
    let said = said::cause(&lines);
    let enough = if ended.exit_code == OUT_OF_TIME { SLOW_RESTARTS } else { RESTARTS };
    let again_and_again = restarts >= enough && fails_in_a_row(container) && is_on_its_own(view, workload, ended);
    let how = format!("{}, {}", exit(ended), restarted(restarts));
    let mut verdict = if ended.reason.as_deref() == Some("OOMKilled") {
        return Some(out_of_memory(view, pod, container, restarts).evidence(how));
    } else if lines.iter().any(|line| line.to_lowercase().contains("exec format error")) {
        start::wrong_platform(view, pod, container)
    } else if said::lacks_names(&lines)
        && let Some(verdict) = dns::judge(view)
    {
        let terminal = verdict.terminal;
        verdict.terminal_if(terminal && is_on_its_own(view, workload, ended))
    } else if let Some(said) = &said {
        let verdict = Verdict::new(said.code, container.of(pod), said.what).evidence(said::shorten(said.line()));
        let verdict = said.hints(view, &container.spec.name).into_iter().fold(verdict, Verdict::hint);
        // What its node has taken with it did not end by itself: the last words are then not the cause.
        let by_itself = ended.reason.as_deref() != Some("Unknown");
        verdict.terminal_if(said.lasting && by_itself || again_and_again)
    } else {
        crash(view, pod, container, restarts).terminal_if(again_and_again)
    };
    verdict = verdict.evidence(how);
    if said.is_none() {
        verdict.evidence.extend(said::quote(&lines));
    }
    Some(verdict)
}

fn crash(view: &View<'_>, pod: &Pod, container: &ContainerView<'_>, restarts: i32) -> Verdict {
    let name = container.spec.name.as_str();
    let (code, what) = match (MIGRATIONS.contains(&name), restarts) {
        (true, 0) => (Code::MigrationFailed, "the migration of the metadata database has failed once"),
        (true, _) => (Code::MigrationFailed, "the migration of the metadata database fails again and again"),
        (false, 0) => (Code::CrashLoop, "it has failed once"),
        (false, _) => (Code::CrashLoop, "it ends again and again"),
    };
    hints(view, name).into_iter().fold(Verdict::new(code, container.of(pod), what), Verdict::hint)
}

/// What to do about a container that ends.
pub(super) fn hints(view: &View<'_>, container: &str) -> Vec<String> {
    vec![
        format!("see its whole log: {}", view.logs(container)),
        format!("when the cause is gone: {}", view.command("up")),
    ]
}

/// A container that was killed for want of memory.
pub(super) fn out_of_memory(view: &View<'_>, pod: &Pod, container: &ContainerView<'_>, restarts: i32) -> Verdict {
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
    Verdict::new(Code::OutOfMemory, container.of(pod), what)
        .hint(format!("{hint}, then {}", view.command("up")))
        .terminal_if(limit.is_some() || restarts >= 1)
}

/// Whether the run that has ended came after a back-off: what was restarted days ago does not count.
///
/// The kubelet shows `CrashLoopBackOff` up to 15 s after the end of a run, and until then only how this run and the one before ended. A run that
/// did not even begin has its end only.
pub(super) fn fails_in_a_row(container: &ContainerView<'_>) -> bool {
    if let ("CrashLoopBackOff", message) = container.waiting() {
        return !message.starts_with("back-off 10s ");
    }
    let status = container.status;
    let now = status.and_then(|status| status.state.as_ref()?.terminated.as_ref());
    let before = status.and_then(|status| status.last_state.as_ref()?.terminated.as_ref());
    let (Some(now), Some(before)) = (now, before) else { return false };
    // A node that was stopped leaves runs whose end nobody saw.
    let is_known = before.reason.as_deref() != Some("Unknown") && before.exit_code != 0;
    let began = now.started_at.as_ref().filter(|began| began.0 != Timestamp::UNIX_EPOCH).or(now.finished_at.as_ref());
    let (Some(ended), Some(began)) = (&before.finished_at, began) else { return false };
    is_known && BACK_OFF.contains(&began.0.duration_since(ended.0).as_secs())
}

/// The run began when all that this workload may need had been ready for a while.
fn is_on_its_own(view: &View<'_>, workload: &Workload, ended: &ContainerStateTerminated) -> bool {
    ended.started_at.as_ref().is_none_or(|began| needed_are_ready_since(view, workload, began.0, SETTLING))
}

/// All that this workload may need is ready, and had been for `seconds` at this time.
pub(super) fn needed_are_ready_since(view: &View<'_>, workload: &Workload, time: Timestamp, seconds: i64) -> bool {
    let before = view.expected.workloads.iter().take_while(|other| *other != workload);
    before.into_iter().all(|other| {
        let since = view.pods(other).into_iter().filter_map(|pod| {
            condition(pod, "Ready").filter(|ready| ready.status == "True")?.last_transition_time.as_ref()
        });
        let newest = since.map(|time| time.0).max();
        count(view, other).ready() && newest.is_none_or(|ready| time.duration_since(ready).as_secs() >= seconds)
    })
}

fn exit(ended: &ContainerStateTerminated) -> String {
    let reason = match ended.exit_code {
        OUT_OF_TIME => "out of time",
        _ => ended.reason.as_deref().unwrap_or("Error"),
    };
    match ended.signal {
        Some(signal) if signal != 0 => format!("ended by signal {signal} ({reason})"),
        _ => format!("exit code {} ({reason})", ended.exit_code),
    }
}

/// How often a container was restarted, in words.
pub(super) fn restarted(times: i32) -> String {
    match times {
        0 => "not restarted yet".to_owned(),
        1 => "restarted once".to_owned(),
        times => format!("restarted {times} times"),
    }
}
