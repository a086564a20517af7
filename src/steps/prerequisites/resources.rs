//! Memory, processors and disk: what there is, and whether it is enough.

use std::path::Path;

use crate::error::{Failure, Kind};
use crate::tools::docker::Info;

const GIB: u64 = 1 << 30;
/// What a kind node's control plane takes, measured with Kubernetes 1.34 and rounded up.
const CONTROL_PLANE_MEMORY: u64 = GIB;
/// The node's copy of its own image's /var, the images, the database and logs of a first day.
const DISK: u64 = 6 * GIB;

/// What the engine has to give.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Room {
    processors: u32,
    /// Bytes of memory that nobody uses; where the engine is in a virtual machine, all of its memory.
    memory: u64,
    /// Bytes free where the engine keeps its data; `None` where that is on another machine.
    disk: Option<u64>,
}

impl std::fmt::Display for Room {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let plural = if self.processors == 1 { "" } else { "s" };
        write!(formatter, "{} CPU{plural}, {} GiB free", self.processors, self.memory / GIB)?;
        self.disk.map_or(Ok(()), |disk| write!(formatter, ", {} GiB disk", disk / GIB))
    }
}

/// Measures what there is.
#[must_use]
pub fn measure(info: &Info) -> Room {
    let here = memory_here();
    // The engine sees this machine's memory unless it runs in a virtual machine or elsewhere.
    let memory = match here {
        Some((total, available)) if total.abs_diff(info.mem_total) < GIB => available,
        _ => info.mem_total,
    };
    Room { processors: info.processors, memory, disk: free_disk(&info.docker_root_dir) }
}

/// Total and available memory of this machine in bytes, where the kernel tells it.
fn memory_here() -> Option<(u64, u64)> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    Some((meminfo(&text, "MemTotal:")?, meminfo(&text, "MemAvailable:")?))
}

fn meminfo(text: &str, key: &str) -> Option<u64> {
    let kibibytes = text.lines().find(|line| line.starts_with(key))?.split_whitespace().nth(1)?;
    kibibytes.parse::<u64>().ok()?.checked_mul(1024)
}

fn free_disk(folder: &Path) -> Option<u64> {
    let statistics = rustix::fs::statvfs(folder).ok()?;
    Some(statistics.f_bavail * statistics.f_frsize)
}

/// Compares what there is with what a new environment takes. `stack_memory` is what the chart asks for, in bytes.
///
/// # Errors
/// Prerequisite, with both numbers.
pub(super) fn check(room: &Room, stack_memory: u64) -> Result<(), Failure> {
    let needed = CONTROL_PLANE_MEMORY + stack_memory;
    if room.memory < needed {
        return Err(Failure::new(
            Kind::Prerequisite,
            format!("{} of memory are free, {} are needed", size(room.memory), size(needed)),
        )
        .evidence(format!(
            "{} for the cluster, {} for Airflow and its database",
            size(CONTROL_PLANE_MEMORY),
            size(stack_memory)
        ))
        .hint("close other programs, or give Docker more memory (Docker Desktop: Settings, Resources)"));
    }
    match room.disk {
        Some(disk) if disk < DISK => Err(Failure::new(
            Kind::Prerequisite,
            format!("{} of disk are free where Docker keeps its data, {} are needed", size(disk), size(DISK)),
        )
        .hint("see what Docker keeps: `docker system df`; remove what nothing uses: `docker system prune`")),
        _ => Ok(()),
    }
}

fn size(bytes: u64) -> String {
    // Whole tenths, so that a number just below what is needed does not look like it.
    let tenths = bytes / (GIB / 10);
    format!("{}.{} GiB", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(memory: u64, disk: Option<u64>) -> Room {
        Room { processors: 2, memory, disk }
    }

    #[test]
    fn too_little_memory_or_disk_is_said_with_both_numbers() {
        check(&room(4 * GIB, Some(20 * GIB)), 2 * GIB).unwrap();
        let failure = check(&room(2 * GIB, Some(20 * GIB)), 2 * GIB).unwrap_err();
        assert_eq!(failure.message, "2.0 GiB of memory are free, 3.0 GiB are needed");
        let failure = check(&room(4 * GIB, Some(GIB)), 2 * GIB).unwrap_err();
        assert!(failure.message.starts_with("1.0 GiB of disk are free"), "{}", failure.message);
        check(&room(4 * GIB, None), 2 * GIB).unwrap();
    }

    #[test]
    fn the_kernels_memory_table_is_read() {
        let text = "MemTotal:       24576 kB\nMemFree: 1 kB\nMemAvailable:   1024 kB\n";
        assert_eq!(meminfo(text, "MemAvailable:"), Some(1024 * 1024));
        assert_eq!(meminfo("nonsense", "MemTotal:"), None);
    }

    #[test]
    fn room_reads_as_a_phrase() {
        assert_eq!(room(21 * GIB + 5, Some(56 * GIB)).to_string(), "2 CPUs, 21 GiB free, 56 GiB disk");
    }
}
