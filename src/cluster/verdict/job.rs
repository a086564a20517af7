//! A Job that has failed for good, or that somebody has suspended: it makes no more pods, and what waits for it waits in vain.
//!
//! Some suspend each Job when it is made, and resume it when its turn has come: terminal after 10 s.

use k8s_openapi::api::core::v1::Pod;

use super::super::workload::{Workload, WorkloadKind};
use super::view::{View, containers, of_job};
use super::{LogSource, Verdict, crash, said};
use crate::codes::Code;

/// Seconds that a Job may be suspended.
const SUSPENDED: u64 = 10;

pub(super) fn judge(view: &View<'_>, workload: &Workload) -> Option<Verdict> {
    if workload.kind != WorkloadKind::Job {
        return None;
    }
    if let Some(suspended) = view.job_condition(&workload.name, "Suspended") {
        let resume = format!("patch job {} --type merge --patch '{{\"spec\":{{\"suspend\":false}}}}'", workload.name);
        let verdict = Verdict::new(Code::JobSuspended, workload.to_string(), "it is suspended, so it makes no pod");
        return Some(
            verdict
                .evidence(suspended.message.clone().unwrap_or_default())
                .hint(format!("resume it: {}", view.kubectl(&resume)))
                .hint(format!("then {}", view.command("up")))
                .terminal_if(view.seconds_since(suspended.last_transition_time.as_ref()) >= SUSPENDED),
        );
    }
    let failed = view.job_condition(&workload.name, "Failed")?;
    let is_migration = workload.name.contains("migration");
    let (code, what) = if is_migration {
        (Code::MigrationFailed, "the migration of the metadata database has failed for good")
    } else {
        (Code::CrashLoop, "it has failed for good")
    };
    let lines = last_log(view, workload);
    let said = said::cause(&lines);
    let reason = failed.reason.as_deref().unwrap_or_default();
    let mut verdict = Verdict::new(said.as_ref().map_or(code, |said| said.code), workload.to_string(), what)
        .evidence(format!("{reason}: {}", failed.message.as_deref().unwrap_or_default()));
    verdict.evidence.extend(said::quote(&lines));
    let hints = said.map_or_else(
        || crash::hints(view, if is_migration { "migrate" } else { "" }),
        |said| said.hints(view, "migrate"),
    );
    Some(hints.into_iter().fold(verdict, Verdict::hint))
}

/// The log of the last of its pods that has failed and is still there.
fn last_log(view: &View<'_>, workload: &Workload) -> Vec<String> {
    let source = failed_pod(view, workload).and_then(log_source);
    source.and_then(|source| view.observed.logs.get(&source)).cloned().unwrap_or_default()
}

/// The last pod of a Job that has failed.
pub(super) fn failed_pod<'a>(view: &View<'a>, workload: &Workload) -> Option<&'a Pod> {
    let failed = view.observed.pods.iter().map(AsRef::as_ref).filter(|pod| of_job(pod, &workload.name));
    let failed = failed.filter(|pod| pod.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Failed"));
    failed.max_by_key(|pod| pod.metadata.creation_timestamp.as_ref().map(|time| time.0))
}

/// The run of a failed pod that tells why.
pub(super) fn log_source(pod: &Pod) -> Option<LogSource> {
    containers(pod).iter().find_map(|container| LogSource::ended(pod, container))
}
