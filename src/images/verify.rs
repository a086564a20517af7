//! Digests of files, side by side, each file read only once as long as it does not change.

use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::bundle::ANEW;
use crate::codes::Code;
use crate::error::{During, Failure, Kind};
use crate::state;

/// A file that had this digest when it looked like this.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
struct Seen {
    size: u64,
    inode: u64,
    changed_seconds: i64,
    changed_nanoseconds: i64,
    sha256: String,
}

impl Seen {
    fn of(metadata: &Metadata, sha256: &str) -> Self {
        Self {
            size: metadata.len(),
            inode: metadata.ino(),
            changed_seconds: metadata.ctime(),
            changed_nanoseconds: metadata.ctime_nsec(),
            sha256: sha256.to_owned(),
        }
    }
}

/// Compares every file with its digest. What was found right is remembered in the file `memory`.
pub(super) async fn digests(files: Vec<(PathBuf, String)>, memory: &Path) -> Result<(), Failure> {
    // A memory that cannot be read only costs time.
    let before: BTreeMap<PathBuf, Seen> = state::read_json(memory).ok().flatten().unwrap_or_default();
    let mut tasks = Vec::new();
    for (path, sha256) in files {
        let known = before.get(&path).cloned();
        tasks.push(tokio::task::spawn_blocking(move || check(path, &sha256, known.as_ref())));
    }
    let mut seen = BTreeMap::new();
    for task in tasks {
        let (path, entry) = task.await.map_err(|error| Failure::bug(error.to_string()))??;
        seen.insert(path, entry);
    }
    if seen.iter().any(|(path, entry)| before.get(path) != Some(entry)) {
        let all: BTreeMap<_, _> = before.into_iter().chain(seen).collect();
        if let Some(folder) = memory.parent() {
            std::fs::create_dir_all(folder)
                .during(Kind::Usage, format!("cannot make the folder {}", folder.display()))?;
        }
        state::write_json(memory, &all)?;
    }
    Ok(())
}

fn check(path: PathBuf, sha256: &str, known: Option<&Seen>) -> Result<(PathBuf, Seen), Failure> {
    let doing = || format!("cannot read {}", path.display());
    let file = File::open(&path).during(Kind::Image, doing())?;
    let now = Seen::of(&file.metadata().during(Kind::Image, doing())?, sha256);
    if known == Some(&now) {
        return Ok((path, now));
    }
    let found = digest(file).during(Kind::Image, doing())?;
    if found != sha256.to_lowercase() {
        return Err(Failure::new(Kind::Image, format!("{} has the wrong digest", path.display()))
            .code(Code::BundleBroken)
            .evidence(format!("found     sha256 {found}"))
            .evidence(format!("expected  sha256 {sha256}"))
            .hint(ANEW));
    }
    Ok((path, now))
}

pub use crate::tools::hexadecimal;

/// A file's SHA-256, in hexadecimal digits.
///
/// # Errors
/// The file cannot be read.
pub fn digest_of(path: &Path) -> std::io::Result<String> {
    digest(File::open(path)?)
}

fn digest(mut file: File) -> std::io::Result<String> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        hasher.update(&buffer[..count]);
    }
    Ok(hexadecimal(&hasher.finalize()))
}
