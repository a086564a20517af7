//! How long the same cause has been found, look after look.

use std::time::Instant;

use super::super::verdict::Verdict;
use crate::codes::Code;

/// The cause that the last look has found, by its code and object, and since when each has.
#[derive(Default)]
pub(super) struct Standing(Option<((Code, String), Instant)>);

impl Standing {
    /// Since when it has stood, with this look; `time` where it is another one than before.
    pub(super) fn since(&mut self, found: &Verdict, time: Instant) -> Instant {
        let what = (found.code, found.object.clone());
        let before = self.0.take().filter(|(before, _)| *before == what);
        let since = before.map_or(time, |(_, since)| since);
        self.0 = Some((what, since));
        since
    }

    /// This look has found none.
    pub(super) fn end(&mut self) {
        self.0 = None;
    }
}
