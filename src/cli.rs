//! The command line: types and help texts only.

mod backup;
mod doctor;
mod forward;
mod list;
mod looks;
mod origins;
mod project;
mod settings;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::ui::{Color, Format, Level, Manner};
pub use backup::{BackupArgs, RestoreArgs};
pub use doctor::DoctorArgs;
pub use forward::{ForwardCommand, ForwardRoute, PortArgs, RunArgs, StarterChoice};
pub use list::ListArgs;
pub use looks::{LogsArgs, ReportArgs, WhyArgs};
pub use origins::{Origins, help, of_words, parse};
pub use project::{ConfigCommand, ProfilesCommand};
pub use settings::{ExecutorChoice, ProviderChoice, RuntimeChoice, Settings};

/// A real Airflow on a real local Kubernetes with one command, and away again with one.
#[derive(Debug, Parser)]
#[command(name = "windtunnel", version, max_term_width = 100, propagate_version = true)]
#[command(after_help = "Start here:  windtunnel up      then open http://127.0.0.1:7070\n\
                        Remove all:  windtunnel down")]
pub struct Cli {
    /// Options that every command takes.
    #[command(flatten)]
    pub global: Global,
    /// What to do; nothing named means the wizard.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Options that every command takes.
#[derive(Args, Debug)]
#[command(next_help_heading = "Global options")]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own on the command line")]
pub struct Global {
    /// The environment to work on [default: the one of windtunnel.yaml, or airflow-cluster].
    #[arg(long, global = true, value_name = "NAME", env = "WINDTUNNEL_NAME")]
    pub name: Option<String>,
    /// How results are written.
    #[arg(short, long, global = true, value_name = "FORMAT", value_enum, default_value_t)]
    pub output: Output,
    /// Print results and errors only.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Also print every command that is run, and its output.
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// Answer every question with yes.
    #[arg(short = 'y', long, global = true)]
    pub yes: bool,
    /// Never ask; a question that would be needed is an error.
    #[arg(long, global = true, env = "WINDTUNNEL_NO_INPUT", value_parser = clap::builder::FalseyValueParser::new())]
    pub no_input: bool,
    /// When to use colour.
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t)]
    pub color: When,
    /// Plain lines: nothing moves or is redrawn, questions are numbered and answered by typing.
    #[arg(long, global = true, env = "WINDTUNNEL_PLAIN", value_parser = clap::builder::FalseyValueParser::new())]
    pub plain: bool,
}

impl Global {
    /// How the user wants to be talked to. `ci` is whether `CI` is set.
    #[must_use]
    pub const fn manner(&self, ci: bool) -> Manner {
        Manner {
            format: match self.output {
                Output::Json => Format::Json,
                Output::Text => Format::Text,
            },
            level: match (self.quiet, self.verbose) {
                (true, _) => Level::Quiet,
                (_, true) => Level::Verbose,
                _ => Level::Normal,
            },
            color: match self.color {
                When::Always => Color::Always,
                When::Auto => Color::Auto,
                When::Never => Color::Never,
            },
            yes: self.yes,
            no_input: self.no_input,
            still: ci,
            plain: self.plain,
        }
    }
}

/// How results are written.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum Output {
    /// JSON: one event a line for what changes something, one document for the others.
    Json,
    /// Lines for a person.
    #[default]
    Text,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum When {
    /// Even into a file.
    Always,
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Not at all.
    Never,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make the environment be there: cluster, Airflow, web interface. Run it again at any time.
    Up(Box<UpArgs>),
    /// Show what is there and whether all of it is healthy. The exit code says it too.
    Status,
    /// Show every environment: how it is, what it runs, how old it is, and the disk it takes.
    List(ListArgs),
    /// Look at everything that `up` needs, and say what is wrong, why it matters, and how to repair it.
    Doctor(Box<DoctorArgs>),
    /// Stop the environment and keep all of it: DAG history, connections, variables, logs.
    Stop,
    /// Let an environment that was stopped run again as it was.
    Start,
    /// Go back to a known state: says what goes and what stays, asks, and brings the environment up again.
    Reset(Box<ResetArgs>),
    /// Remove everything that windtunnel made, and nothing else.
    Down(DownArgs),
    /// Write the metadata database and the keys that it needs into one encrypted file.
    Backup(BackupArgs),
    /// Replace the metadata database and its keys by those of a backup.
    Restore(RestoreArgs),
    /// Prove that it works: run a small DAG on KubernetesExecutor and read its task log back.
    Smoke,
    /// Say why a DAG or a task is not done: what Airflow and Kubernetes know of it together.
    Why(WhyArgs),
    /// Open the web interface in the browser.
    Open,
    /// Print the web address, user and password.
    Credentials,
    /// Print the path of this environment's own kubeconfig.
    Kubeconfig,
    /// Print the log of a part of the environment.
    Logs(LogsArgs),
    /// The connection from 127.0.0.1 to the web interface.
    #[command(subcommand)]
    Forward(ForwardCommand),
    /// Write one archive for a bug report: settings, versions, states, events and logs, without secrets.
    Report(ReportArgs),
    /// Write a windtunnel.yaml with every setting and what it is for into this folder.
    Init,
    /// The settings of the environment, and where each comes from.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// List the profiles that come with windtunnel.
    Profiles {
        /// What to do with one of them.
        #[command(subcommand)]
        command: Option<ProfilesCommand>,
    },
    /// Print what a code such as WT301 means, why it happens, and what to do; without one, list them all.
    Explain {
        /// The code's number or its name.
        code: Option<String>,
    },
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// Options of `up`.
#[derive(Args, Debug, Default)]
pub struct UpArgs {
    /// What the environment is to be.
    #[command(flatten)]
    pub settings: Settings,
    /// Print what would be done, and do nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Leave an upgrade that fails as it is, to look at it; without this, what ran before is brought back.
    #[arg(long)]
    pub no_rollback: bool,
    /// Afterwards prove that it works, as `windtunnel smoke` does.
    #[arg(long)]
    pub smoke: bool,
}

/// Options of `down`.
#[derive(Args, Debug)]
pub struct DownArgs {
    /// Print what would be removed, and remove nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Keep the images of the node that windtunnel made, in a node image of which the next `up` makes its node.
    #[arg(long)]
    pub keep_images: bool,
}

/// Options of `reset`.
#[derive(Args, Debug)]
pub struct ResetArgs {
    /// How much goes; without it, it is asked for.
    #[arg(value_enum)]
    pub extent: Option<ResetExtent>,
    /// Print what would go and what would stay, and change nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// What the environment is to be afterwards; what is not said stays as it was.
    #[command(flatten)]
    pub settings: Settings,
}

/// How much of an environment goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum ResetExtent {
    /// Airflow is installed anew; database, task logs and keys stay.
    Release,
    /// Also a fresh database, no task logs, new keys; the cluster and its images stay.
    Data,
    /// Also a fresh cluster.
    All,
}

/// The completion script of a shell.
#[must_use]
pub fn completions(shell: clap_complete::Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut <Cli as clap::CommandFactory>::command(), "windtunnel", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
