//! Whether the API server answers, and which Kubernetes it is.

use std::time::{Duration, Instant};

use super::Cluster;
use crate::error::{Failure, Kind, chain};

/// Between two looks at an API server that does not answer yet: there is nothing to watch before it does.
const PAUSE: Duration = Duration::from_millis(200);
/// How long one question may take.
const ANSWER: Duration = Duration::from_secs(5);

impl Cluster {
    /// The version of Kubernetes without its `v`. Asked once: nobody is starting a cluster that has to run already.
    ///
    /// # Errors
    /// Timeout, with the reason, where the API server does not answer.
    pub async fn version(&self) -> Result<String, Failure> {
        let error = match tokio::time::timeout(ANSWER, self.client.apiserver_version()).await {
            Ok(Ok(version)) => return Ok(version.git_version.trim_start_matches('v').to_owned()),
            Ok(Err(error)) => chain(&error),
            Err(_) => vec![format!("no answer within {} s", ANSWER.as_secs())],
        };
        let message = format!("the API server at {} does not answer", self.address());
        Err(Failure::new(Kind::Timeout, message).evidence_lines(error))
    }

    /// The same of a cluster that is starting, as soon as the API server answers.
    ///
    /// # Errors
    /// Timeout, with the last reason, where it does not within `deadline`.
    pub async fn await_version(&self, deadline: Duration) -> Result<String, Failure> {
        let started = Instant::now();
        loop {
            match self.version().await {
                Err(_) if started.elapsed() <= deadline => tokio::time::sleep(PAUSE).await,
                answer => return answer,
            }
        }
    }
}
