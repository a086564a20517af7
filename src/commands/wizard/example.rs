//! A first DAG for a new folder.

use std::path::Path;

use crate::error::{During, Failure, Kind};
use crate::profile;

/// The DAG.
const EXAMPLE: &str = r#""""A first DAG: two tasks, each in a pod of its own. Change it and see it live."""

from airflow.sdk import dag, task


@dag(schedule=None, catchup=False, tags=["example"])
def example():
    @task
    def measure():
        return 42

    @task
    def report(value):
        print(f"measured {value}")

    report(measure())


example()
"#;

/// What is written otherwise for Airflow 2.
const BEFORE_3: [(&str, &str); 2] = [
    ("from airflow.sdk import dag, task", "from datetime import datetime\n\nfrom airflow.decorators import dag, task"),
    ("schedule=None", "schedule_interval=None, start_date=datetime(2024, 1, 1)"),
];

/// Makes the folder and puts the example into it, unless the folder has something of that name.
pub(super) fn write(folder: &Path, profile: &str) -> Result<(), Failure> {
    let doing = || format!("cannot write an example into {}", folder.display());
    // The interface for authors moved with Airflow 3; a profile of the user's own is taken for one of today.
    let is_old = profile::shipped(profile).is_ok_and(|profile| profile.airflow.version.major < 3);
    let changes = BEFORE_3.iter().filter(|_| is_old);
    let text = changes.fold(EXAMPLE.to_owned(), |text, (today, before)| text.replace(today, before));
    std::fs::create_dir_all(folder).during(Kind::Usage, doing())?;
    let path = folder.join("example.py");
    if path.exists() {
        return Ok(());
    }
    std::fs::write(path, text).during(Kind::Usage, doing())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_for_airflow_2_is_in_the_example() {
        for (today, _) in BEFORE_3 {
            assert_eq!(EXAMPLE.matches(today).count(), 1, "{today}");
        }
    }

    #[test]
    fn an_example_is_never_written_over_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let dags = folder.path().join("new/dags");
        write(&dags, "lite").unwrap();
        assert_eq!(std::fs::read_to_string(dags.join("example.py")).unwrap(), EXAMPLE);
        std::fs::write(dags.join("example.py"), "mine").unwrap();
        write(&dags, "lite").unwrap();
        assert_eq!(std::fs::read_to_string(dags.join("example.py")).unwrap(), "mine");
    }
}
