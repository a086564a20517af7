//! A task log's structured events as lines for a person. Pure.

use std::fmt::{Display, Formatter, Result};

use serde::Deserialize;
use serde_json::{Map, Value};

/// The document at `…/logs/{try}`.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct TaskLog {
    content: Content,
}

/// Events, or bare lines where Airflow could not parse the file as events; of Airflow 2, Python's word for a list of host and text.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Content {
    Events(Vec<Event>),
    Lines(Vec<String>),
    Text(String),
}

#[derive(Clone, Debug, Deserialize)]
struct Event {
    timestamp: Option<String>,
    level: Option<String>,
    #[serde(rename = "event")]
    message: String,
    #[serde(default)]
    error_detail: Vec<Exception>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Clone, Debug, Deserialize)]
struct Exception {
    exc_type: String,
    exc_value: String,
    #[serde(default)]
    frames: Vec<Frame>,
}

#[derive(Clone, Debug, Deserialize)]
struct Frame {
    filename: String,
    lineno: u32,
    name: String,
}

/// What every event has and nobody reads: which task it is was asked for, and where in Airflow it was said is noise.
const KNOWN: [&str; 11] =
    ["chan", "dag_id", "filename", "lineno", "logger", "loc", "map_index", "run_id", "task_id", "ti_id", "try_number"];

/// What Airflow writes among the sources of a log where one of them could not be read (`file_task_handler.py`, and
/// `get_task_log` of `KubernetesExecutor`), Airflow 2 after `***`.
const UNREAD: [&str; 6] = [
    "Could not read served logs",
    "Failed to fetch log file",
    "Log file does not exist",
    "Log file not found on worker",
    "Please make sure that all your Airflow components",
    "Reading from k8s pod logs failed",
];

impl TaskLog {
    /// Why there is nothing in it, in Airflow's words: it has only its sources, and one of them could not be read.
    pub(super) fn unread(&self) -> Vec<String> {
        let (sources, said): (Vec<String>, Vec<String>) = match &self.content {
            Content::Events(events) => {
                let head = events.iter().position(|event| event.message == "::endgroup::").unwrap_or(0);
                let text = |events: &[Event]| events.iter().map(|event| event.message.clone()).collect();
                (text(&events[..head]), text(events.get(head + 1..).unwrap_or_default()))
            }
            Content::Lines(_) | Content::Text(_) => {
                self.to_string().lines().map(str::to_owned).partition(|line| line.starts_with("***"))
            }
        };
        let is_unread = |line: &String| UNREAD.iter().any(|words| line.contains(words));
        if said.iter().any(|line| !line.trim().is_empty()) {
            return Vec::new();
        }
        sources.into_iter().filter(is_unread).collect()
    }
}

/// One line for each event, with more for an exception: time in UTC, level, message, and what else was said as `key=value`.
impl Display for TaskLog {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        match &self.content {
            Content::Text(text) => writeln!(formatter, "{}", text_of_airflow_2(text)),
            Content::Lines(lines) => lines.iter().try_for_each(|line| writeln!(formatter, "{}", line.trim_end())),
            Content::Events(events) => {
                events.iter().filter(|event| !event.is_fold()).try_for_each(|event| write!(formatter, "{event}"))
            }
        }
    }
}

/// Airflow 2 answers with `str` of a list: `[('host', 'one\\ntwo')]` (`airflow/api_connexion/endpoints/log_endpoint.py`).
fn text_of_airflow_2(text: &str) -> String {
    let inner = text.strip_prefix("[('").and_then(|text| text.split_once("', ")).map_or(text, |(_, text)| text);
    let inner = inner.strip_suffix(")]").map_or(inner, |inner| inner.trim_matches(['"', '\'']));
    inner.replace("\\n", "\n").replace("\\t", "\t").replace("\\'", "'")
}

impl Event {
    /// The marks that Airflow's own page folds lines by.
    fn is_fold(&self) -> bool {
        self.message.starts_with("::group::") || self.message.starts_with("::endgroup::")
    }
}

impl Display for Event {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        if let Some(timestamp) = &self.timestamp {
            write!(formatter, "{} ", time(timestamp))?;
        }
        if let Some(level) = &self.level {
            write!(formatter, "{:<8} ", level.to_uppercase())?;
        }
        write!(formatter, "{}", self.message.trim_end())?;
        for (key, value) in self.rest.iter().filter(|(key, _)| !KNOWN.contains(&key.as_str())) {
            match value {
                Value::String(text) => write!(formatter, " {key}={text}")?,
                value => write!(formatter, " {key}={value}")?,
            }
        }
        writeln!(formatter)?;
        self.error_detail.iter().try_for_each(|exception| write!(formatter, "{exception}"))
    }
}

impl Display for Exception {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        for Frame { filename, lineno, name } in &self.frames {
            writeln!(formatter, "    File \"{filename}\", line {lineno}, in {name}")?;
        }
        writeln!(formatter, "    {}: {}", self.exc_type, self.exc_value)
    }
}

/// `2026-11-22T21:59:25.034145Z` as `2026-11-22 21:59:25.034`; what is no such time stays as it is.
fn time(timestamp: &str) -> String {
    timestamp.parse::<jiff::Timestamp>().map_or_else(
        |_| timestamp.to_owned(),
        |time| format!("{time:.3}").replace('T', " ").trim_end_matches('Z').to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(document: &str) -> String {
        serde_json::from_str::<TaskLog>(document).unwrap().to_string()
    }

    /// From a log that Airflow 3.3.2 gave, frames left out.
    const FAILED: &str = r#"{"content":[
        {"event":"::group::Log message source details"},
        {"event":"/opt/airflow/logs/dag_id=failing/run_id=r1/task_id=boom/attempt=1.log"},
        {"event":"::endgroup::"},
        {"timestamp":"2026-11-22T21:59:24.963420Z","event":"::group::Pre Execute","level":"info","logger":"task","filename":"task_runner.py","lineno":2412},
        {"timestamp":"2026-11-22T21:59:25.012091Z","event":"Worker startup parse complete","level":"info","dag_file":"failing.py","dag_file_parse_ms":31,"try_number":1,"map_index":-1,"task_id":"boom"},
        {"timestamp":"2026-11-22T21:59:25.034145Z","event":"Task failed with exception","level":"error","dag_id":"failing","error_detail":[{"exc_type":"ValueError","exc_value":"no such thing","exc_notes":[],"syntax_error":null,"is_cause":false,"frames":[{"filename":"/opt/airflow/dags/failing.py","lineno":9,"name":"boom"}],"is_group":false,"exceptions":[]}]},
        {"timestamp":"2026-11-22T21:59:25.036169Z","event":"out","level":"info","logger":"task.stdout"}
    ],"continuation_token":null}"#;

    #[test]
    fn the_log_of_airflow_2_is_its_text() {
        let document = r#"{"content":"[('vm', \"*** Found\\nIt's one\\ntwo\")]","continuation_token":"x"}"#;
        let log: TaskLog = serde_json::from_str(document).unwrap();
        assert_eq!(log.to_string(), "*** Found\nIt's one\ntwo\n");
    }

    #[test]
    fn events_become_lines_with_time_level_message_and_the_traceback() {
        assert_eq!(
            render(FAILED),
            "/opt/airflow/logs/dag_id=failing/run_id=r1/task_id=boom/attempt=1.log\n\
             2026-11-22 21:59:25.012 INFO     Worker startup parse complete dag_file=failing.py dag_file_parse_ms=31\n\
             2026-11-22 21:59:25.034 ERROR    Task failed with exception\n    \
             File \"/opt/airflow/dags/failing.py\", line 9, in boom\n    \
             ValueError: no such thing\n\
             2026-11-22 21:59:25.036 INFO     out\n"
        );
    }

    #[test]
    fn a_log_whose_sources_cannot_be_read_is_told_from_an_empty_one() {
        let unread = |document: &str| serde_json::from_str::<TaskLog>(document).unwrap().unread();
        // As Airflow 3.3.2 answers where the worker pod is gone and shared no volume with the API server.
        let gone = r#"{"content":[
            {"event":"::group::Log message source details"},
            {"event":"Could not read served logs: HTTPConnectionPool(host='etl-load-x', port=8793): Max retries exceeded"},
            {"event":"::endgroup::"}
        ],"continuation_token":null}"#;
        assert!(unread(gone)[0].contains("host='etl-load-x'"), "{:?}", unread(gone));
        let of_2 = r#"{"content":"[('', '*** Could not read served logs: [Errno -2] Name or service not known\\n')]"}"#;
        assert_eq!(unread(of_2).len(), 1);
        assert_eq!(unread(FAILED), [""; 0]);
        let begins = r#"{"content":[{"event":"::group::Log message source details"},{"event":"/a.log"},{"event":"::endgroup::"}]}"#;
        assert_eq!(unread(begins), [""; 0], "it has printed nothing yet");
        let beside = gone.replace("\"::endgroup::\"}", "\"::endgroup::\"},{\"event\":\"hello\",\"level\":\"info\"}");
        assert_eq!(unread(&beside), [""; 0], "another source has it");
    }

    #[test]
    fn bare_lines_are_kept() {
        assert_eq!(render(r#"{"content":["one\n","two"],"continuation_token":null}"#), "one\ntwo\n");
        assert_eq!(render(r#"{"content":[],"continuation_token":null}"#), "");
    }
}
