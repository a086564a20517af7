//! `windtunnel init`: a `windtunnel.yaml` to start from, with every key as a comment.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::error::{During, Failure, Kind};
use crate::plan::{self, FILE, ProjectFile};
use crate::surroundings::Surroundings;
use crate::ui::Ui;

/// Writes the file into the folder of the command; with a name, that is the one key that is set.
///
/// # Errors
/// There is one already, the name cannot be one, or the folder cannot be written.
pub fn init(name: Option<&str>, ui: &Ui, surroundings: &Surroundings) -> Result<(), Failure> {
    if let Some(name) = name {
        plan::check_name("environment name", name)?;
    }
    let path = write(&surroundings.folder, &ProjectFile { name: name.map(str::to_owned), ..ProjectFile::default() })?;
    if ui.is_json() {
        ui.document(&json!({"file": path}));
    } else {
        ui.say(&format!("Wrote {}. What counts now: `windtunnel config show`", path.display()));
    }
    Ok(())
}

/// Writes a file with these settings into a folder that has none.
pub(super) fn write(folder: &Path, file: &ProjectFile) -> Result<PathBuf, Failure> {
    let path = folder.join(FILE);
    let created = std::fs::OpenOptions::new().write(true).create_new(true).open(&path);
    match created {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            Err(Failure::new(Kind::Foreign, format!("{} is there already, and is left as it is", path.display()))
                .hint("to see what it does: `windtunnel config show`"))
        }
        created => {
            let written = created.and_then(|mut open| open.write_all(plan::render(file).as_bytes()));
            written.during(Kind::Usage, format!("cannot write {}", path.display()))?;
            Ok(path)
        }
    }
}
