//! Something that happens while a command is at work.

use std::path::PathBuf;
use std::time::Duration;

use crate::environment::Environment;
use crate::outcome::Outcome;
use crate::until::until;

/// How long a command may take to begin a step: making a cluster comes before most of them.
const PATIENCE: Duration = Duration::from_mins(4);

/// Runs a command of windtunnel's, and does this as soon as the command has begun the step; with what that returned.
pub(super) fn during<T>(
    environment: &Environment,
    step: &str,
    run: impl FnOnce() -> Outcome + Send,
    act: impl FnOnce() -> T,
) -> (Outcome, T) {
    let events = events(environment);
    // Those of the command before; there are none before the first.
    if events.exists() {
        std::fs::remove_file(&events).unwrap();
    }
    std::thread::scope(|scope| {
        let run = scope.spawn(run);
        await_step(environment, step);
        let acted = act();
        (run.join().unwrap(), acted)
    })
}

/// Waits until the command that is at work has begun the step.
pub(super) fn await_step(environment: &Environment, step: &str) {
    let begun = format!(r#""step_started","step":"{step}""#);
    until(&format!("the step `{step}`"), PATIENCE, || {
        let told = std::fs::read_to_string(events(environment)).unwrap_or_default();
        if told.contains(&begun) { Ok(()) } else { Err(told) }
    });
}

fn events(environment: &Environment) -> PathBuf {
    environment.state().join("environments").join(&environment.name).join("events.jsonl")
}
