//! No pod appears, because the API server refuses it: quota, a limit range, a webhook, a missing service account.
//!
//! Terminal 2 s after the refusal: a controller retries within milliseconds, so what is refused for longer stays refused. Not so for the
//! service account of a young namespace, which another controller makes: 20 s; nor for a quota while a pod goes away, which until then uses
//! some of it. A workload that is not there is never terminal: the release may be about to be installed.

use k8s_openapi::api::core::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt;

use super::super::workload::{Expected, Workload, WorkloadKind};
use super::view::{View, first_time, last_time, message};
use super::{Verdict, count, said};
use crate::codes::Code;

/// Seconds that a refusal must last.
const REFUSED: u64 = 2;
/// What a limit range says (kube-apiserver, `plugin/pkg/admission/limitranger/admission.go`).
///
/// Its maximum is the default limit of a container that has none, and a request above that is invalid.
const LIMIT_RANGE: [&str; 3] =
    [" usage per ", " limit to request ratio per ", "must be less than or equal to memory limit of"];
/// Seconds for controllers to furnish a namespace that has just been made.
const YOUNG_NAMESPACE: u64 = 20;
/// Seconds after which an event about a refusal no longer tells of now. Controllers retry more often than that at first, and each wait is as
/// long as all before it together (client-go, `DefaultTypedControllerRateLimiter`): what has lasted longer is given as long as it has lasted.
const STALE: u64 = 60;

pub(super) fn judge(view: &View<'_>, workload: &Workload) -> Option<Verdict> {
    if !view.is_there(workload) {
        let missing = Verdict::new(Code::WorkloadMissing, workload.to_string(), "it is not there");
        return Some(missing.hint(format!("install the release again: {}", view.command("up"))).terminal_if(false));
    }
    if view.pods(workload).len() >= count(view, workload).wanted.max(1) {
        return None;
    }
    let (refusal, seconds) = match workload.kind {
        WorkloadKind::Deployment => of_replica_set(view, &workload.name)?,
        WorkloadKind::StatefulSet => of_stateful_set(view, &workload.name)?,
        // It is there only once a pod of it is.
        WorkloadKind::Job => return None,
    };
    let verdict = refused(view.expected, workload.to_string(), &refusal);
    let needed = if refusal.contains("serviceaccount") { YOUNG_NAMESPACE } else { REFUSED };
    let may_heal = verdict.code == Code::QuotaExceeded && view.has_pods_that_leave();
    Some(verdict.terminal_if(seconds >= needed && !may_heal))
}

/// The cause, by what the API server says as it refuses a pod of `object`.
#[must_use]
pub fn refused(expected: Expected<'_>, object: impl Into<String>, refusal: &str) -> Verdict {
    let (code, what) = classify(refusal);
    let verdict = Verdict::new(code, object, what).evidence(said::shorten(refusal));
    match code {
        Code::LimitRange => verdict
            .hint(format!(
                "ask for what it allows, in the profile's `resources`: {}",
                expected.kubectl(expected.namespace, "describe limitrange")
            ))
            .hint("or use another namespace: `windtunnel up --namespace NAME`"),
        Code::QuotaExceeded => verdict.hint("raise or remove the namespace's ResourceQuota, or use another namespace"),
        _ => verdict.hint(format!("change what refuses the pod, then {}", expected.command("up"))),
    }
}

/// The `ReplicaSet`'s condition `ReplicaFailure` is there as long as pods are refused, and goes on telling why the first of them was
/// (kube-controller-manager, `pkg/controller/replicaset/replica_set_utils.go`): the newest event tells why the last one was.
fn of_replica_set(view: &View<'_>, name: &str) -> Option<(String, u64)> {
    let set = view.replica_set(view.deployment(name)?)?;
    let conditions = set.status.as_ref()?.conditions.as_ref()?;
    let failure = conditions
        .iter()
        .find(|one| one.type_.as_deref() == Some("ReplicaFailure") && one.status.as_deref() == Some("True"))?;
    let since = failure.last_transition_time.as_ref();
    match newest_refusal(view, &set.metadata)
        .filter(|event| last_time(event).map(|time| time.0) > since.map(|time| time.0))
    {
        Some(event) => Some((message(event).to_owned(), view.seconds_since(first_time(event).as_ref()))),
        None => Some((failure.message.clone()?, view.seconds_since(since))),
    }
}

/// A `StatefulSet` has no such condition, only events, which must be of now.
fn of_stateful_set(view: &View<'_>, name: &str) -> Option<(String, u64)> {
    let set = view.stateful_set(name)?;
    let event = newest_refusal(view, &set.metadata)?;
    let ordinal_zero = format!("{}-0", set.name_any());
    let (seconds, since_last) =
        (view.seconds_since(first_time(event).as_ref()), view.seconds_since(last_time(event).as_ref()));
    let of_now = since_last < STALE.max(seconds.saturating_sub(since_last)) && message(event).contains(&ordinal_zero);
    of_now.then(|| (message(event).to_owned(), seconds))
}

fn newest_refusal<'a>(view: &View<'a>, owner: &'a ObjectMeta) -> Option<&'a Event> {
    let refused = view.events(owner).filter(|event| event.reason.as_deref() == Some("FailedCreate"));
    refused.max_by_key(|event| last_time(event).map(|time| time.0))
}

fn classify(refusal: &str) -> (Code, &'static str) {
    if refusal.contains("exceeded quota") || refusal.contains("failed quota") {
        (Code::QuotaExceeded, "the namespace's quota does not allow its pod")
    } else if LIMIT_RANGE.iter().any(|words| refusal.contains(words)) {
        (Code::LimitRange, "the namespace's limit range does not allow its pod")
    } else if refusal.contains("admission webhook") || refusal.contains("failed calling webhook") {
        (Code::WebhookDenied, "an admission webhook refuses its pod")
    } else if refusal.contains("violates PodSecurity") {
        (Code::PodSecurityDenied, "the namespace's pod security level does not allow its pod")
    } else if refusal.contains("serviceaccount") && refusal.contains("not found") {
        (Code::ServiceAccountMissing, "the service account of its pod is missing")
    } else {
        (Code::PodRefused, "its pod is refused by the API server")
    }
}
