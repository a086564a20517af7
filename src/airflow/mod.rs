//! The only place that knows Airflow's interface: a client for its REST interface, the health document, DAGs and runs, task logs.
//!
//! It talks to 127.0.0.1 alone, through the forward, and knows no cluster. The shapes are those of Airflow 3's `/api/v2`,
//! looked at on 3.3.2, and of Airflow 2's `/api/v1` (`airflow/api_connexion/openapi/v1.yaml` of 2.11).

mod answer;
mod client;
pub mod dags;
pub mod health;
pub mod import_error;
mod log_lines;
pub mod refusal;
#[cfg(test)]
pub(crate) mod scripted;
mod task_log;
pub mod tasks;

pub use answer::Answer;
pub use client::{Client, segment};
pub use task_log::{Try, log_lost, read_log, read_try, task_log};
