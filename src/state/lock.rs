//! One windtunnel at a time for each environment.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::error::{During, Failure, Kind};

/// Held until dropped, or until the process ends in whatever way.
#[derive(Debug)]
pub struct Lock {
    _file: File,
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
        write!(file, "{}", std::process::id()).during(Kind::Usage, doing())?;
        Ok(Some(Self { _file: file }))
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
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
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
}
