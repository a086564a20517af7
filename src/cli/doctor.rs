//! `windtunnel doctor`.

use clap::Args;

use super::Settings;

/// Options of `doctor`.
#[derive(Args, Debug, Default)]
pub struct DoctorArgs {
    /// What the environment is to be.
    #[command(flatten)]
    pub settings: Settings,
    /// Repair what can be repaired safely: each command is shown first, and asked for.
    #[arg(long)]
    pub fix: bool,
    /// A folder on a web server with the files of kind, Helm and minikube, instead of their makers'.
    #[arg(long, value_name = "URL", env = "WINDTUNNEL_TOOLS_MIRROR")]
    pub tools_mirror: Option<String>,
}
