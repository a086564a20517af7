//! The kernel that the node runs on: cgroups, file systems, limits.

use semver::Version;

use super::super::facts::{Facts, Machine};
use super::super::finding::{Check, Finding, Repair};
use crate::codes::Code;

/// The first kubelet that does not start on cgroup v1 (kubernetes/enhancements#5573: `failCgroupV1` is true by default).
const WITHOUT_CGROUP_1: Version = Version::new(1, 35, 0);
/// What one node with Airflow uses, by a wide margin; kernels before 5.11 gave 8192 to everybody.
const WATCHES: u64 = 16_384;
/// What a node's systemd, kubelet and containers use; the kernel's default is 128 for a user.
const INSTANCES: u64 = 128;
/// What kind advises where there are several clusters (kind's documentation, "Known issues").
const RAISED: [(&str, u64); 2] = [("fs.inotify.max_user_watches", 524_288), ("fs.inotify.max_user_instances", 512)];
/// What the forward needs for a browser's connections; macOS gives 256.
const OPEN_FILES: u64 = 256;

pub(super) fn judge(facts: &Facts<'_>) -> Vec<Check> {
    let mut checks = Vec::new();
    let machine = &facts.machine;
    if let Some(info) = facts.info() {
        let kubernetes =
            facts.kubernetes.as_ref().map_or_else(String::new, |version| format!(" for Kubernetes {version}"));
        let version = if info.cgroup_version.is_empty() { "unknown" } else { &info.cgroup_version };
        checks.push(Check::of("cgroup", cgroup(facts, version), format!("v{version}{kubernetes}")));
    }
    if machine.has_engine {
        if machine.filesystems.is_some() {
            let known = machine.missing_modules.is_some();
            let detail = if known { "overlay, bridge and address translation are there" } else { "overlay is there" };
            checks.push(Check::of("kernel modules", modules(machine), detail));
        }
        if let (Some(watches), Some(instances)) = (machine.inotify_watches, machine.inotify_instances) {
            let clusters = facts.leftovers.as_ref().map_or(0, |leftovers| leftovers.clusters);
            let finding = inotify(watches, instances, clusters as u64);
            checks.push(Check::of(
                "inotify",
                finding,
                format!("{watches} watches, {instances} instances for each user"),
            ));
        }
    }
    let limit = machine.open_files.map_or_else(|| "no limit".to_owned(), |limit| format!("{limit} for each process"));
    checks.push(Check::of("open files", open_files(machine), limit));
    checks
}

fn cgroup(facts: &Facts<'_>, version: &str) -> Option<Finding> {
    let kubernetes = facts.kubernetes.as_ref().filter(|wanted| **wanted >= WITHOUT_CGROUP_1)?;
    (version == "1").then(|| {
        Finding::error(
            Code::CgroupVersion,
            format!("the engine has cgroup v1, and Kubernetes {kubernetes} does not start on it"),
        )
        .found("`docker info` says CgroupVersion 1")
        .needed("cgroup v2, or Kubernetes 1.34 or older", "the kubelet refuses cgroup v1 since 1.35")
        .fix("boot with cgroup v2: add `systemd.unified_cgroup_hierarchy=1` to the kernel's command line")
        .fix("WSL: `kernelCommandLine = cgroup_no_v1=all` below `[wsl2]` in .wslconfig, then `wsl --shutdown`")
        .fix("or name an older node in a profile of your own: `images: {node: kindest/node:v1.34.3}`")
    })
}

/// What is loaded when it is needed is no finding. The overlay file system is not, by a node that may not load modules.
fn modules(machine: &Machine) -> Option<Finding> {
    let known = machine.filesystems.as_deref()?;
    let has_overlay = known.lines().any(|line| line.split_whitespace().last() == Some("overlay"));
    if let Some(missing) = machine.missing_modules.as_ref().filter(|missing| has_overlay && !missing.is_empty()) {
        return Some(
            Finding::warning(Code::KernelModule, format!("the kernel has no {}", missing.join(", ")))
                .found("neither built in, nor loaded, nor among the modules that it can load")
                .needed("what bridges and kube-proxy work with", "Services and pods are not reached without")
                .fix("install the kernel's package of further modules (Debian and Ubuntu: `linux-modules-extra-$(uname -r)`, Fedora: `kernel-modules-extra`), or boot the kernel that is installed, if it was upgraded"),
        );
    }
    (!has_overlay).then(|| {
        Finding::warning(Code::KernelModule, "the kernel's overlay file system is not loaded")
            .found("/proc/filesystems does not list it")
            .needed("the module overlay", "the node keeps the layers of its images by it")
            .fix("load it now: `sudo modprobe overlay`, and at every boot: `echo overlay | sudo tee /etc/modules-load.d/overlay.conf`")
    })
}

fn inotify(watches: u64, instances: u64, clusters: u64) -> Option<Finding> {
    let needed = (WATCHES * clusters.max(1), INSTANCES * clusters.max(1));
    (watches < needed.0 || instances < needed.1).then(|| {
        let words: Vec<String> = RAISED.iter().map(|(name, value)| format!("{name}={value}")).collect();
        Finding::warning(Code::InotifyLimits, "the kernel's inotify limits are low")
            .found(format!("{watches} watches and {instances} instances for each user, {clusters} kind clusters"))
            .needed(
                format!("{} watches and {} instances", needed.0, needed.1),
                "every node runs as root and takes from one account; above it pods fail with \"too many open files\"",
            )
            .fix(format!("until the next boot: `sudo sysctl -w {}`", words.join(" ")))
            .fix("for good: the same two lines in /etc/sysctl.d/99-inotify.conf")
            .repair(Repair::Raise(RAISED.map(|(name, value)| (name.to_owned(), value)).to_vec()))
    })
}

fn open_files(machine: &Machine) -> Option<Finding> {
    if let Some((used, limit)) = machine.all_files.filter(|(used, limit)| used / 9 >= limit / 10) {
        return Some(
            Finding::warning(Code::FileDescriptors, "this machine has nearly no open file left")
                .found(format!("{used} of {limit} are open"))
                .needed("a tenth of them free", "engine, node and forward fail to open anything then")
                .fix(format!(
                    "raise the limit until the next boot: `sudo sysctl -w fs.file-max={}`",
                    limit.saturating_mul(4)
                ))
                .repair(Repair::Raise(vec![("fs.file-max".to_owned(), limit.saturating_mul(4))])),
        );
    }
    let limit = machine.open_files.filter(|limit| *limit < OPEN_FILES)?;
    Some(
        Finding::warning(Code::FileDescriptors, format!("a process may have only {limit} open files here"))
            .found(format!("`ulimit -n` says {limit}"))
            .needed(format!("{OPEN_FILES} or more"), "the forward needs two for each connection of the browser")
            .fix("in the shell that runs windtunnel: `ulimit -n 4096`"),
    )
}

#[cfg(test)]
mod tests {
    use super::super::super::facts::Leftovers;
    use super::super::samples;
    use super::*;

    fn codes(change: impl FnOnce(&mut Facts<'_>)) -> Vec<Code> {
        let plan = samples::plan();
        let mut facts = samples::facts(&plan);
        change(&mut facts);
        judge(&facts).iter().flat_map(|check| &check.findings).filter_map(|finding| finding.code).collect()
    }

    #[test]
    fn cgroup_1_is_an_error_for_newer_kubelets_only() {
        for (cgroup, minor, expected) in
            [("1", 34, None), ("1", 35, Some(Code::CgroupVersion)), ("2", 35, None), ("", 36, None)]
        {
            let found = codes(|facts| {
                facts.kubernetes = Some(Version::new(1, minor, 0));
                if let Some(Ok(info)) = &mut facts.engine {
                    info.cgroup_version = cgroup.to_owned();
                }
            });
            assert_eq!(found, Vec::from_iter(expected), "cgroup {cgroup}, 1.{minor}");
        }
    }

    #[test]
    fn limits() {
        type Change = fn(&mut Facts<'_>);
        let cases: [(Change, Option<Code>); 9] = [
            (|facts| facts.machine.inotify_watches = Some(8192), Some(Code::InotifyLimits)),
            (|facts| facts.machine.inotify_instances = Some(64), Some(Code::InotifyLimits)),
            (
                |facts| facts.leftovers = Some(Leftovers { clusters: 2, ..Leftovers::default() }),
                Some(Code::InotifyLimits),
            ),
            (|facts| facts.machine.open_files = Some(128), Some(Code::FileDescriptors)),
            (|facts| facts.machine.all_files = Some((95, 100)), Some(Code::FileDescriptors)),
            (|facts| facts.machine.filesystems = Some("\text4\n".to_owned()), Some(Code::KernelModule)),
            (|facts| facts.machine.open_files = None, None),
            (|facts| facts.machine.missing_modules = Some(Vec::new()), None),
            (|facts| facts.machine.missing_modules = Some(vec!["xt_comment".to_owned()]), Some(Code::KernelModule)),
        ];
        for (number, (change, code)) in cases.into_iter().enumerate() {
            assert_eq!(codes(change), Vec::from_iter(code), "case {number}");
        }
    }

    #[test]
    fn an_engine_elsewhere_has_a_kernel_of_its_own() {
        let found = codes(|facts| {
            facts.machine.has_engine = false;
            facts.machine.inotify_watches = Some(1);
            facts.machine.filesystems = Some(String::new());
        });
        assert_eq!(found, []);
    }
}
