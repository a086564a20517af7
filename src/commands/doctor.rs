//! `windtunnel doctor`: every prerequisite in one report, each finding with its fix, and `--fix` to do what can be done safely.

use serde_json::{Value, json};

use super::up::resolve;
use crate::cli::{DoctorArgs, Settings};
use crate::error::{Failure, Kind};
use crate::steps::prerequisites::{self, Check, Finding, Severity};
use crate::steps::{Context, repair};
use crate::surroundings::Surroundings;
use crate::ui::Ui;

/// Looks at everything and prints it.
///
/// # Errors
/// Prerequisite, where anything would keep `up` from going on; the report has been printed then. Usage, where what was asked for is wrong.
pub async fn doctor(arguments: &DoctorArgs, name: &str, ui: &Ui, surroundings: &Surroundings) -> Result<(), Failure> {
    let plan = resolve(&arguments.settings, name, surroundings)?.plan;
    let paths = surroundings.paths.environment(&plan.name);
    let context = Context { plan: &plan, paths: &paths, surroundings, ui };
    let mut checks = prerequisites::examine(context).await?;
    if arguments.fix && fix(&checks, arguments.tools_mirror.as_deref(), context).await? {
        checks = prerequisites::examine(context).await?;
    }
    let errors = count(&checks, Severity::Error);
    if ui.is_json() {
        ui.document(&document(&plan.name, &checks));
    } else {
        ui.data(&render(&checks));
    }
    if errors == 0 {
        return Ok(());
    }
    let message = if errors == 1 { "1 check failed".to_owned() } else { format!("{errors} checks failed") };
    let failure = Failure::new(Kind::Prerequisite, message);
    let can_fix = findings(&checks).any(|finding| finding.repair.is_some() && finding.severity == Severity::Error);
    Err(if can_fix && !arguments.fix {
        failure.hint("to have done what can be done safely: `windtunnel doctor --fix`")
    } else {
        failure
    })
}

/// What `-o json` prints for the settings that the environment has, for a report.
pub(super) async fn examined(name: &str, ui: &Ui, surroundings: &Surroundings) -> Result<Value, Failure> {
    let plan = resolve(&Settings::default(), name, surroundings)?.plan;
    let paths = surroundings.paths.environment(&plan.name);
    let checks = prerequisites::examine(Context { plan: &plan, paths: &paths, surroundings, ui }).await?;
    Ok(document(&plan.name, &checks))
}

fn document(name: &str, checks: &[Check]) -> Value {
    let errors = count(checks, Severity::Error);
    json!({
        "name": name,
        "healthy": errors == 0,
        "errors": errors,
        "warnings": count(checks, Severity::Warning),
        "checks": checks,
    })
}

/// Does what can be done, after a yes for each. Says whether anything was done.
async fn fix(checks: &[Check], mirror: Option<&str>, context: Context<'_>) -> Result<bool, Failure> {
    let ui = context.ui;
    let mut done = false;
    for finding in findings(checks) {
        let Some(wanted) = &finding.repair else { continue };
        ui.say(&format!(
            "{}{}\n  {}",
            finding.number("", " "),
            finding.what,
            repair::describe(wanted, mirror, context)?
        ));
        if ui.agrees("Do this?")? {
            repair::repair(wanted, mirror, context).await?;
            done = true;
        }
    }
    if !done {
        ui.say("Nothing was changed.");
    }
    Ok(done)
}

fn findings(checks: &[Check]) -> impl Iterator<Item = &Finding> {
    checks.iter().flat_map(|check| &check.findings)
}

fn count(checks: &[Check], severity: Severity) -> usize {
    findings(checks).filter(|finding| finding.severity == severity).count()
}

/// A line for each check, then each finding in full.
fn render(checks: &[Check]) -> String {
    let width = checks.iter().map(|check| check.check.len()).max().unwrap_or(0);
    let mut lines = Vec::new();
    for check in checks {
        let line = |mark: &str, detail: &str| format!("  {mark} {:width$}  {detail}", check.check);
        if check.findings.is_empty() {
            lines.push(line(if check.skipped { "-" } else { "✓" }, &check.detail));
        }
        for finding in &check.findings {
            let mark = if finding.severity == Severity::Error { "✗" } else { "!" };
            lines.push(line(mark, &format!("{}{}", finding.what, finding.number(" (", ")"))));
        }
    }
    for finding in findings(checks) {
        let severity = if finding.severity == Severity::Error { "error" } else { "warning" };
        lines.push(format!("\n{severity}{}: {}", finding.number("[", "]"), finding.what));
        let words = |title: &str, text: &str| format!("  {title:7} {}", text.trim_end());
        lines.extend(finding.found.iter().map(|line| words("found", line)));
        lines.extend(Some(&finding.needed).filter(|text| !text.is_empty()).map(|text| words("needed", text)));
        lines.extend(Some(&finding.why).filter(|text| !text.is_empty()).map(|text| words("why", text)));
        lines.extend(finding.fixes.iter().map(|fix| words("fix", fix)));
    }
    let plural = |number: usize, word: &str| format!("{number} {word}{}", if number == 1 { "" } else { "s" });
    let (errors, warnings) = (count(checks, Severity::Error), count(checks, Severity::Warning));
    let passed = checks.iter().filter(|check| check.findings.is_empty() && !check.skipped).count();
    let skipped = checks.iter().filter(|check| check.skipped).count();
    let (errors, warnings) = (plural(errors, "error"), plural(warnings, "warning"));
    lines.push(format!("\n{errors}, {warnings}, {} passed, {skipped} not made", plural(passed, "check")));
    lines.push(String::new());
    lines.join("\n")
}
