//! `windtunnel config show`: every setting and where it comes from; `config schema`: the keys of `windtunnel.yaml`, for editors.

use std::path::PathBuf;

use serde::Serialize;
use serde_json::Value;

use super::up::{Resolved, resolve};
use crate::cli::{Origins, Settings};
use crate::error::Failure;
use crate::plan::{Layers, Setting};
use crate::surroundings::{Project, Surroundings};
use crate::ui::Ui;

/// The schema of `windtunnel.yaml`, as generated.
const SCHEMA: &str = include_str!("../../profiles/windtunnel.schema.json");

/// The document of `-o json`.
#[derive(Serialize)]
pub(super) struct Shown {
    /// The `windtunnel.yaml` that counts; null where none does.
    file: Option<PathBuf>,
    /// Every setting.
    settings: Vec<Setting>,
}

/// Prints every setting that `up` with these options would use.
///
/// # Errors
/// The settings contradict each other, or the file or the profile is not valid.
pub fn show(
    settings: &Settings,
    origins: &Origins,
    name: &str,
    ui: &Ui,
    surroundings: &Surroundings,
) -> Result<(), Failure> {
    let shown = shown(settings, origins, name, surroundings)?;
    if ui.is_json() {
        ui.document(&shown);
    } else {
        ui.data(&render(&shown));
    }
    Ok(())
}

/// Every setting that `up` with these options would use.
pub(super) fn shown(
    settings: &Settings,
    origins: &Origins,
    name: &str,
    surroundings: &Surroundings,
) -> Result<Shown, Failure> {
    let Resolved { plan, project, before } = resolve(settings, name, surroundings)?;
    let file = project.as_ref().map(Project::wishes).unwrap_or_default();
    let settings = plan.settings(Layers {
        given: &|key| origins.of(key),
        file: &file,
        in_file: &|key| project.as_ref().map(|project| project.origin(key)),
        before: before.is_some(),
    });
    Ok(Shown { file: project.map(|project| project.path), settings })
}

/// Prints the schema.
pub fn schema(ui: &Ui) {
    ui.data(SCHEMA);
}

fn render(shown: &Shown) -> String {
    let rows: Vec<_> = shown
        .settings
        .iter()
        .map(|setting| (setting.key, in_a_word(&setting.value), setting.origin.to_string()))
        .collect();
    // Only as wide as most need: one long path must not push every origin off the screen.
    let width = rows.iter().map(|(_, value, _)| value.chars().count()).filter(|width| *width <= 40).max().unwrap_or(0);
    let lines = rows.iter().map(|(key, value, origin)| format!("{key:12} {value:width$}  {origin}\n"));
    let file = shown.file.as_ref().map_or_else(|| "none".to_owned(), |file| file.display().to_string());
    lines.collect::<String>() + &format!("\nfile: {file}\n")
}

/// A value as a person writes it.
fn in_a_word(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(list) if list.is_empty() => "-".to_owned(),
        Value::Array(list) => list.iter().map(in_a_word).collect::<Vec<_>>().join(", "),
        // Of what the profile says of Airflow, the version is what people ask for.
        Value::Object(map) => map.get("version").map_or_else(|| value.to_string(), in_a_word),
        other => other.to_string(),
    }
}
