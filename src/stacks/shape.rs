//! What must be known of an environment to find its parts: the same for one that is planned and one that was recorded.

use serde_json::{Value, json};

use crate::cluster::owner::{ENVIRONMENT_LABEL, ID_LABEL};
use crate::cluster::workload::Workload;
use crate::plan::Plan;
use crate::profile::{Executor, Generation, StackName};
use crate::state::Record;

/// Which parts an environment has, and what they are called.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Shape<'a> {
    /// The environment's name, which the Airflow release has too.
    pub name: &'a str,
    /// What tells it from every other environment of its name.
    pub id: Option<&'a str>,
    /// Which chart.
    pub stack: StackName,
    /// Which Airflow.
    pub generation: Generation,
    /// What runs the tasks.
    pub executor: Executor,
}

impl<'a> From<&'a Plan> for Shape<'a> {
    fn from(plan: &'a Plan) -> Self {
        let profile = &plan.profile;
        Self {
            name: &plan.name,
            id: plan.id.as_deref(),
            stack: profile.stack,
            generation: profile.airflow.generation(),
            executor: plan.executor,
        }
    }
}

impl<'a> From<&'a Record> for Shape<'a> {
    fn from(record: &'a Record) -> Self {
        Self {
            name: &record.name,
            id: record.id.as_deref(),
            stack: record.stack,
            generation: Generation::of(&record.airflow),
            executor: record.executor,
        }
    }
}

impl Shape<'_> {
    /// The labels by which what it has in a cluster is known as its own.
    pub(super) fn marks(self) -> Value {
        let mut marks = json!({ENVIRONMENT_LABEL: self.name});
        if let Some(id) = self.id {
            marks[ID_LABEL] = json!(id);
        }
        marks
    }

    /// The Helm release that database and volumes are in.
    pub(super) fn data_release(self) -> String {
        match self.stack {
            StackName::Lite => self.name.to_owned(),
            StackName::Official | StackName::Community => format!("{}-data", self.name),
        }
    }

    /// The name of a part of the Airflow release.
    pub(super) fn part(self, part: &str) -> String {
        format!("{}-{part}", self.name)
    }

    /// The name of the database's Service.
    pub(super) fn database(self) -> String {
        format!("{}-database", self.data_release())
    }

    /// The name of Redis' Service.
    pub(super) fn redis(self) -> String {
        format!("{}-redis", self.data_release())
    }

    /// The name of the claim for task logs.
    pub(super) fn logs(self) -> String {
        format!("{}-logs", self.data_release())
    }

    /// The workloads of the release that outlives Airflow's.
    pub(super) fn data_workloads(self) -> Vec<Workload> {
        let mut workloads = vec![Workload::stateful_set(self.database())];
        if self.executor == Executor::Celery {
            workloads.push(Workload::stateful_set(self.redis()));
        }
        workloads
    }
}
