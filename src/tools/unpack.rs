//! Takes one file out of a `.tar.gz`, and nothing else: no other member is written, no link followed, no path of the archive used.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;
use tar::{Archive, EntryType};
use tempfile::NamedTempFile;

use crate::codes::Code;
use crate::error::{During, Failure, Kind};

/// The largest program that is unpacked, in bytes: Helm has 60 MB.
const LARGEST: u64 = 512 * 1024 * 1024;

/// The member `name` of an archive, as a temporary file in `folder`.
///
/// # Errors
/// Prerequisite: the archive is damaged, has no such plain file, or a larger one than any tool is.
pub(super) fn member(archive: &Path, name: &str, folder: &Path) -> Result<NamedTempFile, Failure> {
    member_within(LARGEST, archive, name, folder)
}

/// The same, of at most `largest` bytes; what comes before it in the archive may be twice as long.
fn member_within(largest: u64, archive: &Path, name: &str, folder: &Path) -> Result<NamedTempFile, Failure> {
    let doing = || format!("cannot unpack {name} of {}", archive.display());
    let broken = |what: String| Failure::new(Kind::Prerequisite, doing()).code(Code::ToolDownload).evidence(what);
    let file = File::open(archive).during(Kind::Prerequisite, doing())?;
    let mut archive = Archive::new(GzDecoder::new(file).take(3 * largest));
    for entry in archive.entries().during(Kind::Prerequisite, doing())? {
        let mut entry = entry.map_err(|error| broken(error.to_string()))?;
        if entry.path_bytes().as_ref() != name.as_bytes() {
            continue;
        }
        if entry.header().entry_type() != EntryType::Regular {
            return Err(broken("it is no plain file".to_owned()));
        }
        let size = entry.size();
        if size > largest {
            return Err(broken(format!("it has {size} bytes")));
        }
        let mut program = NamedTempFile::new_in(folder).during(Kind::Prerequisite, doing())?;
        let written =
            std::io::copy(&mut entry.by_ref().take(size), &mut program).map_err(|error| broken(error.to_string()))?;
        if written != size {
            return Err(broken(format!("it ends after {written} of {size} bytes")));
        }
        return Ok(program);
    }
    Err(broken("it is not in there".to_owned()))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use tar::{Builder, Header};

    use super::*;

    fn archive(members: &[(&str, EntryType, &str)]) -> NamedTempFile {
        let file = NamedTempFile::new().unwrap();
        let mut builder = Builder::new(GzEncoder::new(file.reopen().unwrap(), Compression::fast()));
        for (name, kind, text) in members {
            let mut header = Header::new_gnu();
            header.set_entry_type(*kind);
            header.set_size(text.len() as u64);
            header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
            if matches!(*kind, EntryType::Symlink | EntryType::Link) {
                header.set_link_name("/etc/passwd").unwrap();
            }
            header.set_cksum();
            builder.append(&header, text.as_bytes()).unwrap();
        }
        builder.into_inner().unwrap().finish().unwrap().flush().unwrap();
        file
    }

    #[test]
    fn one_member_comes_out_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let archive = archive(&[
            ("../../escaped", EntryType::Regular, "no"),
            ("linux-amd64/helm", EntryType::Regular, "program"),
            ("linux-amd64/README.md", EntryType::Regular, "text"),
        ]);
        let program = member(archive.path(), "linux-amd64/helm", folder.path()).unwrap();
        assert_eq!(std::fs::read_to_string(program.path()).unwrap(), "program");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    /// Packed they are a few hundred bytes.
    fn zeros(count: usize) -> String {
        "\0".repeat(count)
    }

    #[test]
    fn a_bomb_does_not_go_off() {
        let folder = tempfile::tempdir().unwrap();
        let (small, large) = (zeros(1 << 10), zeros(8 << 10));
        let wanted = |archive: &NamedTempFile| member_within(2 << 10, archive.path(), "helm", folder.path());
        wanted(&archive(&[("helm", EntryType::Regular, &small)])).unwrap();
        let failure = wanted(&archive(&[("helm", EntryType::Regular, &large)])).unwrap_err();
        assert_eq!(failure.evidence, ["it has 8192 bytes"]);
        // One before it is not unpacked without end on the way.
        let failure = wanted(&archive(&[("bomb", EntryType::Regular, &large), ("helm", EntryType::Regular, &small)]));
        assert_eq!(failure.unwrap_err().kind, Kind::Prerequisite);
        // One that says less than it has gives no more than it says.
        let lying = archive(&[("helm", EntryType::Regular, &small), ("rest", EntryType::Regular, &large)]);
        assert_eq!(wanted(&lying).unwrap().as_file().metadata().unwrap().len(), 1 << 10);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left");
    }

    #[test]
    fn no_name_or_link_leads_out_of_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("inside");
        std::fs::create_dir(&inside).unwrap();
        for kind in [EntryType::Symlink, EntryType::Link, EntryType::Directory, EntryType::Fifo, EntryType::GNUSparse] {
            let link = archive(&[("helm", kind, "")]);
            assert!(member(link.path(), "helm", &inside).is_err(), "{kind:?}");
        }
        // A link that stands before the file of its own name, as if it were to be written through.
        let through = archive(&[("helm", EntryType::Symlink, ""), ("helm", EntryType::Regular, "program")]);
        member(through.path(), "helm", &inside).unwrap_err();
        let names = archive(&[("../helm", EntryType::Regular, "no"), ("/tmp/helm", EntryType::Regular, "no")]);
        member(names.path(), "helm", &inside).unwrap_err();
        assert_eq!(std::fs::read_dir(&inside).unwrap().count(), 0);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_no_plain_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let link = archive(&[("linux-amd64/helm", EntryType::Symlink, "")]);
        let failure = member(link.path(), "linux-amd64/helm", folder.path()).unwrap_err();
        assert_eq!(failure.evidence, ["it is no plain file"]);
        let absent = archive(&[("helm", EntryType::Regular, "program")]);
        assert_eq!(
            member(absent.path(), "linux-amd64/helm", folder.path()).unwrap_err().evidence,
            ["it is not in there"]
        );
        let text = NamedTempFile::new().unwrap();
        text.as_file().write_all(b"<html>").unwrap();
        member(text.path(), "linux-amd64/helm", folder.path()).unwrap_err();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
