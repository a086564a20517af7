//! `windtunnel list`.

use clap::Args;

/// Options of `list`.
#[derive(Args, Debug)]
pub struct ListArgs {
    /// Wait for the engine to measure the disk, however long it takes.
    #[arg(long)]
    pub disk: bool,
}
