//! Faults recorded from real clusters by `tests/e2e/faults/record.sh`: each yields exactly the verdict that it was recorded of.
//!
//! That every code of a verdict has one is for `tests/it/recorded.rs`, which may read the folder.

use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;
use serde_yaml::Value;

use super::super::release::newest;
use super::super::workload::{Expected, Workload};
use super::samples::observed;
use super::{Judgement, Verdict, judge, judge_namespace, judge_release};
use crate::codes::Code;

/// The first document of a recording.
#[derive(Deserialize)]
struct Recording {
    /// The name of the verdict's code.
    code: String,
    namespace: String,
    environment: String,
    /// When it was recorded: the time of the judgement.
    at: jiff::Timestamp,
    /// What is waited for: a kind and a name. Without it those of the lite chart are.
    workload: Option<String>,
}

impl Recording {
    fn workloads(&self) -> Vec<Workload> {
        let environment = &self.environment;
        match self.workload.as_deref().and_then(|workload| workload.split_once('/')) {
            None => vec![
                Workload::stateful_set(format!("{environment}-database")),
                Workload::deployment(format!("{environment}-airflow")),
            ],
            Some(("deployment", name)) => vec![Workload::deployment(name)],
            Some(("stateful_set", name)) => vec![Workload::stateful_set(name)],
            Some(("job", name)) => vec![Workload::job(name)],
            Some((kind, _)) => panic!("no workload is a {kind}"),
        }
    }

    fn is_named(&self, judgement: &Judgement) -> bool {
        let is_right = |verdict: &Verdict| {
            verdict.code.name() == self.code && !verdict.hints.is_empty() && verdict.evidence.len() <= 9
        };
        match judgement {
            Judgement::Stopped(verdict) => is_right(verdict),
            // The release may be about to be installed.
            Judgement::Progressing { suspicion: Some(verdict), .. } => {
                is_right(verdict) && verdict.code == Code::WorkloadMissing
            }
            _ => false,
        }
    }
}

/// The metadata of a document, or of an item of one.
fn metadata(value: &Value) -> ObjectMeta {
    serde_yaml::from_value(value["metadata"].clone()).unwrap()
}

/// Of a recorded Helm release: its Secrets, without what is in them.
fn release(expected: Expected<'_>, documents: &[Value]) -> Option<Verdict> {
    let secrets = documents.iter().filter(|document| document["kind"] == "Secret").map(metadata);
    let newest = newest(secrets)?;
    judge_release(expected, expected.environment, &newest)
}

/// Of a recorded namespace: itself, and what is left in it.
fn namespace(expected: Expected<'_>, documents: &[Value]) -> Option<Verdict> {
    let document = |kind: &str| documents.iter().find(|document| document["kind"] == kind);
    let namespace: Namespace = serde_yaml::from_value(document("Namespace")?.clone()).unwrap();
    let items = document("Leaving")?["items"].as_sequence().unwrap();
    let objects: Vec<_> =
        items.iter().map(|item| (item["kind"].as_str().unwrap().to_owned(), metadata(item))).collect();
    judge_namespace(expected, &namespace, &objects)
}

macro_rules! recordings {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("testdata/recorded/", $name, ".yaml")))),*]
    };
}

#[test]
fn each_recorded_fault_is_named() {
    let recordings = recordings![
        "a_cluster_without_dns",
        "a_limit_range_below_what_is_asked_for",
        "a_pod_security_level_that_forbids_host_folders",
        "a_quota_without_room",
        "a_service_account_that_was_deleted",
        "a_service_of_the_database_that_leads_nowhere",
        "a_taint_on_the_node",
        "claim_missing",
        "command_not_found",
        "config_missing",
        "container_config",
        "crash_loop",
        "database_missing",
        "database_password_wrong",
        "database_unreachable",
        "dns_failed",
        "evicted",
        "executor_wrong",
        "fernet_key_changed",
        "fernet_key_invalid",
        "host_path_missing",
        "image_invalid_name",
        "image_never_pull",
        "image_no_network",
        "image_not_found",
        "image_pull_failed",
        "image_rate_limited",
        "image_unauthorized",
        "image_untrusted_registry",
        "image_wrong_platform",
        "job_suspended",
        "limit_range",
        "migration_failed",
        "migration_missing",
        "module_missing",
        "more_memory_than_the_node_has",
        "mount_failed",
        "namespace_terminating",
        "no_default_storage_class",
        "node_disk_full",
        "node_disk_pressure",
        "node_memory_pressure",
        "node_network_unavailable",
        "node_not_ready",
        "node_pid_pressure",
        "out_of_memory",
        "pod_refused",
        "pod_security_denied",
        "probe_failed",
        "quota_exceeded",
        "release_pending",
        "sandbox_failed",
        "schema_unknown",
        "secret_missing",
        "service_account_missing",
        "setting_wrong",
        "start_failed",
        "storage_class_missing",
        "unschedulable_affinity",
        "unschedulable_cordoned",
        "unschedulable_cpu",
        "unschedulable_gated",
        "unschedulable_memory",
        "unschedulable_node_selector",
        "unschedulable_pods",
        "unschedulable_port",
        "unschedulable_resource",
        "unschedulable_storage",
        "unschedulable_taint",
        "unschedulable_volume",
        "volume_access_mode",
        "volume_lost",
        "volume_provisioning",
        "webhook_denied",
        "workload_missing",
    ];
    let mut unnamed = Vec::new();
    for (name, text) in recordings {
        let documents = serde_yaml::Deserializer::from_str(text).map(Value::deserialize);
        let documents: Vec<Value> = documents.collect::<Result<_, _>>().unwrap();
        let recording: Recording = serde_yaml::from_value(documents[0].clone()).unwrap();
        let workloads = recording.workloads();
        let Recording { environment, namespace: at, .. } = &recording;
        let expected = Expected { environment, namespace: at, workloads: &workloads };
        let by_itself = release(expected, &documents).or_else(|| namespace(expected, &documents));
        let judgement = by_itself.map_or_else(|| judge(expected, &observed(&[text]), recording.at), Judgement::Stopped);
        if !recording.is_named(&judgement) {
            unnamed.push(format!("{name}: {judgement:#?}"));
        }
    }
    assert!(unnamed.is_empty(), "{}", unnamed.join("\n"));
}
