//! Whether the API server answers, and which Kubernetes it is.

use std::time::{Duration, Instant};

use super::Cluster;
use crate::error::{Failure, Kind, chain};

/// Between two looks at an API server that does not answer yet: there is nothing to watch before it does.
const PAUSE: Duration = Duration::from_millis(200);
/// How long one question may take.
const ANSWER: Duration = Duration::from_secs(5);

impl Cluster {
    /// The version of Kubernetes without its `v`, as soon as the API server answers.
    ///
    /// # Errors
    /// Timeout, with the last error, where it does not within `deadline`.
    pub async fn await_version(&self, deadline: Duration) -> Result<String, Failure> {
        let started = Instant::now();
        loop {
            let error = match tokio::time::timeout(ANSWER, self.client.apiserver_version()).await {
                Ok(Ok(version)) => return Ok(version.git_version.trim_start_matches('v').to_owned()),
                Ok(Err(error)) => chain(&error),
                Err(_) => vec![format!("no answer within {} s", ANSWER.as_secs())],
            };
            if started.elapsed() > deadline {
                return Err(Failure::new(
                    Kind::Timeout,
                    format!("the API server at {} does not answer", self.address()),
                )
                .evidence_lines(error));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}
