//! Files that hold secrets or must never be half-written.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{During, Failure, Kind};

/// Writes a file that only this user can read, at once or not at all: a reader sees the old text or the new one.
///
/// # Errors
/// The file cannot be written.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let folder = path.parent().ok_or_else(|| Failure::bug(format!("{} has no folder", path.display())))?;
    let write = || -> std::io::Result<()> {
        // tempfile makes it 0600 from the start.
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        // Else a power cut may undo the renaming, and leave the old text or none.
        File::open(folder)?.sync_all()
    };
    write().during(Kind::Usage, format!("cannot write {}", path.display()))
}

/// Writes a document as [`write_private`] does.
///
/// # Errors
/// The file cannot be written.
pub fn write_json(path: &Path, document: &impl Serialize) -> Result<(), Failure> {
    let mut bytes = serde_json::to_vec_pretty(document).map_err(|error| Failure::bug(error.to_string()))?;
    bytes.push(b'\n');
    write_private(path, &bytes)
}

/// Removes a file; one that is gone already is what was wanted.
///
/// # Errors
/// The file is there and cannot be removed.
pub fn remove_file(path: &Path) -> Result<(), Failure> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).during(Kind::Usage, format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Reads a document; `None` where there is no such file.
///
/// # Errors
/// The file cannot be read, or is not such a document: line and column are named.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, Failure> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).during(Kind::Usage, format!("cannot read {}", path.display())),
    };
    serde_json::from_slice(&bytes).map(Some).during(Kind::Usage, format!("{} is damaged", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_private_file_is_0600_and_replaced_as_a_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        write_private(&path, b"one").unwrap();
        write_private(&path, b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_damaged_document_is_named_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("environment.json");
        std::fs::write(&path, "{\n  \"a\": 1,\n}").unwrap();
        let failure = read_json::<serde_json::Value>(&path).unwrap_err();
        assert!(failure.message.ends_with("environment.json is damaged"), "{}", failure.message);
        assert!(failure.evidence[0].contains("line 3"), "{:?}", failure.evidence);
    }

    #[test]
    fn no_file_is_no_document() {
        assert!(read_json::<serde_json::Value>(Path::new("/nowhere/x")).unwrap().is_none());
    }
}
