//! One question on a terminal that can move its cursor. Esc is no answer.

use console::{Key, Term, truncate_str};
use dialoguer::theme::ColorfulTheme;
use dialoguer::{Confirm, Select};
use secrecy::SecretString;

use crate::error::{Failure, Kind};

/// What the theme puts before an item.
const MARK_WIDTH: usize = 3;

/// Asks for yes or no.
pub(super) fn confirm(question: &str, default: bool) -> Result<Option<bool>, Failure> {
    let theme = ColorfulTheme::default();
    Confirm::with_theme(&theme)
        .with_prompt(question)
        .default(default)
        .interact_opt()
        .map_err(|error| unanswered(&error))
}

/// Asks for one of several lines; without a default, the user has to go to one.
pub(super) fn select(question: &str, items: &[String], default: Option<usize>) -> Result<Option<usize>, Failure> {
    let theme = ColorfulTheme::default();
    // A line that wraps would be drawn over itself.
    let width = usize::from(Term::stderr().size().1).saturating_sub(MARK_WIDTH);
    let items: Vec<_> = items.iter().map(|item| truncate_str(item, width, "...").into_owned()).collect();
    let select = Select::with_theme(&theme).with_prompt(question).items(&items).report(false);
    let select = default.map_or_else(|| select.clone(), |default| select.clone().default(default));
    select.interact_opt().map_err(|error| unanswered(&error))
}

/// Asks for a line of text; what Enter alone takes is shown as if it had been typed.
pub(super) fn line(prompt: &str, default: &str) -> Result<Option<String>, Failure> {
    let terminal = Term::stderr();
    read_line(&terminal, prompt, default, true).map_err(|error| unanswered(&error))
}

/// Asks for a line of text that nobody else is to see.
pub(super) fn secret(prompt: &str) -> Result<Option<SecretString>, Failure> {
    let answer = read_line(&Term::stderr(), prompt, "", false).map_err(|error| unanswered(&error))?;
    Ok(answer.map(Into::into))
}

fn read_line(terminal: &Term, prompt: &str, default: &str, is_shown: bool) -> std::io::Result<Option<String>> {
    terminal.write_str(prompt)?;
    let mut text = String::new();
    loop {
        match terminal.read_key()? {
            Key::Enter => {
                terminal.write_line(if text.is_empty() { default } else { "" })?;
                return Ok(Some(text));
            }
            Key::Escape => {
                terminal.write_line("")?;
                return Ok(None);
            }
            Key::Backspace => {
                if let Some(gone) = text.pop().filter(|_| is_shown) {
                    terminal.clear_chars(console::measure_text_width(&gone.to_string()))?;
                }
            }
            Key::Char(sign) if !sign.is_control() => {
                text.push(sign);
                if is_shown {
                    terminal.write_str(&sign.to_string())?;
                }
            }
            _ => {}
        }
    }
}

/// A Ctrl-C comes as an error too, and needs no other word than that nothing came of it.
fn unanswered(error: &dyn std::error::Error) -> Failure {
    let failure = Failure::new(Kind::Interrupted, "left without an answer: nothing was changed");
    let why = error.to_string();
    if why.contains("interrupted") { failure } else { failure.evidence(why) }
}
