//! Waiting as somebody outside does: looking again, with a deadline and a reason.

use std::fmt::Display;
use std::time::{Duration, Instant};

/// Looks until `look` has something to return; what it returns instead says what is missing.
pub(crate) fn until<T, E: Display>(what: &str, deadline: Duration, mut look: impl FnMut() -> Result<T, E>) -> T {
    let begin = Instant::now();
    loop {
        match look() {
            Ok(found) => return found,
            Err(missing) if begin.elapsed() > deadline => {
                panic!("waited {} s for {what}: {missing}", deadline.as_secs())
            }
            Err(_) => std::thread::sleep(Duration::from_millis(200)),
        }
    }
}
