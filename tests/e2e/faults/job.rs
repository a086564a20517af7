//! The Job of Apache's chart that migrates the database fails.

use std::time::{Duration, SystemTime};

use super::matrix::first_seen;
use super::report::{Met, NAMED};
use crate::charts::{keep, stand_in};
use crate::environment::Environment;

/// How long the Job may take to fail three times: each is a start of Airflow's.
const WITHIN: Duration = Duration::from_secs(90);

/// Airflow knows no such version to migrate to; the environment is one of the stand-in's.
pub(crate) fn migration_job_fails(environment: &Environment) {
    let good = std::fs::read_to_string(stand_in()).unwrap();
    let wrong = "values: {migrateDatabaseJob: {args: [airflow, db, migrate, --to-version, 0.0.1]}, ";
    let profile = keep("stand-in-job-fails", &good.replace("values: {", wrong));
    let begin = SystemTime::now();
    let up = environment.up(&["--profile", profile.to_str().unwrap(), "--no-rollback", "--output", "json"]);
    let seen = first_seen(environment, "end run-airflow-migrations", begin).unwrap_or(begin);
    let met = Met { title: "a migration Job that fails", up: &up, seen };
    met.say();
    met.assert_named(&["migration_failed".to_owned()], 7, &["run-airflow-migrations".to_owned(), "0.0.1".to_owned()]);
    met.assert_named_soon(NAMED);
    met.assert_soon(WITHIN);
    met.assert_hint(environment, "windtunnel logs");
}
