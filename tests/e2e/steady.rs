//! Requests without an end by several clients while something happens.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::http::get;

/// Clients that ask at once.
pub(crate) const CLIENTS: usize = 4;
/// From an answer to the next request of the same client.
const PAUSE: Duration = Duration::from_millis(50);

/// What became of a request.
pub(crate) struct Request {
    pub(crate) took: Duration,
    pub(crate) failure: Option<String>,
}

/// Asks for a page until `act` has come to its end; a request that lasts longer than `patience` fails.
pub(crate) fn under_requests<T>(url: &str, patience: Duration, act: impl FnOnce() -> T) -> (T, Vec<Request>) {
    let (ended, requests) = (AtomicBool::new(false), Mutex::new(Vec::new()));
    let acted = std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                while !ended.load(Ordering::Relaxed) {
                    let begin = Instant::now();
                    let failure = get(url, patience).err();
                    requests.lock().unwrap().push(Request { took: begin.elapsed(), failure });
                    std::thread::sleep(PAUSE);
                }
            });
        }
        // Whatever happens here, the others are to end.
        let _end = SetAtEnd(&ended);
        act()
    });
    (acted, requests.into_inner().unwrap())
}

/// Becomes true when this goes.
pub(crate) struct SetAtEnd<'a>(pub(crate) &'a AtomicBool);

impl Drop for SetAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
