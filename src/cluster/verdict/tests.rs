//! Each verdict from objects as the API server gives them, and from when on it is terminal.

use super::samples::{BASE, observed};
use super::*;
use crate::codes::Code;

fn judged(texts: &[&str], time: &str) -> Judgement {
    judged_with_log(texts, time, &[])
}

fn judged_with_log(texts: &[&str], time: &str, lines: &[&str]) -> Judgement {
    let workloads = [Workload::stateful_set("database"), Workload::deployment("airflow")];
    let expected = Expected { environment: "airflow-cluster", namespace: "airflow-cluster", workloads: &workloads };
    let mut observed = observed(texts);
    if !lines.is_empty() {
        let (pod, container) = ("airflow-7c9d4b5f6-x2x7q".to_owned(), "scheduler".to_owned());
        let source = LogSource { pod, uid: "pod-1".to_owned(), container, previous: true, restarts: 2, running: false };
        observed.logs.insert(source, lines.iter().map(|line| (*line).to_owned()).collect());
    }
    judge(expected, &observed, format!("2026-11-22T{time}Z").parse().unwrap())
}

fn stopped(texts: &[&str], time: &str) -> Verdict {
    match judged(texts, time) {
        Judgement::Stopped(verdict) => verdict,
        other => panic!("not stopped: {other:?}"),
    }
}

/// The states and the code of the suspicion.
fn progressing(texts: &[&str], time: &str) -> (Vec<String>, Option<Code>) {
    match judged(texts, time) {
        Judgement::Progressing { states, suspicion } => {
            (states.iter().map(PodState::to_string).collect(), suspicion.map(|verdict| verdict.code))
        }
        other => panic!("not progressing: {other:?}"),
    }
}

macro_rules! case {
    ($name:literal) => {
        [BASE, include_str!(concat!("testdata/", $name, ".yaml"))]
    };
}

/// The code, the objects, a time at which it is not terminal yet (if there is one), and the first at which it is. That every cause is named is
/// tested with recorded faults.
#[test]
fn a_cause_ends_the_wait_when_it_is_terminal() {
    let cases = [
        ("class", case!("storage_class_missing"), Some("22:01:02"), "22:01:03", Code::StorageClassMissing),
        ("crash", case!("crash_loop"), None, "22:01:27", Code::CrashLoop),
        ("default class", case!("no_default_storage_class"), Some("22:01:02"), "22:01:03", Code::NoDefaultStorageClass),
        ("folder", case!("host_path_missing"), Some("22:01:04"), "22:01:05", Code::HostPathMissing),
        ("migration", case!("migration_failed"), None, "22:01:30", Code::MigrationFailed),
        ("missing ca", case!("mount_young_namespace"), Some("22:01:40"), "22:02:00", Code::ConfigMissing),
        ("mount", case!("mount_secret_missing"), Some("22:01:04"), "22:01:05", Code::SecretMissing),
        ("mount, API server", case!("mount_without_api_server"), Some("22:03:59"), "22:04:00", Code::MountFailed),
        ("network", case!("image_no_network"), Some("22:01:13"), "22:01:14", Code::ImageNoNetwork),
        ("network, known once", case!("image_no_network_once"), Some("22:02:03"), "22:02:04", Code::ImageNoNetwork),
        ("secret", case!("secret_missing"), Some("22:01:07"), "22:01:08", Code::SecretMissing),
        ("cpu", case!("unschedulable_cpu"), Some("22:01:02"), "22:01:03", Code::UnschedulableCpu),
        // As Kubernetes said it until 1.33.
        ("volume", case!("unschedulable_volume"), Some("22:01:02"), "22:01:03", Code::UnschedulableVolume),
    ];
    for (name, texts, before, terminal, code) in cases {
        if let Some(before) = before {
            assert_eq!(progressing(&texts, before).1, Some(code), "{name}, not terminal yet");
        }
        let verdict = stopped(&texts, terminal);
        assert_eq!(verdict.code, code, "{name}: {verdict:?}");
        assert!(!verdict.evidence.is_empty() && !verdict.hints.is_empty(), "{name}: {verdict:?}");
    }
}

#[test]
fn a_secret_that_the_node_has_not_got_yet_is_waited_for() {
    assert_eq!(progressing(&case!("secret_late"), "22:05:00").1, Some(Code::ContainerConfig));
}

#[test]
fn what_heals_by_itself_does_not_end_the_wait() {
    assert_eq!(progressing(&case!("crash_first"), "22:01:13").1, Some(Code::CrashLoop));
    assert_eq!(progressing(&case!("volume_first_consumer"), "22:09:00").1, None);
    assert_eq!(progressing(&case!("young_node"), "22:09:00").1, Some(Code::UnschedulableTaint));
    assert_eq!(progressing(&case!("start_cgroup_gone"), "22:01:03").1, Some(Code::StartFailed));
    assert_eq!(progressing(&case!("start_cut_short"), "22:41:03").1, Some(Code::StartFailed));
    // The cluster has a default storage class since, which the claim was given.
    let given = include_str!("testdata/no_default_storage_class.yaml")
        .replace("  accessModes: [ReadWriteMany]", "  storageClassName: standard\n  accessModes: [ReadWriteMany]");
    assert_eq!(progressing(&[BASE, &given], "22:09:00").1, None);
    // It was restarted long ago, and now failed once.
    let once = include_str!("testdata/start_cut_short.yaml").replace("context canceled", "no space left on device");
    assert_eq!(progressing(&[BASE, &once], "22:41:03").1, Some(Code::StartFailed));
    let twice = once.replace("22:01:02Z", "22:40:42Z").replace("reason: Completed", "reason: StartError");
    let verdict = stopped(&[BASE, &twice.replace("exitCode: 0", "exitCode: 128")], "22:41:03");
    assert_eq!(verdict.code, Code::StartFailed);
}

#[test]
fn a_node_that_is_not_ready_is_the_cause_after_a_minute() {
    let unready = BASE.replace(
        r#"{type: Ready, status: "True", reason: KubeletReady"#,
        r#"{type: Ready, status: "False", reason: KubeletNotReady"#,
    );
    let texts = [unready.as_str(), include_str!("testdata/unschedulable_cpu.yaml")];
    assert_eq!(progressing(&texts, "22:00:54").1, Some(Code::NodeNotReady));
    assert_eq!(stopped(&texts, "22:00:55").code, Code::NodeNotReady);
    let full = BASE.replace(r#"{type: DiskPressure, status: "False""#, r#"{type: DiskPressure, status: "True""#);
    assert_eq!(stopped(&[&full, include_str!("testdata/pulling.yaml")], "22:01:03").code, Code::NodeDiskPressure);
}

#[test]
fn a_taint_of_the_nodes_own_trouble_is_judged_there() {
    let refused = include_str!("testdata/unschedulable_cpu.yaml")
        .replace("1 Insufficient cpu", "1 node(s) had untolerated taint(s)")
        .replace("No preemption victims found for incoming pod", "Preemption is not helpful for scheduling");
    let tainted = |key: &str| {
        let taint = format!("uid: node-1}}\nspec: {{taints: [{{key: {key}, effect: NoSchedule}}]}}");
        BASE.replace("uid: node-1}", &taint)
    };
    let full = tainted("node.kubernetes.io/disk-pressure");
    assert_eq!(progressing(&[&full, &refused], "22:05:00").1, Some(Code::UnschedulableTaint));
    let full = full.replace(r#"{type: DiskPressure, status: "False""#, r#"{type: DiskPressure, status: "True""#);
    assert_eq!(stopped(&[&full, &refused], "22:05:00").code, Code::NodeDiskPressure);
    assert_eq!(stopped(&[&tainted("team"), &refused], "22:05:00").code, Code::UnschedulableTaint);
}

#[test]
fn a_pod_that_is_going_away_may_make_room() {
    let leaving =
        "apiVersion: v1\nkind: Pod\nmetadata: {name: old, uid: old, deletionTimestamp: \"2026-11-22T22:01:00Z\"}\n";
    let texts = [BASE, include_str!("testdata/unschedulable_cpu.yaml"), leaving];
    assert_eq!(progressing(&texts, "22:05:00").1, Some(Code::UnschedulableCpu));
    let beyond = include_str!("testdata/unschedulable_cpu.yaml")
        .replace("No preemption victims found for incoming pod", "Preemption is not helpful for scheduling");
    let verdict = stopped(&[BASE, &beyond, leaving], "22:01:03");
    assert_eq!(verdict.message, "it asks for more cpu than the node has");
}

#[test]
fn a_crash_is_forgiven_while_what_it_may_need_is_not_ready() {
    let down = BASE.replace(
        "type: Ready, status: \"True\", lastTransitionTime: \"2026-11-22T22:00:30Z\"",
        "type: Ready, status: \"False\"",
    );
    assert_eq!(progressing(&[&down, include_str!("testdata/crash_loop.yaml")], "22:01:27").1, Some(Code::CrashLoop));
    // The last run began 3 s after the database was ready.
    let just = BASE.replace("22:00:30Z", "22:01:21Z");
    assert_eq!(
        progressing(&[&just, include_str!("testdata/migration_failed.yaml")], "22:01:30").1,
        Some(Code::MigrationFailed)
    );
}

#[test]
fn a_command_that_ran_out_of_time_may_only_be_slow() {
    let slow = include_str!("testdata/crash_loop.yaml").replace("exitCode: 1,", "exitCode: 124,");
    assert_eq!(progressing(&[BASE, &slow], "22:01:27").1, Some(Code::CrashLoop));
    let verdict = stopped(&[BASE, &slow.replace("restartCount: 2", "restartCount: 5")], "22:01:27");
    assert_eq!(verdict.evidence[0], "exit code 124 (out of time), restarted 5 times");
}

#[test]
fn the_log_is_evidence_and_may_name_the_cause_better() {
    let Judgement::Stopped(verdict) = judged_with_log(&case!("crash_loop"), "22:01:27", &["KeyError: 'AIRFLOW_HOME'"])
    else {
        panic!("not stopped");
    };
    assert_eq!(verdict.evidence, ["exit code 1 (Error), restarted 2 times", "KeyError: 'AIRFLOW_HOME'"]);
    assert_eq!(verdict.hints[0], "see its whole log: `windtunnel logs scheduler`");
    let line = "exec /usr/bin/dumb-init: exec format error";
    let Judgement::Stopped(verdict) = judged_with_log(&case!("crash_loop"), "22:01:27", &[line]) else {
        panic!("not stopped");
    };
    assert_eq!(verdict.code, Code::ImageWrongPlatform);
}

#[test]
fn a_cluster_whose_dns_goes_away_has_none() {
    let leaving = "{deletionTimestamp: \"2026-11-22T22:01:50Z\", deletionGracePeriodSeconds: 30}";
    let ready = "{conditions: [{type: Ready, status: \"True\"}]}";
    let dns = format!("kind: Dns\nitems: [{{metadata: {leaving}, status: {ready}}}]\n");
    let texts = [BASE, include_str!("testdata/crash_loop.yaml"), &dns];
    let lines = ["could not translate host name: Temporary failure in name resolution"];
    let Judgement::Stopped(verdict) = judged_with_log(&texts, "22:01:27", &lines) else { panic!("not stopped") };
    assert_eq!(
        (verdict.code, verdict.evidence[0].as_str()),
        (Code::DnsFailed, "every pod of CoreDNS in the namespace `kube-system` is going away")
    );
    let judgement = judged_with_log(&texts, "22:01:24", &lines);
    assert!(
        matches!(judgement, Judgement::Progressing { suspicion: Some(verdict), .. } if verdict.code == Code::DnsFailed)
    );
    // Another one is there already.
    let replaced = dns.replace("items: [", &format!("items: [{{status: {ready}}}, "));
    let judgement = judged_with_log(&[texts[0], texts[1], &replaced], "22:01:27", &lines);
    assert!(!format!("{judgement:?}").contains("DnsFailed"), "{judgement:?}");
}

#[test]
fn a_refused_pod_is_told_by_its_replica_set() {
    let refused = BASE.replace(
        "status: {replicas: 1, observedGeneration: 1}",
        "status:\n  replicas: 0\n  conditions:\n  - {type: ReplicaFailure, status: \"True\", reason: FailedCreate, \
         lastTransitionTime: \"2026-11-22T22:01:00Z\", message: 'pods \"airflow-7c9d4b5f6-x2x7q\" is forbidden: exceeded quota: \
         small, requested: pods=1, used: pods=1, limited: pods=1'}",
    );
    assert_eq!(
        progressing(&[&refused], "22:01:01"),
        (vec!["airflow: waiting for its pod".to_owned()], Some(Code::QuotaExceeded))
    );
    assert_eq!(stopped(&[&refused], "22:01:02").object, "deployment `airflow`");
    // What goes away makes room.
    let leaves = "kind: Pod\nmetadata: {name: other, namespace: airflow-cluster, deletionTimestamp: \"2026-11-22T22:00:30Z\"}\nspec: {containers: []}\n";
    assert_eq!(progressing(&[&refused, leaves], "22:01:02").1, Some(Code::QuotaExceeded));
    // The quota has gone since, and something else refuses: the condition still tells of the quota.
    let event = "kind: Event\nmetadata: {name: refused, namespace: airflow-cluster}\nreason: FailedCreate\n\
                 involvedObject: {kind: ReplicaSet, name: airflow-7c9d4b5f6, uid: replica-set-1}\n\
                 message: 'Error creating: Internal error occurred: failed calling webhook \"gone.example.com\"'\n\
                 firstTimestamp: \"2026-11-22T22:05:00Z\"\nlastTimestamp: \"2026-11-22T22:05:01Z\"\n";
    assert_eq!(progressing(&[&refused, event], "22:05:01").1, Some(Code::WebhookDenied));
    assert_eq!(stopped(&[&refused, event], "22:05:02").code, Code::WebhookDenied);
    let many = event.replace("'Error", "'(combined from similar events): Error");
    assert!(stopped(&[&refused, &many], "22:05:02").evidence[0].starts_with("Error creating: "));
}

#[test]
fn a_broken_pod_of_an_earlier_revision_is_said_to_be_one() {
    let later = BASE.replace("updateRevision: database-6d5f8c7b9", "updateRevision: database-5c4b");
    let later = later.replace("updatedReplicas: 1\n  currentRevision", "updatedReplicas: 0\n  currentRevision");
    let broken = later
        .replace("status: \"True\", lastTransitionTime: \"2026-11-22T22:00:30Z\"", "status: \"False\"")
        .replace("{running: {startedAt: \"2026-11-22T22:00:20Z\"}}", "{waiting: {reason: ErrImageNeverPull}}");
    let verdict = stopped(&[&broken], "22:01:00");
    assert_eq!(
        (verdict.code, verdict.object.as_str()),
        (Code::ImageNeverPull, "container `database` of pod `database-0`")
    );
    assert!(verdict.evidence.iter().any(|line| line.contains("earlier revision")));
}

#[test]
fn states_are_short() {
    assert_eq!(progressing(&case!("pulling"), "22:01:42"), (vec!["scheduler: pulling image 40 s".to_owned()], None));
    assert_eq!(progressing(&case!("migrating"), "22:01:16"), (vec!["migrate: running 11 s".to_owned()], None));
    assert_eq!(progressing(&case!("starting"), "22:01:11"), (vec!["scheduler: starting 6 s".to_owned()], None));
    let probed = |probe: &str| {
        let image = "image: \"apache/airflow:3.3.2\"";
        let pod = include_str!("testdata/starting.yaml").replace(image, &format!("{image}, startupProbe: {probe}"));
        progressing(&[BASE, &pod], "22:01:11").0
    };
    let slow = probed("{initialDelaySeconds: 10, periodSeconds: 5, failureThreshold: 60}");
    assert_eq!(slow, ["scheduler: starting 6 s of 310 s"], "the countdown of its startup probe");
    assert_eq!(probed("{}"), ["scheduler: starting 6 s of 30 s"], "as Kubernetes fills it in");
    let states = progressing(&case!("volume_first_consumer"), "22:01:03").0;
    assert_eq!(states, ["scheduler: creating volume 3 s"]);
}

/// The lite chart's `migrate` has no probe, so it is ready while it waits for the database, and the pod is not.
#[test]
fn what_is_ready_for_want_of_a_probe_is_asked_what_it_waits_for() {
    let pod = include_str!("testdata/migrating.yaml")
        .replace("{name: migrate, ", "{name: migrate, restartPolicy: Always, ")
        .replace(
            "ready: false\n    restartCount: 0\n    state: {running",
            "ready: true\n    restartCount: 0\n    state: {running",
        );
    let log = "kind: Log\npod: airflow-7c9d4b5f6-x2x7q\ncontainer: migrate\nprevious: false\nrestarts: 0\nrunning: true\n\
        lines: ['windtunnel: waiting for the database: [Errno 111] Connection refused']";
    let observed = observed(&[BASE, &pod]);
    let workloads = [Workload::stateful_set("database"), Workload::deployment("airflow")];
    let expected = Expected { environment: "airflow-cluster", namespace: "airflow-cluster", workloads: &workloads };
    let wanted = |time: &str| {
        let now = format!("2026-11-22T{time}Z").parse().unwrap();
        wanted_logs(&View { expected, observed: &observed, now })
    };
    assert_eq!(wanted("22:01:06"), []);
    assert_eq!(wanted("22:01:07").iter().map(|source| source.container.as_str()).collect::<Vec<_>>(), ["migrate"]);
    assert_eq!(progressing(&[BASE, &pod, log], "22:01:08").1, Some(Code::DatabaseUnreachable));

    let step = log.replace(
        "windtunnel: waiting for the database: [Errno 111] Connection refused",
        "INFO  [alembic] Running upgrade a -> b",
    );
    let states = progressing(&[BASE, &pod, &step], "22:01:08").0;
    assert_eq!(states, ["migrate: running 3 s (Running upgrade a -> b)", "scheduler: creating 8 s"]);
    let done = log.replace("waiting for the database: [Errno 111] Connection refused", "the database is migrated");
    assert_eq!(progressing(&[BASE, &pod, &done], "22:01:08").0, ["scheduler: creating 8 s"]);
}

#[test]
fn ready_is_ready_now() {
    let pod = include_str!("testdata/starting.yaml")
        .replace("type: Ready, status: \"False\"", "type: Ready, status: \"True\"");
    let status = "status: {observedGeneration: 1, replicas: 1, updatedReplicas: 1, unavailableReplicas: 1}";
    let ready = BASE.replace(
        status,
        "status: {observedGeneration: 1, replicas: 1, updatedReplicas: 1, readyReplicas: 1, availableReplicas: 1}",
    );
    assert_eq!(judged(&[&ready, &pod], "22:02:00"), Judgement::Ready { pods: 2 });
    // The Deployment's latest form has not been seen by its controller.
    let newer = ready.replace("uid: deployment-1\n  generation: 1", "uid: deployment-1\n  generation: 2");
    assert!(matches!(judged(&[&newer, &pod], "22:02:00"), Judgement::Progressing { .. }));
    // A pod of the release before is left.
    let left = ready.replace(
        "observedGeneration: 1, replicas: 1, updatedReplicas: 1, ready",
        "observedGeneration: 1, replicas: 2, updatedReplicas: 1, ready",
    );
    assert_eq!(progressing(&[&left, &pod], "22:02:00").0, ["airflow: replacing pods of the release before"]);
    // The pod has crashed, and the controller does not know yet.
    assert!(matches!(
        judged(&[&ready, include_str!("testdata/crash_first.yaml")], "22:02:00"),
        Judgement::Progressing { .. }
    ));
}

/// As the official chart calls the container of its Job.
#[test]
fn a_hint_calls_a_container_as_the_command_logs_does() {
    for (container, command) in [
        ("run-airflow-migrations", "windtunnel logs migrate"),
        ("airflow-web", "windtunnel logs webserver"),
        ("check-db", "windtunnel logs"),
    ] {
        let crash = include_str!("testdata/crash_loop.yaml").replace("scheduler", container);
        let verdict = stopped(&[BASE, &crash], "22:01:27");
        assert_eq!(verdict.hints[0], format!("see its whole log: `{command}`"));
    }
}

#[test]
fn commands_in_hints_name_the_environment() {
    let workloads = [Workload::deployment("airflow")];
    let expected = Expected { environment: "second", namespace: "airflow-cluster", workloads: &workloads };
    let observed = observed(&case!("crash_loop"));
    let Judgement::Stopped(verdict) = judge(expected, &observed, "2026-11-22T22:01:27Z".parse().unwrap()) else {
        panic!("not stopped");
    };
    assert_eq!(verdict.hints[0], "see its whole log: `windtunnel logs scheduler --name second`");
}

/// Captured from a cluster: the kubelet shows how the third run ended, and `CrashLoopBackOff` only 15 s later.
#[test]
fn a_crash_loop_is_seen_before_the_kubelet_calls_it_one() {
    let workloads = [Workload::deployment("web")];
    let expected = Expected { environment: "airflow-cluster", namespace: "captured", workloads: &workloads };
    let captured = observed(&[include_str!("testdata/captured_crash.yaml")]);
    match judge(expected, &captured, "2026-11-22T22:38:15Z".parse().unwrap()) {
        Judgement::Stopped(verdict) => assert_eq!(verdict.code, Code::CrashLoop, "{verdict:?}"),
        other => panic!("{other:?}"),
    }
}

fn job_pod(phase: &str, ready: bool) -> String {
    format!(
        r#"{{apiVersion: v1, kind: Pod, metadata: {{name: migrations-x, uid: pod-9, labels: {{batch.kubernetes.io/job-name: migrations}}}},
            spec: {{containers: [{{name: migrations, image: a}}]}},
            status: {{phase: {phase}, conditions: [{{type: PodScheduled, status: "True"}}, {{type: Ready, status: "{}"}}]}}}}"#,
        if ready { "True" } else { "False" }
    )
}

#[test]
fn a_job_is_complete_when_no_pod_of_it_is_at_work() {
    let workloads = [Workload::job("migrations"), Workload::deployment("triggerer").optional()];
    let expected = Expected { environment: "airflow-cluster", namespace: "airflow-cluster", workloads: &workloads };
    let judged = |pods: &[&str]| judge(expected, &observed(pods), "2026-11-22T22:01:00Z".parse().unwrap());
    for (phase, ready) in [("Pending", false), ("Running", true)] {
        let judgement = judged(&[&job_pod(phase, ready)]);
        assert!(matches!(judgement, Judgement::Progressing { .. }), "{phase}: {judgement:?}");
    }
    // Removed by its time to live, and a Deployment that the user's values leave out.
    assert_eq!(judged(&[]), Judgement::Ready { pods: 0 });
    assert_eq!(judged(&[&job_pod("Succeeded", false)]), Judgement::Ready { pods: 0 });
}

/// As its first runs ended before the cluster's DNS answered, and the kubelet has not yet told that the pod succeeded.
#[test]
fn a_job_whose_third_run_ended_well_has_not_failed() {
    let judged = |policy: &str, code: i32| {
        let pod = format!(
            r#"{{apiVersion: v1, kind: Pod, metadata: {{name: migrations-x, uid: pod-9, labels: {{batch.kubernetes.io/job-name: migrations}}}},
                spec: {{restartPolicy: {policy}, containers: [{{name: run-airflow-migrations, image: a}}]}},
                status: {{phase: Running, conditions: [{{type: PodScheduled, status: "True"}}, {{type: Ready, status: "False"}}],
                  containerStatuses: [{{name: run-airflow-migrations, image: a, imageID: "", ready: false, restartCount: 2,
                    state: {{terminated: {{exitCode: {code}, reason: Completed, startedAt: "2026-11-22T22:00:50Z", finishedAt: "2026-11-22T22:00:58Z"}}}},
                    lastState: {{terminated: {{exitCode: 1, reason: Error, startedAt: "2026-11-22T22:00:20Z", finishedAt: "2026-11-22T22:00:30Z"}}}}}}]}}}}"#
        );
        let workloads = [Workload::job("migrations")];
        let expected = Expected { environment: "airflow-cluster", namespace: "airflow-cluster", workloads: &workloads };
        judge(expected, &observed(&[&pod]), "2026-11-22T22:01:00Z".parse().unwrap())
    };
    let ended_well = judged("OnFailure", 0);
    assert!(matches!(ended_well, Judgement::Progressing { suspicion: None, .. }), "{ended_well:?}");
    for (policy, code) in [("OnFailure", 1), ("Always", 0)] {
        let judgement = judged(policy, code);
        assert!(matches!(judgement, Judgement::Stopped(_)), "{policy} {code}: {judgement:?}");
    }
}
