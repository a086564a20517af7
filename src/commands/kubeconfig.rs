//! `windtunnel kubeconfig`: the path of the environment's own kubeconfig, for kubectl and friends.

use serde_json::json;

use crate::error::{Failure, Kind};
use crate::state::Record;
use crate::surroundings::Surroundings;
use crate::ui::Ui;

/// Prints the path, alone on stdout.
///
/// # Errors
/// There is no such environment, or it has no cluster yet.
pub fn kubeconfig(name: &str, ui: &Ui, surroundings: &Surroundings) -> Result<(), Failure> {
    let paths = surroundings.paths.environment(name);
    let record = Record::require(&paths, name)?;
    let path = paths.kubeconfig();
    if !path.exists() {
        return Err(Failure::new(Kind::NoEnvironment, format!("the environment `{name}` has no cluster yet"))
            .hint("to go on: `windtunnel up`"));
    }
    if ui.is_json() {
        ui.document(&json!({"kubeconfig": path, "context": record.context}));
    } else {
        ui.data(&format!("{}\n", path.display()));
    }
    Ok(())
}
