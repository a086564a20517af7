//! The forward: 127.0.0.1 to the web interface's Service, for as long as the environment exists, and on wish to others.
//!
//! `observe` watches what the Service leads to, `direct` proves the way straight to the node, `pool` keeps tunnels
//! through the API server open; each `connection` takes the better way that works. [`supervise`] starts, stops and asks
//! the background process, whose inside is [`process`]; [`mod@unit`] lets systemd or launchd start it.
//!
//! # Bounds
//!
//! At most [`ROOM`] connections are open at a time; one more is closed at once, with a line in the log. A client takes no stream into a
//! pod before its first word, and is closed if that does not come within a minute; one whose pod has said nothing within ten minutes
//! of that is closed too, so that a client that sends a byte at a time holds its stream no longer. What has begun to talk may then be
//! silent for as long as it likes: websockets, long polls and sessions of a database are. A peer that is gone without a word is noticed
//! by TCP's keep-alive within 35 seconds. Nothing is read that cannot be handed on, so that a client that never reads
//! costs no memory here. Every time here is that of the machine's monotonic clock: setting the wall clock changes nothing.

mod backends;
#[cfg(test)]
mod bounds_tests;
#[cfg(target_os = "linux")]
mod bulk;
mod carry;
mod condition;
mod connection;
#[cfg(test)]
mod connection_tests;
mod direct;
#[cfg(test)]
mod fake_node;
mod frames;
mod log;
mod objects;
mod observe;
mod pool;
mod port;
pub mod process;
mod socket;
mod spdy;
mod splice;
pub mod supervise;
mod tunnel;
pub mod unit;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{interval, sleep, timeout};

use crate::error::Failure;
use crate::stacks;
use crate::state::{EnvironmentPaths, ForwardCondition, ForwardSettings, ForwardedPort, Record};
use backends::Backends;
use connection::{LIMITS, Shared};
use direct::Direct;
use pool::Pool;
pub use port::{port_holder, port_is_free};

/// How many connections may be open at a time, over all ports. Each takes two file descriptors.
pub const ROOM: usize = 1000;
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
    /// The web Service of an environment, then those of the ports that are forwarded beside it.
    #[must_use]
    pub fn all(paths: &EnvironmentPaths, settings: &ForwardSettings) -> Vec<Self> {
        let web = (settings.service.clone(), settings.service_port);
        let also = settings.also.iter().map(|forwarded| (forwarded.service.clone(), forwarded.service_port));
        let target = |(service, service_port)| Self {
            kubeconfig: paths.kubeconfig(),
            context: settings.context.clone(),
            namespace: settings.namespace.clone(),
            service,
            service_port,
        };
        std::iter::once(web).chain(also).map(target).collect()
    }
}

/// The settings that an environment wants its forward to have.
///
/// # Errors
/// A port is of a component that the environment does not have, or is wanted twice.
pub fn settings(record: &Record) -> Result<ForwardSettings, Failure> {
    let (service, service_port) = stacks::service(record.into());
    let mut taken = vec![record.port];
    let mut also = Vec::new();
    for wanted in &record.also {
        let served = stacks::served(record.into(), &wanted.component, wanted.port)?;
        if taken.contains(&wanted.local) {
            return Err(Failure::usage(format!("port {} cannot lead to two things", wanted.local)).hint(format!(
                "to choose another one: `windtunnel forward start --also PORT:{}:{}`",
                wanted.component, wanted.port
            )));
        }
        taken.push(wanted.local);
        also.push(ForwardedPort {
            component: wanted.component.clone(),
            port: wanted.local,
            service: served.service,
            service_port: served.port,
        });
    }
    Ok(ForwardSettings {
        port: record.port,
        context: record.context.clone(),
        namespace: record.namespace.clone(),
        service,
        service_port,
        also,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    })
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
    Condition(ForwardCondition),
}

/// Why the forward ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ended {
    /// It was told to.
    Stopped,
    /// The private kubeconfig is gone.
    EnvironmentGone,
}

/// Where clients come in, and where they are led.
#[derive(Debug)]
pub struct Entry {
    /// Where clients come in.
    pub listeners: Vec<TcpListener>,
    /// Where they are led.
    pub target: Target,
}

/// Serves every connection until `stop` is done or the environment is gone. `room` has a permit for each that may be open.
pub async fn serve(
    entry: Entry,
    only: Option<Route>,
    room: Arc<Semaphore>,
    stop: impl Future<Output = ()>,
    mut tell: impl FnMut(News),
) -> Ended {
    let Entry { listeners, target } = entry;
    let (backends_sender, mut backends) = watch::channel(Backends::default());
    let (direct_sender, mut direct) = watch::channel(Direct::default());
    let shared = Arc::new(Shared {
        pool: Pool::new(target.namespace.clone()),
        target: target.clone(),
        only,
        limits: LIMITS,
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
    let (mut now, mut told) = (ForwardCondition::default(), ForwardCondition::default());
    let mut full = false;
    let ended = loop {
        tokio::select! {
            () = &mut stop => break Ended::Stopped,
            () = &mut observing => break Ended::EnvironmentGone,
            accepted = socket::accept(&listeners) => match accepted {
                Ok(client) => {
                    now.connections += 1;
                    if let Ok(place) = Arc::clone(&room).try_acquire_owned() {
                        full = false;
                        let shared = Arc::clone(&shared);
                        clients.spawn(async move {
                            let _place = place;
                            connection::serve(client, &shared).await
                        });
                        continue;
                    }
                    if std::mem::replace(&mut full, true) {
                        continue;
                    }
                    // Said each time that it has become full, not for each connection.
                    told.last_error = None;
                    now.last_error = Some("connections are closed at once: as many as may be are open".to_owned());
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
    drop(listeners);
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
