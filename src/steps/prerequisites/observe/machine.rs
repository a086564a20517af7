//! The machine, as its files tell it: nothing is run.

use std::path::Path;

use rustix::process::{Resource, getrlimit};

use super::super::facts::Machine;
use super::super::resources::Room;

/// Looks. `dags` is the DAG folder, which need not be there.
pub(super) fn observe(dags: &Path, room: Option<&Room>) -> Machine {
    let number = |path: &str| read(path).and_then(|text| text.trim().parse().ok());
    Machine {
        system: std::env::consts::OS.to_owned(),
        kernel: read("/proc/version").unwrap_or_default(),
        filesystems: read("/proc/filesystems"),
        inotify_watches: number("/proc/sys/fs/inotify/max_user_watches"),
        inotify_instances: number("/proc/sys/fs/inotify/max_user_instances"),
        open_files: getrlimit(Resource::Nofile).current,
        all_files: read("/proc/sys/fs/file-nr").as_deref().and_then(file_numbers),
        selinux: read("/sys/fs/selinux/enforce").is_some_and(|text| text.trim() == "1"),
        dags_on: read("/proc/self/mounts").and_then(|mounts| file_system_of(&mounts, dags)),
        has_engine: room.is_some_and(|room| room.is_here),
    }
}

/// A file of the kernel; on other systems there is none.
fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

/// Open files, unused handles, limit (Linux, `Documentation/admin-guide/sysctl/fs.rst`).
fn file_numbers(text: &str) -> Option<(u64, u64)> {
    let mut numbers = text.split_whitespace().map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.nth(1)??))
}

/// The type of the file system that is mounted nearest above a path: device, place, type, options (proc(5)).
fn file_system_of(mounts: &str, path: &Path) -> Option<String> {
    let lines = mounts.lines().filter_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        Some((fields.next()?.replace("\\040", " "), fields.next()?))
    });
    let nearest = lines.filter(|(place, _)| path.starts_with(place)).max_by_key(|(place, _)| place.len())?;
    Some(nearest.1.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_tables_are_read() {
        assert_eq!(file_numbers("12064\t0\t9223372036854775807\n"), Some((12_064, 9_223_372_036_854_775_807)));
        assert_eq!(file_numbers("?"), None);
        let mounts = "/dev/sda / ext4 rw 0 0\nC:\\134 /mnt/c 9p rw 0 0\nx /mnt/my\\040disk ext3 rw 0 0\n";
        for (path, expected) in
            [("/home/me", "ext4"), ("/mnt/c/dags", "9p"), ("/mnt/cellar", "ext4"), ("/mnt/my disk/a", "ext3")]
        {
            assert_eq!(file_system_of(mounts, Path::new(path)).as_deref(), Some(expected), "{path}");
        }
    }
}
