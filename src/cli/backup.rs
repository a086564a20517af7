//! `windtunnel backup` and `windtunnel restore`.

use std::path::PathBuf;

use clap::Args;

/// Options of `backup`.
#[derive(Args, Debug)]
pub struct BackupArgs {
    /// The file to write.
    pub file: PathBuf,
    /// Take the passphrase from the first line of this file [default: `WINDTUNNEL_PASSPHRASE`, or ask].
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
    /// Replace the file if it is there.
    #[arg(long)]
    pub force: bool,
}

/// Options of `restore`.
#[derive(Args, Debug)]
pub struct RestoreArgs {
    /// The file that `backup` wrote.
    pub file: PathBuf,
    /// Take the passphrase from the first line of this file [default: `WINDTUNNEL_PASSPHRASE`, or ask].
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
}
