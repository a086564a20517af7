//! The passphrase of a backup: out of a file, of the surroundings, or asked for; never of the command line.

use std::path::Path;

use secrecy::{ExposeSecret, SecretString};

use crate::error::{During, Failure, Kind};
use crate::surroundings::Surroundings;
use crate::ui::Ui;

/// Characters that a new one has at least.
const SHORTEST: usize = 8;

/// The passphrase for a backup that is to be made; asked for twice.
///
/// # Errors
/// Usage: it is too short, or nobody gives one.
pub(super) fn new(file: Option<&Path>, ui: &Ui, surroundings: &Surroundings) -> Result<SecretString, Failure> {
    if let Some(given) = given(file, surroundings)? {
        return long_enough(given);
    }
    let first = long_enough(ask("A passphrase for the backup", ui)?)?;
    let second = ask("The same again", ui)?;
    if first.expose_secret() == second.expose_secret() {
        return Ok(first);
    }
    Err(Failure::usage("the two passphrases are not the same: nothing was written"))
}

/// The passphrase of a backup that is there.
///
/// # Errors
/// Usage: nobody gives one.
pub(super) fn of_backup(file: Option<&Path>, ui: &Ui, surroundings: &Surroundings) -> Result<SecretString, Failure> {
    given(file, surroundings)?.map_or_else(|| ask("The passphrase of the backup", ui), Ok)
}

fn given(file: Option<&Path>, surroundings: &Surroundings) -> Result<Option<SecretString>, Failure> {
    let Some(file) = file else { return Ok(surroundings.passphrase.clone()) };
    let path = surroundings.folder.join(file);
    let text = std::fs::read_to_string(&path)
        .during(Kind::Usage, format!("cannot read the passphrase of {}", path.display()))?;
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() {
        return Err(Failure::usage(format!("the first line of {} is empty, and no passphrase", path.display())));
    }
    Ok(Some(line.into()))
}

fn ask(question: &str, ui: &Ui) -> Result<SecretString, Failure> {
    if !ui.can_ask() {
        return Err(Failure::usage("this needs a passphrase, and there is nobody to ask")
            .hint("to give it: `--passphrase-file FILE`, or the variable WINDTUNNEL_PASSPHRASE"));
    }
    ui.ask_secret(question)
}

fn long_enough(passphrase: SecretString) -> Result<SecretString, Failure> {
    if passphrase.expose_secret().chars().count() >= SHORTEST {
        return Ok(passphrase);
    }
    Err(Failure::usage("the passphrase is too short")
        .evidence("whoever has the file can try as many as they like: four words keep it safe")
        .hint(format!("give one of {SHORTEST} characters or more")))
}
