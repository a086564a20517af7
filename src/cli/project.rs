//! `windtunnel config` and `windtunnel profiles`.

use clap::Subcommand;

use super::Settings;

/// What to do with the settings.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print every setting, its value and where it comes from, as `up` with these options would take it.
    Show(Box<Settings>),
    /// Print the JSON schema of windtunnel.yaml, for editors.
    Schema,
}

/// What to do with profiles.
#[derive(Debug, Subcommand)]
pub enum ProfilesCommand {
    /// Print a profile, to be copied and changed.
    Show {
        /// Its name, or a file of your own.
        #[arg(value_name = "PROFILE")]
        profile: String,
    },
}
