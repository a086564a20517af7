//! A DAG file that Airflow cannot import: from Python's traceback to file, line and message. Pure.

use serde::{Deserialize, Serialize};

use super::dags::Dag;

/// How many lines of a message are told.
const MESSAGE_LINES: usize = 3;
/// A longer line of source tells less than its number does.
const SOURCE: usize = 100;
/// How much of a line of the message is told, in characters.
const LINE: usize = 200;

/// A DAG file that could not be read.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
pub struct ImportError {
    /// The file, relative to its bundle; with Airflow 2, the whole path.
    pub filename: String,
    /// The DAG bundle.
    pub bundle_name: Option<String>,
    /// Python's traceback.
    pub stack_trace: String,
}

/// What a traceback comes to.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Broken {
    /// The file, as Airflow names it.
    pub file: String,
    /// The line where it went wrong, in that file or in one that it uses; null where Python names none.
    pub line: Option<u32>,
    /// Python's message: `ModuleNotFoundError: No module named 'x'`.
    pub message: String,
}

/// The last frame of a traceback.
struct Frame<'a> {
    /// `File "/opt/airflow/dags/x.py", line 3, in <module>`.
    place: &'a str,
    line: Option<u32>,
    source: Option<&'a str>,
}

impl ImportError {
    /// Whether this is the file of a DAG that Airflow has from before.
    #[must_use]
    pub fn is_of(&self, dag: &Dag) -> bool {
        let same_bundle = self.bundle_name.is_none() || self.bundle_name == dag.bundle_name;
        let is_file = |file: &Option<String>| file.as_deref() == Some(self.filename.as_str());
        same_bundle && (is_file(&dag.relative_fileloc) || is_file(&dag.fileloc))
    }

    /// File, line and message.
    #[must_use]
    pub fn broken(&self) -> Broken {
        let message = self.message().first().map_or("it cannot be imported", |line| *line);
        Broken {
            file: self.filename.clone(),
            line: self.frame().and_then(|frame| frame.line),
            message: shortened(message),
        }
    }

    /// The file, the place in it, the source there, and Python's message, a line each.
    #[must_use]
    pub fn told(&self) -> Vec<String> {
        let mut lines = vec![format!("{} cannot be imported:", self.filename)];
        if let Some(frame) = self.frame() {
            lines.push(format!("  {}", frame.place));
            lines.extend(frame.source.map(|source| format!("    {source}")));
        }
        lines.extend(self.message().into_iter().map(|line| format!("  {}", shortened(line))));
        lines
    }

    fn lines(&self) -> Vec<&str> {
        self.stack_trace.lines().filter(|line| !line.trim().is_empty()).collect()
    }

    /// The lines of the last traceback: those before it are of exceptions that led to it.
    fn last_traceback(&self) -> Vec<&str> {
        let lines = self.lines();
        let begin = lines.iter().rposition(|line| line.starts_with("Traceback ")).map_or(0, |begin| begin + 1);
        lines[begin..].to_vec()
    }

    /// The last frame outside of Airflow and Python, or the last one.
    fn frame(&self) -> Option<Frame<'_>> {
        let lines = self.last_traceback();
        let is_place = |line: &&&str| line.trim_start().starts_with("File \"");
        let is_own = |line: &&&str| is_place(line) && !line.contains("/site-packages/") && !line.contains("\"<frozen ");
        let own = lines.iter().rposition(|line| is_own(&line));
        let at = own.or_else(|| lines.iter().rposition(|line| is_place(&line)))?;
        let place = lines[at].trim();
        let number = place.split_once("\", line ").map(|(_, rest)| rest.split(',').next().unwrap_or(rest));
        let source = lines.get(at + 1).map(|line| line.trim()).filter(|source| {
            let is_marks = source.chars().all(|mark| "~^ ".contains(mark));
            source.len() <= SOURCE && !source.starts_with("File \"") && !is_marks && lines[at + 1].starts_with(' ')
        });
        Some(Frame { place, line: number.and_then(|number| number.trim().parse().ok()), source })
    }

    /// What stands after the frames, which are indented: the message, of one line or more.
    fn message(&self) -> Vec<&str> {
        let lines = self.last_traceback();
        let begin = lines.iter().position(|line| !line.starts_with(' ')).unwrap_or(lines.len().saturating_sub(1));
        lines.into_iter().skip(begin).take(MESSAGE_LINES).collect()
    }
}

impl std::fmt::Display for Broken {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let line = self.line.map_or_else(String::new, |line| format!(" line {line}"));
        write!(formatter, "{}{line}: {}", self.file, self.message)
    }
}

fn shortened(line: &str) -> String {
    line.trim_end().chars().take(LINE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    // As Airflow 3.3.2 keeps them, of the last two frames (`dagbag_import_error_traceback_depth`), with Python 3.11.
    const SYNTAX: &str = r#"Traceback (most recent call last):
  File "<frozen importlib._bootstrap_external>", line 1004, in source_to_code
  File "<frozen importlib._bootstrap>", line 241, in _call_with_frames_removed
  File "/opt/airflow/dags/broken.py", line 4
    def broken(:
               ^
SyntaxError: invalid syntax
"#;
    const ZERO: &str = r#"Traceback (most recent call last):
  File "<frozen importlib._bootstrap>", line 241, in _call_with_frames_removed
  File "/opt/airflow/dags/broken.py", line 3, in <module>
    RATE = 1 / (2 - 2)
           ~~^~~~~~~~~
ZeroDivisionError: division by zero
"#;
    const MODULE: &str = r#"Traceback (most recent call last):
  File "<frozen importlib._bootstrap>", line 241, in _call_with_frames_removed
  File "/opt/airflow/dags/broken.py", line 3, in <module>
    import no_such_module
ModuleNotFoundError: No module named 'no_such_module'
"#;
    const SEVERAL: &str = r#"Traceback (most recent call last):
  File "<frozen importlib._bootstrap>", line 241, in _call_with_frames_removed
  File "/opt/airflow/dags/broken.py", line 3, in <module>
    raise ValueError("the file is wrong:\n  - one\n  - two\nmend it")
ValueError: the file is wrong:
  - one
  - two
mend it
"#;
    const LIBRARY: &str = r#"Traceback (most recent call last):
  File "/usr/local/airflow/lib/python3.11/site-packages/airflow/sdk/bases/operator.py", line 1125, in __init__
    validate_key(self.task_id)
  File "/usr/local/airflow/lib/python3.11/site-packages/airflow/sdk/definitions/_internal/node.py", line 49, in validate_key
    raise ValueError(
ValueError: The key 'a b' has to be made of alphanumeric characters, dashes, dots, and underscores exclusively
"#;

    fn error(stack_trace: &str) -> ImportError {
        let (filename, bundle_name) = ("broken.py".to_owned(), Some("dags-folder".to_owned()));
        ImportError { filename, bundle_name, stack_trace: stack_trace.to_owned() }
    }

    #[test]
    fn file_line_source_and_message_are_told_whatever_carets_stand_between() {
        let head = "broken.py cannot be imported:";
        let place = |rest: &str| format!("  File \"/opt/airflow/dags/broken.py\", line {rest}");
        let told = |text: &str| error(text).told();
        assert_eq!(told(SYNTAX), [head, &place("4"), "    def broken(:", "  SyntaxError: invalid syntax"]);
        let module = place("3, in <module>");
        assert_eq!(told(ZERO), [head, &module, "    RATE = 1 / (2 - 2)", "  ZeroDivisionError: division by zero"]);
        let message = "  ModuleNotFoundError: No module named 'no_such_module'";
        assert_eq!(told(MODULE), [head, &module, "    import no_such_module", message]);
        assert_eq!(told(SEVERAL)[3..], ["  ValueError: the file is wrong:", "    - one", "    - two"]);
        assert!(told(LIBRARY)[1].ends_with("line 49, in validate_key"), "{:?}", told(LIBRARY));
    }

    #[test]
    fn python_3_13_marks_and_chained_exceptions_are_read_as_well() {
        // Of Python 3.13: the marks of a call, and an exception that another one led to.
        let text = r#"Traceback (most recent call last):
  File "/opt/airflow/dags/broken.py", line 6, in <module>
    load(settings)
    ~~~~^^^^^^^^^^
  File "/opt/airflow/dags/broken.py", line 3, in load
    return settings["shop"]
           ~~~~~~~~^^^^^^^^
KeyError: 'shop'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/opt/airflow/dags/broken.py", line 8, in <module>
    raise RuntimeError("no settings") from None
RuntimeError: no settings
"#;
        let broken = error(text).broken();
        assert_eq!(broken.to_string(), "broken.py line 8: RuntimeError: no settings");
        let first = text.split("\nDuring").next().unwrap();
        assert_eq!(error(first).broken().to_string(), "broken.py line 3: KeyError: 'shop'");
    }

    #[test]
    fn words_without_a_traceback_are_the_message() {
        let text = "AirflowDagDuplicatedIdException: Ignoring DAG etl from a.py - also found in b.py";
        assert_eq!(error(text).broken(), Broken { file: "broken.py".to_owned(), line: None, message: text.to_owned() });
        assert_eq!(error("").broken().message, "it cannot be imported");
        assert_eq!(error("").told(), ["broken.py cannot be imported:"]);
    }

    #[test]
    fn the_file_of_a_dag_is_known_by_bundle_and_path() {
        let dag = |bundle: &str| Dag {
            bundle_name: Some(bundle.to_owned()),
            relative_fileloc: Some("broken.py".to_owned()),
            ..Dag::default()
        };
        assert!(error("").is_of(&dag("dags-folder")) && !error("").is_of(&dag("other")));
        // Airflow 2 has no bundles, and whole paths.
        let of_2 = ImportError { filename: "/opt/airflow/dags/broken.py".to_owned(), ..ImportError::default() };
        let known = Dag { fileloc: Some(of_2.filename.clone()), ..Dag::default() };
        assert!(of_2.is_of(&known) && !of_2.is_of(&Dag::default()));
    }
}
