//! A first DAG for a new folder.

use std::path::Path;

use crate::error::{During, Failure, Kind};
use crate::profile;

/// The DAG, for the Airflow that has this module.
fn text(module: &str) -> String {
    format!(
        r#""""A first DAG: two tasks, each in a pod of its own. Change it and see it live."""

from {module} import dag, task


@dag(schedule=None, catchup=False, tags=["example"])
def example():
    @task
    def measure():
        return 42

    @task
    def report(value):
        print(f"measured {{value}}")

    report(measure())


example()
"#
    )
}

/// Makes the folder and puts the example into it, unless the folder has something of that name.
pub(super) fn write(folder: &Path, profile: &str) -> Result<(), Failure> {
    let doing = || format!("cannot write an example into {}", folder.display());
    // The interface for authors moved with Airflow 3; a profile of the user's own is taken for one of today.
    let is_old = profile::shipped(profile).is_ok_and(|profile| profile.airflow.version.major < 3);
    let module = if is_old { "airflow.decorators" } else { "airflow.sdk" };
    std::fs::create_dir_all(folder).during(Kind::Usage, doing())?;
    let path = folder.join("example.py");
    if path.exists() {
        return Ok(());
    }
    std::fs::write(path, text(module)).during(Kind::Usage, doing())
}
