//! Takes secrets out of what is shown or kept. Pure.
//!
//! Three nets: values that are known to be secret, wherever and however encoded they stand; fields whose names say that they hold one;
//! and texts that look like one, as a password in an address does.

mod names;
mod patterns;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

pub use names::is_telling;

/// What stands in the place of a secret.
const REMOVED: &str = "[removed]";
/// Shorter values would take innocent text with them.
const SHORTEST: usize = 4;
/// What many people leave as a password, and what half of a report is made of: removed where it is assigned, not wherever it stands.
const COMMON: [&str; 10] =
    ["admin", "airflow", "default", "false", "none", "null", "postgres", "postgresql", "redis", "true"];
/// Shorter numbers are seconds, ports and sizes.
const SHORTEST_NUMBER: usize = 6;
/// A shorter line of a secret that has several, as the last one of a key, is nothing without the others.
const SHORTEST_LINE: usize = 8;

/// The known secrets of one environment.
#[derive(Debug, Default)]
pub struct Redactor {
    known: Vec<String>,
}

impl Redactor {
    /// From now on this value is removed wherever it stands: as it is, in base64, as part of an address, in JSON, or line by line.
    pub fn learn(&mut self, secret: &str) {
        let secret = secret.trim();
        self.learn_text(secret);
        if secret.lines().count() > 1 {
            // In YAML each line is indented.
            let lines = secret.lines().map(str::trim).filter(|line| line.len() >= SHORTEST_LINE);
            lines.filter(|line| !line.starts_with("-----")).for_each(|line| self.learn_text(line));
        }
        // A Secret has its values in base64, and programs print what was in it.
        let decoded = STANDARD.decode(secret).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        if let Some(decoded) =
            decoded.filter(|text| !text.contains(|letter: char| letter.is_control() && letter != '\n'))
        {
            decoded.trim().lines().for_each(|line| self.learn_text(line.trim()));
        }
        // A longer one first: it may contain a shorter one.
        self.known.sort_by(|one, other| other.len().cmp(&one.len()).then_with(|| one.cmp(other)));
        self.known.dedup();
    }

    fn learn_text(&mut self, secret: &str) {
        if secret.len() < SHORTEST || COMMON.contains(&secret.to_lowercase().as_str()) {
            return;
        }
        let in_json = Value::from(secret).to_string();
        let escaped: String = secret.bytes().map(escape).collect();
        self.known.extend([
            secret.to_owned(),
            STANDARD.encode(secret),
            URL_SAFE_NO_PAD.encode(secret),
            escaped.to_lowercase(),
            escaped,
            in_json.trim_matches('"').to_owned(),
        ]);
        if secret.len() >= SHORTEST_LINE {
            self.known.extend(within_base64(secret));
        }
    }

    /// Learns the password of each address in a text, as it stands there and as it is meant.
    pub fn learn_addresses(&mut self, text: &str) {
        for login in patterns::logins(text) {
            self.learn(login);
            self.learn(&unescape(login));
        }
    }

    /// Learns every value of a document that stands in a field of a telling name, in a Secret, or in an address.
    pub fn learn_from(&mut self, document: &Value) {
        match document {
            Value::Object(map) => self.learn_fields(map),
            Value::Array(list) => {
                for value in list {
                    self.learn_from(value);
                }
                // `["--password", "…"]`, the arguments of a container.
                for pair in list.windows(2) {
                    let option = pair[0].as_str().filter(|option| option.starts_with('-') && !option.contains('='));
                    if let Some(value) = pair[1].as_str().filter(|_| option.is_some_and(is_telling)) {
                        self.learn(value);
                    }
                }
            }
            // An object as JSON, as kubectl keeps what was applied.
            Value::String(text) if text.starts_with('{') => match serde_json::from_str(text) {
                Ok(document) => self.learn_from(&document),
                Err(_) => self.learn_addresses(text),
            },
            Value::String(text) => self.learn_addresses(text),
            _ => {}
        }
    }

    fn learn_fields(&mut self, map: &Map<String, Value>) {
        let is_secret = map.get("kind").is_some_and(|kind| kind == "Secret");
        for (name, value) in map {
            self.learn_from(value);
            // `data` and `stringData` of a Secret, which Apache's chart takes under `extraSecrets` as text.
            if name == "stringData" || is_secret && name == "data" {
                self.learn_all(value);
            } else if is_telling(name) {
                self.learn_value(value);
            }
        }
        if let Some(secret) = named_value(map) {
            self.learn(&secret);
        }
    }

    /// A field with a telling name: a text, a number, or a list of them.
    fn learn_value(&mut self, value: &Value) {
        match value {
            Value::String(text) => self.learn(text),
            Value::Number(number) if number.to_string().len() >= SHORTEST_NUMBER => self.learn(&number.to_string()),
            Value::Array(list) => list.iter().for_each(|value| self.learn_value(value)),
            _ => {}
        }
    }

    /// Everything in it is a secret; where it is a text, that is YAML.
    fn learn_all(&mut self, value: &Value) {
        match value {
            Value::Object(map) => map.values().for_each(|value| self.learn_value(value)),
            Value::String(text) => match serde_yaml::from_str::<Value>(text) {
                Ok(Value::Object(map)) => map.values().for_each(|value| self.learn_value(value)),
                _ => self.learn(text),
            },
            _ => {}
        }
    }

    /// Learns the secrets among Helm's `--set` assignments, of which one may have several: `a.pass=x,env[0].name=TOKEN,env[0].value=y`.
    pub fn learn_assignments<'a>(&mut self, assignments: impl IntoIterator<Item = &'a String>) {
        let pieces: Vec<(String, String)> = assignments.into_iter().flat_map(|text| pieces(text)).collect();
        for (key, value) in &pieces {
            self.learn_addresses(value);
            let name = key.strip_suffix(".value").map(|item| format!("{item}.name"));
            let named = name
                .and_then(|name| pieces.iter().find(|(key, _)| *key == name))
                .is_some_and(|(_, name)| is_telling(name));
            if named || is_telling(key) {
                self.learn(value.trim_matches(['{', '}']));
            }
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
        patterns::cleaned(&text)
    }
}

/// The assignments of one `--set`, which commas separate unless a backslash stands before them.
fn pieces(text: &str) -> Vec<(String, String)> {
    let text = text.replace("\\,", "\0");
    let pieces = text.split(',').filter_map(|piece| piece.split_once('='));
    pieces.map(|(key, value)| (key.trim().to_owned(), value.replace('\0', ","))).collect()
}

/// `{name: DATABASE_PASSWORD, value: …}`, as containers have their environment.
fn named_value(map: &Map<String, Value>) -> Option<String> {
    let name = map.get("name")?.as_str()?;
    let value = map.get("value")?.as_str()?;
    is_telling(name).then(|| value.to_owned())
}

/// As in an address: everything but letters, digits and `-._~` as `%` and two digits.
fn escape(byte: u8) -> String {
    match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    }
}

/// `%2F` as `/`; what is no text then stays as it is.
fn unescape(text: &str) -> String {
    let mut pieces = text.split('%');
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        match piece.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => bytes.extend(std::iter::once(byte).chain(piece[2..].bytes())),
            None => bytes.extend(std::iter::once(b'%').chain(piece.bytes())),
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

/// How a text looks within the base64 of a longer one, as `user:password` is, at each of three places: without the letters at both
/// ends that its neighbours have a part in.
fn within_base64(secret: &str) -> impl Iterator<Item = String> + '_ {
    (0..3_usize).map(move |before| {
        let padded = [&b"\0\0"[..before], secret.as_bytes()].concat();
        let encoded = STANDARD_NO_PAD.encode(&padded);
        let (begin, whole) = ([0, 2, 3][before], padded.len() / 3 * 4);
        encoded[begin..whole].to_owned()
    })
}

#[cfg(test)]
mod tests;
