//! The tunnels that are open and carry nobody right now.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::{Instant, sleep, timeout};

use super::backends::{Backends, PodPort};
use super::direct::Direct;
use super::tunnel::{Pair, Tunnel};

/// How many tunnels are kept open in advance while the API server's route is the one in use: what a browser opens at once.
const SPARE: usize = 6;
/// How many idle tunnels are kept at most, after a rush.
const MOST: usize = 64;
/// How long after a rush they are kept.
const RUSH: Duration = Duration::from_secs(30);
/// How many tunnels are opened at a time: each costs the API server and the kubelet a TLS handshake of their own.
const OPENING: usize = 8;
/// How long the opening of one may take.
const OPEN: Duration = Duration::from_secs(10);
/// How long to wait after one could not be opened in advance.
const PAUSE: Duration = Duration::from_secs(2);

/// The pool of one Service.
pub(super) struct Pool {
    namespace: String,
    idle: Mutex<Idle>,
    opening: Semaphore,
    turn: AtomicUsize,
    /// A tunnel came back.
    returned: Notify,
    /// A tunnel was taken: there may be too few.
    taken: Notify,
}

struct Idle {
    tunnels: Vec<Tunnel>,
    last_taken: Instant,
}

impl Pool {
    pub(super) fn new(namespace: String) -> Self {
        Self {
            namespace,
            idle: Mutex::new(Idle { tunnels: Vec::new(), last_taken: Instant::now() }),
            opening: Semaphore::new(OPENING),
            turn: AtomicUsize::new(0),
            returned: Notify::new(),
            taken: Notify::new(),
        }
    }

    /// A tunnel to one of the pods with streams for a client: an idle one, or else whichever comes first, one that
    /// another client gives back or a new one.
    pub(super) async fn take(&self, backends: &Backends) -> Result<(Tunnel, Pair), String> {
        loop {
            while let Some(mut tunnel) = self.idle_to(&backends.pods) {
                self.taken.notify_one();
                // It may have died while it was idle; then the next one is tried.
                if let Ok(pair) = tunnel.begin().await {
                    return Ok((tunnel, pair));
                }
            }
            let permit = tokio::select! {
                () = self.returned.notified() => continue,
                permit = self.opening.acquire() => permit.map_err(|error| error.to_string())?,
            };
            let mut tunnel = self.open(backends).await?;
            drop(permit);
            let pair = tunnel.begin().await?;
            return Ok((tunnel, pair));
        }
    }

    /// Takes a tunnel back for the next client.
    pub(super) fn give_back(&self, tunnel: Tunnel) {
        let mut idle = self.lock();
        if tunnel.reusable() && idle.tunnels.len() < MOST {
            idle.tunnels.push(tunnel);
            self.returned.notify_one();
        }
    }

    /// Keeps some tunnels open in advance while the API server's route is in use, and none otherwise. Never returns.
    pub(super) async fn keep(&self, mut backends: watch::Receiver<Backends>, mut direct: watch::Receiver<Direct>) {
        loop {
            let now = backends.borrow_and_update().clone();
            let wanted = if direct.borrow_and_update().unusable() && now.ready() { SPARE } else { 0 };
            let open = self.tidy(&now.pods, wanted);
            let pause = if open < wanted {
                let opened = match self.opening.acquire().await {
                    Ok(_permit) => self.open(&now).await,
                    Err(error) => Err(error.to_string()),
                };
                // Why it failed is said to the client that needs one.
                let Ok(tunnel) = opened else {
                    sleep(PAUSE).await;
                    continue;
                };
                self.give_back(tunnel);
                Duration::ZERO
            } else {
                RUSH
            };
            tokio::select! {
                changed = backends.changed() => if changed.is_err() { return },
                changed = direct.changed() => if changed.is_err() { return },
                () = self.taken.notified() => {}
                () = sleep(pause) => {}
            }
        }
    }

    async fn open(&self, backends: &Backends) -> Result<Tunnel, String> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let (Some(cluster), Some(pod)) = (&backends.cluster, backends.pods.get(turn % backends.pods.len().max(1)))
        else {
            return Err("no pod is ready".to_owned());
        };
        timeout(OPEN, Tunnel::open(cluster, &self.namespace, pod.clone()))
            .await
            .unwrap_or_else(|_| Err(format!("the API server did not open a tunnel within {OPEN:?}")))
    }

    /// The idle tunnel that was used last: the others may then grow old and be closed.
    fn idle_to(&self, pods: &[PodPort]) -> Option<Tunnel> {
        let mut idle = self.lock();
        idle.last_taken = Instant::now();
        idle.tunnels.retain(|tunnel| pods.contains(&tunnel.pod));
        idle.tunnels.pop()
    }

    /// Closes what is not needed, and says how many idle tunnels are left.
    fn tidy(&self, pods: &[PodPort], wanted: usize) -> usize {
        let mut idle = self.lock();
        idle.tunnels.retain(|tunnel| pods.contains(&tunnel.pod));
        if wanted == 0 || idle.last_taken.elapsed() >= RUSH {
            let surplus = idle.tunnels.len().saturating_sub(wanted);
            idle.tunnels.drain(..surplus);
        }
        idle.tunnels.len()
    }

    fn lock(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
