//! Files of this machine for a report, no more of each than a report needs: a values file can be of any size, and a log grows.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use crate::error::{During, Failure, Kind};

/// How much of a file is read, in bytes.
pub(super) const MOST: u64 = 256 * 1024;
/// How much of a line of a log is kept, in characters.
const LINE: usize = 8 * 1024;

/// Which end of a file matters.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum End {
    First,
    Last,
}

/// A file, or one end of it, whole lines only.
pub(super) struct Excerpt {
    pub(super) text: String,
    end: End,
    /// How many bytes were left out.
    left_out: u64,
}

impl Excerpt {
    /// Reads a file as text.
    ///
    /// # Errors
    /// No environment: it is not there, is no file, or cannot be read.
    pub(super) fn read(path: &Path, end: End) -> Result<Self, Failure> {
        let doing = || format!("cannot read {}", path.display());
        let metadata = std::fs::metadata(path).during(Kind::NoEnvironment, doing())?;
        if !metadata.is_file() {
            // A pipe would be waited for.
            return Err(Failure::new(Kind::NoEnvironment, doing()).evidence("it is no file"));
        }
        let read = || -> std::io::Result<Vec<u8>> {
            let mut file = File::open(path)?;
            if end == End::Last {
                file.seek(SeekFrom::Start(metadata.len().saturating_sub(MOST)))?;
            }
            let mut bytes = Vec::new();
            file.take(MOST).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        let bytes = read().during(Kind::NoEnvironment, doing())?;
        let read = bytes.len() as u64;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let text = if metadata.len() > MOST { whole_lines(&text, end).to_owned() } else { text };
        let left_out = metadata.len().saturating_sub(read.min(text.len() as u64));
        Ok(Self { text, end, left_out: if metadata.len() > MOST { left_out } else { 0 } })
    }

    /// The text, with a line that tells what is not in it.
    pub(super) fn told(&self) -> String {
        let note = format!("[cut: {} bytes more are in the file; a report takes {MOST} of a file]\n", self.left_out);
        match (self.left_out, self.end) {
            (0, _) => self.text.clone(),
            (_, End::First) => format!("{}{note}", self.text),
            (_, End::Last) => format!("{note}{}", self.text),
        }
    }
}

/// Half a line could be half a secret, which nothing would recognise.
fn whole_lines(text: &str, end: End) -> &str {
    match end {
        End::First => text.rfind('\n').map_or("", |last| &text[..=last]),
        End::Last => text.find('\n').map_or("", |first| &text[first + 1..]),
    }
}

/// A line of a log that is not longer than a report needs; `clean` takes the secrets out of it before it is cut.
pub(super) fn line(line: &str, clean: impl FnOnce(&str) -> String) -> String {
    if line.len() <= LINE {
        return line.to_owned();
    }
    let clean = clean(line);
    let kept: String = clean.chars().take(LINE).collect();
    if kept.len() == clean.len() { clean } else { format!("{kept} [cut: a report takes {LINE} characters of a line]") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_file_is_taken_as_it_is_and_of_a_large_one_the_end_that_matters() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        std::fs::write(&path, "one\ntwo").unwrap();
        assert_eq!(Excerpt::read(&path, End::First).unwrap().told(), "one\ntwo");
        let lines = "0123456\n".repeat(usize::try_from(MOST).unwrap() / 8);
        std::fs::write(&path, format!("begin\n{lines}end\n")).unwrap();
        let first = Excerpt::read(&path, End::First).unwrap().told();
        assert!(first.starts_with("begin\n0123456\n") && !first.contains("end\n"));
        assert!(first.ends_with("0123456\n[cut: 12 bytes more are in the file; a report takes 262144 of a file]\n"));
        let last = Excerpt::read(&path, End::Last).unwrap().told();
        assert!(last.starts_with("[cut: ") && last.ends_with("\n0123456\nend\n") && !last.contains("begin"));
        assert!(Excerpt::read(folder.path(), End::First).is_err_and(|failure| failure.evidence == ["it is no file"]));
    }

    #[test]
    fn a_long_line_is_cut_after_its_secrets_are_out() {
        let long = format!("{}://u:planted@h", "x".repeat(LINE));
        let cut = line(&long, |text| text.replace("planted", ""));
        assert!(cut.ends_with("characters of a line]") && !cut.contains("plant"));
        assert_eq!(line("short planted", |_| String::new()), "short planted");
    }
}
