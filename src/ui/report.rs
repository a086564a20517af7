//! A failure as text: what happened, the evidence, what to do next.

use console::Style;

use super::Ui;
use crate::error::Failure;

/// The lines that end a failed run.
pub(super) fn render(failure: &Failure, ui: &Ui) -> String {
    let red = ui.style(Style::new().red().bold());
    let cyan = ui.style(Style::new().cyan());
    let label = failure.code.map_or_else(|| "error:".to_owned(), |code| format!("error[{}]:", code.id()));
    let mut lines = vec![String::new(), format!("{} {}", red.apply_to(label), failure.message)];
    lines.extend(failure.evidence.iter().map(|line| format!("  {}", line.trim_end().replace('\n', "\n  "))));
    if !failure.hints.is_empty() {
        lines.push(String::new());
    }
    lines.extend(failure.hints.iter().map(|hint| format!("{} {hint}", cyan.apply_to("hint:"))));
    lines.join("\n")
}
