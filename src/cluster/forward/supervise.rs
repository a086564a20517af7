//! The forward's process from outside: start it, stop it, ask what became of it.
//!
//! Whether it lives is told by its lock, which the system releases however it ended; a process id alone may be somebody
//! else's by now.

use std::io::{BufRead, BufReader, PipeReader};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::port::{extra_port_is_taken, port_is_taken};
use super::process::Announcement;
use super::{log, port_is_free, settings};
use crate::codes::Code;
use crate::error::{During, Failure, Kind};
use crate::state::{
    EnvironmentPaths, ExtraPort, ForwardState, ForwardStatus, Lock, Record, document, lock, remove_file,
};
use crate::surroundings::Surroundings;
use crate::tools::process::Command;
use crate::ui::Ui;

/// How long a new forward may take until it listens.
const LISTEN: Duration = Duration::from_secs(10);
/// How long a forward may take to end: two seconds of it are for its clients.
const STOP: Duration = Duration::from_secs(5);
/// How long the system may take to end it by force.
const KILL: Duration = Duration::from_secs(2);

/// Makes the environment's forward run with the settings of the record: starts it, or starts it anew, or leaves it.
///
/// # Errors
/// The port is taken, or the process did not start.
pub async fn ensure_running(
    surroundings: &Surroundings,
    paths: &EnvironmentPaths,
    record: &Record,
    ui: &Ui,
) -> Result<ForwardStatus, Failure> {
    let wanted = settings(record)?;
    if let Some(status) = status(paths)?.filter(|status| status.state.settings == wanted) {
        return Ok(status);
    }
    ensure_stopped(paths, ui).await?;
    start(surroundings, paths, record, ui).await?;
    status(paths)?.ok_or_else(|| {
        Failure::new(Kind::Cluster, "the forward ended as soon as it had started").evidence_lines(log::tail(paths))
    })
}

/// Makes the environment's forward not run. Says whether it ran.
///
/// # Errors
/// It does not end, not even by force, or its files cannot be used.
pub async fn ensure_stopped(paths: &EnvironmentPaths, ui: &Ui) -> Result<bool, Failure> {
    let file = paths.forward_lock();
    let runs = Lock::is_held(&file)?;
    if runs {
        let process = lock::holder(&file)
            .and_then(|number| Pid::from_raw(number.try_into().ok()?))
            .ok_or_else(|| Failure::bug(format!("{} is locked and names no process", file.display())))?;
        let waited = file.clone();
        let mut free = spawn_blocking(move || Lock::wait_until_free(&waited));
        signal(process, Signal::TERM)?;
        if timeout(STOP, &mut free).await.is_err() {
            ui.warn(&format!("the forward did not end within {STOP:?}: ending process {process} by force"));
            signal(process, Signal::KILL)?;
            timeout(KILL, free)
                .await
                .map_err(|_| {
                    Failure::new(Kind::Timeout, format!("the forward, process {process}, does not end"))
                        .evidence(format!("it still holds {}", file.display()))
                })?
                .map_err(|error| Failure::bug(error.to_string()))??;
        }
    }
    remove_file(&paths.forward())?;
    Ok(runs)
}

/// The forward, if it runs.
///
/// # Errors
/// Its files cannot be read.
pub fn status(paths: &EnvironmentPaths) -> Result<Option<ForwardStatus>, Failure> {
    Ok(last_state(paths)?.filter(|status| status.running))
}

/// The forward that runs, or the last one where it ended without order: killed, or with the machine.
///
/// # Errors
/// Its files cannot be read.
pub fn last_state(paths: &EnvironmentPaths) -> Result<Option<ForwardStatus>, Failure> {
    // In this order: a forward that ends in between is then seen as one that never was.
    let running = Lock::is_held(&paths.forward_lock())?;
    let state = document::read::<ForwardState>(&paths.forward()).into_result()?;
    Ok(state.map(|state| ForwardStatus { running, state }))
}

/// Checks that the port is free, or held by the forward that this environment runs already.
///
/// # Errors
/// Foreign, saying who holds the port.
pub fn check_port(paths: &EnvironmentPaths, port: u16) -> Result<(), Failure> {
    let ours = status(paths)?.is_some_and(|status| status.state.settings.port == port);
    if ours || port_is_free(port) { Ok(()) } else { Err(port_is_taken(port)) }
}

/// Checks that these ports can be forwarded beside the web interface, before anything is changed, and remembers them from
/// now on instead of those before.
///
/// # Errors
/// There is no such component, or a port is taken, and by whom.
pub fn remember_ports(paths: &EnvironmentPaths, record: &mut Record, ports: &[ExtraPort]) -> Result<(), Failure> {
    ports.clone_into(&mut record.also);
    let ours: Vec<u16> = status(paths)?
        .map(|status| status.state.settings)
        .into_iter()
        .flat_map(|settings| settings.also.into_iter().map(|also| also.port).chain([settings.port]))
        .collect();
    for wanted in settings(record)?.also {
        if !ours.contains(&wanted.port) && !port_is_free(wanted.port) {
            return Err(extra_port_is_taken(wanted.port, &wanted.component, wanted.service_port));
        }
    }
    record.save(paths)
}

async fn start(surroundings: &Surroundings, paths: &EnvironmentPaths, record: &Record, ui: &Ui) -> Result<(), Failure> {
    let command = Command::new(&surroundings.program).args(["--name", &record.name, "forward", "run", "--detached"]);
    let (process, stdout) = command.start_detached(log::open(paths)?, ui)?;
    let line = timeout(LISTEN, spawn_blocking(move || first_line(stdout))).await;
    let Ok(line) = line else {
        if let Some(process) = process.try_into().ok().and_then(Pid::from_raw) {
            signal(process, Signal::KILL)?;
        }
        return Err(Failure::new(Kind::Timeout, format!("the forward did not listen within {LISTEN:?}"))
            .evidence_lines(log::tail(paths)));
    };
    let line = line.map_err(|error| Failure::bug(error.to_string()))?.during(Kind::Bug, "reading from the forward")?;
    match serde_json::from_str(&line) {
        Ok(Announcement::Listening) => Ok(()),
        Ok(Announcement::Refused { kind, code, message, evidence, hints }) => {
            let failure = Failure::new(kind, message).evidence_lines(evidence);
            let failure = match code.as_deref().and_then(Code::find) {
                Some(code) => failure.code(code),
                None => failure,
            };
            Err(hints.into_iter().fold(failure, Failure::hint))
        }
        Err(_) => Err(Failure::new(Kind::Cluster, "the forward ended before it listened")
            .evidence_lines(log::tail(paths))
            .hint("to see more: `windtunnel forward run`")),
    }
}

fn first_line(stdout: PipeReader) -> std::io::Result<String> {
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    Ok(line)
}

fn signal(process: Pid, signal: Signal) -> Result<(), Failure> {
    match kill_process(process, signal) {
        // It has just ended by itself.
        Err(Errno::SRCH) => Ok(()),
        sent => sent.during(Kind::Cluster, format!("cannot end the forward, process {process}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Paths;

    #[test]
    fn a_forward_that_never_ran_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::new(folder.path().to_owned()).environment("demo");
        assert!(status(&paths).unwrap().is_none());
        paths.create().unwrap();
        assert!(status(&paths).unwrap().is_none());
    }

    #[test]
    fn a_forward_that_was_killed_is_known_but_does_not_run() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::new(folder.path().to_owned()).environment("demo");
        paths.create().unwrap();
        let state = serde_json::json!({
            "process": 1, "since": "2026-01-01T00:00:00Z", "port": 7070, "context": "kind-demo", "namespace": "demo",
            "service": "demo-web", "service_port": 8080, "version": "0.1.0", "route": null, "connections": 3,
            "trouble": null, "last_error": null
        });
        std::fs::write(paths.forward(), state.to_string()).unwrap();
        assert!(status(&paths).unwrap().is_none());
        assert!(!last_state(&paths).unwrap().unwrap().running);
        let lock = Lock::take(&paths.forward_lock()).unwrap();
        assert_eq!(status(&paths).unwrap().unwrap().state.condition.connections, 3);
        drop(lock);
    }

    #[test]
    fn a_strangers_port_is_refused_with_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::new(folder.path().to_owned()).environment("demo");
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let failure = check_port(&paths, port).unwrap_err();
        assert_eq!(failure.kind, Kind::Foreign);
        assert!(failure.message.starts_with(&format!("port {port} on 127.0.0.1 is taken by ")), "{}", failure.message);
    }
}
