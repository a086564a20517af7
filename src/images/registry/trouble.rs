//! Why an image cannot be had from its registry.

use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;

use super::connection::Answer;
use crate::codes::Code;

/// The cause, in words about the registry.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Trouble {
    /// The cause.
    pub code: Code,
    /// One lower-case fragment that names the registry or what it said.
    pub words: String,
    /// How long the registry wants to be left alone.
    pub retry_after: Option<Duration>,
    /// Whether the next attempt may go well.
    pub is_passing: bool,
}

impl Trouble {
    /// A cause that does not pass by itself.
    pub fn new(code: Code, words: impl Into<String>) -> Self {
        Self { code, words: words.into(), retry_after: None, is_passing: false }
    }

    /// The next attempt may go well.
    pub(in crate::images) fn again(self) -> Self {
        Self { is_passing: true, ..self }
    }

    /// What a status other than success means; `registry` asked about `repository` and `version`, with or without a login.
    pub(super) fn of(answer: &Answer, registry: &str, repository: &str, version: &str, with_login: bool) -> Self {
        let said = Said::of(answer);
        let quoted = said.as_ref().map_or_else(String::new, |said| format!(" ({said})"));
        let unknown_name = said.as_ref().is_some_and(|said| said.code == "NAME_UNKNOWN");
        match answer.status.as_u16() {
            404 if unknown_name => {
                Self::new(Code::RegistryImageMissing, format!("{registry} has no repository {repository}{quoted}"))
            }
            404 => Self::new(
                Code::RegistryImageMissing,
                format!("{registry} has no {repository} with the tag {version}{quoted}"),
            ),
            401 | 403 if with_login => Self::new(
                Code::RegistryLoginNeeded,
                format!("{registry} refuses docker's login for {repository}{quoted}"),
            ),
            401 | 403 => Self::new(
                Code::RegistryLoginNeeded,
                format!("{registry} has no {repository}, or gives it to nobody without a login{quoted}"),
            ),
            429 => {
                let after = answer.header(hyper::header::RETRY_AFTER).and_then(retry_after);
                let words = match (after, answer.header(hyper::header::RETRY_AFTER)) {
                    (Some(after), _) => format!("{registry} takes no more requests for {} s{quoted}", after.as_secs()),
                    (None, Some(text)) => format!("{registry} takes no more requests, Retry-After: {text}{quoted}"),
                    (None, None) => format!("{registry} takes no more requests for now{quoted}"),
                };
                Self { retry_after: after, ..Self::new(Code::RegistryRateLimited, words) }
            }
            500..=599 => {
                Self::new(Code::RegistryFailed, format!("{registry} answered {}{quoted}", answer.status)).again()
            }
            _ => Self::new(Code::RegistryFailed, format!("{registry} answered {}{quoted}", answer.status)),
        }
    }
}

/// `Retry-After`: seconds, or a date (RFC 9110, 10.2.3).
fn retry_after(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    Some(date.duration_since(Timestamp::now()).try_into().unwrap_or_default())
}

/// The first error of a registry's answer (opencontainers/distribution-spec, "Error Codes").
#[derive(Deserialize)]
struct Said {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

impl Said {
    fn of(answer: &Answer) -> Option<Self> {
        #[derive(Deserialize)]
        struct Errors {
            errors: Vec<Said>,
        }
        let errors: Errors = serde_json::from_slice(&answer.body).ok()?;
        errors.errors.into_iter().next().filter(|said| !said.code.is_empty() || !said.message.is_empty())
    }
}

impl std::fmt::Display for Said {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // It is a stranger's text: no control characters, and not a page of it.
        let clean = |text: &str| text.chars().filter(|sign| !sign.is_control()).take(120).collect::<String>();
        match (self.code.as_str(), self.message.as_str()) {
            ("", words) | (words, "") => formatter.write_str(&clean(words)),
            (code, message) => write!(formatter, "{}: {}", clean(code), clean(message)),
        }
    }
}

#[cfg(test)]
mod tests {
    use hyper::StatusCode;
    use hyper::header::{HeaderMap, HeaderValue, RETRY_AFTER};

    use super::*;

    fn trouble(status: u16, body: &str, after: Option<&'static str>, with_login: bool) -> Trouble {
        let mut headers = HeaderMap::new();
        if let Some(after) = after {
            headers.insert(RETRY_AFTER, HeaderValue::from_static(after));
        }
        let answer = Answer { status: StatusCode::from_u16(status).unwrap(), headers, body: body.to_owned().into() };
        Trouble::of(&answer, "docker.io", "a/b", "1", with_login)
    }

    #[test]
    fn the_answers_of_a_registry_are_told_apart() {
        let unknown = r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#;
        let missing = trouble(404, unknown, None, false);
        assert_eq!(missing.words, "docker.io has no a/b with the tag 1 (MANIFEST_UNKNOWN: manifest unknown)");
        assert_eq!(missing.code, Code::RegistryImageMissing);
        let denied = r#"{"errors":[{"code":"DENIED","message":"no\u001b[31m"}]}"#;
        assert_eq!(trouble(403, denied, None, true).words, "docker.io refuses docker's login for a/b (DENIED: no[31m)");
        assert_eq!(trouble(401, "", None, false).code, Code::RegistryLoginNeeded);
        let limited = trouble(429, "", Some("17"), false);
        assert_eq!((limited.code, limited.retry_after), (Code::RegistryRateLimited, Some(Duration::from_secs(17))));
        assert!(trouble(503, "", None, false).is_passing && !missing.is_passing && !limited.is_passing);
    }

    #[test]
    fn a_date_that_is_over_is_no_time_to_wait() {
        assert_eq!(retry_after("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        assert_eq!(retry_after("soon"), None);
    }
}
