//! `windtunnel forward`.

use clap::{Subcommand, ValueEnum};

use crate::cluster::forward::Route;

/// What to do with the forward.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Subcommand)]
pub enum ForwardCommand {
    /// Start it in the background.
    Start,
    /// Stop it.
    Stop,
    /// Show whether it lives, where to, and by which route.
    Status,
    /// Run it in the foreground, until Ctrl-C.
    Run {
        /// Leave the terminal's session and say on stdout when it listens: what `start` runs.
        #[arg(long, hide = true)]
        detached: bool,
        /// Take this route only, for tests and measurements.
        #[arg(long, hide = true, env = "WINDTUNNEL_FORWARD_ROUTE", hide_env = true)]
        route: Option<ForwardRoute>,
    },
}

/// A route of the forward.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum ForwardRoute {
    /// Through the API server.
    Api,
    /// Straight to the node.
    Direct,
}

impl From<ForwardRoute> for Route {
    fn from(route: ForwardRoute) -> Self {
        match route {
            ForwardRoute::Api => Self::ApiServer,
            ForwardRoute::Direct => Self::Direct,
        }
    }
}
