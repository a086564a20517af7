//! `windtunnel forward start|stop|status|run|unit`.

use std::net::SocketAddr;

use serde_json::json;

use super::work::Work;
use crate::cli::{ForwardCommand, PortArgs, RunArgs, StarterChoice};
use crate::cluster::forward::process::Manner;
use crate::cluster::forward::unit::{Starter, Unit};
use crate::cluster::forward::{process, supervise};
use crate::error::{Failure, Kind};
use crate::state::{EnvironmentPaths, ForwardStatus, Record};
use crate::surroundings::Surroundings;
use crate::ui::Ui;

/// Does what was asked for with the environment's forward.
///
/// # Errors
/// There is no such environment; the forward cannot be started or stopped; for `status`, it does not run.
pub async fn forward(
    command: &ForwardCommand,
    name: &str,
    ui: &Ui,
    surroundings: &Surroundings,
) -> Result<(), Failure> {
    let paths = surroundings.paths.environment(name);
    let mut record = Record::require(&paths, name)?;
    match command {
        ForwardCommand::Start(ports) => {
            let _work = Work::begin(name, &paths, ui).await?;
            remember(ports, &paths, &mut record)?;
            let status = supervise::ensure_running(surroundings, &paths, &record, ui).await?;
            show(&status, ui);
            Ok(())
        }
        ForwardCommand::Stop => {
            let _work = Work::begin(name, &paths, ui).await?;
            let ran = supervise::ensure_stopped(&paths, ui).await?;
            if ui.is_json() {
                ui.document(&json!({ "running": false, "stopped": ran }));
            }
            ui.say(if ran { "forward: stopped" } else { "forward: not running" });
            Ok(())
        }
        ForwardCommand::Status => status(&paths, ui),
        ForwardCommand::Run(arguments) => run(arguments, &paths, record, ui).await,
        ForwardCommand::Unit { starter } => unit(*starter, &record, ui, surroundings),
    }
}

/// What was asked for is remembered; what was not, stays.
fn remember(arguments: &PortArgs, paths: &EnvironmentPaths, record: &mut Record) -> Result<(), Failure> {
    if !arguments.is_said() {
        return Ok(());
    }
    supervise::remember_ports(paths, record, &arguments.also)
}

async fn run(arguments: &RunArgs, paths: &EnvironmentPaths, mut record: Record, ui: &Ui) -> Result<(), Failure> {
    let address = arguments.address;
    if !address.is_loopback() {
        if !arguments.expose {
            return Err(Failure::usage(format!("with `--address {address}` other machines would reach Airflow"))
                .hint(format!("to let them: `windtunnel forward run --address {address} --expose`")));
        }
        ui.warn(&format!(
            "whoever reaches {} reaches Airflow, and the password travels unencrypted",
            SocketAddr::new(address, record.port)
        ));
    }
    if arguments.ports.is_said() {
        // Only for as long as the record is written: the forward itself hinders nobody.
        let _work = Work::begin(&record.name, paths, ui).await?;
        record = Record::require(paths, &record.name)?;
        remember(&arguments.ports, paths, &mut record)?;
    }
    let manner = Manner { detached: arguments.detached, address, only: arguments.route.map(Into::into) };
    process::run(paths, &record, manner, ui).await
}

fn unit(starter: Option<StarterChoice>, record: &Record, ui: &Ui, surroundings: &Surroundings) -> Result<(), Failure> {
    let usual = if cfg!(target_os = "macos") { Starter::Launchd } else { Starter::Systemd };
    let unit = Unit {
        name: &record.name,
        port: record.port,
        program: &surroundings.program,
        state: surroundings.paths.state(),
        log: &surroundings.paths.environment(&record.name).forward_log(),
    };
    let text = unit.text(starter.map_or(usual, Into::into))?;
    if ui.is_json() {
        ui.document(&json!({ "unit": text }));
    } else {
        ui.data(&text);
    }
    Ok(())
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
        return;
    }
    ui.data(&format!("forward: {status}\n"));
    for line in status.also() {
        ui.data(&format!("also: {line}\n"));
    }
}
