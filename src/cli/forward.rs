//! `windtunnel forward`.

use std::net::{IpAddr, Ipv4Addr};

use clap::{Args, Subcommand, ValueEnum};

use crate::cluster::forward::Route;
use crate::cluster::forward::unit::Starter;
use crate::state::ExtraPort;

/// What to do with the forward.
#[derive(Clone, Debug, Eq, PartialEq, Subcommand)]
pub enum ForwardCommand {
    /// Start it in the background.
    Start(PortArgs),
    /// Stop it.
    Stop,
    /// Show whether it lives, where to, and by which route.
    Status,
    /// Run it in the foreground, until Ctrl-C.
    Run(RunArgs),
    /// Print a file that lets systemd or launchd run it whenever you are logged in, and how to install it.
    Unit {
        /// What is to start it [default: that of this system].
        #[arg(long = "for", value_name = "STARTER", value_enum)]
        starter: Option<StarterChoice>,
    },
}

/// Which ports are forwarded.
#[derive(Args, Clone, Debug, Default, Eq, PartialEq)]
pub struct PortArgs {
    /// Forward this port of a component too, on 127.0.0.1: `database:5432`, or `15432:database:5432` where the port is another one
    /// here; may be given again. It is remembered.
    #[arg(long, value_name = "[LOCAL:]COMPONENT:PORT")]
    pub also: Vec<ExtraPort>,
    /// Forward the web interface only, and forget the other ports.
    #[arg(long, conflicts_with = "also")]
    pub only_web: bool,
}

impl PortArgs {
    /// Whether anything was said of ports.
    #[must_use]
    pub const fn is_said(&self) -> bool {
        self.only_web || !self.also.is_empty()
    }
}

/// Options of `forward run`.
#[derive(Args, Clone, Debug, Eq, PartialEq)]
pub struct RunArgs {
    /// Which ports are forwarded.
    #[command(flatten)]
    pub ports: PortArgs,
    /// Listen on this address of this machine too, for the web interface.
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    pub address: IpAddr,
    /// Let other machines in, by an address that they reach.
    #[arg(long)]
    pub expose: bool,
    /// Leave the terminal's session and say on stdout when it listens: what `start` runs.
    #[arg(long, hide = true)]
    pub detached: bool,
    /// Take this route only, for tests and measurements.
    #[arg(long, hide = true, env = "WINDTUNNEL_FORWARD_ROUTE", hide_env = true)]
    pub route: Option<ForwardRoute>,
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

/// What starts programs when somebody logs in.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum StarterChoice {
    /// Linux.
    Systemd,
    /// macOS.
    Launchd,
}

impl From<StarterChoice> for Starter {
    fn from(choice: StarterChoice) -> Self {
        match choice {
            StarterChoice::Systemd => Self::Systemd,
            StarterChoice::Launchd => Self::Launchd,
        }
    }
}
