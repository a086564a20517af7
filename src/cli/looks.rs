//! `windtunnel report`, `why` and `logs`: looks into an environment.

use std::path::PathBuf;

use clap::Args;

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
