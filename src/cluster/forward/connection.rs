//! One accepted connection: waits for a ready pod, chooses the route, falls back where the first one fails.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::backends::Backends;
use super::carry::{End, carry};
use super::direct::Direct;
use super::pool::Pool;
use super::splice::splice;
use super::{Route, Target};

/// How long the connection to the node may take: it is on this machine, but a pod with a full backlog takes a second try of
/// the kernel, one second later.
const CONNECT: Duration = Duration::from_secs(2);
/// The pause after both routes failed although a pod is ready.
const PAUSE: Duration = Duration::from_millis(300);

/// What all connections share.
pub(super) struct Shared {
    pub(super) target: Target,
    /// Only this route, for tests and measurements.
    pub(super) only: Option<Route>,
    /// How long a connection may wait for a pod before it is closed.
    pub(super) wait: Duration,
    pub(super) backends: watch::Receiver<Backends>,
    pub(super) direct: watch::Receiver<Direct>,
    /// A connection by the direct route failed.
    pub(super) direct_failed: Notify,
    pub(super) pool: Pool,
}

/// Serves a client from beginning to end.
///
/// # Errors
/// In one line, why it was closed without having been served.
pub(super) async fn serve(mut client: TcpStream, shared: &Shared) -> Result<(), String> {
    let deadline = Instant::now() + shared.wait;
    client.set_nodelay(true).map_err(|error| error.to_string())?;
    let mut backends = shared.backends.clone();
    let mut reason = None;
    loop {
        let Ok(Ok(now)) =
            timeout_at(deadline, backends.wait_for(Backends::ready)).await.map(|now| now.map(|now| now.clone()))
        else {
            let reason = reason.unwrap_or_else(|| shared.backends.borrow().missing(&shared.target.service));
            return Err(format!("a connection was closed after {} s: {reason}", shared.wait.as_secs()));
        };
        match by_a_route(&mut client, &now, shared).await {
            Ok(served) => return served,
            Err(why) => reason = Some(why),
        }
        // A pod is ready and yet cannot be reached: the watch lags, or the route is being proven again.
        if timeout_at(deadline, sleep(PAUSE)).await.is_err() {
            return Err(format!(
                "a connection was closed after {} s: {}",
                shared.wait.as_secs(),
                reason.unwrap_or_default()
            ));
        }
    }
}

/// `Err` where nothing of the client's was touched, so that it can be tried again.
async fn by_a_route(client: &mut TcpStream, now: &Backends, shared: &Shared) -> Result<Result<(), String>, String> {
    let usable = shared.only != Some(Route::ApiServer) && now.node_port_agrees;
    let address = shared.direct.borrow().address.filter(|_| usable);
    let mut reason =
        shared.direct.borrow().obstacle.clone().unwrap_or_else(|| "the route is not proven yet".to_owned());
    if let Some(address) = address {
        match connect(address).await {
            Ok(mut node) => {
                straight(client, &mut node, address, shared).await;
                return Ok(Ok(()));
            }
            Err(why) => {
                shared.direct_failed.notify_waiters();
                reason = why;
            }
        }
    }
    if shared.only == Some(Route::Direct) {
        return Err(reason);
    }
    let (mut tunnel, pair) = shared.pool.take(now).await?;
    match carry(&mut tunnel, pair, client).await {
        End::Clean => shared.pool.give_back(tunnel),
        End::Broken => {}
        End::Refused(why) => return Ok(Err(format!("pod {} was not reached: {why}", tunnel.pod.pod))),
    }
    Ok(Ok(()))
}

async fn connect(address: SocketAddr) -> Result<TcpStream, String> {
    let connected = timeout(CONNECT, TcpStream::connect(address)).await;
    let node = match connected {
        Ok(Ok(node)) => node,
        Ok(Err(error)) => return Err(format!("{address}: {error}")),
        Err(_) => return Err(format!("{address}: no answer within {CONNECT:?}")),
    };
    node.set_nodelay(true).map_err(|error| error.to_string())?;
    Ok(node)
}

/// Copies until both sides have ended. That one of them broke off is the client's matter, not ours to report.
///
/// A node that came back with another address leaves its old connections hanging: nobody is there to end them.
async fn straight(client: &mut TcpStream, node: &mut TcpStream, address: SocketAddr, shared: &Shared) {
    let mut direct = shared.direct.clone();
    tokio::select! {
        _ = splice(client, node) => {}
        _ = direct.wait_for(|direct| direct.address.is_some_and(|now| now != address)) => {}
    }
}
