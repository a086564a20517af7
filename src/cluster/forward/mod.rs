//! The forward: 127.0.0.1 to one Service, for as long as the environment exists.
//!
//! `observe` watches what the Service leads to, `direct` proves the way straight to the node, `pool` keeps tunnels
//! through the API server open; each `connection` takes the better way that works. [`supervise`] starts, stops and asks
//! the background process, whose inside is [`process`].

mod backends;
mod carry;
mod condition;
mod connection;
#[cfg(test)]
mod connection_tests;
mod direct;
#[cfg(test)]
mod fake_node;
mod frames;
mod objects;
mod observe;
mod pool;
mod port;
pub mod process;
mod spdy;
mod splice;
pub mod supervise;
mod tunnel;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{interval, sleep, timeout};

use crate::stacks;
use crate::state::{EnvironmentPaths, ForwardSettings, Record};
use backends::Backends;
pub use condition::Condition;
use connection::Shared;
use direct::Direct;
use pool::Pool;
pub use port::{port_holder, port_is_free};

/// How long a connection may wait for a pod before it is closed: as long as browsers wait for an answer, about.
const WAIT: Duration = Duration::from_mins(1);
/// How long open connections may go on after the forward was told to stop.
const FAREWELL: Duration = Duration::from_secs(2);
/// How often the count of connections is told, if it changed.
const COUNT: Duration = Duration::from_secs(10);
/// The pause after a connection could not be accepted: most likely no file descriptor is left.
const NOT_ACCEPTED: Duration = Duration::from_millis(200);

/// What is forwarded: one port of one Service.
#[derive(Clone, Debug)]
pub struct Target {
    /// The environment's private kubeconfig. When it is gone, so is the environment.
    pub kubeconfig: PathBuf,
    /// The kubeconfig context.
    pub context: String,
    /// The Service's namespace.
    pub namespace: String,
    /// The Service's name.
    pub service: String,
    /// The Service's port.
    pub service_port: u16,
}

impl Target {
    /// The web Service of an environment.
    #[must_use]
    pub fn new(paths: &EnvironmentPaths, settings: &ForwardSettings) -> Self {
        Self {
            kubeconfig: paths.kubeconfig(),
            context: settings.context.clone(),
            namespace: settings.namespace.clone(),
            service: settings.service.clone(),
            service_port: settings.service_port,
        }
    }
}

/// The settings that an environment wants its forward to have.
#[must_use]
pub fn settings(record: &Record) -> ForwardSettings {
    let (service, service_port) = stacks::service(record.into());
    ForwardSettings {
        port: record.port,
        context: record.context.clone(),
        namespace: record.namespace.clone(),
        service,
        service_port,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

/// One of the two routes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Route {
    /// Through the API server's port-forward.
    ApiServer,
    /// Straight to the node.
    Direct,
}

/// What a running forward tells.
#[derive(Clone, Debug)]
pub enum News {
    /// Something happened: a line for the log.
    Line(String),
    /// The condition changed.
    Condition(Condition),
}

/// Why the forward ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ended {
    /// It was told to.
    Stopped,
    /// The private kubeconfig is gone.
    EnvironmentGone,
}

/// Serves every connection to `listener` until `stop` is done or the environment is gone.
pub async fn serve(
    listener: TcpListener,
    target: Target,
    only: Option<Route>,
    stop: impl Future<Output = ()>,
    mut tell: impl FnMut(News),
) -> Ended {
    let (backends_sender, mut backends) = watch::channel(Backends::default());
    let (direct_sender, mut direct) = watch::channel(Direct::default());
    let shared = Arc::new(Shared {
        pool: Pool::new(target.namespace.clone()),
        target: target.clone(),
        only,
        wait: WAIT,
        backends: backends.clone(),
        direct: direct.clone(),
        direct_failed: Notify::new(),
    });
    let mut background = JoinSet::new();
    keep_routes(&mut background, &shared, direct_sender);
    let mut observing = std::pin::pin!(observe::observe(&target, &backends_sender));
    let mut stop = std::pin::pin!(stop);
    let mut clients = JoinSet::new();
    let mut count = interval(COUNT);
    let (mut now, mut told) = (Condition::default(), Condition::default());
    let ended = loop {
        tokio::select! {
            () = &mut stop => break Ended::Stopped,
            () = &mut observing => break Ended::EnvironmentGone,
            accepted = listener.accept() => match accepted {
                Ok((client, _)) => {
                    now.connections += 1;
                    let shared = Arc::clone(&shared);
                    clients.spawn(async move { connection::serve(client, &shared).await });
                    continue;
                }
                Err(error) => {
                    tell(News::Line(format!("a connection could not be accepted: {error}")));
                    sleep(NOT_ACCEPTED).await;
                }
            },
            Some(served) = clients.join_next() => match served {
                Ok(Err(reason)) => now.last_error = Some(reason),
                _ => continue,
            },
            Ok(()) = backends.changed() => {}
            Ok(()) = direct.changed() => {}
            _ = count.tick() => {}
        }
        now.route = condition::route(&backends.borrow_and_update(), &direct.borrow_and_update(), only);
        now.trouble = condition::trouble(&backends.borrow(), &direct.borrow(), &target.service, only);
        let obstacle = condition::obstacle(&backends.borrow(), &direct.borrow());
        for line in condition::changes(&told, &now, &obstacle) {
            tell(News::Line(line));
        }
        if told != now {
            told.clone_from(&now);
            tell(News::Condition(now.clone()));
        }
    };
    drop(listener);
    // What is left after this is cut off when the set is dropped.
    let _ = timeout(FAREWELL, async { while clients.join_next().await.is_some() {} }).await;
    ended
}

fn keep_routes(background: &mut JoinSet<()>, shared: &Arc<Shared>, sender: watch::Sender<Direct>) {
    if shared.only == Some(Route::ApiServer) {
        sender.send_replace(Direct { address: None, obstacle: Some("not wanted".to_owned()) });
    }
    let keeper = Arc::clone(shared);
    background.spawn(async move {
        if keeper.only == Some(Route::ApiServer) {
            // Held, because the others take a closed channel for the end.
            sender.closed().await;
        } else {
            direct::keep(keeper.backends.clone(), sender, &keeper.direct_failed).await;
        }
    });
    if shared.only != Some(Route::Direct) {
        let keeper = Arc::clone(shared);
        background.spawn(async move { keeper.pool.keep(keeper.backends.clone(), keeper.direct.clone()).await });
    }
}
