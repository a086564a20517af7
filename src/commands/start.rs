//! `windtunnel start`: an environment that was stopped, by whatever, runs again as it was.

use super::{bring_up, up};
use crate::error::Failure;
use crate::state::Record;
use crate::surroundings::Surroundings;
use crate::ui::Ui;

/// Lets an environment run again with what it was brought up with last, whatever windtunnel.yaml says now.
///
/// # Errors
/// There is no such environment; else as [`up::up`].
pub async fn start(name: &str, ui: &Ui, surroundings: &Surroundings) -> Result<(), Failure> {
    Record::require(&surroundings.paths.environment(name), name)?;
    bring_up::bring_up(up::as_before(name, ui, surroundings)?, None, ui, surroundings).await.map(drop)
}
