//! The machine, as its files tell it: nothing is run.

use std::path::Path;

use rustix::process::{Resource, getrlimit};

use super::super::facts::Machine;
use super::super::resources::Room;
use crate::tools::host::Host;

/// What Docker's bridges and kube-proxy work with, under names that have not changed since Linux 4.18 (Linux, `net/bridge`, `net/netfilter`).
const MODULES: [&str; 9] = [
    "br_netfilter",
    "veth",
    "nf_conntrack",
    "nf_nat",
    "xt_addrtype",
    "xt_comment",
    "xt_conntrack",
    "xt_mark",
    "xt_statistic",
];

/// Looks. `dags` is the DAG folder, which need not be there.
pub(super) fn observe(dags: &Path, room: Option<&Room>) -> Machine {
    let number = |path: &str| read(path).and_then(|text| text.trim().parse().ok());
    Machine {
        system: std::env::consts::OS.to_owned(),
        host: Host::here(),
        kernel: read("/proc/version").unwrap_or_default(),
        filesystems: read("/proc/filesystems"),
        missing_modules: missing_modules(),
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

/// Those of [`MODULES`] that this kernel neither has nor can load.
fn missing_modules() -> Option<Vec<String>> {
    let release = read("/proc/sys/kernel/osrelease")?;
    let folder = Path::new("/lib/modules").join(release.trim());
    let list = |name: &str| std::fs::read_to_string(folder.join(name)).ok();
    let (built_in, loadable) = (list("modules.builtin")?, list("modules.dep")?);
    let is_loaded = |name: &str| Path::new("/sys/module").join(name).exists();
    Some(absent(&built_in, &loadable, is_loaded))
}

/// A line is a file with its path: `kernel/net/netfilter/xt_comment.ko.zst: …` (modules.dep(5)).
fn absent(built_in: &str, loadable: &str, is_loaded: impl Fn(&str) -> bool) -> Vec<String> {
    let name = |line: &str| -> Option<String> {
        let file = line.split(':').next()?.rsplit('/').next()?;
        Some(file.split('.').next()?.replace('-', "_"))
    };
    let known: Vec<String> = built_in.lines().chain(loadable.lines()).filter_map(name).collect();
    let is_there = |module: &&&str| known.iter().any(|name| name == **module) || is_loaded(module);
    MODULES.iter().filter(|module| !is_there(module)).map(|module| (*module).to_owned()).collect()
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
    fn a_module_is_missing_that_is_nowhere() {
        let built_in = "kernel/drivers/net/veth.ko\nkernel/net/netfilter/nf-nat.ko\n";
        let loadable = "kernel/net/netfilter/nf_conntrack.ko.zst: kernel/lib/libcrc32c.ko.zst\n\
                        kernel/net/netfilter/xt_comment.ko:\nkernel/net/netfilter/xt_mark.ko.xz:\n\
                        kernel/net/netfilter/xt_conntrack.ko: kernel/net/netfilter/nf_conntrack.ko\n\
                        kernel/net/netfilter/xt_addrtype.ko:\n";
        assert_eq!(absent(built_in, loadable, |name| name == "br_netfilter"), ["xt_statistic"]);
        assert_eq!(absent("", "", |_| true), [""; 0]);
    }

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
