//! The command line: types and help texts only.

mod doctor;
mod forward;
mod origins;
mod project;

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::plan::{ContainerRuntime, Provider, Wishes};
use crate::profile::Executor;
use crate::ui::{Color, Format, Level, Manner};
pub use doctor::DoctorArgs;
pub use forward::{ForwardCommand, ForwardRoute, PortArgs, RunArgs, StarterChoice};
pub use origins::{Origins, help, of_words, parse};
pub use project::{ConfigCommand, ProfilesCommand};

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
    /// JSON: one event a line for `up`, `down` and `smoke`, one document for the others.
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
    /// Look at everything that `up` needs, and say what is wrong, why it matters, and how to repair it.
    Doctor(Box<DoctorArgs>),
    /// Remove everything that windtunnel made, and nothing else.
    Down(DownArgs),
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
    /// Afterwards prove that it works, as `windtunnel smoke` does.
    #[arg(long)]
    pub smoke: bool,
}

/// What an environment is to be: each but the consents is a key of windtunnel.yaml too.
#[derive(Args, Debug, Default)]
pub struct Settings {
    /// What provides the cluster [default: kind, or the one used before].
    #[arg(long, value_name = "PROVIDER", env = "WINDTUNNEL_PROVIDER", value_enum)]
    pub provider: Option<ProviderChoice>,
    /// The processors of a new minikube profile [default: all that its driver has].
    #[arg(long, value_name = "NUMBER", env = "WINDTUNNEL_CPUS")]
    pub cpus: Option<NonZeroU32>,
    /// The memory of a new minikube profile: `6g`, `6144m` [default: all that its driver has].
    #[arg(long, value_name = "SIZE", env = "WINDTUNNEL_MEMORY")]
    pub memory: Option<String>,
    /// The driver of a new minikube profile [default: docker].
    #[arg(long, value_name = "DRIVER", env = "WINDTUNNEL_DRIVER")]
    pub driver: Option<String>,
    /// What runs the containers of a new minikube profile [default: containerd].
    #[arg(long, value_name = "RUNTIME", env = "WINDTUNNEL_CONTAINER_RUNTIME", value_enum)]
    pub container_runtime: Option<RuntimeChoice>,
    /// The kubeconfig context of a cluster that exists; none is ever guessed.
    #[arg(long, value_name = "NAME", env = "WINDTUNNEL_CONTEXT")]
    pub context: Option<String>,
    /// The kubeconfig that names the context [default: $KUBECONFIG, or ~/.kube/config].
    #[arg(long, value_name = "FILE", env = "WINDTUNNEL_KUBECONFIG")]
    pub kubeconfig: Option<PathBuf>,
    /// Use a cluster that exists even if it does not look like one of this machine.
    #[arg(long)]
    pub allow_remote: bool,
    /// The local port of the web interface, on 127.0.0.1 [default: 7070, or the port used before].
    #[arg(long, value_name = "PORT", env = "WINDTUNNEL_PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Option<u16>,
    /// The folder with your DAGs, seen live by Airflow [default: ./dags, or the folder used before].
    #[arg(long, value_name = "FOLDER", env = "WINDTUNNEL_DAGS")]
    pub dags: Option<PathBuf>,
    /// The PersistentVolumeClaim with your DAGs, on a cluster that exists, which sees no folder of this machine.
    #[arg(long, value_name = "NAME", env = "WINDTUNNEL_DAGS_CLAIM")]
    pub dags_claim: Option<String>,
    /// A shipped profile's name, or a file of your own [default: lite, or the one used before].
    #[arg(long, value_name = "NAME|FILE", env = "WINDTUNNEL_PROFILE")]
    pub profile: Option<String>,
    /// Take images and tools from this bundle, and nothing from any registry.
    #[arg(long, value_name = "FOLDER", env = "WINDTUNNEL_BUNDLE")]
    pub bundle: Option<PathBuf>,
    /// What runs the tasks [default: kubernetes, or the one used before].
    #[arg(long, value_name = "EXECUTOR", env = "WINDTUNNEL_EXECUTOR", value_enum)]
    pub executor: Option<ExecutorChoice>,
    /// A values file for Helm, which wins over the profile; may be given again.
    #[arg(long, value_name = "FILE")]
    pub values: Vec<PathBuf>,
    /// A single value for Helm, which wins over the files; may be given again.
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// The namespace of the release [default: the environment's name].
    #[arg(long, value_name = "NAME", env = "WINDTUNNEL_NAMESPACE")]
    pub namespace: Option<String>,
    /// Use the namespace even if somebody else made it and it holds something.
    #[arg(long)]
    pub adopt_namespace: bool,
    /// Give up when nothing has moved for this many seconds, and when Airflow does not call itself healthy within them.
    #[arg(long, value_name = "SECONDS", env = "WINDTUNNEL_TIMEOUT", value_parser = clap::value_parser!(u64).range(1..))]
    pub timeout: Option<u64>,
}

impl Settings {
    /// What was asked for, free of the command line.
    #[must_use]
    pub fn wishes(&self, name: &str) -> Wishes {
        Wishes {
            name: Some(name.to_owned()),
            provider: self.provider.map(Provider::from),
            driver: self.driver.clone(),
            container_runtime: self.container_runtime.map(ContainerRuntime::from),
            cpus: self.cpus,
            memory: self.memory.clone(),
            context: self.context.clone(),
            kubeconfig: self.kubeconfig.clone(),
            allow_remote: self.allow_remote,
            executor: self.executor.map(Executor::from),
            values: self.values.clone(),
            set: self.set.clone(),
            namespace: self.namespace.clone(),
            port: self.port,
            dags: self.dags.clone(),
            dags_claim: self.dags_claim.clone(),
            profile: self.profile.clone(),
            bundle: self.bundle.clone(),
            adopt_namespace: self.adopt_namespace,
            timeout: self.timeout.map(Duration::from_secs),
        }
    }
}

/// What provides a cluster.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum ProviderChoice {
    /// A cluster of one kind node, in Docker.
    Kind,
    /// A minikube profile.
    Minikube,
    /// A cluster that is there already: name it by --context.
    Existing,
}

impl From<ProviderChoice> for Provider {
    fn from(choice: ProviderChoice) -> Self {
        match choice {
            ProviderChoice::Kind => Self::Kind,
            ProviderChoice::Minikube => Self::Minikube,
            ProviderChoice::Existing => Self::Existing,
        }
    }
}

/// What runs the tasks.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum ExecutorChoice {
    /// A pod for each task.
    Kubernetes,
    /// Processes beside the scheduler.
    Local,
    /// Workers that stay, behind a Redis.
    Celery,
}

impl From<ExecutorChoice> for Executor {
    fn from(choice: ExecutorChoice) -> Self {
        match choice {
            ExecutorChoice::Kubernetes => Self::Kubernetes,
            ExecutorChoice::Local => Self::Local,
            ExecutorChoice::Celery => Self::Celery,
        }
    }
}

/// `--container-runtime`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum RuntimeChoice {
    /// As in kind's nodes.
    Containerd,
    /// A Docker Engine of the node's own.
    Docker,
}

impl From<RuntimeChoice> for ContainerRuntime {
    fn from(choice: RuntimeChoice) -> Self {
        match choice {
            RuntimeChoice::Containerd => Self::Containerd,
            RuntimeChoice::Docker => Self::Docker,
        }
    }
}

/// Options of `down`.
#[derive(Args, Debug)]
pub struct DownArgs {
    /// Print what would be removed, and remove nothing.
    #[arg(long)]
    pub dry_run: bool,
}

/// Options of `report`.
#[derive(Args, Debug)]
pub struct ReportArgs {
    /// Where to write it [default: windtunnel-report-NAME-TIME.tar.gz in this folder].
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
}

/// Options of `why`.
#[derive(Args, Debug)]
pub struct WhyArgs {
    /// The DAG.
    pub dag: String,
    /// One of its tasks [default: the one that the run waits for or failed at].
    pub task: Option<String>,
    /// The run [default: the newest one].
    #[arg(long, value_name = "RUN")]
    pub run: Option<String>,
}

/// Options of `logs`.
#[derive(Args, Debug)]
pub struct LogsArgs {
    /// `migrate`, `api-server`, `scheduler`, `dag-processor`, `triggerer`, `database` or `forward`.
    #[arg(value_name = "COMPONENT", default_value = "scheduler", conflicts_with = "task")]
    pub component: String,
    /// Go on printing as lines come.
    #[arg(short, long, conflicts_with = "task")]
    pub follow: bool,
    /// How many lines from the end.
    #[arg(long, value_name = "LINES", default_value_t = 200)]
    pub tail: u32,
    /// The log of one task instead: `DAG/RUN/TASK`.
    #[arg(long, value_name = "DAG/RUN/TASK")]
    pub task: Option<String>,
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
