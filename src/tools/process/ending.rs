//! How children end when this process does: told to, waited for, killed at last. One that outlives all that holds the environment's lock.

use std::fs::File;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use duct::unix::HandleExt;
use futures_util::future::join_all;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::state::lock::Share;
use crate::ui::Ui;

/// How long children may take to end without a word on screen.
const AT_ONCE: Duration = Duration::from_millis(300);
/// How long they may take before they are killed.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the kernel may take to do that.
const KILLED: Duration = Duration::from_secs(1);

/// The lock of the environment that this process works on.
static HELD: Mutex<Option<Share>> = Mutex::new(None);
/// Children that were told to end while nobody waited for them.
static TOLD: Mutex<Vec<Told>> = Mutex::new(Vec::new());

/// A child, or several with a pipe between them.
#[derive(Clone)]
struct Told {
    programs: Vec<String>,
    handle: Arc<duct::Handle>,
}

/// From now on every child holds this lock as well, until it ends; `None` for those that work on no environment.
pub fn hold(share: Option<Share>) {
    *HELD.lock().unwrap_or_else(PoisonError::into_inner) = share;
}

/// The stdin of a child without input.
pub(super) fn stdin() -> std::io::Result<Option<File>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(Share::stdin).transpose()
}

/// A child that is told to end when nobody waits for it any more, as after Ctrl-C.
pub(super) struct Running {
    child: Told,
    pub(super) has_ended: bool,
}

impl Running {
    /// Writes down what was started, for whoever finds it at work alone.
    pub(super) fn begin(programs: Vec<String>, handle: &Arc<duct::Handle>) -> Self {
        if let Some(share) = HELD.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            for (process, program) in handle.pids().iter().zip(&programs) {
                // The name is for a message; that somebody is at work the lock itself tells.
                let _ = share.note(*process, program);
            }
        }
        Self { child: Told { programs, handle: Arc::clone(handle) }, has_ended: false }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.has_ended {
            // One that has just ended by itself is what was wanted.
            let _ = self.child.handle.send_signal(rustix::process::Signal::TERM.as_raw());
            TOLD.lock().unwrap_or_else(PoisonError::into_inner).push(self.child.clone());
        }
    }
}

/// Waits until all children that were told to end have ended; kills those that do not within five seconds.
pub async fn await_told(ui: &Ui) {
    let ends = left().into_iter().map(|Told { handle, .. }| {
        // However it ends: that it does is all that is wanted.
        spawn_blocking(move || handle.wait().is_ok())
    });
    let mut ended = join_all(ends);
    if timeout(AT_ONCE, &mut ended).await.is_ok() {
        return;
    }
    let programs: Vec<String> = left().iter().flat_map(|told| &told.programs).map(|name| format!("`{name}`")).collect();
    ui.say(&format!("Waiting for {} to end; Ctrl-C again does not wait.", programs.join(" and ")));
    if timeout(PATIENCE, &mut ended).await.is_err() {
        kill_told();
        // What even this does not end, nothing does.
        let _ = timeout(KILLED, ended).await;
    }
}

/// Kills the children that were told to end and have not.
pub fn kill_told() {
    for told in left() {
        // One that has ended meanwhile is what was wanted.
        let _ = told.handle.kill();
    }
}

fn left() -> Vec<Told> {
    let told = TOLD.lock().unwrap_or_else(PoisonError::into_inner).clone();
    told.into_iter().filter(|told| matches!(told.handle.try_wait(), Ok(None))).collect()
}
