//! Several causes at once: the one that the others follow from comes first.

use crate::codes::Code;

/// Whether the API server refuses pods: what is known of that may be old.
pub(in crate::cluster) const fn is_refusal(code: Code) -> bool {
    matches!(
        code,
        Code::QuotaExceeded
            | Code::LimitRange
            | Code::WebhookDenied
            | Code::PodSecurityDenied
            | Code::ServiceAccountMissing
            | Code::PodRefused
    )
}

/// How far a cause is from the root of things; 0 is the root. Of equal ones the workload that others need comes first.
pub(super) const fn distance(code: Code) -> u8 {
    match code {
        // Without a node nothing runs, and without volumes or leave to be made no pod is placed.
        Code::NodeNotReady
        | Code::NodeNetworkUnavailable
        | Code::NodeDiskPressure
        | Code::NodeMemoryPressure
        | Code::NodePidPressure
        | Code::NodeDiskFull => 0,
        code if is_refusal(code) => 1,
        Code::NoDefaultStorageClass
        | Code::StorageClassMissing
        | Code::VolumeAccessMode
        | Code::VolumeProvisioning
        | Code::VolumeLost
        | Code::ClaimMissing => 1,
        // The network's names are asked for by whatever runs.
        Code::DnsFailed => 3,
        // What runs and does not find what it needs.
        Code::DatabaseUnreachable => 4,
        Code::DatabasePasswordWrong | Code::DatabaseMissing => 5,
        Code::SchemaUnknown | Code::MigrationFailed => 6,
        Code::MigrationMissing | Code::WorkloadMissing => 8,
        Code::CrashLoop | Code::ProbeFailed => 7,
        // Places, images, mounts and starts: each pod has its own.
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_follow_from_comes_first() {
        let from_the_root = [
            Code::NodeNotReady,
            Code::StorageClassMissing,
            Code::UnschedulableVolume,
            Code::DnsFailed,
            Code::DatabaseUnreachable,
            Code::DatabasePasswordWrong,
            Code::MigrationFailed,
            Code::CrashLoop,
            Code::MigrationMissing,
        ];
        assert!(from_the_root.is_sorted_by_key(|code| distance(*code)));
    }
}
