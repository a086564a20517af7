//! `windtunnel explain`: what a code means, why it happens, and what to do.

use serde_json::json;

use crate::codes::Code;
use crate::error::Failure;
use crate::ui::Ui;

/// Prints the section of one code, or, without one, the list of all.
///
/// # Errors
/// There is no such code.
pub fn explain(words: Option<&str>, ui: &Ui) -> Result<(), Failure> {
    let Some(words) = words else {
        list(ui);
        return Ok(());
    };
    let code = Code::find(words).ok_or_else(|| {
        Failure::usage(format!("there is no code `{words}`")).hint("to see them all: `windtunnel explain`")
    })?;
    if ui.is_json() {
        ui.document(&document(code));
    } else {
        ui.data(&format!("{} {}\n\n{}\n", code.id(), code.name(), code.explanation()));
    }
    Ok(())
}

fn list(ui: &Ui) {
    if ui.is_json() {
        ui.document(&Code::ALL.iter().copied().map(document).collect::<Vec<_>>());
        return;
    }
    let width = Code::ALL.iter().map(|code| code.name().len()).max().unwrap_or(0);
    let lines = Code::ALL.iter().map(|code| {
        let first = code.explanation().lines().next().unwrap_or_default();
        format!("{}  {:width$}  {first}\n", code.id(), code.name())
    });
    ui.data(&lines.collect::<String>());
}

fn document(code: Code) -> serde_json::Value {
    json!({"code": code.id(), "cause": code.name(), "explanation": code.explanation()})
}
