//! The Docker Engine, or whatever answers to the docker command.

use super::super::facts::Facts;
use super::super::finding::{Check, Finding};
use crate::codes::Code;
use crate::tools::docker::Info;
use crate::tools::host::Host;

/// The first engine that gives a container a cgroup namespace of its own, which kind's nodes need (kubernetes-sigs/kind#1964).
const OLDEST: (u64, u64) = (20, 10);
/// Storage drivers that copy whole files, or that Docker has given up (Docker's documentation, "Storage drivers").
const POOR: [&str; 3] = ["vfs", "devicemapper", "aufs"];

pub(super) fn judge(facts: &Facts<'_>) -> Vec<Check> {
    let info = match &facts.engine {
        None => return Vec::new(),
        Some(Err(failure)) => {
            let finding =
                Finding::of(failure).needed("a Docker Engine that answers", "the cluster's node is a container of it");
            return vec![Check::found("engine", finding)];
        }
        Some(Ok(info)) => info,
    };
    let about = format!("docker {} on {}", info.server_version, or_unknown(&info.operating_system));
    let mut checks = vec![Check::of("engine", too_old(info), about)];
    let podman = facts.components.iter().find(|component| component.to_lowercase().contains("podman"));
    if !facts.components.is_empty() {
        checks.push(Check::of("engine's make", podman.map(|name| is_podman(name)), facts.components.join(", ")));
    }
    let store = if has_containerd_store(info) { "containerd's image store" } else { "Docker's own image store" };
    checks.push(Check::of(
        "storage driver",
        poor_driver(info, facts.machine.host),
        format!("{}, {store}", or_unknown(&info.driver)),
    ));
    if info.security_options.iter().any(|option| option.starts_with("name=rootless")) {
        checks.push(Check::of("rootless engine", rootless(info), "it may limit memory and processes"));
    }
    checks
}

fn or_unknown(text: &str) -> &str {
    if text.is_empty() { "an unknown system" } else { text }
}

/// With containerd's image store the engine names the snapshotter (moby/moby, `daemon/containerd/service.go`).
fn has_containerd_store(info: &Info) -> bool {
    info.driver_status.iter().flatten().any(|word| word.starts_with("io.containerd.snapshotter"))
}

fn too_old(info: &Info) -> Option<Finding> {
    let mut numbers = info.server_version.split(['.', '-', '+']).map(|number| number.parse::<u64>().ok());
    let version = (numbers.next()??, numbers.next()??);
    (version < OLDEST).then(|| {
        Finding::error(Code::EngineTooOld, format!("Docker Engine {} is too old", info.server_version))
            .needed("20.10 or newer", "older ones give the node no cgroup namespace of its own")
            .fix("upgrade it: https://docs.docker.com/engine/install/")
    })
}

fn is_podman(name: &str) -> Finding {
    Finding::warning(Code::EnginePodman, "Podman answers to the docker command")
        .found(format!("`docker version` names {name}"))
        .needed("a Docker Engine", "kind is run with its provider for Docker, which Podman answers only in part")
        .fix("choose the context of a Docker Engine: `docker context ls`, then `docker context use NAME`")
}

fn poor_driver(info: &Info, host: Host) -> Option<Finding> {
    POOR.contains(&info.driver.as_str()).then(|| {
        Finding::warning(Code::EngineStorageDriver, format!("the engine's storage driver is `{}`", info.driver))
            .needed("overlay2, or containerd's image store", "this one copies whole layers, or is given up by Docker")
            .fix(format!(
                "set `\"storage-driver\": \"overlay2\"` in {}, then {}; images are pulled anew",
                host.engine_settings(),
                host.restart_engine()
            ))
    })
}

/// kind needs cgroup v2 and the controllers for its rootless node (kind's documentation, "Rootless").
fn rootless(info: &Info) -> Option<Finding> {
    let error = |found: &str| {
        Finding::error(Code::EngineRootless, "the rootless Docker Engine cannot hold a Kubernetes node")
            .found(found)
            .needed(
                "cgroup v2 with the controllers cpu, cpuset, io, memory and pids",
                "the kubelet limits its pods by them",
            )
    };
    if info.cgroup_version == "1" {
        return Some(
            error("it has cgroup v1")
                .fix("boot with cgroup v2: add `systemd.unified_cgroup_hierarchy=1` to the kernel's command line"),
        );
    }
    (!info.memory_limit || !info.pids_limit).then(|| {
        error("it may not limit memory, or not processes")
            .fix("delegate the controllers: `sudo systemctl edit user@.service`, with `[Service]` and `Delegate=cpu cpuset io memory pids`; then log in again")
            .fix("or use an engine that runs as root")
    })
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn engines() {
        type Change = fn(&mut Info);
        let rootless: Change = |info| info.security_options = vec!["name=rootless".to_owned()];
        let cases: [(Change, Option<Code>); 8] = [
            (|_| {}, None),
            (|info| info.server_version = "20.10.24+dfsg1".to_owned(), None),
            (|info| info.server_version = "19.03.15".to_owned(), Some(Code::EngineTooOld)),
            (|info| info.server_version = "dev".to_owned(), None),
            (|info| info.driver = "vfs".to_owned(), Some(Code::EngineStorageDriver)),
            (rootless, None),
            (
                |info| {
                    info.security_options = vec!["name=seccomp,profile=builtin".to_owned(), "name=rootless".to_owned()];
                    info.memory_limit = false;
                },
                Some(Code::EngineRootless),
            ),
            (
                |info| {
                    info.security_options = vec!["name=rootless".to_owned()];
                    info.cgroup_version = "1".to_owned();
                },
                Some(Code::EngineRootless),
            ),
        ];
        for (number, (change, code)) in cases.into_iter().enumerate() {
            let plan = samples::plan();
            let mut facts = samples::facts(&plan);
            if let Some(Ok(info)) = &mut facts.engine {
                change(info);
            }
            let checks = judge(&facts);
            let found: Vec<Code> =
                checks.iter().flat_map(|check| &check.findings).filter_map(|finding| finding.code).collect();
            assert_eq!(found, Vec::from_iter(code), "case {number}");
        }
    }

    #[test]
    fn podman_is_known_by_its_components_and_the_store_by_its_snapshotter() {
        let plan = samples::plan();
        let mut facts = samples::facts(&plan);
        facts.components = vec!["Podman Engine".to_owned(), "Conmon".to_owned()];
        let snapshotter = vec!["driver-type".to_owned(), "io.containerd.snapshotter.v1".to_owned()];
        if let Some(Ok(info)) = &mut facts.engine {
            info.driver_status = vec![snapshotter];
        }
        let checks = judge(&facts);
        assert_eq!(checks[1].findings[0].code, Some(Code::EnginePodman));
        assert_eq!(checks[2].detail, "overlay2, containerd's image store");
    }
}
