//! How much of the images that the node itself pulls has come: no part of Kubernetes' API tells, and without it a long pull would be no movement.

use std::time::{Duration, Instant};

use super::super::verdict::{PULLING, PodState};
use crate::images::size::size;

/// Between two looks into the node.
const LOOK: Duration = Duration::from_secs(2);

/// The images that are being pulled now.
#[derive(Default)]
pub(super) struct Pulled {
    looked: Option<Instant>,
    /// The bytes of images that the node kept at the last look.
    last: Option<u64>,
    /// Those that have come since the first look: a layer that is unpacked may be kept no longer.
    bytes: u64,
}

impl Pulled {
    /// Adds to what is being pulled how much of it has come; `held` tells the bytes of images that the node has, if anybody knows.
    pub(super) async fn complete(&mut self, states: &mut [PodState], held: impl AsyncFn() -> Option<u64>) {
        if !states.iter().any(|state| state.state == PULLING) {
            *self = Self::default();
            return;
        }
        if self.looked.is_none_or(|looked| looked.elapsed() >= LOOK) {
            self.looked = Some(Instant::now());
            if let Some(held) = held().await {
                self.bytes += held.saturating_sub(self.last.replace(held).unwrap_or(held));
            }
        }
        if self.bytes > 0 {
            for state in states.iter_mut().filter(|state| state.state == PULLING) {
                state.detail = format!("{} so far", size(self.bytes));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(state: &str) -> PodState {
        let (pod, subject, detail) = ("airflow-1".to_owned(), "migrate".to_owned(), String::new());
        PodState { pod, subject, state: state.to_owned(), detail, seconds: 0, of: None }
    }

    #[tokio::test]
    async fn what_came_since_the_pull_began_is_told() {
        let mut pulled = Pulled::default();
        let looks = [
            (1_000_000, ""),
            (121_000_000, "120 MB so far"),
            (151_000_000, "150 MB so far"),
            (50_000_000, "150 MB so far"),
            (80_000_000, "180 MB so far"),
        ];
        for (held, told) in looks {
            let mut states = [state(PULLING), state("creating")];
            pulled.complete(&mut states, async || Some(held)).await;
            assert_eq!((states[0].detail.as_str(), states[1].detail.as_str()), (told, ""));
            pulled.looked = None;
        }
        pulled.complete(&mut [state("creating")], async || panic!("nobody pulls")).await;
        let mut states = [state(PULLING)];
        pulled.complete(&mut states, async || Some(200_000_000)).await;
        assert_eq!(states[0].detail, "", "another pull begins at nothing");
    }
}
