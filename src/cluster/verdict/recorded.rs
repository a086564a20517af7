//! Faults recorded from real clusters by `tests/e2e/faults/record.sh`: each yields exactly the verdict that it was recorded of.

use serde::Deserialize;

use super::super::workload::{Expected, Workload};
use super::samples::observed;
use super::{Judgement, judge};

/// The first document of a recording.
#[derive(Deserialize)]
struct Recording {
    /// The name of the verdict's code.
    code: String,
    namespace: String,
    environment: String,
    /// When it was recorded: the time of the judgement.
    at: jiff::Timestamp,
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
        "a_pod_security_level_that_forbids_host_folders",
        "a_quota_without_room",
        "a_service_account_that_was_deleted",
        "a_service_of_the_database_that_leads_nowhere",
        "a_taint_on_the_node",
        "a_limit_range_below_what_is_asked_for",
        "more_memory_than_the_node_has",
    ];
    for (name, text) in recordings {
        let first = serde_yaml::Deserializer::from_str(text).next().unwrap();
        let Recording { code, namespace, environment, at } = Recording::deserialize(first).unwrap();
        // The lite chart's, in the order of its own.
        let workloads = [
            Workload::stateful_set(format!("{environment}-database")),
            Workload::deployment(format!("{environment}-airflow")),
        ];
        let expected = Expected { environment: &environment, namespace: &namespace, workloads: &workloads };
        match judge(expected, &observed(&[text]), at) {
            Judgement::Stopped(verdict) => {
                assert_eq!(verdict.code.name(), code, "{name}: {verdict:?}");
                assert!(!verdict.hints.is_empty() && verdict.evidence.len() <= 9, "{name}: {verdict:?}");
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}
