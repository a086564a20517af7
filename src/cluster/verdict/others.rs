//! The reasons that k8sgpt's analyzers know (k8sgpt-ai/k8sgpt v0.4.36, `pkg/analyzer`), as far as they can occur here: each has a verdict.
//!
//! Its `pod.go`, `job.go` and `node.go` are met here, where `testdata/recorded` has nothing of them; `pvc.go`, `rs.go`, `statefulset.go`,
//! `deployment.go` and the webhooks' two tell of what is recorded there. What no release of Airflow's here has is left out: autoscalers,
//! ingresses, gateways, cron jobs, disruption budgets, operators; and so is what only warns, as `security.go` and `storage.go` do.

use serde_json::json;

use super::samples::{BASE, observed};
use super::*;

fn judged(workload: Workload, texts: &[&str], time: &str) -> Judgement {
    let workloads = [workload];
    let expected = Expected { environment: "airflow-cluster", namespace: "airflow-cluster", workloads: &workloads };
    judge(expected, &observed(texts), format!("2026-11-22T{time}Z").parse().unwrap())
}

fn airflow(texts: &[&str], time: &str) -> Judgement {
    judged(Workload::deployment("airflow"), texts, time)
}

/// The code, and whether it is terminal.
fn named(judgement: Judgement) -> (Code, bool) {
    match judgement {
        Judgement::Stopped(verdict) | Judgement::Progressing { suspicion: Some(verdict), .. } => {
            assert!(!verdict.evidence.is_empty() && !verdict.hints.is_empty(), "{verdict:?}");
            (verdict.code, verdict.terminal)
        }
        other => panic!("not named: {other:?}"),
    }
}

/// `isErrorReason` of `pod.go`, and what else the kubelet writes there (kubernetes, `pkg/kubelet/kuberuntime/kuberuntime_container.go`). What
/// runs before and after a creation are the kubelet's own managers of cpus and devices, which no object can make fail.
#[test]
fn every_reason_for_which_a_container_waits() {
    let pod = include_str!("testdata/starting.yaml");
    for (reason, code) in [
        ("CreateContainerConfigError", Code::ContainerConfig),
        ("CreateContainerError", Code::StartFailed),
        ("ErrImageNeverPull", Code::ImageNeverPull),
        ("ErrImagePull", Code::ImagePullFailed),
        ("ImageInspectError", Code::ImagePullFailed),
        ("ImagePullBackOff", Code::ImagePullFailed),
        ("InvalidImageName", Code::ImageInvalidName),
        ("PostStartHookError", Code::StartFailed),
        ("PreCreateHookError", Code::StartFailed),
        ("PreStartHookError", Code::StartFailed),
        ("RunContainerError", Code::StartFailed),
    ] {
        let state = format!("waiting: {{reason: {reason}, message: no cpus are left for it}}");
        let pod = pod.replace("running: {startedAt: \"2026-11-22T22:01:05Z\"}", &state);
        assert_eq!(named(airflow(&[BASE, &pod], "22:01:06")).0, code, "{reason}");
    }
}

#[test]
fn a_hook_that_fails_again_is_terminal() {
    let waiting = "waiting: {reason: PreStartHookError, message: no cpus are left for it}";
    let pod = include_str!("testdata/starting.yaml").replace("running: {startedAt: \"2026-11-22T22:01:05Z\"}", waiting);
    let event = "apiVersion: v1\nkind: Event\nmetadata: {name: failed}\ninvolvedObject: {uid: pod-1}\nreason: Failed\n\
                 message: 'Internal PreStartContainer hook failed: no cpus are left for it'\n";
    assert_eq!(named(airflow(&[BASE, &pod, event], "22:01:06")), (Code::StartFailed, false));
    let again = format!("{event}count: 2\n");
    assert_eq!(named(airflow(&[BASE, &pod, &again], "22:01:20")), (Code::StartFailed, true));
}

/// `pod.go` knows the reason `SchedulingGated`; the API server writes the condition without a time.
#[test]
fn a_gate_may_open_soon() {
    let scheduled = "{type: PodScheduled, status: \"True\", lastTransitionTime: \"2026-11-22T22:01:00Z\"}";
    let gated = "{type: PodScheduled, status: \"False\", reason: SchedulingGated, message: Scheduling is blocked}";
    let pod = include_str!("testdata/starting.yaml").replace(scheduled, gated);
    let pod = pod.replace("spec:\n", "spec:\n  schedulingGates: [{name: example.com/hold}]\n");
    assert_eq!(named(airflow(&[BASE, &pod], "22:01:09")), (Code::UnschedulableGated, false));
    let Judgement::Stopped(verdict) = airflow(&[BASE, &pod], "22:01:10") else { panic!("not stopped") };
    assert_eq!(verdict.evidence[0], "scheduling gates: example.com/hold");
}

/// `job.go` knows a Job that is suspended.
#[test]
fn a_suspended_job_may_be_resumed_soon() {
    let job = |status: &str| {
        json!({
            "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "migrations"}, "spec": {"suspend": status == "True"},
            "status": {"conditions": [{"type": "Suspended", "status": status, "reason": "JobSuspended",
                "message": "Job suspended", "lastTransitionTime": "2026-11-22T22:01:00Z"}]},
        })
        .to_string()
    };
    let judged = |status, time| judged(Workload::job("migrations"), &[&job(status)], time);
    assert_eq!(named(judged("True", "22:01:09")), (Code::JobSuspended, false));
    assert_eq!(named(judged("True", "22:01:10")), (Code::JobSuspended, true));
    let resumed = judged("False", "22:01:10");
    assert!(matches!(resumed, Judgement::Progressing { suspicion: None, .. }), "{resumed:?}");
}

/// `node.go` names each condition that is not as it should be: *Ready*, the three pressures, and the network.
#[test]
fn a_node_gets_its_network_in_a_minute() {
    let condition = |status: &str| {
        let network = format!(
            "conditions:\n  - {{type: NetworkUnavailable, status: \"{status}\", reason: NoRouteCreated, message: no route, \
             lastTransitionTime: \"2026-11-22T22:00:00Z\"}}\n"
        );
        BASE.replacen("conditions:\n", &network, 1)
    };
    let pod = include_str!("testdata/starting.yaml");
    assert_eq!(named(airflow(&[&condition("True"), pod], "22:00:59")), (Code::NodeNetworkUnavailable, false));
    assert_eq!(named(airflow(&[&condition("True"), pod], "22:01:00")), (Code::NodeNetworkUnavailable, true));
    let judgement = airflow(&[&condition("False"), pod], "22:01:00");
    assert!(matches!(judgement, Judgement::Progressing { suspicion: None, .. }), "{judgement:?}");
}
