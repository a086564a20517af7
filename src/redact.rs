//! Takes secrets out of what is shown or kept. Pure.
//!
//! Three nets: values that are known to be secret, wherever and however encoded they stand; fields whose names say that they hold one;
//! and texts that look like one, as a password in an address does.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use regex::{Captures, Regex};
use serde_json::Value;

/// What stands in the place of a secret.
const REMOVED: &str = "[removed]";
/// Shorter values would take innocent text with them.
const SHORTEST: usize = 4;
/// Words in the name of a field whose value is nobody's business.
const NAMES: [&str; 13] = [
    "password",
    "passwd",
    "secret",
    "token",
    "apikey",
    "api_key",
    "api-key",
    "fernet",
    "private",
    "credential",
    "conn",
    "dsn",
    "key-data",
];
/// Ends of names with such a word that hold none: they name an object, or are a switch.
const HARMLESS: [&str; 10] = [
    "connections",
    "credentialssecret",
    "existingsecret",
    "expirationseconds",
    "pullsecrets",
    "secretkeyref",
    "secretname",
    "secretref",
    "secrets",
    "serviceaccounttoken",
];

/// What looks like a secret, and what stands in its place.
static PATTERNS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let patterns = [
        // scheme://user:password@host
        (r#"([A-Za-z][A-Za-z0-9+.-]*://[^\s/:@"]*:)[^\s/@"]+@"#, "${1}[removed]@"),
        // Authorization: Bearer …, Basic …
        (r"(?i)(\b(?:bearer|basic)\s+)[A-Za-z0-9+/_.=-]{8,}", "${1}[removed]"),
        // A JSON web token.
        (r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*", REMOVED),
        // A private key in PEM.
        (r"(?s)(-----BEGIN [A-Z ]*PRIVATE KEY-----).*?-----END [A-Z ]*PRIVATE KEY-----", "${1}[removed]"),
    ];
    patterns.iter().map(|(pattern, stand_in)| (regex(pattern), *stand_in)).collect()
});

/// `password=…`, `"token": "…"`, `AIRFLOW__CORE__FERNET_KEY: …`: name, what stands between, value.
static ASSIGNMENT: LazyLock<Regex> = LazyLock::new(|| {
    let words = "password|passwd|secret|token|fernet_key|api_key|access_key|private_key";
    let value = r#""[^"]*"|'[^']*'|[^\s,;&"'{}\[\]]+"#;
    regex(&format!(r#"(?i)([A-Za-z0-9_.-]*(?:{words})[A-Za-z0-9_-]*)(["']?\s*[=:]\s*)({value})"#))
});

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern is a constant")
}

/// The known secrets of one environment.
#[derive(Debug, Default)]
pub struct Redactor {
    known: Vec<String>,
}

impl Redactor {
    /// From now on this value is removed wherever it stands: as it is, in base64, as part of an address, or in JSON.
    pub fn learn(&mut self, secret: &str) {
        let secret = secret.trim();
        if secret.len() < SHORTEST {
            return;
        }
        let in_json = Value::from(secret).to_string();
        let escaped: String = secret.bytes().map(escape).collect();
        let forms = [
            secret.to_owned(),
            STANDARD.encode(secret),
            URL_SAFE_NO_PAD.encode(secret),
            escaped,
            in_json.trim_matches('"').to_owned(),
        ];
        self.known.extend(forms);
        // A longer one first: it may contain a shorter one.
        self.known.sort_by_key(|known| std::cmp::Reverse(known.len()));
        self.known.dedup();
    }

    /// Learns every value of a document that stands in a field of a telling name.
    pub fn learn_from(&mut self, document: &Value) {
        match document {
            Value::Object(map) => {
                for (name, value) in map {
                    match value {
                        Value::String(text) if is_telling(name) => self.learn(text),
                        _ => self.learn_from(value),
                    }
                }
                if let Some(secret) = named_value(map) {
                    self.learn(&secret);
                }
            }
            Value::Array(list) => list.iter().for_each(|value| self.learn_from(value)),
            _ => {}
        }
    }

    /// The text without secrets.
    #[must_use]
    pub fn text(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for known in &self.known {
            if text.contains(known.as_str()) {
                text = text.replace(known.as_str(), REMOVED);
            }
        }
        for (pattern, stand_in) in PATTERNS.iter() {
            text = pattern.replace_all(&text, *stand_in).into_owned();
        }
        ASSIGNMENT.replace_all(&text, without_value).into_owned()
    }
}

/// The assignment as it is, or with its value removed within its quotes, so that a document stays one.
fn without_value(found: &Captures<'_>) -> String {
    let (name, between, value) = (&found[1], &found[2], &found[3]);
    if !is_telling(name) || ["true", "false", "null", REMOVED].contains(&value) {
        return found[0].to_owned();
    }
    let quote = value.chars().next().filter(|first| matches!(first, '"' | '\'')).map(String::from).unwrap_or_default();
    format!("{name}{between}{quote}{REMOVED}{quote}")
}

/// `{name: DATABASE_PASSWORD, value: …}`, as containers have their environment.
fn named_value(map: &serde_json::Map<String, Value>) -> Option<String> {
    let name = map.get("name")?.as_str()?;
    let value = map.get("value")?.as_str()?;
    is_telling(name).then(|| value.to_owned())
}

/// Whether a field of this name holds a secret.
#[must_use]
pub fn is_telling(name: &str) -> bool {
    let name = name.to_lowercase();
    !HARMLESS.iter().any(|end| name.ends_with(end)) && NAMES.iter().any(|word| name.contains(word))
}

/// As in an address: everything but letters, digits and `-._~` as `%` and two digits.
fn escape(byte: u8) -> String {
    match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_known_secret_is_found_in_every_form() {
        let mut redactor = Redactor::default();
        redactor.learn("p@ss/w\"ord");
        for text in [
            "the log says p@ss/w\"ord.",
            &format!("data: {}", STANDARD.encode("p@ss/w\"ord")),
            "postgresql://u:p%40ss%2Fw%22ord@db",
            r#"{"x":"p@ss/w\"ord"}"#,
        ] {
            let clean = redactor.text(text);
            assert!(clean.contains(REMOVED) && !clean.contains("ss/w") && !clean.contains("ss%2F"), "{clean}");
        }
    }

    #[test]
    fn what_looks_like_a_secret_goes_and_the_rest_stays() {
        let redactor = Redactor::default();
        let clean = |text: &str| redactor.text(text);
        assert_eq!(clean("see postgresql://airflow:hunter2@db:5432/x"), "see postgresql://airflow:[removed]@db:5432/x");
        assert_eq!(clean("Authorization: Bearer abcdefgh12345"), "Authorization: Bearer [removed]");
        assert_eq!(clean("token eyJhbGciOiJIUzUxMiJ9.eyJzdWIiOiIxIn0.c2ln went"), "token [removed] went");
        assert_eq!(clean("PGPASSWORD=hunter2 psql"), "PGPASSWORD=[removed] psql");
        assert_eq!(clean(r#"{"password": "hunter2", "user": "a"}"#), r#"{"password": "[removed]", "user": "a"}"#);
        for innocent in [
            "http://127.0.0.1:7070/home 12:30:01 pod a-b-c of 3 is ready",
            "{\"url\": \"http://127.0.0.1:7070\",\n\"mail\": \"a@b\"}",
            r#"{"automountServiceAccountToken": false, "credentialsSecret": "demo-credentials"}"#,
        ] {
            assert_eq!(clean(innocent), innocent);
        }
    }

    #[test]
    fn a_fields_name_tells_that_its_value_is_a_secret() {
        let mut redactor = Redactor::default();
        redactor.learn_from(&json!({
            "data": {"metadataConnection": {"pass": "x"}, "webserverSecretKey": "planted-1"},
            "env": [{"name": "AIRFLOW_CONN_SHOP", "value": "planted-2"}, {"name": "TZ", "value": "Europe/Berlin"}],
            "secretName": "airflow-keys",
        }));
        let clean = redactor.text("planted-1 planted-2 Europe/Berlin airflow-keys");
        assert_eq!(clean, "[removed] [removed] Europe/Berlin airflow-keys");
    }
}
