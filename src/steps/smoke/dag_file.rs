//! The DAG of one smoke run, as a file in the folder that Airflow reads as the DAG bundle `windtunnel`.

use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::error::{During, Failure, Kind};
use crate::profile::Generation;
use crate::state;

/// What the ids of all smoke DAGs begin with, and the names of their files.
pub(super) const PREFIX: &str = "windtunnel_smoke_";
/// The one task.
pub(super) const TASK: &str = "say";

/// A DAG that no smoke run had before: Airflow cannot mistake it for an earlier one, nor its file for one already read.
#[derive(Clone, Debug)]
pub(super) struct SmokeDag {
    /// Its id, safe as a label's value as it is.
    pub(super) id: String,
    /// What its task prints, and nothing else does.
    pub(super) marker: String,
}

impl SmokeDag {
    /// Draws id and marker.
    pub(super) fn random() -> Result<Self, Failure> {
        let mut bytes = [0_u8; 12];
        getrandom::fill(&mut bytes).map_err(|error| Failure::bug(format!("no randomness: {error}")))?;
        let hex = bytes.map(|byte| format!("{byte:02x}")).concat();
        Ok(Self { id: format!("{PREFIX}{}", &hex[..8]), marker: format!("windtunnel-marker-{}", &hex[8..]) })
    }

    /// The name of its file, as import errors have it.
    pub(super) fn file(&self) -> String {
        format!("{}.py", self.id)
    }

    /// The file, for one generation of Airflow.
    pub(super) fn text(&self, generation: Generation) -> String {
        // The second is understood by all of Airflow 2, which also wants a date.
        let (imports, schedule) = match generation {
            Generation::Two => (
                "from datetime import datetime\n\nfrom airflow.decorators import dag, task",
                "schedule_interval=None, start_date=datetime(2021, 1, 1)",
            ),
            Generation::Three => ("from airflow.sdk import dag, task", "schedule=None"),
        };
        format!(
            r#""""Written by `windtunnel smoke` to prove that this Airflow runs a task; it removes this file again."""

{imports}


@dag(dag_id="{id}", {schedule}, is_paused_upon_creation=False, tags=["windtunnel"])
def windtunnel_smoke():
    @task(retries=0)
    def {TASK}():
        print("{marker}")

    {TASK}()


windtunnel_smoke()
"#,
            id = self.id,
            marker = self.marker,
        )
    }
}

/// The file while it is there. Dropped without [`DagFile::remove`], as at Ctrl-C, it is removed as well.
#[derive(Debug)]
pub(super) struct DagFile {
    path: PathBuf,
    removed: bool,
}

impl DagFile {
    /// Writes the file at once or not at all: Airflow must not read half of it.
    pub(super) fn write(folder: &Path, dag: &SmokeDag, generation: Generation) -> Result<Self, Failure> {
        let path = folder.join(dag.file());
        let write = || -> std::io::Result<()> {
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            file.write_all(dag.text(generation).as_bytes())?;
            // Airflow may run as another user than the one who writes here.
            file.as_file().set_permissions(Permissions::from_mode(0o644))?;
            file.persist(&path)?;
            Ok(())
        };
        write().during(Kind::Usage, format!("cannot write {}", path.display()))?;
        Ok(Self { path, removed: false })
    }

    /// Removes the file.
    pub(super) fn remove(mut self) -> Result<(), Failure> {
        self.removed = true;
        state::remove_file(&self.path)
    }
}

impl Drop for DagFile {
    fn drop(&mut self) {
        if !self.removed {
            // Nobody is left to be told; the next smoke run removes what is still there.
            let _ = state::remove_file(&self.path);
        }
    }
}

/// Removes the files of smoke runs that were killed.
pub(super) fn remove_leftovers(folder: &Path) -> Result<(), Failure> {
    let entries = std::fs::read_dir(folder).map_err(|error| {
        Failure::new(
            Kind::Unhealthy,
            format!("{} cannot be read, where Airflow looks for smoke DAGs", folder.display()),
        )
        .evidence(error.to_string())
        .hint("it is mounted when the cluster is made: `windtunnel reset all`")
    })?;
    for entry in entries {
        let path = entry.during(Kind::Unhealthy, format!("cannot read {}", folder.display()))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with(PREFIX) && path.extension().is_some_and(|extension| extension == "py") {
            state::remove_file(&path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn the_file_is_readable_for_airflow_and_goes_with_its_guard() {
        let folder = tempfile::tempdir().unwrap();
        let dag = SmokeDag::random().unwrap();
        let file = DagFile::write(folder.path(), &dag, Generation::Three).unwrap();
        let path = folder.path().join(dag.file());
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(&format!("dag_id=\"{}\"", dag.id)) && text.contains(&dag.marker));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
        drop(file);
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn two_runs_share_neither_id_nor_marker() {
        let (one, two) = (SmokeDag::random().unwrap(), SmokeDag::random().unwrap());
        assert_ne!(one.id, two.id);
        assert_ne!(one.marker, two.marker);
        assert!(!one.marker.contains(&one.id[PREFIX.len()..]));
    }

    #[test]
    fn leftovers_go_and_what_is_not_ours_stays() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["windtunnel_smoke_00112233.py", "mine.py", "windtunnel_smoke_notes.txt"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        remove_leftovers(folder.path()).unwrap();
        let mut names = names(folder.path());
        names.sort();
        assert_eq!(names, ["mine.py", "windtunnel_smoke_notes.txt"]);
    }

    #[test]
    fn a_folder_that_is_not_there_is_not_made_anew() {
        let failure = remove_leftovers(Path::new("/nowhere/smoke")).unwrap_err();
        assert!(failure.hints[0].contains("mounted when the cluster is made"), "{:?}", failure.hints);
    }
}
