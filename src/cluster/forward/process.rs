//! The forward's own process: its session, its lock, its state file, its log, its end.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit, setsid};
use serde::{Deserialize, Serialize};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

use super::log::Log;
use super::port::{extra_port_is_taken, port_is_taken};
use super::socket::listen;
use super::{Ended, Entry, News, ROOM, Route, Target, serve, settings};
use crate::error::{During, Failure, Kind};
use crate::state::{EnvironmentPaths, ForwardCondition, ForwardState, ForwardedPort, Lock, Record, document};
use crate::ui::Ui;

/// How long the lock of a forward that is just ending is waited for.
const LOCK: Duration = Duration::from_secs(1);
/// How many files may be open, where the system lets us: two for each connection, and some to spare.
const FILES: u64 = 4096;
/// How many files the forward itself takes: its watches, proofs of the route, and tunnels that carry nobody.
const OWN_FILES: u64 = 100;

/// What a detached forward says on stdout, as one line of JSON, before it says no more.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case", tag = "forward")]
pub(super) enum Announcement {
    /// It listens.
    Listening,
    /// It ended, and why.
    Refused {
        /// As in [`Failure`].
        kind: Kind,
        /// The number of the failure's code, if it has one.
        code: Option<String>,
        /// As in [`Failure`].
        message: String,
        /// As in [`Failure`].
        evidence: Vec<String>,
        /// As in [`Failure`].
        hints: Vec<String>,
    },
}

/// How a forward's process is to run.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// It leaves the terminal's session and announces on stdout whether it listens.
    pub detached: bool,
    /// Where it listens for the web interface, beside 127.0.0.1.
    pub address: IpAddr,
    /// This route and no other, for tests and measurements.
    pub only: Option<Route>,
}

/// Forwards until SIGINT or SIGTERM, or until the environment is gone.
///
/// # Errors
/// A port is taken, another forward runs, the state cannot be written.
pub async fn run(paths: &EnvironmentPaths, record: &Record, manner: Manner, ui: &Ui) -> Result<(), Failure> {
    // Before anybody can know of this process, and tell it to stop.
    let stop = stop_signal()?;
    let begun = begin(paths, record, manner).await;
    if manner.detached {
        announce(begun.as_ref().err(), ui);
    }
    let Begun { _lock, entries, room, state } = begun?;
    let log = Log { paths, ui };
    for Entry { listeners, target } in &entries {
        for address in listeners.iter().filter_map(|listener| listener.local_addr().ok()) {
            log.line(&format!("listening on {address} for {}:{}", target.service, target.service_port));
        }
    }
    let (sender, writing) = write_changes(paths.forward(), state);
    let ended = serve_all(entries, manner.only, room, stop, &sender, &log).await;
    drop(sender);
    let written = writing.await.map_err(|error| Failure::bug(error.to_string()))?;
    let is_gone = ended == Ended::EnvironmentGone;
    log.line(if is_gone { "stopped: the environment is gone" } else { "stopped" });
    // The folder may be gone with the environment, and then the file is as well.
    let _ = std::fs::remove_file(paths.forward());
    if is_gone { Ok(()) } else { written }
}

/// Serves every port until `stop` is done or the environment is gone.
async fn serve_all(
    entries: Vec<Entry>,
    only: Option<Route>,
    room: usize,
    stop: impl Future<Output = ()>,
    states: &watch::Sender<ForwardState>,
    log: &Log<'_>,
) -> Ended {
    let room = Arc::new(Semaphore::new(room));
    let (stopping, stopped) = watch::channel(false);
    let serving = entries.into_iter().enumerate().map(|(index, entry)| {
        let mut stopped = stopped.clone();
        let stop = async move {
            // An end of the channel would be a stop as well.
            let _ = stopped.wait_for(|stop| *stop).await;
        };
        serve(entry, only, Arc::clone(&room), stop, move |news| match news {
            News::Line(line) => log.line(&line),
            News::Condition(condition) => states.send_modify(|state| match index.checked_sub(1) {
                None => state.condition = condition,
                Some(also) => state.also_conditions[also] = condition,
            }),
        })
    });
    let mut serving = std::pin::pin!(join_all(serving));
    let ended = tokio::select! {
        ended = &mut serving => ended,
        () = stop => {
            stopping.send_replace(true);
            serving.await
        }
    };
    // All of them see it when the environment is gone.
    if ended.contains(&Ended::EnvironmentGone) { Ended::EnvironmentGone } else { Ended::Stopped }
}

/// What a forward that listens has.
struct Begun {
    _lock: Lock,
    entries: Vec<Entry>,
    /// How many connections may be open at a time.
    room: usize,
    state: ForwardState,
}

async fn begin(paths: &EnvironmentPaths, record: &Record, manner: Manner) -> Result<Begun, Failure> {
    if manner.detached {
        // Closing the terminal must not end us.
        setsid().during(Kind::Bug, "the forward cannot leave its session")?;
    }
    let settings = settings(record)?;
    let lock = take_lock(paths).await?;
    let mut listeners = vec![listen(manner.address, settings.port, || port_is_taken(settings.port)).await?];
    for ForwardedPort { component, port, service_port, .. } in &settings.also {
        // What else is forwarded is for this machine alone.
        let taken = || extra_port_is_taken(*port, component, *service_port);
        listeners.push(listen(Ipv4Addr::LOCALHOST.into(), *port, taken).await?);
    }
    let targets = Target::all(paths, &settings);
    let entries = targets.into_iter().zip(listeners).map(|(target, listeners)| Entry { listeners, target }).collect();
    let state = ForwardState {
        process: std::process::id(),
        since: Timestamp::now(),
        address: manner.address,
        also_conditions: vec![ForwardCondition::default(); settings.also.len()],
        condition: ForwardCondition::default(),
        settings,
    };
    document::write(&paths.forward(), &state)?;
    Ok(Begun { _lock: lock, entries, room: room(raise_file_limit()), state })
}

async fn take_lock(paths: &EnvironmentPaths) -> Result<Lock, Failure> {
    let path = paths.forward_lock();
    if let Some(lock) = Lock::attempt(&path)? {
        return Ok(lock);
    }
    // Held by a forward, or for an instant by somebody who looks whether one lives.
    let waited = path.clone();
    let _ = timeout(LOCK, spawn_blocking(move || Lock::wait_until_free(&waited))).await;
    Lock::attempt(&path)?.ok_or_else(|| {
        Failure::new(Kind::Locked, "another forward of this environment is running")
            .hint("to see it: `windtunnel forward status`, to end it: `windtunnel forward stop`")
    })
}

/// Raises the number of files that may be open to what [`ROOM`] connections take, and says what it is then. Where it cannot
/// be raised, fewer connections do as well.
fn raise_file_limit() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(FILES, |maximum| maximum.min(FILES));
    match limit.current {
        Some(now) if now < wanted => {
            let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum });
            if raised.is_ok() { wanted } else { now }
        }
        Some(now) => now,
        None => FILES,
    }
}

/// How many connections may be open at a time, where so many files may.
fn room(files: u64) -> usize {
    let clients = files.saturating_sub(OWN_FILES) / 2;
    usize::try_from(clients).unwrap_or(ROOM).clamp(1, ROOM)
}

fn stop_signal() -> Result<impl Future<Output = ()>, Failure> {
    let doing = "cannot wait for signals";
    let mut terminate = signal(SignalKind::terminate()).during(Kind::Bug, doing)?;
    let mut interrupt = signal(SignalKind::interrupt()).during(Kind::Bug, doing)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Writes the state whenever it changes, on a thread of its own: a slow disk must not hold up the connections.
fn write_changes(path: PathBuf, first: ForwardState) -> (watch::Sender<ForwardState>, JoinHandle<Result<(), Failure>>) {
    let (sender, mut states) = watch::channel(first);
    let writing = tokio::spawn(async move {
        let mut written = Ok(());
        while states.changed().await.is_ok() {
            let (path, state) = (path.clone(), states.borrow_and_update().clone());
            written = spawn_blocking(move || document::write(&path, &state))
                .await
                .unwrap_or_else(|error| Err(Failure::bug(error.to_string())));
        }
        written
    });
    (sender, writing)
}

fn announce(refused: Option<&Failure>, ui: &Ui) {
    let announcement = refused.map_or(Announcement::Listening, |failure| Announcement::Refused {
        kind: failure.kind,
        code: failure.code.map(|code| code.id().to_owned()),
        message: failure.message.clone(),
        evidence: failure.evidence.clone(),
        hints: failure.hints.clone(),
    });
    let mut line = serde_json::to_string(&announcement).expect("an announcement is plain data");
    line.push('\n');
    ui.data(&line);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_as_many_as_there_are_files_for() {
        assert_eq!([FILES, 100_000, 1024, 256, 10].map(room), [1000, 1000, 462, 78, 1]);
    }
}
