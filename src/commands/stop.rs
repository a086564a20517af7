//! `windtunnel stop`: nothing of the environment runs any more, and all of it is kept.

use serde_json::json;

use super::work::Work;
use crate::error::Failure;
use crate::plan::ClusterPlan;
use crate::providers;
use crate::state::Record;
use crate::steps;
use crate::surroundings::Surroundings;
use crate::ui::Ui;
use crate::ui::event::Event;

/// Stops an environment; `windtunnel start` lets it go on.
///
/// # Errors
/// There is no such environment; what is there is somebody else's; a tool, the engine or the API server fail.
pub async fn stop(name: &str, ui: &Ui, surroundings: &Surroundings) -> Result<(), Failure> {
    let paths = surroundings.paths.environment(name);
    let record = Record::require(&paths, name)?;
    let _work = Work::begin(name, &paths, ui).await?;
    steps::forward::stop(&paths, ui).await?;
    steps::stop_cluster::ensure(&record, &paths, surroundings, ui).await?;
    let option = surroundings.name_option(name);
    ui.say(&format!("\nStopped. Database, task logs and settings are kept.   go on: windtunnel start{option}"));
    if record.cluster == ClusterPlan::Kind {
        let node = providers::kind::container_name(name);
        ui.say(&format!("They are in the stopped container {node}, which `docker system prune` would remove."));
    }
    ui.event(&Event::Result { result: json!({"name": name, "stopped": true}) });
    Ok(())
}
