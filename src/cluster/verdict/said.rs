//! The cause that a component of Airflow names itself, in the log of a run that ended or does not get on.
//!
//! The words are those of libpq (`fe-connect.c`), Alembic (`alembic/script/revision.py`), Airflow's own exceptions, and windtunnel's `start.py`.
//! What no second run mends ends the wait with the first run that says so; what may pass does as any crash loop does.

use super::view::View;
use crate::cluster::shortened;
use crate::codes::Code;

/// How many lines of a log are quoted: all of a failure is to fit on a small screen.
const QUOTED: usize = 5;

/// A cause, and how a log tells of it.
struct Cause {
    code: Code,
    what: &'static str,
    /// Lower case. A line that has one of these tells of it.
    parts: &'static [&'static str],
    /// No second run mends it.
    lasting: bool,
}

/// The first that fits any line counts: what is more telling comes before what follows from it.
const CAUSES: [Cause; 11] = [
    Cause {
        code: Code::DatabasePasswordWrong,
        what: "the database refuses its password",
        parts: &["password authentication failed", "no password supplied"],
        lasting: true,
    },
    Cause {
        code: Code::DatabaseMissing,
        what: "the database that it asks for does not exist",
        parts: &["fatal:  database \"", "fatal:  role \""],
        lasting: true,
    },
    Cause {
        code: Code::NodeDiskFull,
        what: "there is no space left on the disk that it writes to",
        parts: &["no space left on device"],
        lasting: false,
    },
    Cause {
        code: Code::SchemaUnknown,
        what: "the database was migrated by another version of Airflow",
        parts: &["can't locate revision", "no such revision or branch"],
        lasting: true,
    },
    Cause {
        code: Code::FernetKeyInvalid,
        what: "its Fernet key is no key",
        parts: &["fernet key must be", "could not create fernet object"],
        lasting: true,
    },
    Cause {
        code: Code::FernetKeyChanged,
        what: "its Fernet key is not the one that the database was written with",
        parts: &["cryptography.fernet.invalidtoken", "can't decrypt", "could not decrypt"],
        lasting: true,
    },
    Cause {
        code: Code::ExecutorWrong,
        what: "it cannot load its executor",
        parts: &["unknown executor", "unknownexecutorexception", "check \"executor\" key in \"core\""],
        lasting: true,
    },
    Cause {
        code: Code::SettingWrong,
        what: "it refuses one of its settings",
        parts: &["airflowconfigexception:"],
        lasting: true,
    },
    Cause {
        code: Code::ModuleMissing,
        what: "a Python module that it needs is not in the image",
        parts: &["modulenotfounderror:"],
        lasting: true,
    },
    Cause {
        code: Code::DatabaseUnreachable,
        what: "it does not reach its database",
        parts: &[
            "waiting for the database: [errno",
            "waiting for the database: timed out",
            "waiting for the database: connection to server",
            "waiting for the database: could not",
            "could not translate host name",
            "could not connect to server",
            "operationalerror) connection to server",
        ],
        lasting: false,
    },
    Cause {
        code: Code::MigrationMissing,
        what: "it has given up waiting for the migration of the database",
        parts: &["there are still unapplied migrations"],
        lasting: false,
    },
];

/// How the C library and libpq say that a name has no address, in lower case.
const NAME_RESOLUTION: [&str; 5] = [
    "could not translate host name",
    "temporary failure in name resolution",
    "name or service not known",
    "[errno -3]",
    "[errno -2]",
];

/// What a log says.
pub(super) struct Said<'a> {
    pub(super) code: Code,
    pub(super) what: &'static str,
    pub(super) lasting: bool,
    /// The last line that says so.
    line: &'a str,
}

/// The cause that these lines name.
pub(super) fn cause(lines: &[String]) -> Option<Said<'_>> {
    CAUSES.iter().find_map(|cause| {
        let tells = |line: &&String| {
            let line = line.to_lowercase();
            cause.parts.iter().any(|part| line.contains(part)) && !is_about_something_else(cause.code, &line)
        };
        let line = lines.iter().rev().find(tells)?;
        Some(Said { code: cause.code, what: cause.what, lasting: cause.lasting, line })
    })
}

/// `FATAL:  role "x" is not permitted to log in` and the like name no missing object.
fn is_about_something_else(code: Code, line: &str) -> bool {
    code == Code::DatabaseMissing && !line.contains("does not exist")
}

/// Whether these lines tell of a name without an address.
pub(in crate::cluster) fn lacks_names(lines: &[String]) -> bool {
    lines.iter().any(|line| {
        let line = line.to_lowercase();
        NAME_RESOLUTION.iter().any(|part| line.contains(part))
    })
}

impl Said<'_> {
    /// The line that names the cause.
    pub(super) fn line(&self) -> &str {
        self.line.trim()
    }

    /// What to do about it, commands in backticks.
    pub(super) fn hints(&self, view: &View<'_>, container: &str) -> Vec<String> {
        let again = view.command("up");
        let anew =
            format!("remove the environment with its data and make it again: {}, then {again}", view.command("down"));
        let log = format!("see its whole log: {}", view.logs(container));
        match self.code {
            Code::DatabasePasswordWrong => vec![
                format!(
                    "if the Secret was changed, let windtunnel write it again: {}, then {again}",
                    view.delete_secret()
                ),
                format!("if the password was changed in the database, set it back there, or {anew}"),
            ],
            Code::FernetKeyInvalid | Code::FernetKeyChanged => vec![
                format!("let windtunnel write the Secret as it was: {}, then {again}", view.delete_secret()),
                format!("where the old one is lost: {anew}"),
            ],
            Code::DatabaseMissing => vec![anew],
            Code::NodeDiskFull => {
                vec![format!("free disk space for the container engine: `docker system df`, then {again}"), log]
            }
            Code::SchemaUnknown => {
                vec![format!("use the profile of the newer Airflow again: {}", view.command("up --profile FILE")), anew]
            }
            Code::ExecutorWrong => {
                vec![format!(
                    "take the value away, or name one that is there: {}",
                    view.command("up --executor kubernetes")
                )]
            }
            Code::SettingWrong => {
                vec![format!("correct the setting in the profile, the values or `--set`, then {again}")]
            }
            Code::ModuleMissing => {
                vec![format!("correct the setting that names it, or use an image that has it, then {again}")]
            }
            Code::MigrationMissing => vec![format!("see what the migration says: {}", view.command("logs migrate"))],
            Code::DatabaseUnreachable => vec![
                format!("see whether its Service leads to a pod: {}", view.kubectl("get endpointslices")),
                format!("see what the database says: {}", view.command("logs database")),
            ],
            _ => vec![log],
        }
    }
}

/// The last lines of a log, those that tell something: no empty ones, no frames of a traceback, each not longer than two lines of a screen.
pub(super) fn quote(lines: &[String]) -> Vec<String> {
    let telling = |line: &&String| {
        let text = line.trim();
        let is_frame = line.starts_with(' ') || text.starts_with('│') || text.starts_with('╭') || text.starts_with('╰');
        !text.is_empty()
            && !is_frame
            && !text.starts_with("Traceback ")
            && !text.starts_with("(Background on this error")
    };
    let chosen: Vec<&String> = lines.iter().filter(telling).collect();
    let from = if chosen.is_empty() { lines.iter().collect() } else { chosen };
    from[from.len().saturating_sub(QUOTED)..].iter().map(|line| shorten(line.trim())).collect()
}

/// A line of at most 240 characters: three of a small screen.
pub(super) fn shorten(line: &str) -> String {
    shortened(line, 240)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(line: &str) -> Option<Code> {
        cause(&["something before".to_owned(), line.to_owned(), "something after".to_owned()]).map(|said| said.code)
    }

    #[test]
    fn a_line_of_the_log_names_the_cause() {
        for (line, expected) in [
            (r#"FATAL:  password authentication failed for user "airflow""#, Code::DatabasePasswordWrong),
            (r#"FATAL:  database "airflow" does not exist"#, Code::DatabaseMissing),
            ("initdb: error: could not write to file: No space left on device", Code::NodeDiskFull),
            ("alembic.util.exc.CommandError: Can't locate revision identified by 'deadbeef0000'", Code::SchemaUnknown),
            ("ValueError: Fernet key must be 32 url-safe base64-encoded bytes.", Code::FernetKeyInvalid),
            ("cryptography.fernet.InvalidToken", Code::FernetKeyChanged),
            ("TimeoutError: There are still unapplied migrations after 60 seconds.", Code::MigrationMissing),
            ("windtunnel: waiting for the database: [Errno 111] Connection refused", Code::DatabaseUnreachable),
            ("ModuleNotFoundError: No module named 'no_such'", Code::ModuleMissing),
        ] {
            assert_eq!(code(line), Some(expected), "{line}");
        }
        assert_eq!(code(r#"FATAL:  role "airflow" is not permitted to log in"#), None);
        let loaded = "[info     ] Loaded executor: :KubernetesExecutor: [airflow.executors.executor_loader] loc=executor_loader.py:376";
        assert_eq!(code(loaded), None);
        assert_eq!(code("windtunnel: waiting for the database: the container migrate is at work on it"), None);
    }

    #[test]
    fn what_is_quoted_tells_something() {
        let lines =
            ["Traceback (most recent call last):", "  File \"x.py\", line 1", "KeyError: 'A'", ""].map(str::to_owned);
        assert_eq!(quote(&lines), ["KeyError: 'A'"]);
        assert_eq!(quote(&["  only a frame".to_owned()]), ["only a frame"]);
    }
}
