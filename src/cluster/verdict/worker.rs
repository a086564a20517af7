//! What keeps the worker pods of a DAG from running: by the same judges as the release's own pods.
//!
//! Airflow makes them for one task each and lets none be restarted, so how one ended is its executor's to judge, but for want of memory.

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::view::{View, containers, is_ready};
use super::{PodState, Verdict, crash, image, placement_causes, progress, root, start};

/// What the worker pods of this DAG are doing that do not run yet, and the cause that keeps one of them from it; nothing where there is none.
pub(in crate::cluster) fn judge(view: &View<'_>, dag_id: &str) -> Option<(Vec<PodState>, Option<Verdict>)> {
    let is_worker = |pod: &&Pod| {
        let label = |key: &str| pod.labels().get(key).map(String::as_str);
        label("kubernetes_executor") == Some("True") && label("dag_id") == Some(dag_id)
    };
    let workers: Vec<&Pod> = view.observed.pods.iter().map(AsRef::as_ref).filter(is_worker).collect();
    if workers.is_empty() {
        return None;
    }
    let unready = || workers.iter().filter(|pod| !is_ready(pod));
    let mut causes: Vec<Verdict> = unready().flat_map(|pod| causes(view, pod)).collect();
    causes.sort_by_key(|cause| (!cause.terminal, root::distance(cause.code)));
    let states = unready().flat_map(|pod| progress::pod_states(view, "worker pod", pod)).collect();
    Some((states, causes.into_iter().next()))
}

fn causes(view: &View<'_>, pod: &Pod) -> Vec<Verdict> {
    let mut found = placement_causes(view, pod);
    for container in containers(pod) {
        let killed = || {
            let ended = start::ended(&container).filter(|ended| ended.reason.as_deref() == Some("OOMKilled"));
            ended.map(|_| crash::out_of_memory(view, pod, &container, 1))
        };
        let cause = image::judge(view, pod, &container).or_else(|| start::judge(view, pod, &container)).or_else(killed);
        found.extend(cause);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::samples::{BASE, observed};
    use super::*;
    use crate::cluster::workload::Expected;
    use crate::codes::Code;

    /// The one cause of a pod with this status, ten seconds after it was made.
    fn cause(status: &str) -> Option<Verdict> {
        let pod = format!(
            "{{apiVersion: v1, kind: Pod, metadata: {{name: w, uid: w, labels: {{kubernetes_executor: \"True\", dag_id: d}}}}, \
             spec: {{containers: [{{name: base, image: \"airflow:none\", resources: {{requests: {{memory: 900Gi}}, limits: {{memory: 1Gi}}}}}}]}}, \
             status: {status}}}"
        );
        let expected = Expected { environment: "airflow-cluster", namespace: "airflow-cluster", workloads: &[] };
        let (observed, now) = (observed(&[BASE, &pod]), "2026-11-22T22:01:10Z".parse().unwrap());
        let view = View { expected, observed: &observed, now };
        assert_eq!(judge(&view, "another"), None);
        judge(&view, "d").unwrap().1
    }

    #[test]
    fn a_worker_pod_has_the_causes_of_every_pod() {
        let unschedulable = |message: &str| {
            format!(
                "{{phase: Pending, conditions: [{{type: PodScheduled, status: \"False\", reason: Unschedulable, message: \"{message}\", \
                 lastTransitionTime: \"2026-11-22T22:01:00Z\"}}]}}"
            )
        };
        let waiting = |reason: &str, message: &str| {
            format!(
                "{{phase: Pending, containerStatuses: [{{name: base, image: a, imageID: \"\", ready: false, restartCount: 0, \
                 state: {{waiting: {{reason: {reason}, message: \"{message}\"}}}}}}]}}"
            )
        };
        let killed = "{phase: Failed, containerStatuses: [{name: base, image: a, imageID: \"\", ready: false, restartCount: 0, \
             state: {terminated: {reason: OOMKilled, exitCode: 137}}}]}";
        for (status, code) in [
            (unschedulable("0/1 nodes are available: 1 Insufficient memory."), Code::UnschedulableMemory),
            (unschedulable("0/1 nodes are available: 1 Insufficient cpu."), Code::UnschedulableCpu),
            (
                unschedulable("0/1 nodes are available: 1 node(s) had untolerated taint {a: b}."),
                Code::UnschedulableTaint,
            ),
            (waiting("ErrImageNeverPull", "not present"), Code::ImageNeverPull),
            (waiting("ErrImagePull", "airflow:none: not found"), Code::ImageNotFound),
            (killed.to_owned(), Code::OutOfMemory),
        ] {
            let verdict = cause(&status).unwrap_or_else(|| panic!("{status}"));
            assert_eq!((verdict.code, verdict.terminal), (code, true), "{status}");
        }
        assert_eq!(cause("{phase: Running, conditions: [{type: Ready, status: \"True\"}]}"), None);
    }

    #[test]
    fn a_registry_that_is_not_reached_once_is_waited_for() {
        let status = "{phase: Pending, containerStatuses: [{name: base, image: a, imageID: \"\", ready: false, restartCount: 0, \
             state: {waiting: {reason: ErrImagePull, message: \"dial tcp: i/o timeout\"}}}]}";
        let verdict = cause(status).unwrap();
        assert_eq!((verdict.code, verdict.terminal), (Code::ImageNoNetwork, false));
    }
}
