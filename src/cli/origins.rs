//! Parsing, and from which option or variable each value came.

use std::collections::BTreeMap;

use clap::parser::ValueSource;
use clap::{ArgMatches, Command, CommandFactory, FromArgMatches};

use super::{Cli, UpArgs};
use crate::error::Failure;
use crate::plan::Origin;

/// For each option that was given, by its long name: on the command line, or by which variable.
#[derive(Clone, Debug, Default)]
pub struct Origins(BTreeMap<String, Origin>);

impl Origins {
    /// Where the value of this option came from, if it was given.
    #[must_use]
    pub fn of(&self, option: &str) -> Option<Origin> {
        self.0.get(option).cloned()
    }

    fn collect(&mut self, command: &Command, matches: &ArgMatches) {
        for argument in command.get_arguments() {
            let id = argument.get_id().as_str();
            let option = argument.get_long().unwrap_or(id);
            let origin = match matches.value_source(id) {
                Some(ValueSource::CommandLine) => Origin::Flag(format!("--{option}")),
                Some(ValueSource::EnvVariable) => {
                    Origin::Variable(argument.get_env().unwrap_or_default().to_string_lossy().into_owned())
                }
                _ => continue,
            };
            self.0.insert(option.to_owned(), origin);
        }
        if let Some((name, below)) = matches.subcommand()
            && let Some(command) = command.find_subcommand(name)
        {
            self.collect(command, below);
        }
    }
}

/// Reads the command line of this process; help and mistakes end it here.
#[must_use]
pub fn parse() -> (Cli, Origins) {
    let mut command = Cli::command();
    let matches = command.get_matches_mut();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    // Options that every command takes are known to the commands only once it is built.
    command.build();
    let mut origins = Origins::default();
    origins.collect(&command, &matches);
    (cli, origins)
}

/// Ends this process as a command line without a command does where nobody can be asked: with the help.
pub fn help() -> ! {
    let error = Cli::command().arg_required_else_help(true).try_get_matches_from(["windtunnel"]).err();
    error.unwrap_or_else(|| clap::Error::new(clap::error::ErrorKind::MissingSubcommand)).exit()
}

/// The options of an `up` that was composed here, read exactly as if they had been typed: variables count as well.
///
/// # Errors
/// The words are not such a command.
pub fn of_words(words: &[String]) -> Result<UpArgs, Failure> {
    let bug = |why: String| Failure::bug(format!("`{}` is not a command", shell_words::join(words))).evidence(why);
    match Cli::command().try_get_matches_from(words).and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(Cli { command: Some(super::Command::Up(arguments)), .. }) => Ok(*arguments),
        Ok(_) => Err(bug("it is not `up`".to_owned())),
        Err(error) => Err(bug(error.to_string())),
    }
}
