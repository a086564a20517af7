//! The codes: a stable name for every cause, and a page that says what each means.
//!
//! The page, `README.md` in this folder, is at once the documentation and what `windtunnel explain` prints.

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

/// All of what the codes mean, in Markdown: one section of the third level for each code.
const PAGE: &str = include_str!("README.md");

macro_rules! codes {
    ($($code:ident = $id:literal, $name:literal;)*) => {
        /// A cause that windtunnel names. What each means is in `README.md`.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        #[expect(missing_docs, reason = "each is explained on the page, and a test sees to it")]
        pub enum Code { $($code,)* }

        impl Code {
            /// All of them, in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$code,)*];

            /// `WT` and a number that never gets another meaning.
            #[must_use]
            pub const fn id(self) -> &'static str {
                match self { $(Self::$code => $id,)* }
            }

            /// The cause in a word, for scripts: `image_not_found`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$code => $name,)* }
            }
        }
    };
}

codes! {
    EngineMissing = "WT101", "engine_missing";
    EngineUnreachable = "WT102", "engine_unreachable";
    EngineRefused = "WT103", "engine_refused";
    MemoryShort = "WT104", "memory_short";
    DiskShort = "WT105", "disk_short";
    PortTaken = "WT106", "port_taken";
    ToolMissing = "WT107", "tool_missing";
    ToolTooOld = "WT108", "tool_too_old";
    EngineNotLinux = "WT109", "engine_not_linux";
    EngineTooOld = "WT110", "engine_too_old";
    EngineStorageDriver = "WT111", "engine_storage_driver";
    EngineRootless = "WT112", "engine_rootless";
    EnginePodman = "WT113", "engine_podman";
    CgroupVersion = "WT114", "cgroup_version";
    KernelModule = "WT115", "kernel_module";
    InotifyLimits = "WT116", "inotify_limits";
    FileDescriptors = "WT117", "file_descriptors";
    CpuShort = "WT118", "cpu_short";
    ToolBroken = "WT119", "tool_broken";
    ToolPlatform = "WT120", "tool_platform";
    ToolShadowed = "WT121", "tool_shadowed";
    ToolDownload = "WT122", "tool_download";
    ToolDigest = "WT123", "tool_digest";
    ProxyBypass = "WT124", "proxy_bypass";
    EngineProxy = "WT125", "engine_proxy";
    PrivateCertificates = "WT126", "private_certificates";
    ClockSkew = "WT127", "clock_skew";
    EngineNameResolution = "WT128", "engine_name_resolution";
    SubnetClash = "WT129", "subnet_clash";
    LeftoverState = "WT130", "leftover_state";
    LeftoverCluster = "WT131", "leftover_cluster";
    LeftoverForward = "WT132", "leftover_forward";
    ClusterForeign = "WT133", "cluster_foreign";
    SelinuxMounts = "WT134", "selinux_mounts";
    WslVersion = "WT135", "wsl_version";
    FolderSlow = "WT136", "folder_slow";
    FolderNotShared = "WT137", "folder_not_shared";
    FolderUnreadable = "WT138", "folder_unreadable";
    ContextMissing = "WT139", "context_missing";
    ContextRemote = "WT140", "context_remote";
    ToolUntested = "WT141", "tool_untested";
    LeftoverImage = "WT142", "leftover_image";
    ChartUnavailable = "WT201", "chart_unavailable";
    ChartDigest = "WT202", "chart_digest";
    RegistryImageMissing = "WT203", "registry_image_missing";
    RegistryLoginNeeded = "WT204", "registry_login_needed";
    RegistryRateLimited = "WT205", "registry_rate_limited";
    RegistryWrongPlatform = "WT206", "registry_wrong_platform";
    RegistryUnreachable = "WT207", "registry_unreachable";
    RegistryUntrusted = "WT208", "registry_untrusted";
    RegistryFailed = "WT209", "registry_failed";
    ReferenceInvalid = "WT210", "reference_invalid";
    PullFailed = "WT211", "pull_failed";
    ChartRefused = "WT212", "chart_refused";
    BundleBroken = "WT213", "bundle_broken";
    BundlePlatform = "WT214", "bundle_platform";
    ImageNotFound = "WT301", "image_not_found";
    ImageUnauthorized = "WT302", "image_unauthorized";
    ImageRateLimited = "WT303", "image_rate_limited";
    ImageWrongPlatform = "WT304", "image_wrong_platform";
    ImageNoNetwork = "WT305", "image_no_network";
    ImageUntrustedRegistry = "WT306", "image_untrusted_registry";
    ImageNeverPull = "WT307", "image_never_pull";
    ImageInvalidName = "WT308", "image_invalid_name";
    ImagePullFailed = "WT309", "image_pull_failed";
    CrashLoop = "WT401", "crash_loop";
    OutOfMemory = "WT402", "out_of_memory";
    StartFailed = "WT403", "start_failed";
    CommandNotFound = "WT404", "command_not_found";
    ContainerConfig = "WT405", "container_config";
    ProbeFailed = "WT406", "probe_failed";
    MountFailed = "WT407", "mount_failed";
    ConfigMissing = "WT408", "config_missing";
    SecretMissing = "WT409", "secret_missing";
    HostPathMissing = "WT410", "host_path_missing";
    SandboxFailed = "WT411", "sandbox_failed";
    Evicted = "WT412", "evicted";
    WorkloadMissing = "WT413", "workload_missing";
    PodRefused = "WT414", "pod_refused";
    PodSecurityDenied = "WT415", "pod_security_denied";
    QuotaExceeded = "WT416", "quota_exceeded";
    ServiceAccountMissing = "WT417", "service_account_missing";
    WebhookDenied = "WT418", "webhook_denied";
    LimitRange = "WT419", "limit_range";
    JobSuspended = "WT420", "job_suspended";
    UnschedulableCpu = "WT501", "unschedulable_cpu";
    UnschedulableMemory = "WT502", "unschedulable_memory";
    UnschedulableStorage = "WT503", "unschedulable_storage";
    UnschedulableResource = "WT504", "unschedulable_resource";
    UnschedulablePods = "WT505", "unschedulable_pods";
    UnschedulablePort = "WT506", "unschedulable_port";
    UnschedulableTaint = "WT507", "unschedulable_taint";
    UnschedulableNodeSelector = "WT508", "unschedulable_node_selector";
    UnschedulableAffinity = "WT509", "unschedulable_affinity";
    UnschedulableCordoned = "WT510", "unschedulable_cordoned";
    UnschedulableVolume = "WT511", "unschedulable_volume";
    UnschedulableGated = "WT512", "unschedulable_gated";
    ClaimMissing = "WT601", "claim_missing";
    NoDefaultStorageClass = "WT602", "no_default_storage_class";
    StorageClassMissing = "WT603", "storage_class_missing";
    VolumeAccessMode = "WT604", "volume_access_mode";
    VolumeProvisioning = "WT605", "volume_provisioning";
    VolumeLost = "WT606", "volume_lost";
    NodeNotReady = "WT701", "node_not_ready";
    NodeDiskFull = "WT702", "node_disk_full";
    NodeDiskPressure = "WT703", "node_disk_pressure";
    NodeMemoryPressure = "WT704", "node_memory_pressure";
    NodePidPressure = "WT705", "node_pid_pressure";
    ApiUnreachable = "WT706", "api_unreachable";
    ApiForbidden = "WT707", "api_forbidden";
    NotReadyInTime = "WT708", "not_ready_in_time";
    NodeStopped = "WT709", "node_stopped";
    DnsFailed = "WT710", "dns_failed";
    NodeNetworkUnavailable = "WT711", "node_network_unavailable";
    MigrationFailed = "WT801", "migration_failed";
    AirflowUnhealthy = "WT802", "airflow_unhealthy";
    NotAirflow = "WT803", "not_airflow";
    NoAnswer = "WT804", "no_answer";
    NoAnswerInTime = "WT805", "no_answer_in_time";
    CredentialsRefused = "WT806", "credentials_refused";
    DagImportError = "WT807", "dag_import_error";
    NoWorkerPod = "WT808", "no_worker_pod";
    WorkerPodPending = "WT809", "worker_pod_pending";
    WorkerPodFailed = "WT810", "worker_pod_failed";
    TaskFailed = "WT811", "task_failed";
    TaskLogLost = "WT812", "task_log_lost";
    SmokeLate = "WT813", "smoke_late";
    DatabaseUnreachable = "WT814", "database_unreachable";
    DatabasePasswordWrong = "WT815", "database_password_wrong";
    DatabaseMissing = "WT816", "database_missing";
    SchemaUnknown = "WT817", "schema_unknown";
    MigrationMissing = "WT818", "migration_missing";
    FernetKeyInvalid = "WT819", "fernet_key_invalid";
    FernetKeyChanged = "WT820", "fernet_key_changed";
    ExecutorWrong = "WT821", "executor_wrong";
    SettingWrong = "WT822", "setting_wrong";
    ModuleMissing = "WT823", "module_missing";
    HeartbeatLate = "WT824", "heartbeat_late";
    ServiceLeadsNowhere = "WT825", "service_leads_nowhere";
    ReleasePending = "WT901", "release_pending";
    NamespaceTerminating = "WT902", "namespace_terminating";
    ObjectForeign = "WT903", "object_foreign";
    ObjectImmutable = "WT904", "object_immutable";
    ValuesRefused = "WT905", "values_refused";
    ChartBroken = "WT906", "chart_broken";
    DagPaused = "WT851", "dag_paused";
    RunsAtLimit = "WT852", "runs_at_limit";
    PoolMissing = "WT853", "pool_missing";
    PoolFull = "WT854", "pool_full";
    UpstreamUnfinished = "WT855", "upstream_unfinished";
    UpstreamFailed = "WT856", "upstream_failed";
    RetryWaits = "WT857", "retry_waits";
    WorkerPodRefused = "WT858", "worker_pod_refused";
}

impl Code {
    /// The code of this number or name, whatever its case.
    #[must_use]
    pub fn find(words: &str) -> Option<Self> {
        let is_it = |code: &&Self| code.id().eq_ignore_ascii_case(words) || code.name().eq_ignore_ascii_case(words);
        Self::ALL.iter().find(is_it).copied()
    }

    /// What the page says of it: what happened, why, and what to do, a paragraph each.
    #[must_use]
    pub fn explanation(self) -> &'static str {
        let heading = format!("### {} {}\n", self.id(), self.name());
        let section = PAGE.split_once(&heading).map_or("", |(_, rest)| rest);
        section.split("\n#").next().unwrap_or_default().trim()
    }
}

/// Flattened into what it is about: `code` is the number, `cause` the name.
impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Code", 2)?;
        fields.serialize_field("code", self.id())?;
        fields.serialize_field("cause", self.name())?;
        fields.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_explained_and_every_section_is_of_a_code() {
        for code in Code::ALL {
            let explanation = code.explanation();
            let is_whole = explanation.contains("\nWhy: ") && explanation.contains("\nWhat to do: ");
            assert!(is_whole, "{} {}: {explanation}", code.id(), code.name());
        }
        let headings: Vec<&str> = PAGE.lines().filter_map(|line| line.strip_prefix("### ")).collect();
        let codes: Vec<String> = Code::ALL.iter().map(|code| format!("{} {}", code.id(), code.name())).collect();
        assert_eq!(headings, codes, "in one order");
    }

    #[test]
    fn a_number_and_a_name_belong_to_one_code() {
        let mut words: Vec<&str> = Code::ALL.iter().flat_map(|code| [code.id(), code.name()]).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), 2 * Code::ALL.len());
        assert_eq!(Code::find("wt301"), Some(Code::ImageNotFound));
        assert_eq!(Code::find("image_not_found"), Some(Code::ImageNotFound));
        assert_eq!(Code::find("WT999"), None);
    }
}
