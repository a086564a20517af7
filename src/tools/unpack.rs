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
    let doing = || format!("cannot unpack {name} of {}", archive.display());
    let broken = |what: String| Failure::new(Kind::Prerequisite, doing()).code(Code::ToolDownload).evidence(what);
    let file = File::open(archive).during(Kind::Prerequisite, doing())?;
    let mut archive = Archive::new(GzDecoder::new(file));
    for entry in archive.entries().during(Kind::Prerequisite, doing())? {
        let mut entry = entry.map_err(|error| broken(error.to_string()))?;
        if entry.path_bytes().as_ref() != name.as_bytes() {
            continue;
        }
        if entry.header().entry_type() != EntryType::Regular {
            return Err(broken("it is no plain file".to_owned()));
        }
        let size = entry.size();
        if size > LARGEST {
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
            if *kind == EntryType::Symlink {
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
