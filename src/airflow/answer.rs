//! What a web server answered, and what its status means.

use hyper::header::{CONTENT_TYPE, SERVER};
use hyper::http::response::Parts;
use serde::de::DeserializeOwned;

use crate::codes::Code;
use crate::error::{Failure, Kind};

/// A whole answer, of whatever status.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Method and address of the request, for messages.
    asked: String,
    /// The HTTP status.
    pub status: u16,
    /// The `Server` header: `uvicorn` where it is Airflow 3.
    pub server: Option<String>,
    /// The `Content-Type` header.
    pub content_type: Option<String>,
    body: Vec<u8>,
}

impl Answer {
    pub(super) fn new(asked: &str, head: &Parts, body: Vec<u8>) -> Self {
        let text = |name| head.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        Self {
            asked: asked.to_owned(),
            status: head.status.as_u16(),
            server: text(SERVER),
            content_type: text(CONTENT_TYPE),
            body,
        }
    }

    /// The document of a successful answer.
    ///
    /// # Errors
    /// As [`Answer::succeed`]; unhealthy where the document is not of the expected shape.
    pub fn accept<T: DeserializeOwned>(self) -> Result<T, Failure> {
        self.succeed()?;
        self.read().map_err(|error| {
            Failure::new(Kind::Unhealthy, format!("{}: the answer is not what Airflow 3 says there", self.asked))
                .evidence(error.to_string())
                .evidence(self.first_line())
        })
    }

    /// The document, whatever the status.
    ///
    /// # Errors
    /// It is not of the expected shape.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }

    /// Whether the status is one of success.
    ///
    /// # Errors
    /// Unhealthy, naming method, path, status and the body's `detail`; with the code `credentials_refused` for 401 and 403.
    pub fn succeed(&self) -> Result<(), Failure> {
        let said = format!("{}: {}: {}", self.asked, self.status, self.detail());
        match self.status {
            200..300 => Ok(()),
            401 | 403 => Err(Failure::new(Kind::Unhealthy, "the credentials do not fit this Airflow")
                .code(Code::CredentialsRefused)
                .evidence(said)
                .hint("users live in the database: if it was kept from another environment, its password was kept with it")
                .hint("to see why: `windtunnel logs api-server`")),
            500.. => Err(Failure::new(Kind::Unhealthy, said).hint("to see why: `windtunnel logs api-server`")),
            _ => Err(Failure::new(Kind::Unhealthy, said)),
        }
    }

    /// What the answer says of itself: the `detail` of its document, or else the first line.
    #[must_use]
    pub fn detail(&self) -> String {
        match self.read::<serde_json::Value>().ok().and_then(|document| document.get("detail").cloned()) {
            Some(serde_json::Value::String(detail)) => detail,
            Some(detail) => detail.to_string(),
            None => self.first_line(),
        }
    }

    /// The first line of the body that says something, at most 200 characters of it.
    #[must_use]
    pub fn first_line(&self) -> String {
        let text = String::from_utf8_lossy(&self.body[..self.body.len().min(4096)]);
        let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("(an empty body)");
        line.chars().take(200).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
            asked: "GET http://127.0.0.1:7070/api/v2/dags".to_owned(),
            status,
            server: None,
            content_type: None,
            body: body.as_bytes().to_vec(),
        }
    }

    #[test]
    fn a_refusal_names_request_status_and_detail() {
        let failure = answer(404, r#"{"detail":"The Dag with ID: `nope` was not found"}"#).succeed().unwrap_err();
        assert_eq!(
            failure.message,
            "GET http://127.0.0.1:7070/api/v2/dags: 404: The Dag with ID: `nope` was not found"
        );
    }

    #[test]
    fn a_detail_that_is_a_list_is_shown_as_it_is() {
        // What FastAPI says of a request that it cannot validate.
        let failure = answer(422, r#"{"detail":[{"loc":["query","limit"]}]}"#).succeed().unwrap_err();
        assert!(failure.message.ends_with(r#"422: [{"loc":["query","limit"]}]"#), "{}", failure.message);
    }

    #[test]
    fn a_fault_of_the_server_points_to_its_log() {
        let failure = answer(500, "\n  Internal Server Error\n").succeed().unwrap_err();
        assert!(failure.message.ends_with("500: Internal Server Error"), "{}", failure.message);
        assert!(failure.hints[0].contains("windtunnel logs api-server"));
    }

    #[test]
    fn a_document_of_another_shape_is_quoted() {
        let failure = answer(200, r#"{"a":1}"#).accept::<Vec<u8>>().unwrap_err();
        assert_eq!(failure.evidence[1], r#"{"a":1}"#);
    }
}
