//! Questions on the terminal.

use dialoguer::Confirm;
use dialoguer::theme::ColorfulTheme;

use crate::error::{Failure, Kind};

/// Asks for a yes; Enter alone means no, Esc as well.
pub(super) fn confirm(question: &str) -> Result<bool, Failure> {
    let answer = Confirm::with_theme(&ColorfulTheme::default()).with_prompt(question).default(false).interact_opt();
    match answer {
        Ok(answer) => Ok(answer.unwrap_or(false)),
        Err(error) => Err(Failure::new(Kind::Interrupted, "the question was not answered").evidence(error.to_string())),
    }
}
