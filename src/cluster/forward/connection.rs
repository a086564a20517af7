//! One accepted connection: waits for its first word and a ready pod, chooses the route, falls back where the first one fails.

use std::future::pending;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{Interest, Ready};
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::backends::{Backends, PodPort};
use super::carry::{End, carry};
use super::direct::Direct;
use super::pool::Pool;
use super::socket::prepare;
use super::splice::splice;
use super::{Route, Target};

/// How long the connection to the node may take: it is on this machine, but a pod with a full backlog takes a second try of
/// the kernel, one second later.
const CONNECT: Duration = Duration::from_secs(2);
/// The pause after both routes failed although a pod is ready.
const PAUSE: Duration = Duration::from_millis(300);

/// How long what may be waited for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// For the client's first word. Browsers open connections in advance, and some never use them.
    pub(super) word: Duration,
    /// For a ready pod: as long as browsers wait for an answer, about.
    pub(super) pod: Duration,
    /// For a ready pod where the client has ended its sending: most often it has given up.
    pub(super) ended: Duration,
    /// For the pod's first word. Nothing in Airflow takes so long, and browsers give up sooner.
    pub(super) answer: Duration,
}

/// The limits of a real forward.
pub(super) const LIMITS: Limits = Limits {
    word: Duration::from_mins(1),
    pod: Duration::from_mins(1),
    ended: Duration::from_secs(10),
    answer: Duration::from_mins(10),
};

/// What all connections share.
pub(super) struct Shared {
    pub(super) target: Target,
    /// Only this route, for tests and measurements.
    pub(super) only: Option<Route>,
    pub(super) limits: Limits,
    pub(super) backends: watch::Receiver<Backends>,
    pub(super) direct: watch::Receiver<Direct>,
    /// A connection by the direct route failed.
    pub(super) direct_failed: Notify,
    pub(super) pool: Pool,
}

/// Serves a client from beginning to end. One that never says a word takes nothing but its own socket, and is no failure.
///
/// # Errors
/// In one line, why it was closed without having been served.
pub(super) async fn serve(mut client: TcpStream, shared: &Shared) -> Result<(), String> {
    prepare(&client).map_err(|error| error.to_string())?;
    // In HTTP, PostgreSQL and Redis it is the client that speaks first.
    let Ok(Ok(1..)) = timeout(shared.limits.word, client.peek(&mut [0])).await else { return Ok(()) };
    let begin = Instant::now();
    let mut backends = shared.backends.clone();
    let mut reason = None;
    loop {
        let patience = if has_ended(&client).await { shared.limits.ended } else { shared.limits.pod };
        let deadline = begin + patience;
        // When those that have given up are to be closed, it is looked once whether this is one.
        let look = Some(begin + shared.limits.ended).filter(|look| *look > Instant::now()).unwrap_or(deadline);
        let now = match timeout_at(look, backends.wait_for(Backends::ready)).await {
            Ok(Ok(now)) => now.clone(),
            Err(_) if look < deadline => continue,
            Ok(Err(_)) | Err(_) => {
                let missing = || shared.backends.borrow().missing(&shared.target.service);
                return Err(closed(begin, &reason.unwrap_or_else(missing)));
            }
        };
        match by_a_route(&mut client, &now, shared).await {
            Ok(served) => return served,
            Err(why) => reason = Some(why),
        }
        // A pod is ready and yet cannot be reached: the watch lags, or the route is being proven again.
        if timeout_at(deadline, sleep(PAUSE)).await.is_err() {
            return Err(closed(begin, &reason.unwrap_or_default()));
        }
    }
}
fn closed(begin: Instant, reason: &str) -> String {
    format!("a connection was closed after {} s: {reason}", begin.elapsed().as_secs())
}

/// Whether the client has ended its sending. Its first word is there, so that this does not wait.
async fn has_ended(client: &TcpStream) -> bool {
    client.ready(Interest::READABLE).await.is_ok_and(Ready::is_read_closed)
}

/// `Err` where nothing of the client's was touched, so that it can be tried again.
async fn by_a_route(client: &mut TcpStream, now: &Backends, shared: &Shared) -> Result<Result<(), String>, String> {
    let usable = shared.only != Some(Route::ApiServer) && now.node_port_is_sure();
    let address = shared.direct.borrow().address.filter(|_| usable);
    let mut reason =
        shared.direct.borrow().obstacle.clone().unwrap_or_else(|| "the route is not proven yet".to_owned());
    if let Some(address) = address {
        match connect(address).await {
            Ok(node) => {
                tokio::select! {
                    // That one of them broke off is the client's matter, not ours to report.
                    _ = splice(client, &node, shared.limits.answer) => {}
                    () = moved(address, shared) => {}
                    () = gone(&now.pods, shared) => {}
                }
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
    let (mut tunnel, pair) = timeout(shared.limits.pod, shared.pool.take(now))
        .await
        .unwrap_or_else(|_| Err("as many connections as may be go through the API server".to_owned()))?;
    let pod = tunnel.pod.clone();
    let end = tokio::select! {
        end = carry(&mut tunnel, pair, client, shared.limits.answer) => end,
        () = gone(std::slice::from_ref(&pod), shared) => End::Broken,
    };
    match end {
        End::Clean => shared.pool.give_back(tunnel),
        End::Broken => {}
        End::Refused(why) => return Ok(Err(format!("pod {} was not reached: {why}", pod.pod))),
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
    prepare(&node).map_err(|error| error.to_string())?;
    Ok(node)
}

/// A node that came back with another address leaves its old connections hanging: nobody is there to end them.
async fn moved(address: SocketAddr, shared: &Shared) {
    let mut direct = shared.direct.clone();
    if direct.wait_for(|direct| direct.address.is_some_and(|now| now != address)).await.is_err() {
        pending::<()>().await;
    }
}

/// Likewise a pod that was removed, where its node did not get to say so. The direct route may lead to any of the ready ones.
async fn gone(pods: &[PodPort], shared: &Shared) {
    let mut backends = shared.backends.clone();
    if backends.wait_for(|now| now.reached() && !pods.iter().any(|pod| now.exist.contains(&pod.uid))).await.is_err() {
        pending::<()>().await;
    }
}
