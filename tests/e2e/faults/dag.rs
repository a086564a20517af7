//! A DAG file that Airflow cannot import: `why` names the file, the line and Python's own words.

use std::time::Duration;

use super::report::{Met, NAMED};
use crate::environment::Environment;
use crate::main_path::log_in;
use crate::until::until;

/// How long the DAG processor may take to read a new file.
const READ: Duration = Duration::from_mins(1);

pub(super) fn broken(environment: &Environment) {
    let airflow = log_in(environment);
    let file = environment.project().join("dags/broken.py");
    std::fs::write(&file, "from airflow.sdk import dag\n\nimport no_such_module\n").unwrap();
    let why = until("the broken file to be named", READ, || {
        let why = environment.windtunnel(&["why", "broken", "--output", "json"]);
        if why.to_string().contains("no_such_module") { Ok(why) } else { Err(why) }
    });
    let met = Met { title: "a DAG file that cannot be imported", up: &why, seen: airflow.import_error("broken.py") };
    met.say();
    let names = ["broken.py", "line 3", "No module named 'no_such_module'"].map(str::to_owned);
    met.assert_named(&["dag_import_error".to_owned()], 7, &names);
    met.assert_named_soon(NAMED);
    std::fs::remove_file(file).unwrap();
}
