//! Memory, processors and disk, against what the chart and the control plane ask for.

use super::super::facts::Facts;
use super::super::finding::{Check, Finding};
use super::super::resources::{GIB, Room};
use crate::codes::Code;
use crate::stacks;
use crate::tools::docker::Info;

/// What a kind node's control plane takes, measured with Kubernetes 1.34 and rounded up.
const CONTROL_PLANE_MEMORY: u64 = GIB;
/// The node's copy of its own image's /var, the images, the database and logs of a first day.
const DISK: u64 = 6 * GIB;
/// kubeadm's control plane asks for 0.95 of a processor, kube-proxy for the rest of 1.05, the smallest chart for 0.6 more.
const PROCESSORS: u32 = 2;

pub(super) fn judge(facts: &Facts<'_>) -> Vec<Check> {
    const NAMES: [&str; 3] = ["memory", "processors", "disk"];
    if facts.engine.is_none() {
        return Vec::new();
    }
    let (Some(room), Some(info)) = (&facts.room, facts.info()) else {
        return NAMES.map(|name| Check::skipped(name, "not known without an engine")).to_vec();
    };
    // An environment that runs has taken its share already.
    if facts.is_running() {
        return NAMES.map(|name| Check::skipped(name, "the environment runs, and has its share")).to_vec();
    }
    let stack = stacks::memory_request(facts.plan.profile.stack);
    let disk = room.disk.map_or_else(
        || Check::skipped("disk", format!("{} is not on this machine", info.docker_root_dir.display())),
        |disk| Check::of("disk", short_disk(disk), format!("{} free where the engine keeps its data", size(disk))),
    );
    vec![
        Check::of("memory", short_memory(room, info, stack), format!("{} free", size(room.memory))),
        Check::of("processors", few_processors(room, info), room.processors.to_string()),
        disk,
    ]
}

fn short_memory(room: &Room, info: &Info, stack: u64) -> Option<Finding> {
    let needed = CONTROL_PLANE_MEMORY + stack;
    (room.memory < needed).then(|| {
        Finding::error(
            Code::MemoryShort,
            format!("{} of memory are free, {} are needed", size(room.memory), size(needed)),
        )
        .found(format!("{} for the cluster, {} for Airflow and its database", size(CONTROL_PLANE_MEMORY), size(stack)))
        .needed(size(needed), "Kubernetes places a pod only where its request fits")
        .fix(more(room, info, "memory", needed.div_ceil(GIB) + 1))
    })
}

fn few_processors(room: &Room, info: &Info) -> Option<Finding> {
    (0 < room.processors && room.processors < PROCESSORS).then(|| {
        Finding::error(Code::CpuShort, format!("the engine has {} processor, {PROCESSORS} are needed", room.processors))
            .needed(
                PROCESSORS.to_string(),
                "the control plane asks for 1.05 of one, Airflow and its database for 0.6 or more",
            )
            .fix(more(room, info, "cpu", u64::from(PROCESSORS)))
    })
}

fn short_disk(disk: u64) -> Option<Finding> {
    (disk < DISK).then(|| {
        Finding::error(
            Code::DiskShort,
            format!("{} of disk are free where Docker keeps its data, {} are needed", size(disk), size(DISK)),
        )
        .needed(size(DISK), "the node's file system, the images, the database and the logs are kept there")
        .fix("see what Docker keeps: `docker system df`; remove what nothing uses: `docker system prune`")
    })
}

/// How the virtual machine of an engine gets more, by the name that it gives itself.
fn more(room: &Room, info: &Info, what: &str, count: u64) -> String {
    let (system, name) = (info.operating_system.to_lowercase(), info.name.to_lowercase());
    let text = if room.is_here {
        match what {
            "memory" => {
                return "close other programs, or give Docker more memory (Docker Desktop: Settings, Resources)"
                    .to_owned();
            }
            _ => return "use a machine, or give this virtual machine, two processors".to_owned(),
        }
    } else if name.contains("colima") {
        format!("`colima stop`, then `colima start --{what} {count}`")
    } else if system.contains("orbstack") {
        let (key, count) = if what == "memory" { ("memory_mib", count * 1024) } else { ("cpu", count) };
        format!("`orb config set {key} {count}`")
    } else if name.contains("rancher") || name.contains("lima") {
        let key = if what == "memory" { "memory-in-gb" } else { "number-cpus" };
        format!("`rdctl set --virtual-machine.{key} {count}`")
    } else if name.contains("podman") {
        let count = if what == "memory" { count * 1024 } else { count };
        let option = if what == "memory" { "memory" } else { "cpus" };
        format!("`podman machine stop`, then `podman machine set --{option} {count}`")
    } else {
        let what = if what == "memory" { "memory" } else { "processors" };
        return format!("give Docker more {what} (Docker Desktop: Settings, Resources)");
    };
    format!("give the engine's virtual machine more: {text}")
}

fn size(bytes: u64) -> String {
    // Whole tenths, so that a number just below what is needed does not look like it.
    let tenths = bytes / (GIB / 10);
    format!("{}.{} GiB", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    fn messages(change: impl FnOnce(&mut Room, &mut Info)) -> Vec<(String, String)> {
        let plan = samples::plan();
        let mut facts = samples::facts(&plan);
        if let (Some(room), Some(Ok(info))) = (&mut facts.room, &mut facts.engine) {
            change(room, info);
        }
        let checks = judge(&facts);
        let findings = checks.into_iter().flat_map(|check| check.findings);
        findings.map(|finding| (finding.what, finding.fixes[0].clone())).collect()
    }

    #[test]
    fn too_little_is_said_with_both_numbers() {
        let all = messages(|room, _| *room = Room { processors: 1, memory: 2 * GIB, disk: Some(GIB), is_here: true });
        let all: Vec<&str> = all.iter().map(|(what, _)| what.as_str()).collect();
        assert_eq!(
            all,
            [
                "2.0 GiB of memory are free, 2.6 GiB are needed",
                "the engine has 1 processor, 2 are needed",
                "1.0 GiB of disk are free where Docker keeps its data, 6.0 GiB are needed",
            ]
        );
        assert!(messages(|room, _| room.disk = None).is_empty());
    }

    #[test]
    fn a_virtual_machine_gets_more_in_its_own_words() {
        for (system, name, fix) in [
            ("Ubuntu 24.04", "colima", "`colima start --memory 4`"),
            ("OrbStack", "orbstack", "`orb config set memory_mib 4096`"),
            ("Alpine Linux v3.20", "lima-rancher-desktop", "`rdctl set --virtual-machine.memory-in-gb 4`"),
            ("Docker Desktop", "docker-desktop", "Docker Desktop: Settings, Resources"),
        ] {
            let found = messages(|room, info| {
                (room.memory, room.is_here) = (2 * GIB, false);
                (info.operating_system, info.name) = (system.to_owned(), name.to_owned());
            });
            assert!(found[0].1.contains(fix), "{found:?}");
        }
    }
}
