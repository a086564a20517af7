//! The log of a forward in the background: two files, each of a bounded length.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};

use jiff::Timestamp;
use rustix::stdio::{dup2_stderr, stderr};

use crate::error::{During, Failure, Kind};
use crate::state::EnvironmentPaths;
use crate::ui::Ui;

/// A log that is longer is put aside, in bytes; the one that was put aside before is gone then.
const LENGTH: u64 = 1024 * 1024;
/// How many lines are shown when a forward does not start.
const TAIL: usize = 5;

/// Opens the log for appending, and puts a long one aside first.
pub(super) fn open(paths: &EnvironmentPaths) -> Result<File, Failure> {
    let path = paths.forward_log();
    let doing = || format!("cannot write {}", path.display());
    if path.metadata().is_ok_and(|metadata| metadata.len() > LENGTH) {
        std::fs::rename(&path, path.with_extension("log.1")).during(Kind::Usage, doing())?;
    }
    OpenOptions::new().create(true).append(true).mode(0o600).open(&path).during(Kind::Usage, doing())
}

/// The last lines.
pub(super) fn tail(paths: &EnvironmentPaths) -> Vec<String> {
    let log = std::fs::read_to_string(paths.forward_log()).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(TAIL)..].iter().map(|line| (*line).to_owned()).collect()
}

/// Writes lines to stderr, and keeps the log bounded if that is where they go.
pub(super) struct Log<'a> {
    pub(super) paths: &'a EnvironmentPaths,
    pub(super) ui: &'a Ui,
}

impl Log<'_> {
    /// One line with its time.
    pub(super) fn line(&self, line: &str) {
        if self.is_long() {
            let turned = open(self.paths).and_then(|log| dup2_stderr(log).during(Kind::Bug, "cannot turn the log"));
            if let Err(failure) = turned {
                self.ui.say(&format!("{}: {}", failure.message, failure.evidence.join(": ")));
            }
        }
        let now = Timestamp::now().as_second();
        let time = Timestamp::from_second(now).map_or_else(|_| now.to_string(), |time| time.to_string());
        self.ui.say(&format!("{time} {line}"));
    }

    /// Whether stderr is the log, by whoever opened it (`forward start`, systemd or launchd), and long.
    fn is_long(&self) -> bool {
        let ours = stderr().try_clone_to_owned().and_then(|ours| File::from(ours).metadata());
        let (Ok(log), Ok(ours)) = (self.paths.forward_log().metadata(), ours) else { return false };
        log.len() > LENGTH && (log.dev(), log.ino()) == (ours.dev(), ours.ino())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Paths;

    #[test]
    fn a_long_log_is_put_aside() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::new(folder.path().to_owned()).environment("demo");
        paths.create().unwrap();
        std::fs::write(paths.forward_log(), "one\ntwo\n").unwrap();
        drop(open(&paths).unwrap());
        assert_eq!(tail(&paths), ["one", "two"]);
        std::fs::write(paths.forward_log(), vec![b'\n'; 1024 * 1024 + 1]).unwrap();
        drop(open(&paths).unwrap());
        assert!(tail(&paths).is_empty());
        assert!(paths.forward_log().with_extension("log.1").exists());
    }
}
