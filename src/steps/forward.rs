//! "Forwarding 127.0.0.1:7070": a process of its own that serves the web interface on this machine.

use super::Context;
use crate::cluster::forward::supervise;
use crate::error::Failure;
use crate::stacks::Release;
use crate::state::{EnvironmentPaths, Record};
use crate::ui::Ui;

/// Makes the forward run.
///
/// # Errors
/// The port is taken, or the forward did not come up.
pub async fn ensure(context: Context<'_>, record: &Record, release: &Release) -> Result<(), Failure> {
    let Context { plan, paths, surroundings, ui } = context;
    let step = ui.step("forward", format!("Forwarding 127.0.0.1:{}", plan.port));
    supervise::ensure_running(surroundings, paths, record, ui).await?;
    step.done(format!("{}:{}", release.service, release.service_port));
    Ok(())
}

/// "Stopping the forward": makes it not run.
///
/// # Errors
/// Its process does not end.
pub async fn stop(paths: &EnvironmentPaths, ui: &Ui) -> Result<(), Failure> {
    let step = ui.step("stop_forward", "Stopping the forward");
    let stopped = supervise::ensure_stopped(paths, ui).await?;
    step.done(if stopped { "stopped" } else { "none was running" });
    Ok(())
}

/// Checks that the port is free, or held by the forward that this environment runs already.
///
/// # Errors
/// Foreign, saying who holds the port.
pub fn check_port(context: Context<'_>) -> Result<(), Failure> {
    supervise::check_port(context.paths, context.plan.port)
}
