//! The one command that works on an environment: it holds the lock, and so do its tools.

use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::error::{Failure, Kind};
use crate::state::EnvironmentPaths;
use crate::state::lock::{self, Lock};
use crate::tools::process;
use crate::ui::Ui;

/// How long a tool may go on that a windtunnel left which was killed: kind and minikube make a cluster in less.
const LEFT: Duration = Duration::from_mins(5);

/// Held while an environment is changed.
pub(super) struct Work {
    _lock: Lock,
}

impl Work {
    /// Takes the environment's lock. Where only tools hold it whose windtunnel is gone, they are waited for, with a word of who they are.
    ///
    /// # Errors
    /// Locked, where another windtunnel is at work, or a tool of one that is gone does not end within five minutes.
    pub(super) async fn begin(name: &str, paths: &EnvironmentPaths, ui: &Ui) -> Result<Self, Failure> {
        let path = paths.lock();
        let lock = match Lock::attempt(&path)? {
            Some(lock) => lock,
            None if lock::holder(&path).is_some_and(lock::lives) => Lock::take(&path)?,
            None => after_tools(paths, ui).await?,
        };
        process::hold(Some(lock.share()?));
        ui.works_on(name);
        Ok(Self { _lock: lock })
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        process::hold(None);
    }
}

async fn after_tools(paths: &EnvironmentPaths, ui: &Ui) -> Result<Lock, Failure> {
    let path = paths.lock();
    let tools = lock::tools(&path);
    let named: Vec<String> = tools.iter().map(|(process, program)| format!("`{program}` (pid {process})")).collect();
    let who = if named.is_empty() { "a tool".to_owned() } else { named.join(" and ") };
    ui.say(&format!("Waiting for {who}, which a windtunnel that was killed has left at work."));
    let waited = path.clone();
    // The thread that waits ends with the process, should this one give up.
    let _ = timeout(LEFT, spawn_blocking(move || Lock::wait_until_free(&waited))).await;
    Lock::attempt(&path)?.ok_or_else(|| {
        let failure =
            Failure::new(Kind::Locked, "a tool that an earlier windtunnel left is at work on this environment")
                .evidence(format!("{who} has not ended within {} s", LEFT.as_secs()));
        let ids: Vec<String> = tools.iter().map(|(process, _)| process.to_string()).collect();
        if ids.is_empty() {
            failure
        } else {
            failure.hint(format!("to end it: `kill {}`, then run this again", ids.join(" ")))
        }
    })
}
