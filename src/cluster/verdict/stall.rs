//! A container that runs and does not get on, and says in the last line of its log what it lacks.
//!
//! What waits for something that is not ready itself lacks nothing else, so all that it may need must have been ready for 5 s. Terminal when it
//! has for 10 s: by then it is known everywhere in the cluster where that is. After a restart of the
//! node the API server still tells for some seconds how everything was before, and names have no addresses until `CoreDNS` runs again: so the
//! container itself must have run for 20 s, and for 60 s where it is a name that it lacks.

use k8s_openapi::api::core::v1::Pod;

use super::super::workload::Workload;
use super::view::{ContainerView, View};
use super::{LogSource, Verdict, crash, dns, said};
use crate::codes::Code;

/// Seconds until what has just become ready is usually reached.
const USUAL: i64 = 5;
/// Seconds until what has just become ready is to be reached.
const SETTLED: i64 = 10;
/// Seconds that the container must have run.
const RUNNING: u64 = 20;
/// Seconds that it must have run where `CoreDNS` is ready and a name has no address all the same.
const RUNNING_WITHOUT_NAMES: u64 = 60;

pub(super) fn judge(view: &View<'_>, workload: &Workload, pod: &Pod, container: &ContainerView<'_>) -> Option<Verdict> {
    let source = LogSource::running(pod, container)?;
    let lines = view.observed.logs.get(&source)?;
    let last = lines.iter().rev().find(|line| !line.trim().is_empty())?;
    let said = said::cause(std::slice::from_ref(last)).filter(|said| said.code == Code::DatabaseUnreachable)?;
    if !crash::needed_are_ready_since(view, workload, view.now, USUAL) {
        return None;
    }
    let reachable = crash::needed_are_ready_since(view, workload, view.now, SETTLED);
    let started = container.status?.state.as_ref()?.running.as_ref()?.started_at.as_ref();
    let ran = |seconds| view.seconds_since(started) >= seconds;
    let names = said::lacks_names(std::slice::from_ref(last));
    if names && let Some(verdict) = dns::judge(view) {
        let is_absent = view.observed.dns.as_ref().is_some_and(Vec::is_empty);
        let terminal = verdict.terminal && reachable && (is_absent || ran(RUNNING_WITHOUT_NAMES));
        return Some(verdict.evidence(said::shorten(said.line())).terminal_if(terminal));
    }
    let verdict = Verdict::new(said.code, container.of(pod), said.what).evidence(said::shorten(said.line()));
    let verdict = said.hints(view, &container.spec.name).into_iter().fold(verdict, Verdict::hint);
    Some(verdict.terminal_if(reachable && ran(if names { RUNNING_WITHOUT_NAMES } else { RUNNING })))
}
