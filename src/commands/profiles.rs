//! `windtunnel profiles`: the profiles that come with windtunnel, and the text of one.

use serde::Serialize;

use super::up::profile_text;
use crate::cli::ProfilesCommand;
use crate::error::Failure;
use crate::profile::{self, Profile, StackName};
use crate::ui::Ui;

/// One line of the list.
#[derive(Serialize)]
struct Entry {
    name: &'static str,
    stack: StackName,
    airflow: String,
    description: String,
}

/// Lists the profiles, or prints one.
///
/// # Errors
/// There is none of that name; the ones there are, are named. A file of the user's is no profile.
pub fn profiles(command: Option<&ProfilesCommand>, ui: &Ui) -> Result<(), Failure> {
    match command {
        Some(ProfilesCommand::Show { profile }) => show(profile, ui),
        None => list(ui),
    }
}

fn list(ui: &Ui) -> Result<(), Failure> {
    let entries = shipped()?.into_iter().map(|(name, Profile { stack, airflow, description, .. })| Entry {
        name,
        stack,
        airflow: airflow.version.to_string(),
        description,
    });
    let entries: Vec<Entry> = entries.collect();
    if ui.is_json() {
        ui.document(&entries);
        return Ok(());
    }
    let width = entries.iter().map(|entry| entry.name.len()).max().unwrap_or(0);
    let lines = entries.iter().map(|Entry { name, stack, airflow, description }| {
        format!("{name:width$}  {:9}  Airflow {airflow:7}  {description}\n", stack.to_string())
    });
    ui.data(&lines.collect::<String>());
    Ok(())
}

fn show(name: &str, ui: &Ui) -> Result<(), Failure> {
    let text = profile_text(name)?;
    let profile = profile::parse(&text, name)?;
    if ui.is_json() {
        ui.document(&profile);
    } else {
        ui.data(&text);
    }
    Ok(())
}

/// Every shipped profile with its name.
pub(super) fn shipped() -> Result<Vec<(&'static str, Profile)>, Failure> {
    profile::SHIPPED.iter().map(|(name, _)| Ok((*name, profile::shipped(name)?))).collect()
}
