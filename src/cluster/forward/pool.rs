//! The tunnels that are open and carry nobody right now.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{AcquireError, Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, sleep, timeout};

use super::backends::{Backends, PodPort};
use super::direct::Direct;
use super::tunnel::{Pair, Tunnel};

/// How many tunnels are kept open in advance while the API server's route is the one in use: what a browser opens at once.
const SPARE: usize = 6;
/// How many tunnels there usually are. More would not make a local API server faster, and each takes memory: about 50 KiB
/// here, more there.
const PLACES: usize = 48;
/// More than that are opened when none came back for so long: then others hold all of them for long.
const CROWD: Duration = Duration::from_secs(1);
/// How many there are at most: with them this process stays below 15 MiB.
pub(super) const MOST: usize = 112;
/// How long after a rush all of them are kept.
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
    places: Arc<Semaphore>,
    more: Arc<Semaphore>,
    opening: Semaphore,
    turn: AtomicUsize,
    /// One permit for each idle tunnel, or more where some were closed: who gets one and finds none asks again.
    available: Semaphore,
    /// A tunnel was taken: there may be too few.
    taken: Notify,
}

struct Idle {
    tunnels: Vec<Tunnel>,
    last_taken: Instant,
    last_back: Instant,
}

impl Pool {
    pub(super) fn new(namespace: String) -> Self {
        Self {
            namespace,
            idle: Mutex::new(Idle { tunnels: Vec::new(), last_taken: Instant::now(), last_back: Instant::now() }),
            places: Arc::new(Semaphore::new(PLACES)),
            more: Arc::new(Semaphore::new(MOST - PLACES)),
            opening: Semaphore::new(OPENING),
            turn: AtomicUsize::new(0),
            available: Semaphore::new(0),
            taken: Notify::new(),
        }
    }

    /// A tunnel to one of the pods with streams for a client: an idle one, or else whichever comes first, one that
    /// another client gives back or a new one. Waits as long as all that there may be carry others.
    pub(super) async fn take(&self, backends: &Backends) -> Result<(Tunnel, Pair), String> {
        // First come, first served: the place in the queue is kept while other ways are looked at.
        let mut idle = std::pin::pin!(self.available.acquire());
        loop {
            let place = tokio::select! {
                biased;
                permit = &mut idle => {
                    // The permit is for the tunnel that is taken now; give_back makes a new one.
                    permit.map_err(|error| error.to_string())?.forget();
                    self.taken.notify_one();
                    if let Some(mut tunnel) = self.idle_to(&backends.pods)
                        // It may have died while it was idle; then the next one is tried.
                        && let Ok(pair) = tunnel.begin().await
                    {
                        return Ok((tunnel, pair));
                    }
                    idle.set(self.available.acquire());
                    continue;
                }
                place = Arc::clone(&self.places).acquire_owned() => place,
                more = self.one_more() => more,
            };
            let place = place.map_err(|error| error.to_string())?;
            let mut tunnel = self.open(backends, place).await?;
            let pair = tunnel.begin().await?;
            return Ok((tunnel, pair));
        }
    }

    /// A place beyond the usual ones, once there is a crowd.
    async fn one_more(&self) -> Result<OwnedSemaphorePermit, AcquireError> {
        loop {
            sleep(CROWD).await;
            if self.lock().last_back.elapsed() >= CROWD {
                return Arc::clone(&self.more).acquire_owned().await;
            }
        }
    }

    /// Takes a tunnel back for the next client.
    pub(super) fn give_back(&self, tunnel: Tunnel) {
        if tunnel.reusable() {
            let mut idle = self.lock();
            idle.last_back = Instant::now();
            idle.tunnels.push(tunnel);
            self.available.add_permits(1);
        }
    }

    /// Keeps some tunnels open in advance while the API server's route is in use, and none otherwise. Never returns.
    pub(super) async fn keep(&self, mut backends: watch::Receiver<Backends>, mut direct: watch::Receiver<Direct>) {
        loop {
            let now = backends.borrow_and_update().clone();
            let wanted = if direct.borrow_and_update().unusable() && now.ready() { SPARE } else { 0 };
            let open = self.tidy(&now.pods, wanted);
            // Without a free place there is a rush, and nothing to spare.
            let place = Arc::clone(&self.places).try_acquire_owned().ok().filter(|_| open < wanted);
            let mut pause = RUSH;
            if let Some(place) = place {
                pause = match self.open(&now, place).await {
                    Ok(tunnel) => {
                        self.give_back(tunnel);
                        Duration::ZERO
                    }
                    // Why is said to the client that needs one.
                    Err(_) => PAUSE,
                };
            }
            tokio::select! {
                changed = backends.changed() => if changed.is_err() { return },
                changed = direct.changed() => if changed.is_err() { return },
                () = self.taken.notified() => {}
                () = sleep(pause) => {}
            }
        }
    }

    async fn open(&self, backends: &Backends, place: OwnedSemaphorePermit) -> Result<Tunnel, String> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let (Some(cluster), Some(pod)) = (&backends.cluster, backends.pods.get(turn % backends.pods.len().max(1)))
        else {
            return Err("no pod is ready".to_owned());
        };
        let _permit = self.opening.acquire().await.map_err(|error| error.to_string())?;
        timeout(OPEN, Tunnel::open(cluster, &self.namespace, pod.clone(), place))
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
