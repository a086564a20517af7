//! The forward's own process: its session, its lock, its state file, its log, its end.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit, setsid};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

use super::port::port_is_taken;
use super::{Ended, News, Route, Target, serve, settings};
use crate::error::{During, Failure, Kind};
use crate::state::{EnvironmentPaths, ForwardSettings, ForwardState, Lock, Record, write_json};
use crate::ui::Ui;

/// How long the lock of a forward that is just ending is waited for.
const LOCK: Duration = Duration::from_secs(1);

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
        /// As in [`Failure`].
        message: String,
        /// As in [`Failure`].
        evidence: Vec<String>,
        /// As in [`Failure`].
        hints: Vec<String>,
    },
}

/// Forwards until SIGINT or SIGTERM, or until the environment is gone.
///
/// Detached, it leaves the terminal's session and announces on stdout whether it listens.
///
/// # Errors
/// The port is taken, another forward runs, the state cannot be written.
pub async fn run(
    paths: &EnvironmentPaths,
    record: &Record,
    detached: bool,
    only: Option<Route>,
    ui: &Ui,
) -> Result<(), Failure> {
    let settings = settings(record);
    let begun = begin(paths, &settings, detached).await;
    if detached {
        announce(begun.as_ref().err(), ui);
    }
    let (_lock, listener, mut state) = begun?;
    log(ui, &format!("listening on 127.0.0.1:{} for {}:{}", settings.port, settings.service, settings.service_port));
    let stop = stop_signal()?;
    let (sender, writing) = write_changes(paths.forward(), state.clone());
    let ended = serve(listener, Target::new(paths, &settings), only, stop, |news| match news {
        News::Line(line) => log(ui, &line),
        News::Condition(condition) => {
            state.route = condition.route;
            state.trouble = condition.trouble;
            state.last_error = condition.last_error;
            state.connections = condition.connections;
            sender.send_replace(state.clone());
        }
    })
    .await;
    drop(sender);
    let written = writing.await.map_err(|error| Failure::bug(error.to_string()))?;
    log(ui, if ended == Ended::Stopped { "stopped" } else { "stopped: the environment is gone" });
    // The folder may be gone with the environment, and then the file is as well.
    let _ = std::fs::remove_file(paths.forward());
    if ended == Ended::Stopped { written } else { Ok(()) }
}

async fn begin(
    paths: &EnvironmentPaths,
    settings: &ForwardSettings,
    detached: bool,
) -> Result<(Lock, TcpListener, ForwardState), Failure> {
    if detached {
        // Closing the terminal must not end us.
        setsid().during(Kind::Bug, "the forward cannot leave its session")?;
    }
    let lock = take_lock(paths).await?;
    raise_file_limit();
    let listener = listen(settings.port).await?;
    let state = ForwardState {
        process: std::process::id(),
        since: Timestamp::now(),
        settings: settings.clone(),
        route: None,
        connections: 0,
        trouble: None,
        last_error: None,
    };
    write_json(&paths.forward(), &state)?;
    Ok((lock, listener, state))
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

async fn listen(port: u16) -> Result<TcpListener, Failure> {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => Err(port_is_taken(port)),
        bound => bound.during(Kind::Prerequisite, format!("cannot listen on 127.0.0.1:{port}")),
    }
}

/// Each client takes two file descriptors. Where the limit cannot be raised the usual 1024 do as well.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let current = limit.maximum.map_or(4096, |maximum| maximum.min(4096));
    if limit.current.is_some_and(|now| now < current) {
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(current), maximum: limit.maximum });
    }
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
            written = spawn_blocking(move || write_json(&path, &state))
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
        message: failure.message.clone(),
        evidence: failure.evidence.clone(),
        hints: failure.hints.clone(),
    });
    let mut line = serde_json::to_string(&announcement).expect("an announcement is plain data");
    line.push('\n');
    ui.data(&line);
}

fn log(ui: &Ui, line: &str) {
    let now = Timestamp::now().as_second();
    let time = Timestamp::from_second(now).map_or_else(|_| now.to_string(), |time| time.to_string());
    ui.say(&format!("{time} {line}"));
}
