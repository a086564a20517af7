//! The DAG folder: there or to be made, and readable by Airflow's user in the pods.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

use crate::codes::Code;
use crate::error::{During, Failure, Kind};
use crate::plan::Plan;

/// Looks at the folder, and says what keeps Airflow from it. One that is not there yet is made later.
///
/// # Errors
/// Usage: it is no folder.
pub(super) fn look(plan: &Plan, user: u32) -> Result<Option<Failure>, Failure> {
    let folder = &plan.dags;
    let metadata = match std::fs::metadata(folder) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            let doing = format!("cannot look at the DAG folder {}", folder.display());
            let failure = Err::<(), _>(error).during(Kind::Prerequisite, doing).err();
            let hint = "let yourself into the folders above it, or name another one: `--dags FOLDER`";
            return Ok(failure.map(|failure| failure.code(Code::FolderUnreadable).hint(hint)));
        }
    };
    if !metadata.is_dir() {
        return Err(Failure::usage(format!("the DAG folder {} is not a folder", folder.display()))
            .hint("name another one: `--dags FOLDER`"));
    }
    if is_readable(&metadata, crate::stacks::pod_user(user)) {
        return Ok(None);
    }
    let failure = Failure::new(Kind::Prerequisite, format!("Airflow cannot read the DAG folder {}", folder.display()));
    let failure = failure
        .code(Code::FolderUnreadable)
        .evidence(format!("its mode is {:03o}, its owner {}", metadata.mode() & 0o777, metadata.uid()))
        .hint(format!("let others read it: `chmod o+rx {}`", shell_words::quote(&folder.to_string_lossy())));
    Ok(Some(failure))
}

/// Pods run as `user` with group 0.
fn is_readable(metadata: &Metadata, user: u32) -> bool {
    let shift = if metadata.uid() == user {
        6
    } else if metadata.gid() == 0 {
        3
    } else {
        0
    };
    (metadata.mode() >> shift) & 0o5 == 0o5
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_private_folder_is_readable_by_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        let metadata = std::fs::metadata(folder.path()).unwrap();
        assert!(is_readable(&metadata, metadata.uid()));
        assert!(!is_readable(&metadata, metadata.uid() + 1));
    }
}
