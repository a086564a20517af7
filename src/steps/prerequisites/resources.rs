//! Memory, processors and disk that the engine has to give.

use crate::tools::docker::Info;

/// Bytes of a gibibyte.
pub(super) const GIB: u64 = 1 << 30;

/// What the engine has to give.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Room {
    /// Processors.
    pub(super) processors: u32,
    /// Bytes of memory that nobody uses; where the engine is in a virtual machine, all of its memory.
    pub(super) memory: u64,
    /// Bytes free where the engine keeps its data; `None` where that is on another machine.
    pub(super) disk: Option<u64>,
    /// Whether the engine has this machine's memory, and not a virtual machine's.
    pub(super) is_here: bool,
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
    let available = here.filter(|(total, _)| total.abs_diff(info.mem_total) < GIB).map(|(_, available)| available);
    Room {
        processors: info.processors,
        memory: available.unwrap_or(info.mem_total),
        disk: free_disk(&info.docker_root_dir),
        is_here: available.is_some(),
    }
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

fn free_disk(folder: &std::path::Path) -> Option<u64> {
    let statistics = rustix::fs::statvfs(folder).ok()?;
    Some(statistics.f_bavail * statistics.f_frsize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_memory_table_is_read() {
        let text = "MemTotal:       24576 kB\nMemFree: 1 kB\nMemAvailable:   1024 kB\n";
        assert_eq!(meminfo(text, "MemAvailable:"), Some(1024 * 1024));
        assert_eq!(meminfo("nonsense", "MemTotal:"), None);
    }

    #[test]
    fn room_reads_as_a_phrase() {
        let room = Room { processors: 2, memory: 21 * GIB + 5, disk: Some(56 * GIB), is_here: true };
        assert_eq!(room.to_string(), "2 CPUs, 21 GiB free, 56 GiB disk");
    }
}
