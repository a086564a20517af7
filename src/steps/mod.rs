//! One file for each line that `up` shows, each `ensure`-shaped: look, act only if needed, look again.

pub mod check_web;
pub mod claim;
pub mod create_namespace;
pub mod database;
pub mod find_images;
pub mod forward;
mod helm_words;
pub mod install;
pub mod keep_images;
pub mod load_images;
pub mod manifest_changes;
pub mod node;
pub mod prerequisites;
pub mod refusals;
pub mod remove_release;
mod render;
pub mod repair;
pub mod replace_database;
pub mod roll_back;
pub mod smoke;
pub mod start_cluster;
pub mod stop_cluster;
pub mod unhealthy;
pub mod wait_for_pods;

use crate::cluster::workload::Expected;
use crate::plan::Plan;
use crate::state::EnvironmentPaths;
use crate::surroundings::Surroundings;
use crate::ui::Ui;

/// What every step is given.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The environment as it is to be.
    pub plan: &'a Plan,
    /// The environment's files.
    pub paths: &'a EnvironmentPaths,
    /// The process's surroundings.
    pub surroundings: &'a Surroundings,
    /// The way to the terminal.
    pub ui: &'a Ui,
}

/// The environment for what is said of all of it, whatever its workloads are.
fn whole(plan: &Plan) -> Expected<'_> {
    Expected { environment: &plan.name, namespace: &plan.namespace, workloads: &[] }
}
