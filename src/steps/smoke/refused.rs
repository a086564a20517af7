//! A worker pod that does not come because the API server refuses it.

use std::time::Duration;

use tokio::time::timeout;

use super::Inputs;
use super::dag_file::TASK;
use crate::cluster::verdict::refused;
use crate::error::Failure;
use crate::steps::refusals;

/// How long the scheduler's log may take to be read; it is asked for again.
const PATIENCE: Duration = Duration::from_secs(5);

/// The verdict, where the scheduler's log tells of a refusal. The executor fails such a task, or asks again and is refused again.
pub(super) async fn look(inputs: &Inputs<'_>, dag_id: &str) -> Option<Failure> {
    let asked = refusals::look(inputs.cluster, inputs.expected, inputs.shape);
    // Without the log the wait goes on, and its end tells what there is to tell.
    let found = timeout(PATIENCE, asked).await.ok()?.ok()?;
    // The log also has what was refused before this DAG was there.
    let refusal = found.iter().find(|refusal| refusal.task.dag_id.is_some() && refusal.is_of(dag_id))?;
    Some(refused(inputs.expected, format!("the worker pod of task `{TASK}`"), &refusal.message).into())
}
