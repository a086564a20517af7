//! Texts that look like secrets, without any knowledge of what is one. Pure.

use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::REMOVED;
use super::names::is_telling;

/// What looks like a secret, and what stands in its place.
static PATTERNS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let patterns = [
        // A private key in PEM, also one whose end is missing, or whose line ends are written as `\n`.
        (
            r"(?s)(-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----).*?-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----",
            "${1}[removed]",
        ),
        (r"(-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----)(?:(?:\s|\\+[nr])*[A-Za-z0-9+/=]{16,})+", "${1}[removed]"),
        // The same in base64, as a Secret has it.
        (r"LS0tLS1CRUdJTi[A-Za-z0-9+/]{16,}=*", REMOVED),
        // Authorization: Bearer …, Basic …
        (
            r#"(?i)(\bauthorization\\*["']?\s*[:=]\s*\\*["']?(?:(?:basic|bearer|digest|negotiate|token)\s+)?)[^\s"'\\,;]+"#,
            "${1}[removed]",
        ),
        (r"(?i)(\b(?:bearer|basic)\s+)[A-Za-z0-9+/_.=~-]{8,}", "${1}[removed]"),
        // A JSON web token.
        (r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*", REMOVED),
        // Keys that say whose they are: AWS, GitHub, GitLab, Slack, Google, age.
        (r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b", REMOVED),
        (r"\b(?:gh[pousr]_|github_pat_|glpat-|xox[abeoprs]-|AIza)[A-Za-z0-9_-]{16,}", REMOVED),
        (r"\bAGE-SECRET-KEY-1[A-Z0-9]+", REMOVED),
    ];
    patterns.iter().map(|(pattern, stand_in)| (regex(pattern), *stand_in)).collect()
});

/// `scheme://user:password@host`, `scheme://token@host`. A password may have `/`, `?` and `@` in it: all up to the last `@` belongs to it.
static ADDRESS: LazyLock<Regex> = LazyLock::new(|| {
    regex(r#"([A-Za-z][A-Za-z0-9+.-]*://)(?:([^\s/:@?#"'`<>\\]*):([^\s"'`<>]+)|([^\s/:@?#"'`<>\\]+))@([^\s"'`<>@]*)"#)
});

/// `{name: DATABASE_PASSWORD, value: …}`, as containers have their environment, in YAML, in JSON and in JSON within JSON.
static NAMED_VALUE: LazyLock<Regex> = LazyLock::new(|| {
    let (mark, space) = (r#"\\*["']?"#, r"(?:\s|\\+[nrt])*");
    regex(&format!(
        r"(\bname{mark}\s*[:=]\s*{mark}([A-Za-z0-9_.-]+){mark}{space},?{space}{mark}value{mark}\s*[:=]\s*)({VALUE})"
    ))
});

/// `password=…`, `"token": "…"`, `AIRFLOW__CORE__FERNET_KEY: …`: name, what stands between, value.
static ASSIGNMENT: LazyLock<Regex> = LazyLock::new(|| {
    // Not `conn` alone: what is said of a connection is no secret, and is why people send a report.
    let words = "pass|pwd|secret|token|fernet|key|_conn|conn_|dsn|auth|cookie|sas|sig";
    regex(&format!(r#"(?i)([A-Za-z0-9_.-]*(?:{words})[A-Za-z0-9_.-]*)(\\*["']?\s*[=:]\s*)({VALUE})"#))
});

/// `--password …` on a command line, or in a list of arguments. What follows may be another option.
static OPTION: LazyLock<Regex> =
    LazyLock::new(|| regex(r#"(\B--?([A-Za-z][A-Za-z0-9-]*)\\*["']?,?\s+\\*["']?)([^\s"',-][^\s"',]*)"#));

/// The same as the first thing of a line, where no quotes are: a value goes on until the next space then, whatever is in it.
static WHOLE_LINE: LazyLock<Regex> =
    LazyLock::new(|| regex(r#"(?m)^(\s*(?:- )?(?:export )?)([A-Za-z0-9_.-]+)(\s*[=:][ \t]*)([^\s"'{\[|>\\][^\s]*)"#));

/// A key of YAML whose value is a block of lines.
static BLOCK: LazyLock<Regex> = LazyLock::new(|| {
    regex(r#"^(\s*)(?:- +)*["']?([A-Za-z0-9_.-]+)["']?\s*:\s*(?:![^\s]+\s+)?[|>][-+0-9]*\s*(?:#.*)?$"#)
});

/// A value in quotes, those of JSON within JSON included, or a word.
const VALUE: &str = r#"\\+".*?\\+"|"(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|(?:[^\s,"'{}\[\]\\]|\\[^"'])+"#;

/// Values that are no secrets, whatever the name.
const SWITCHES: [&str; 5] = ["true", "false", "null", "None", REMOVED];

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern is a constant")
}

/// The text without what looks like a secret.
pub(super) fn cleaned(text: &str) -> String {
    let mut text = without_blocks(text);
    for (pattern, stand_in) in PATTERNS.iter() {
        text = pattern.replace_all(&text, *stand_in).into_owned();
    }
    text = ADDRESS.replace_all(&text, without_login).into_owned();
    text = NAMED_VALUE
        .replace_all(&text, |found: &Captures<'_>| {
            if is_telling(&found[2]) { format!("{}{}", &found[1], stand_in(&found[3])) } else { found[0].to_owned() }
        })
        .into_owned();
    text =
        OPTION
            .replace_all(&text, |found: &Captures<'_>| {
                if is_telling(&found[2]) { format!("{}{REMOVED}", &found[1]) } else { found[0].to_owned() }
            })
            .into_owned();
    text = WHOLE_LINE
        .replace_all(&text, |found: &Captures<'_>| {
            if is_telling(&found[2]) && !SWITCHES.contains(&found[4].trim_end_matches(',')) {
                format!("{}{}{}{REMOVED}", &found[1], &found[2], &found[3])
            } else {
                found[0].to_owned()
            }
        })
        .into_owned();
    without_values(&text)
}

/// The passwords and tokens in the addresses of a text, as they stand there.
pub(super) fn logins(text: &str) -> Vec<&str> {
    ADDRESS
        .captures_iter(text)
        .filter_map(|found| found.get(3).or_else(|| found.get(4)))
        .map(|found| found.as_str())
        .collect()
}

/// The address with its password, or with all that stands before its host where that is one word.
fn without_login(found: &Captures<'_>) -> String {
    let (scheme, host) = (&found[1], &found[5]);
    let Some(password) = found.get(3).map(|password| password.as_str()) else {
        // A user of ssh, as in a repository's address, logs in with a key.
        return if scheme.ends_with("ssh://") { found[0].to_owned() } else { format!("{scheme}{REMOVED}@{host}") };
    };
    // `oci://localhost:5000/airflow@sha256:…` has a port and a digest there.
    if host.starts_with("sha256:") && password.starts_with(|first: char| first.is_ascii_digit()) {
        return found[0].to_owned();
    }
    format!("{scheme}{}:{REMOVED}@{host}", &found[2])
}

fn without_values(text: &str) -> String {
    ASSIGNMENT
        .replace_all(text, |found: &Captures<'_>| {
            let (name, between, value) = (&found[1], &found[2], &found[3]);
            if !is_telling(name) {
                // There may be another assignment in what looked like a value: `key: password=…`.
                format!("{name}{between}{}", without_values(value))
            } else if SWITCHES.contains(&value) || value.len() <= 3 && value.starts_with(['|', '>']) {
                // A switch, or the head of a block that has been seen to.
                found[0].to_owned()
            } else {
                format!("{name}{between}{}", stand_in(value))
            }
        })
        .into_owned()
}

/// What stands for a value, within its quotes, so that a document stays one.
fn stand_in(value: &str) -> String {
    let marks = value.len() - value.trim_start_matches('\\').len();
    let quote = &value[..marks];
    let mark = value[marks..].chars().next().filter(|first| matches!(first, '"' | '\''));
    let quote = mark.map(|mark| format!("{quote}{mark}")).unwrap_or_default();
    format!("{quote}{REMOVED}{quote}")
}

/// Without the lines of YAML's blocks whose key has a telling name.
fn without_blocks(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut block: Option<usize> = None;
    for line in text.split_inclusive('\n') {
        let depth = line.len() - line.trim_start().len();
        if block.is_some_and(|begin| line.trim().is_empty() || depth > begin) {
            continue;
        }
        block = None;
        kept.push_str(line);
        let Some(key) = BLOCK.captures(line.trim_end()).filter(|found| is_telling(&found[2])) else { continue };
        block = key.get(2).map(|name| name.start());
        kept.extend([&key[1], "  ", REMOVED, "\n"]);
    }
    kept
}
