//! The archive of a report: one folder of text files, for this user's eyes.

use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::error::During;
use crate::error::{Failure, Kind};
use crate::redact::Redactor;

/// The files of a report, in the order in which they were added.
pub(super) struct Archive<'a> {
    folder: String,
    redactor: &'a Redactor,
    files: Vec<(String, String)>,
}

impl<'a> Archive<'a> {
    pub(super) fn new(folder: &str, redactor: &'a Redactor) -> Self {
        Self { folder: folder.to_owned(), redactor, files: Vec::new() }
    }

    /// A text without its secrets.
    pub(super) fn clean(&self, text: &str) -> String {
        self.redactor.text(text)
    }

    /// Adds a text, without its secrets.
    pub(super) fn add(&mut self, name: &str, text: &str) {
        self.files.push((name.to_owned(), self.clean(text)));
    }

    /// Adds a text, or why there is none: a report of something broken must not fail for what is broken.
    pub(super) fn add_or_why(&mut self, name: &str, text: Result<String, Failure>) {
        match text {
            Ok(text) => self.add(name, &text),
            Err(failure) => {
                let lines: Vec<String> = std::iter::once(failure.message).chain(failure.evidence).collect();
                self.add(&format!("{name}.missing"), &lines.join("\n"));
            }
        }
    }

    /// The names of the files.
    pub(super) fn names(&self) -> Vec<&str> {
        self.files.iter().map(|(name, _)| name.as_str()).collect()
    }

    /// Writes `path`, a gzipped tar, at once or not at all; nobody else can read it.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn write(&self, path: &Path) -> Result<(), Failure> {
        let bytes = self.bytes().during(Kind::Bug, "cannot put the report together")?;
        crate::state::write_private(path, &bytes)
    }

    fn bytes(&self) -> std::io::Result<Vec<u8>> {
        let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
        for (name, text) in &self.files {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            header.set_mode(0o600);
            archive.append_data(&mut header, format!("{}/{name}", self.folder), text.as_bytes())?;
        }
        archive.into_inner()?.finish()
    }
}
