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

#[test]
fn each_recorded_fault_is_named() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/cluster/verdict/testdata/recorded");
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!files.is_empty(), "there are recordings");
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let first = serde_yaml::Deserializer::from_str(&text).next().unwrap();
        let Recording { code, namespace, environment, at } = Recording::deserialize(first).unwrap();
        // The lite chart's, in the order of its own.
        let workloads = [
            Workload::stateful_set(format!("{environment}-database")),
            Workload::deployment(format!("{environment}-airflow")),
        ];
        let expected = Expected { environment: &environment, namespace: &namespace, workloads: &workloads };
        match judge(expected, &observed(&[&text]), at) {
            Judgement::Stopped(verdict) => {
                assert_eq!(verdict.code.name(), code, "{}: {verdict:?}", file.display());
                assert!(!verdict.hints.is_empty() && verdict.evidence.len() <= 9, "{}: {verdict:?}", file.display());
            }
            other => panic!("{}: {other:?}", file.display()),
        }
    }
}
