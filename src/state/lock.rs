//! One windtunnel at a time for each environment.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

use crate::error::{During, Failure, Kind};

/// Held until dropped, or until the process ends in whatever way; and by the tools that it runs, each until it ends.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

/// The part of a lock that tools get: as long as one of them lives, the lock is held.
#[derive(Debug)]
pub struct Share {
    file: File,
}

impl Share {
    /// What holds the lock in a tool: its stdin, of which it reads nothing, for all that is written is behind its end. A tool's own children
    /// get another stdin, so what it may leave running does not hold the lock.
    ///
    /// # Errors
    /// There are too many open files.
    pub fn stdin(&self) -> std::io::Result<File> {
        self.file.try_clone()
    }

    /// Writes down who holds the lock beside us.
    ///
    /// # Errors
    /// The disk is full.
    pub fn note(&mut self, process: u32, program: &str) -> std::io::Result<()> {
        // At once, so that nobody reads half of it.
        self.file.write_all(format!("{process} {program}\n").as_bytes())
    }
}

impl Lock {
    /// Takes the lock and writes our process id into the file, or says who holds it.
    ///
    /// # Errors
    /// Locked where another process holds it.
    pub fn take(path: &Path) -> Result<Self, Failure> {
        match Self::attempt(path)? {
            Some(lock) => Ok(lock),
            None => Err(Failure::new(Kind::Locked, "another windtunnel is working on this environment")
                .evidence(
                    holder(path)
                        .map_or_else(String::new, |process| format!("process {process} holds {}", path.display())),
                )
                .hint("wait for it to end, then run this again")),
        }
    }

    /// Takes the lock if nobody holds it.
    ///
    /// # Errors
    /// The file cannot be opened or locked.
    pub fn attempt(path: &Path) -> Result<Option<Self>, Failure> {
        let doing = || format!("cannot lock {}", path.display());
        let mut file = open(path).during(Kind::Usage, doing())?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error).during(Kind::Usage, doing()),
        }
        file.set_len(0).during(Kind::Usage, doing())?;
        writeln!(file, "{}", std::process::id()).during(Kind::Usage, doing())?;
        Ok(Some(Self { file }))
    }

    /// The part for the tools that this process runs from now on.
    ///
    /// # Errors
    /// There are too many open files.
    pub fn share(&self) -> Result<Share, Failure> {
        let file = self.file.try_clone().during(Kind::Usage, "cannot share the environment's lock")?;
        Ok(Share { file })
    }

    /// Whether somebody holds the lock. Changes nothing.
    ///
    /// # Errors
    /// The file is there and cannot be opened or locked.
    pub fn is_held(path: &Path) -> Result<bool, Failure> {
        let doing = || format!("cannot look at {}", path.display());
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error).during(Kind::Usage, doing()),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(error).during(Kind::Usage, doing()),
        }
    }

    /// Waits until nobody holds the lock. Blocks: for a thread of its own.
    ///
    /// # Errors
    /// The file cannot be opened or locked.
    pub fn wait_until_free(path: &Path) -> Result<(), Failure> {
        open(path).and_then(|file| file.lock()).during(Kind::Usage, format!("cannot lock {}", path.display()))
    }
}

/// The process that wrote itself into the lock file last.
#[must_use]
pub fn holder(path: &Path) -> Option<u32> {
    std::fs::read_to_string(path).ok()?.lines().next()?.trim().parse().ok()
}

/// The tools that the last holder ran and that live: process and program.
#[must_use]
pub fn tools(path: &Path) -> Vec<(u32, String)> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let noted = text.lines().skip(1).filter_map(|line| {
        let (process, program) = line.split_once(' ')?;
        Some((process.parse().ok()?, program.to_owned()))
    });
    noted.filter(|(process, _)| lives(*process)).collect()
}

/// Whether there is such a process, whosever it is.
#[must_use]
pub fn lives(process: u32) -> bool {
    let process = process.try_into().ok().and_then(Pid::from_raw);
    process.is_some_and(|process| !matches!(test_kill_process(process), Err(Errno::SRCH)))
}

fn open(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_taker_is_told_who_holds_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let first = Lock::take(&path).unwrap();
        assert!(Lock::is_held(&path).unwrap());
        let failure = Lock::take(&path).unwrap_err();
        assert_eq!(failure.kind, Kind::Locked);
        assert!(failure.evidence[0].contains(&std::process::id().to_string()));
        drop(first);
        assert!(!Lock::is_held(&path).unwrap());
        Lock::take(&path).unwrap();
    }

    #[test]
    fn whoever_has_a_share_holds_it_and_reads_nothing_of_it() {
        use std::io::Read;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let lock = Lock::take(&path).unwrap();
        let mut share = lock.share().unwrap();
        let mut stdin = share.stdin().unwrap();
        share.note(std::process::id(), "helm").unwrap();
        share.note(u32::MAX >> 1, "kind").unwrap();
        let mut read = String::new();
        stdin.read_to_string(&mut read).unwrap();
        assert_eq!(read, "");
        drop((lock, share));
        assert!(Lock::attempt(&path).unwrap().is_none());
        assert_eq!(holder(&path), Some(std::process::id()));
        assert_eq!(tools(&path), [(std::process::id(), "helm".to_owned())], "the other one does not live");
        drop(stdin);
        Lock::take(&path).unwrap();
    }
}
