//! The cluster's own DNS, where a log tells of names without addresses.
//!
//! A young cluster's `CoreDNS` takes its time, so pods of it that are not ready are the cause only when they are running or waiting for more
//! than 90 s, or crash; that there are none at all is the cause at once. A pod that goes away answers nobody any more, though it is ready
//! until it has gone: its controller has 5 s to make another.

use jiff::SignedDuration;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;

use super::Verdict;
use super::view::{View, containers, is_ready};
use crate::codes::Code;

/// Seconds that `CoreDNS` may take to become ready.
const YOUNG: u64 = 90;
/// Restarts that tell of a crash loop.
const RESTARTS: i32 = 2;
/// Seconds in which a pod that goes away is replaced.
const REPLACED: u64 = 5;

/// The verdict, where `CoreDNS` has no ready pod; none where it has one, or this user may not look.
pub(super) fn judge(view: &View<'_>) -> Option<Verdict> {
    let all = view.observed.dns.as_ref()?;
    let (leaving, pods): (Vec<_>, Vec<_>) = all.iter().partition(|pod| pod.metadata.deletion_timestamp.is_some());
    if pods.iter().any(|pod| is_ready(pod)) {
        return None;
    }
    let verdict = Verdict::new(
        Code::DnsFailed,
        "the cluster's DNS",
        "CoreDNS has no pod that is ready, so no name has an address",
    );
    let Some(pod) = pods.first() else {
        let scale = view.kubectl_in("kube-system", "scale deployment coredns --replicas=1");
        let evidence = if leaving.is_empty() {
            "there is no pod of CoreDNS in the namespace `kube-system`"
        } else {
            "every pod of CoreDNS in the namespace `kube-system` is going away"
        };
        return Some(
            verdict
                .evidence(evidence)
                .hint(format!("bring it back: {scale}, then {}", view.command("up")))
                .terminal_if(leaving.iter().all(|pod| view.seconds_since(left(pod).as_ref()) >= REPLACED)),
        );
    };
    let restarts = restarts(pod);
    // After a restart of the node it begins anew.
    let started = containers(pod)
        .iter()
        .filter_map(|container| container.status?.state.as_ref()?.running.as_ref()?.started_at.clone())
        .max_by_key(|time| time.0);
    let age = view.seconds_since(started.as_ref().or(pod.metadata.creation_timestamp.as_ref()));
    let doing =
        containers(pod).first().map(|container| container.waiting().0.to_owned()).filter(|reason| !reason.is_empty());
    let crashes = doing.as_deref() == Some("CrashLoopBackOff");
    let doing = doing.unwrap_or_else(|| "not ready".to_owned());
    Some(
        verdict
            .evidence(format!("pod `{}`: {doing}, {restarts} restarts, for {age} s", pod.name_any()))
            .hint(format!("see why: {}", view.kubectl_in("kube-system", "describe pods --selector k8s-app=kube-dns")))
            .terminal_if(crashes && restarts >= RESTARTS || age >= YOUNG),
    )
}

/// When the pod was told to go: its deletion timestamp is when it has to be gone.
fn left(pod: &Pod) -> Option<Time> {
    let gone = pod.metadata.deletion_timestamp.as_ref()?.0;
    let grace = SignedDuration::from_secs(pod.metadata.deletion_grace_period_seconds.unwrap_or_default());
    gone.checked_sub(grace).ok().map(Time)
}

fn restarts(pod: &Pod) -> i32 {
    containers(pod).iter().filter_map(|container| container.status).map(|status| status.restart_count).sum()
}
