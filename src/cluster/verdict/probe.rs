//! A probe that kills a container before it is up.
//!
//! The first kill may be a slow disk's fault, and the second start is faster: terminal with the second kill by a probe.

use k8s_openapi::api::core::v1::Pod;

use super::Verdict;
use super::crash::restarted;
use super::view::{ContainerView, View, last_time, message, times};
use crate::codes::Code;

/// Kills until a probe counts as too impatient.
const KILLS: i32 = 2;
/// Seconds after which a kill is history.
const STALE: u64 = 600;

pub(super) fn judge(view: &View<'_>, pod: &Pod, container: &ContainerView<'_>) -> Option<Verdict> {
    let status = container.status.filter(|status| !status.ready)?;
    // As the kubelet writes it: `Container scheduler failed liveness probe, will be restarted`.
    let start = format!("Container {} failed ", container.spec.name);
    let kills = view
        .events(&pod.metadata)
        .filter(|event| event.reason.as_deref() == Some("Killing") && message(event).starts_with(&start))
        .filter(|event| view.seconds_since(last_time(event).as_ref()) < STALE);
    let killed: i32 = kills.map(times).sum();
    if killed == 0 {
        return None;
    }
    let verdict = Verdict::new(Code::ProbeFailed, container.of(pod), "a probe ends it before it is up")
        .evidence(unhealthy(view, pod, &container.spec.name, &["Startup", "Liveness"]).unwrap_or_default())
        .evidence(format!("killed {killed} times by a probe, {}", restarted(status.restart_count)))
        .hint(format!("see what it was doing: {}", view.logs(&container.spec.name)))
        .hint("give the machine more cpu, or the probe more time in the profile")
        .terminal_if(killed >= KILLS);
    Some(verdict)
}

/// What these probes of a container said last.
pub(super) fn unhealthy(view: &View<'_>, pod: &Pod, container: &str, probes: &[&str]) -> Option<String> {
    let field = format!("{{{container}}}");
    let unhealthy = view.events(&pod.metadata).filter(|event| {
        let about = event.involved_object.field_path.as_deref().unwrap_or_default();
        let asked = probes.iter().any(|probe| message(event).starts_with(probe));
        event.reason.as_deref() == Some("Unhealthy") && about.ends_with(&field) && asked
    });
    let last = unhealthy.max_by_key(|event| last_time(event).map(|time| time.0))?;
    Some(format!("{} ({} times)", message(last).trim(), times(last)))
}
