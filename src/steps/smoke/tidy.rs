//! Leaves nothing behind: the DAG with its run, and worker pods that Airflow would keep.

use std::time::{Duration, Instant};

use super::dag_file::PREFIX;
use super::{Inputs, PAUSE, RUN};
use crate::airflow::Client;
use crate::airflow::dags::{self, Deleted};
use crate::cluster::worker;
use crate::error::{Failure, Kind};
use crate::profile::Generation;

/// How long Airflow may take to end the tasks of a run that is given up, in which it does not delete the DAG.
const PATIENCE: Duration = Duration::from_secs(20);

/// How the run of a DAG that is removed ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum End {
    /// Well: its pod is gone already.
    Well,
    /// Badly or not at all: its task may still run and its pod still be there, for Airflow keeps the pods of failed tasks.
    Badly,
}

/// Removes the DAGs of smoke runs that were killed, and of no others: those whose id and bundle are ours.
pub(super) async fn remove_leftovers(client: &Client, inputs: &Inputs<'_>) -> Result<(), Failure> {
    for dag in dags::dags(client, PREFIX).await? {
        if dag.dag_id.starts_with(PREFIX)
            && (inputs.shape.generation == Generation::Two || dag.bundle_name.as_deref() == Some(super::BUNDLE))
        {
            remove_dag(client, inputs, &dag.dag_id, End::Badly).await?;
        }
    }
    Ok(())
}

/// Removes one DAG, whose file is gone already: Airflow would read it anew.
pub(super) async fn remove_dag(client: &Client, inputs: &Inputs<'_>, dag_id: &str, end: End) -> Result<(), Failure> {
    if end == End::Badly {
        if dags::run(client, dag_id, RUN).await?.is_some() {
            dags::fail_run(client, dag_id, RUN).await?;
        }
        worker::delete_workers(inputs.cluster, inputs.expected.namespace, inputs.owner, dag_id).await?;
    }
    let deadline = Instant::now() + PATIENCE;
    while dags::delete(client, dag_id).await? == Deleted::Busy {
        if Instant::now() >= deadline {
            return Err(Failure::new(
                Kind::Timeout,
                format!("a task of DAG `{dag_id}` did not end within {} s", PATIENCE.as_secs()),
            ));
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}
