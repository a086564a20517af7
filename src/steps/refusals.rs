//! Worker pods that the API server did not take: known from the scheduler's log alone, for a pod that is not there leaves no event.

use crate::airflow::refusal::{Refusal, Refusals};
use crate::cluster::workload::Expected;
use crate::cluster::{Cluster, logs};
use crate::error::Failure;
use crate::stacks::{self, Shape};

/// How many of the scheduler's last lines are looked at: one refusal takes about 200, its pod included.
const LINES: u32 = 2000;

/// What the scheduler says of pods that were refused.
///
/// # Errors
/// Its log cannot be read.
pub async fn look(cluster: &Cluster, expected: Expected<'_>, shape: Shape<'_>) -> Result<Vec<Refusal>, Failure> {
    let scheduler = stacks::component(shape, "scheduler")?;
    let (workload, container) = (&scheduler.workload, scheduler.container);
    let wanted = logs::Wanted { workload, container, tail: LINES, follow: false };
    let (mut found, mut refusals) = (Vec::new(), Refusals::default());
    logs::stream(cluster, expected, wanted, |line| found.extend(refusals.read(line))).await?;
    Ok(found)
}
