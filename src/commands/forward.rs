//! `windtunnel forward start|stop|status|run`.

use serde_json::json;

use crate::cli::ForwardCommand;
use crate::cluster::forward::{process, supervise};
use crate::error::{Failure, Kind};
use crate::state::{EnvironmentPaths, ForwardStatus, Lock, Record};
use crate::surroundings::Surroundings;
use crate::ui::Ui;

/// Does what was asked for with the environment's forward.
///
/// # Errors
/// There is no such environment; the forward cannot be started or stopped; for `status`, it does not run.
pub async fn forward(command: ForwardCommand, name: &str, ui: &Ui, surroundings: &Surroundings) -> Result<(), Failure> {
    let paths = surroundings.paths.environment(name);
    let record = Record::require(&paths, name)?;
    match command {
        ForwardCommand::Start => {
            let _lock = Lock::take(&paths.lock())?;
            let status = supervise::ensure_running(surroundings, &paths, &record, ui).await?;
            show(&status, ui);
            Ok(())
        }
        ForwardCommand::Stop => {
            let _lock = Lock::take(&paths.lock())?;
            let ran = supervise::ensure_stopped(&paths, ui).await?;
            if ui.is_json() {
                ui.document(&json!({ "running": false, "stopped": ran }));
            }
            ui.say(if ran { "forward: stopped" } else { "forward: not running" });
            Ok(())
        }
        ForwardCommand::Status => status(&paths, ui),
        ForwardCommand::Run { detached, route } => {
            process::run(&paths, &record, detached, route.map(Into::into), ui).await
        }
    }
}

fn status(paths: &EnvironmentPaths, ui: &Ui) -> Result<(), Failure> {
    let status = supervise::last_state(paths)?;
    match &status {
        Some(status) => show(status, ui),
        None if ui.is_json() => ui.document(&json!({ "running": false })),
        None => ui.data("forward: not running\n"),
    }
    if status.is_some_and(|status| status.running) {
        return Ok(());
    }
    Err(Failure::new(Kind::Unhealthy, "the forward is not running").hint("to start it: `windtunnel forward start`"))
}

fn show(status: &ForwardStatus, ui: &Ui) {
    if ui.is_json() {
        ui.document(status);
    } else {
        ui.data(&format!("forward: {status}\n"));
    }
}
