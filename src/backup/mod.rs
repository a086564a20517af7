//! The file of a backup: a tar sealed by a passphrase.
//!
//! | entry | holds |
//! |---|---|
//! | `backup.json` | [`Manifest`]: what this is a backup of |
//! | `keys.json` | [`Keys`]: what the database cannot be read without |
//! | `database.dump` | what `pg_dump --format=custom` wrote |

mod sealed;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::ops::Range;
use std::path::Path;

use jiff::Timestamp;
use secrecy::SecretString;
use semver::Version;
use serde::{Deserialize, Serialize};

use crate::error::{During, Failure, Kind};
use crate::images::hexadecimal;
use crate::images::size::size;
use crate::profile::StackName;
use crate::state::document::{Document, Step};
use crate::state::expose;
use sealed::{Sealer, Trouble};
use sha2::{Digest, Sha256};

/// The format that this windtunnel writes and reads.
pub const FORMAT: u32 = 1;
/// Bytes that a dump may have: it is held in memory.
pub const LARGEST: u64 = 1 << 30;
/// Bytes that everything else in a backup may have.
const REST: u64 = 1 << 20;

const MANIFEST: &str = "backup.json";
const KEYS: &str = "keys.json";
const DUMP: &str = "database.dump";

/// What a backup is of.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: u32,
    /// The windtunnel that made it.
    pub windtunnel: String,
    /// The environment.
    pub environment: String,
    /// Its chart.
    pub stack: StackName,
    /// Its Airflow, which the database was migrated by.
    pub airflow: Version,
    /// When it was made.
    pub time: Timestamp,
    /// The database's version, as PostgreSQL numbers them: `170012`.
    pub database: u32,
    /// What is in it.
    pub content: Content,
    /// SHA-256 of the dump.
    pub sha256: String,
}

/// How much is in a database.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Content {
    /// Runs of DAGs.
    pub runs: u64,
    /// Connections, but for those of the surroundings.
    pub connections: u64,
    /// Variables, likewise.
    pub variables: u64,
}

impl std::fmt::Display for Content {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let counted = |number: u64, what: &str| format!("{number} {what}{}", if number == 1 { "" } else { "s" });
        let Self { runs, connections, variables } = *self;
        let words = [counted(runs, "DAG run"), counted(connections, "connection"), counted(variables, "variable")];
        formatter.write_str(&words.join(", "))
    }
}

/// What must be the same for the database to be of use elsewhere.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    /// What connections and variables are encrypted with.
    #[serde(serialize_with = "expose")]
    pub fernet_key: SecretString,
    /// The password that the database's user `admin` has.
    #[serde(serialize_with = "expose")]
    pub admin_password: SecretString,
}

/// While a restore is under way they are kept in a file of their own.
impl Document for Keys {
    const STEPS: &'static [Step] = &[];
}

/// A backup that was read: all of it is there, and as it was written.
pub struct Backup {
    /// What it is of.
    pub manifest: Manifest,
    /// Its keys.
    pub keys: Keys,
    archive: Vec<u8>,
    dump: Range<usize>,
}

impl Backup {
    /// The dump of the database.
    #[must_use]
    pub fn dump(&self) -> &[u8] {
        &self.archive[self.dump.clone()]
    }

    /// Reads and checks a file.
    ///
    /// # Errors
    /// Usage: it cannot be read, is none, does not open, is cut short or damaged, holds what it should not, or is of a newer windtunnel.
    pub fn read(path: &Path, passphrase: &SecretString) -> Result<Self, Failure> {
        let shown = path.display();
        let file = File::open(path).during(Kind::Usage, format!("cannot read {shown}"))?;
        let length = file.metadata().during(Kind::Usage, format!("cannot read {shown}"))?.len();
        if length > LARGEST + REST {
            return Err(Failure::usage(format!("{shown} is larger than a backup may be")).evidence(format!(
                "it has {}, a backup has at most {}",
                size(length),
                size(LARGEST)
            )));
        }
        let archive = sealed::open(file, passphrase).map_err(|error| not_opened(path, &error))?;
        Self::of_archive(archive).map_err(|why| match why {
            Bad::Content(why) => Failure::usage(format!("{shown} is no backup that can be used")).evidence(why),
            Bad::Newer(format) => {
                Failure::usage(format!("{shown} is of format {format}, this windtunnel reads {FORMAT}"))
                    .hint("use the windtunnel that made it, or a newer one: `windtunnel --version`")
            }
        })
    }

    fn of_archive(archive: Vec<u8>) -> Result<Self, Bad> {
        let places = entries(&archive)?;
        let entry = |name: &str| places.get(name).map(|place| &archive[place.clone()]).ok_or_else(|| lacks(name));
        let dump = places.get(DUMP).cloned().ok_or_else(|| lacks(DUMP))?;
        let manifest = manifest(entry(MANIFEST)?)?;
        let keys = parse(KEYS, entry(KEYS)?)?;
        if hexadecimal(&Sha256::digest(&archive[dump.clone()])) != manifest.sha256 {
            return Err(Bad::Content(format!("{DUMP} is not the one that {MANIFEST} is about")));
        }
        Ok(Self { manifest, keys, archive, dump })
    }
}

/// Why an archive is refused.
#[derive(Debug)]
enum Bad {
    Content(String),
    Newer(u32),
}

fn lacks(name: &str) -> Bad {
    Bad::Content(format!("there is no {name} in it"))
}

/// Where each entry is. Only what a backup has may be there, and only as a file: nothing is ever unpacked onto the disk.
fn entries(archive: &[u8]) -> Result<BTreeMap<&'static str, Range<usize>>, Bad> {
    let broken = |error: std::io::Error| Bad::Content(format!("its archive is broken: {error}"));
    let mut places = BTreeMap::new();
    for entry in tar::Archive::new(archive).entries().map_err(broken)? {
        let entry = entry.map_err(broken)?;
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let name = [MANIFEST, KEYS, DUMP].into_iter().find(|name| *name == path);
        let name = name.filter(|_| entry.header().entry_type() == tar::EntryType::Regular);
        let Some(name) = name else { return Err(Bad::Content(format!("it holds `{path}`, which no backup has"))) };
        let most = if name == DUMP { LARGEST } else { REST };
        let begin = entry.raw_file_position();
        let end = begin.saturating_add(entry.size());
        if entry.size() > most || end > archive.len() as u64 {
            return Err(Bad::Content(format!("its {name} says that it has {} bytes", entry.size())));
        }
        let place = usize::try_from(begin).ok().zip(usize::try_from(end).ok()).map(|(begin, end)| begin..end);
        if places.insert(name, place.unwrap_or_default()).is_some() {
            return Err(Bad::Content(format!("it holds {name} twice")));
        }
    }
    Ok(places)
}

/// The format first: what a newer windtunnel writes beside it is not known.
fn manifest(text: &[u8]) -> Result<Manifest, Bad> {
    #[derive(Deserialize)]
    struct Format {
        format: u32,
    }
    let Format { format } = parse(MANIFEST, text)?;
    if format == FORMAT { parse(MANIFEST, text) } else { Err(Bad::Newer(format)) }
}

fn parse<'a, T: Deserialize<'a>>(name: &str, text: &'a [u8]) -> Result<T, Bad> {
    // What serde says may quote a value, and this one may be a key.
    let why = |error: &serde_json::Error| if name == KEYS { String::new() } else { format!(": {error}") };
    serde_json::from_slice(text).map_err(|error| Bad::Content(format!("its {name} is damaged{}", why(&error))))
}

fn not_opened(path: &Path, error: &std::io::Error) -> Failure {
    let Some(trouble) = error.get_ref().and_then(|inner| inner.downcast_ref::<Trouble>()).copied() else {
        return Failure::usage(format!("cannot read {}", path.display())).evidence(error.to_string());
    };
    let failure = Failure::usage(format!("{} {trouble}", path.display()));
    match trouble {
        Trouble::CutShort | Trouble::Damaged => {
            failure.hint("use another copy of it: nothing of this one can be trusted")
        }
        Trouble::WrongPassphrase => {
            failure.hint("give the one that it was made with: there is no other way to open it")
        }
        Trouble::NotSealed | Trouble::NoPassphrase | Trouble::TooMuchWork => failure,
    }
}

/// Writes a backup: at once or not at all, and readable for this user alone. The manifest's digest is that of the dump.
///
/// # Errors
/// Usage: the file cannot be written, or is there and `replace` is not set.
pub fn write(
    path: &Path,
    replace: bool,
    passphrase: &SecretString,
    manifest: Manifest,
    keys: &Keys,
    dump: &[u8],
) -> Result<(), Failure> {
    let doing = || format!("cannot write {}", path.display());
    let folder = path.parent().ok_or_else(|| Failure::usage(doing()))?;
    let manifest = Manifest { sha256: hexadecimal(&Sha256::digest(dump)), ..manifest };
    let text = serde_json::to_vec_pretty(&manifest).during(Kind::Bug, doing())?;
    let keys = serde_json::to_vec(keys).during(Kind::Bug, doing())?;
    let written = || -> std::io::Result<()> {
        // tempfile makes it 0600 from the start, and removes it again if it is not kept.
        let file = tempfile::NamedTempFile::new_in(folder)?;
        seal(&file, passphrase, &[(MANIFEST, &text), (KEYS, &keys), (DUMP, dump)])?;
        file.as_file().sync_all()?;
        if replace {
            file.persist(path)?
        } else {
            file.persist_noclobber(path)?
        };
        File::open(folder)?.sync_all()
    };
    written().during(Kind::Usage, doing())
}

fn seal(file: impl Write, passphrase: &SecretString, entries: &[(&str, &[u8])]) -> std::io::Result<()> {
    let mut archive = tar::Builder::new(Sealer::new(file, passphrase)?);
    for (name, bytes) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o600);
        archive.append_data(&mut header, name, *bytes)?;
    }
    archive.into_inner()?.finish()?.flush()
}

#[cfg(test)]
mod tests;
