//! Documents that say of which format they are and which windtunnel wrote them.
//!
//! The format is looked at before anything else: an older document is brought forward step by step, a newer one refused, for nobody
//! knows here what else is new in it. A new key is a new format, and a step to it.

use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::write_private;
use crate::error::{During, Failure, Kind, chain};

/// The key of the format's number; a document without it is of format 1.
const FORMAT: &str = "format";
/// The key of the version of windtunnel that wrote it.
const WRITER: &str = "windtunnel";

/// What a document of one format becomes in the next one.
pub type Step = fn(&mut Map<String, Value>);

/// One kind of document.
pub trait Document: DeserializeOwned + Serialize {
    /// The steps from format 1 on: the first leads to format 2. The format after the last one is that of the type.
    const STEPS: &'static [Step];
}

/// What there is of a document.
#[derive(Debug)]
pub enum Kept<D> {
    /// No file.
    Absent,
    /// The document.
    There(D),
    /// What can be read by nobody.
    Damaged(Failure),
    /// What only a newer windtunnel can read.
    Newer(Failure),
}

impl<D> Kept<D> {
    /// The document, where there is one.
    ///
    /// # Errors
    /// It is damaged or of a newer windtunnel.
    pub fn into_result(self) -> Result<Option<D>, Failure> {
        match self {
            Self::Absent => Ok(None),
            Self::There(document) => Ok(Some(document)),
            Self::Damaged(failure) | Self::Newer(failure) => Err(failure),
        }
    }
}

/// Why a text is not read.
#[derive(Debug)]
pub enum Trouble {
    /// What is wrong with it, line by line.
    Damaged(Vec<String>),
    /// A newer windtunnel wrote it.
    Newer {
        /// Its format.
        format: u64,
        /// The newest one that is known here.
        known: u64,
        /// The version that wrote it, if it says so.
        writer: Option<String>,
    },
}

impl Trouble {
    /// The failure of `what`, a file or what else keeps the document.
    #[must_use]
    pub fn of(self, what: &str) -> Failure {
        match self {
            Self::Damaged(why) => Failure::usage(format!("{what} is damaged")).evidence_lines(why),
            Self::Newer { format, known, writer } => {
                let (writer, it) = match writer {
                    Some(version) => (format!("windtunnel {version}"), format!("windtunnel {version} or a newer one")),
                    None => ("a newer windtunnel".to_owned(), "the windtunnel that wrote it".to_owned()),
                };
                Failure::usage(format!("{what} was written by {writer}, in a format that this one does not know"))
                    .evidence(format!(
                        "it is of format {format}; this windtunnel, {}, knows those up to {known}",
                        env!("CARGO_PKG_VERSION")
                    ))
                    .hint(format!("use {it}"))
            }
        }
    }
}

/// Reads a text.
///
/// # Errors
/// It is damaged, or of a newer windtunnel.
pub fn parse<D: Document>(text: &[u8]) -> Result<D, Trouble> {
    let damaged = |error: serde_json::Error| Trouble::Damaged(chain(&error));
    let mut document: Map<String, Value> = serde_json::from_slice(text).map_err(damaged)?;
    let known = newest::<D>();
    let format = match document.remove(FORMAT) {
        None => 1,
        Some(number) => number
            .as_u64()
            .filter(|number| *number > 0)
            .ok_or_else(|| Trouble::Damaged(vec![format!("its format is `{number}`, which is none")]))?,
    };
    let writer = document.remove(WRITER).and_then(|writer| writer.as_str().map(str::to_owned));
    if format > known {
        return Err(Trouble::Newer { format, known, writer });
    }
    for (_, step) in (1..).zip(D::STEPS).filter(|(from, _)| format <= *from) {
        step(&mut document);
    }
    serde_json::from_value(document.into()).map_err(damaged)
}

/// Reads a file.
#[must_use]
pub fn read<D: Document>(path: &Path) -> Kept<D> {
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Kept::Absent,
        Err(error) => {
            let failure = Failure::usage(format!("cannot read {}", path.display()));
            return Kept::Damaged(failure.evidence(error.to_string()));
        }
    };
    let what = path.display().to_string();
    match parse(&text) {
        Ok(document) => Kept::There(document),
        Err(trouble @ Trouble::Damaged(_)) => Kept::Damaged(trouble.of(&what)),
        Err(trouble @ Trouble::Newer { .. }) => Kept::Newer(trouble.of(&what)),
    }
}

/// The text of a document, in the newest format.
///
/// # Errors
/// Bug: it is no map of keys.
pub fn text<D: Document>(document: &D) -> Result<String, Failure> {
    let doing = "cannot write a document";
    let value = serde_json::to_value(document).during(Kind::Bug, doing)?;
    let Value::Object(mut document) = value else { return Err(Failure::bug(doing)) };
    document.insert(FORMAT.to_owned(), newest::<D>().into());
    document.insert(WRITER.to_owned(), env!("CARGO_PKG_VERSION").into());
    let text = serde_json::to_string_pretty(&document).during(Kind::Bug, doing)?;
    Ok(text + "\n")
}

/// Writes a file, as [`write_private`] does.
///
/// # Errors
/// The file cannot be written.
pub fn write<D: Document>(path: &Path, document: &D) -> Result<(), Failure> {
    write_private(path, text(document)?.as_bytes())
}

fn newest<D: Document>() -> u64 {
    D::STEPS.iter().fold(1, |format, _| format + 1)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    #[serde(deny_unknown_fields)]
    struct Thing {
        name: String,
        sizes: Vec<u32>,
    }

    impl Document for Thing {
        const STEPS: &'static [Step] = &[
            |thing| {
                let size = thing.remove("size").unwrap_or_default();
                thing.insert("sizes".to_owned(), json!([size]));
            },
            |thing| {
                thing.insert("name".to_owned(), json!("nameless"));
            },
        ];
    }

    fn parsed(document: &Value) -> Result<Thing, Trouble> {
        parse(document.to_string().as_bytes())
    }

    #[test]
    fn each_format_goes_through_the_steps_after_it() {
        let nameless = Thing { name: "nameless".to_owned(), sizes: vec![7] };
        assert_eq!(parsed(&json!({"size": 7})).unwrap(), nameless);
        assert_eq!(parsed(&json!({"format": 1, "size": 7})).unwrap(), nameless);
        assert_eq!(parsed(&json!({"format": 2, "sizes": [7]})).unwrap(), nameless);
        let named = Thing { name: "a".to_owned(), sizes: vec![7] };
        assert_eq!(parsed(&json!({"format": 3, "name": "a", "sizes": [7]})).unwrap(), named);
        assert_eq!(parse::<Thing>(text(&named).unwrap().as_bytes()).unwrap(), named);
    }

    #[test]
    fn a_newer_one_is_told_by_its_number_whatever_else_is_in_it() {
        let trouble = parsed(&json!({"format": 4, "windtunnel": "9.1.0", "new": true})).unwrap_err();
        let failure = trouble.of("the file");
        assert!(failure.message.contains("windtunnel 9.1.0"), "{failure:?}");
        assert!(failure.hints[0].contains("windtunnel 9.1.0 or a newer one"), "{failure:?}");
        let failure = parsed(&json!({"format": 4})).unwrap_err().of("the file");
        assert!(failure.message.contains("a newer windtunnel"), "{failure:?}");
    }

    #[test]
    fn what_is_no_such_document_is_damaged() {
        for damaged in [
            json!([]),
            json!({"format": 0}),
            json!({"format": "3"}),
            json!({"format": 3, "new": 1}),
            json!({"format": 3}),
        ] {
            assert!(matches!(parsed(&damaged), Err(Trouble::Damaged(_))), "{damaged}");
        }
    }
}
