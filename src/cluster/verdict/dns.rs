//! The cluster's own DNS, where a log tells of names without addresses.
//!
//! A young cluster's `CoreDNS` takes its time, so pods of it that are not ready are the cause only when they are running or waiting for more than 90 s, or crash; that
//! there are none at all is the cause at once.

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::Verdict;
use super::view::{View, containers, is_ready};
use crate::codes::Code;

/// Seconds that `CoreDNS` may take to become ready.
const YOUNG: u64 = 90;
/// Restarts that tell of a crash loop.
const RESTARTS: i32 = 2;

/// The verdict, where `CoreDNS` has no ready pod; none where it has one, or this user may not look.
pub(super) fn judge(view: &View<'_>) -> Option<Verdict> {
    let pods = view.observed.dns.as_ref()?;
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
        return Some(
            verdict
                .evidence("there is no pod of CoreDNS in the namespace `kube-system`")
                .hint(format!("bring it back: {scale}, then {}", view.command("up"))),
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

fn restarts(pod: &Pod) -> i32 {
    containers(pod).iter().filter_map(|container| container.status).map(|status| status.restart_count).sum()
}
