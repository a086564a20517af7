//! `windtunnel start`: an environment that was stopped, by whatever, runs again as it was.

use super::{bring_up, up};
use crate::error::{Failure, Kind};
use crate::providers::{self, Found};
use crate::state::Record;
use crate::surroundings::Surroundings;
use crate::ui::Ui;

/// Lets an environment run again with what it was brought up with last, whatever windtunnel.yaml says now.
///
/// # Errors
/// There is no such environment, or its cluster is gone; else as [`up::up`].
pub async fn start(name: &str, ui: &Ui, surroundings: &Surroundings) -> Result<(), Failure> {
    let paths = surroundings.paths.environment(name);
    let record = Record::require(&paths, name)?;
    // What keeps it from being looked at is told by the prerequisites.
    if let Ok(Some(Found::Absent)) = providers::find(&record, &paths, surroundings, ui).await {
        return Err(Failure::new(Kind::Cluster, format!("the cluster of `{name}` is gone: nothing of it can start"))
            .hint("to make a new one, with an empty database: `windtunnel up`"));
    }
    bring_up::bring_up(up::as_before(name, ui, surroundings)?, None, ui, surroundings).await.map(drop)
}
