//! The DAG folder: there or to be made, and readable by Airflow's user in the pods.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

use crate::error::{During, Failure, Kind};
use crate::plan::Plan;

/// Checks the folder. One that is not there yet is made later.
pub(super) fn check(plan: &Plan, user: u32) -> Result<(), Failure> {
    let folder = &plan.dags;
    let metadata = match std::fs::metadata(folder) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => {
            return Err(error).during(Kind::Usage, format!("cannot look at the DAG folder {}", folder.display()));
        }
    };
    if !metadata.is_dir() {
        return Err(Failure::usage(format!("the DAG folder {} is not a folder", folder.display()))
            .hint("name another one: `--dags FOLDER`"));
    }
    if is_readable(&metadata, crate::stacks::pod_user(user)) {
        return Ok(());
    }
    Err(Failure::usage(format!("Airflow cannot read the DAG folder {}", folder.display()))
        .evidence(format!("its mode is {:03o}, its owner {}", metadata.mode() & 0o777, metadata.uid()))
        .hint(format!("let others read it: `chmod o+rx {}`", shell_words::quote(&folder.to_string_lossy()))))
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
