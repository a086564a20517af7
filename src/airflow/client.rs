//! A small HTTP/1.1 client for one port of 127.0.0.1: JSON out, an [`Answer`] in, a deadline on every request.

use std::fmt::Write;
use std::net::Ipv4Addr;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;

use super::Answer;
use crate::codes::Code;
use crate::error::{Failure, Kind, chain};
use crate::profile::Generation;
use crate::state::Record;

/// How long one request may take: more than Airflow's slowest page on a laptop that is busy starting it.
const DEADLINE: Duration = Duration::from_secs(10);
/// The largest body that is read: a task log of some hundred thousand lines.
const LARGEST_BODY: usize = 32 * 1024 * 1024;

/// How often a `GET` is sent that is not answered in time.
const ATTEMPTS: u32 = 3;
/// The code of a failure to answer in time.
const SLOW: Code = Code::NoAnswerInTime;

/// One web server on 127.0.0.1.
///
/// Every request has a connection of its own. A kept one would stay spliced to the pod that it was made to, and so fail, or
/// worse, hang, once that pod is replaced; a new one on loopback costs less than a millisecond.
#[derive(Clone, Debug)]
pub struct Client {
    port: u16,
    generation: Generation,
    left_out: Vec<String>,
    /// The value of the header `Authorization`.
    authorization: Option<SecretString>,
    deadline: Duration,
}

impl Client {
    /// The web interface of an environment as it was last brought up.
    #[must_use]
    pub fn to(record: &Record) -> Self {
        Self::new(record.port).of(Generation::of(&record.airflow)).without(&record.left_out)
    }

    /// Whoever answers on this port of 127.0.0.1; nothing is sent yet.
    #[must_use]
    pub const fn new(port: u16) -> Self {
        Self { port, generation: Generation::Three, left_out: Vec::new(), authorization: None, deadline: DEADLINE }
    }

    /// The same web server with another deadline for each request.
    #[must_use]
    pub fn with_deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// The same web server, spoken to as Airflow of this generation; without it, as Airflow 3.
    #[must_use]
    pub fn of(self, generation: Generation) -> Self {
        Self { generation, ..self }
    }

    /// The same web server, of an Airflow without these parts, which nobody is to wait for.
    #[must_use]
    pub fn without(self, left_out: &[String]) -> Self {
        Self { left_out: left_out.to_vec(), ..self }
    }

    /// The parts that this Airflow does not have.
    #[must_use]
    pub fn left_out(&self) -> &[String] {
        &self.left_out
    }

    /// Which Airflow it is spoken to as.
    #[must_use]
    pub const fn generation(&self) -> Generation {
        self.generation
    }

    /// A path of the REST interface.
    #[must_use]
    pub fn rest(&self, path: &str) -> String {
        let root = match self.generation {
            Generation::Two => "/api/v1",
            Generation::Three => "/api/v2",
        };
        format!("{root}{path}")
    }

    /// `127.0.0.1:7070`, for messages.
    #[must_use]
    pub fn address(&self) -> String {
        format!("{}:{}", Ipv4Addr::LOCALHOST, self.port)
    }

    /// The same web server, asked in the name of a user: `POST /auth/token`, which Airflow 3's simple and its FAB auth manager
    /// both have. Airflow 2 has no tokens and is told the password with every request.
    ///
    /// # Errors
    /// Unhealthy with the code `credentials_refused` where Airflow does not take them; see also `Client::send`.
    pub async fn sign_in(&self, user: &str, password: &SecretString) -> Result<Self, Failure> {
        #[derive(Serialize)]
        struct Login<'a> {
            username: &'a str,
            password: &'a str,
        }
        #[derive(Deserialize)]
        struct Token {
            access_token: SecretString,
        }
        if self.generation == Generation::Two {
            let pair = format!("{user}:{}", password.expose_secret());
            let signed_in =
                Self { authorization: Some(format!("Basic {}", STANDARD.encode(pair)).into()), ..self.clone() };
            // Whoever is refused is to know it now.
            signed_in.get("/api/v1/pools?limit=1").await?.succeed()?;
            return Ok(signed_in);
        }
        let login = Login { username: user, password: password.expose_secret() };
        let token: Token = self.post("/auth/token", &login).await?.accept()?;
        let authorization = format!("Bearer {}", token.access_token.expose_secret());
        Ok(Self { authorization: Some(authorization.into()), ..self.clone() })
    }

    /// Sends `GET`; again, a few times, where the web server is too busy to answer in time, as one on a laptop may be while a worker starts.
    ///
    /// # Errors
    /// As `Client::send`.
    pub async fn get(&self, path: &str) -> Result<Answer, Failure> {
        for _ in 1..ATTEMPTS {
            match self.send(Method::GET, path, Vec::new()).await {
                Err(failure) if failure.code == Some(SLOW) => {}
                ended => return ended,
            }
        }
        self.send(Method::GET, path, Vec::new()).await
    }

    /// Sends `POST` with a document.
    ///
    /// # Errors
    /// As `Client::send`.
    pub async fn post(&self, path: &str, document: &impl Serialize) -> Result<Answer, Failure> {
        self.send(Method::POST, path, encode(document)?).await
    }

    /// Sends `PATCH` with a document.
    ///
    /// # Errors
    /// As `Client::send`.
    pub async fn patch(&self, path: &str, document: &impl Serialize) -> Result<Answer, Failure> {
        self.send(Method::PATCH, path, encode(document)?).await
    }

    /// Sends `DELETE`.
    ///
    /// # Errors
    /// As `Client::send`.
    pub async fn delete(&self, path: &str) -> Result<Answer, Failure> {
        self.send(Method::DELETE, path, Vec::new()).await
    }

    /// Sends one request and reads the whole answer, whatever its status. `path` is encoded already; see [`segment`].
    ///
    /// # Errors
    /// Unhealthy where nobody answers, the connection breaks, the deadline passes or the body is too large; foreign where the
    /// answer is not HTTP.
    async fn send(&self, method: Method, path: &str, body: Vec<u8>) -> Result<Answer, Failure> {
        let asked = format!("{method} http://{}{path}", self.address());
        let request = self.request(method, path, body)?;
        match tokio::time::timeout(self.deadline, self.exchange(&asked, request)).await {
            Ok(answer) => answer,
            Err(_) => Err(no_answer(&asked)
                .code(SLOW)
                .evidence(format!("no answer within {} s", self.deadline.as_secs_f32()))),
        }
    }

    fn request(&self, method: Method, path: &str, body: Vec<u8>) -> Result<Request<Full<Bytes>>, Failure> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, self.address())
            .header(header::ACCEPT, "application/json")
            .header(header::CONNECTION, "close");
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        if let Some(authorization) = &self.authorization {
            let mut value = HeaderValue::try_from(authorization.expose_secret())
                .map_err(|_| Failure::bug("what signs in to Airflow is no header value"))?;
            value.set_sensitive(true);
            request = request.header(header::AUTHORIZATION, value);
        }
        request.body(Full::new(body.into())).map_err(|error| Failure::bug(error.to_string()))
    }

    async fn exchange(&self, asked: &str, request: Request<Full<Bytes>>) -> Result<Answer, Failure> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))
            .await
            .map_err(|error| no_answer(asked).evidence_lines(chain(&error)))?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| self.broken(asked, &error))?;
        let conversation = async move {
            let (head, body) =
                sender.send_request(request).await.map_err(|error| self.broken(asked, &error))?.into_parts();
            let body = Limited::new(body, LARGEST_BODY).collect().await.map_err(|error| {
                Failure::new(Kind::Unhealthy, format!("{asked}: the answer cannot be read")).evidence(error.to_string())
            })?;
            Ok(Answer::new(asked, &head, body.to_bytes().to_vec()))
        };
        // The connection must be driven while the conversation goes on; what ends it early, the conversation reports as well.
        let (answer, _) = tokio::join!(conversation, connection);
        answer
    }

    fn broken(&self, asked: &str, error: &hyper::Error) -> Failure {
        if error.is_parse() {
            return Failure::new(
                Kind::Foreign,
                format!("{} is answered by something that does not speak HTTP", self.address()),
            )
            .code(Code::NotAirflow)
            .evidence_lines(chain(error));
        }
        no_answer(asked).evidence_lines(chain(error))
    }
}

fn no_answer(asked: &str) -> Failure {
    Failure::new(Kind::Unhealthy, format!("{asked}: no answer")).code(Code::NoAnswer)
}

fn encode(document: &impl Serialize) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(document).map_err(|error| Failure::bug(error.to_string()))
}

/// A DAG's or run's id as one segment of a path: everything but RFC 3986's unreserved characters is percent-encoded, for run
/// ids have `:` and `+` in them (`manual__2026-11-22T21:58:05+00:00`).
#[must_use]
pub fn segment(id: &str) -> String {
    let mut encoded = String::with_capacity(id.len());
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("a String takes everything");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::airflow::scripted::{Script, serve};

    #[test]
    fn run_ids_are_encoded() {
        assert_eq!(segment("manual__2026-11-22T21:58:05.7+00:00"), "manual__2026-11-22T21%3A58%3A05.7%2B00%3A00");
        assert_eq!(segment("ä/b c"), "%C3%A4%2Fb%20c");
    }

    #[tokio::test]
    async fn the_token_of_the_sign_in_goes_with_every_request_and_is_never_shown() {
        let script = [Script::json(201, r#"{"access_token":"abc.def"}"#), Script::json(200, "{}")];
        let (port, requests) = serve(script).await;
        let client = Client::new(port).sign_in("admin", &"secret".into()).await.unwrap();
        assert!(!format!("{client:?}").contains("abc.def"));
        client.get("/api/v2/dags").await.unwrap();
        let requests = requests.lock().unwrap();
        assert!(requests[0].starts_with("POST /auth/token HTTP/1.1"), "{}", requests[0]);
        assert!(requests[0].ends_with(r#"{"username":"admin","password":"secret"}"#), "{}", requests[0]);
        assert!(requests[1].contains("authorization: Bearer abc.def"), "{}", requests[1]);
    }

    #[tokio::test]
    async fn airflow_2_is_told_the_password_with_every_request() {
        let (port, requests) = serve([Script::json(200, "{}"), Script::json(200, "{}")]).await;
        let client = Client::new(port).of(Generation::Two);
        let client = client.sign_in("admin", &"secret".into()).await.unwrap();
        client.get(&client.rest("/dags")).await.unwrap();
        assert!(!format!("{client:?}").contains("YWRtaW46c2VjcmV0"));
        let requests = requests.lock().unwrap();
        assert!(requests[1].starts_with("GET /api/v1/dags HTTP/1.1"), "{}", requests[1]);
        assert!(requests.iter().all(|request| request.contains("authorization: Basic YWRtaW46c2VjcmV0")));
    }

    #[tokio::test]
    async fn refused_credentials_say_what_may_have_happened_without_the_password() {
        let (port, _) = serve([Script::json(401, r#"{"detail":"Invalid credentials"}"#)]).await;
        let failure = Client::new(port).sign_in("admin", &"s3cret".into()).await.unwrap_err();
        assert_eq!((failure.kind, failure.code), (Kind::Unhealthy, Some(Code::CredentialsRefused)));
        assert!(failure.message.contains("credentials do not fit this Airflow"), "{}", failure.message);
        assert!(failure.evidence[0].ends_with("/auth/token: 401: Invalid credentials"), "{:?}", failure.evidence);
        assert!(!format!("{failure:?}").contains("s3cret"));
    }

    #[tokio::test]
    async fn a_slow_answer_ends_at_the_deadline() {
        let (port, _) = serve([Script::slow(Duration::from_secs(5))]).await;
        let client = Client::new(port).with_deadline(Duration::from_millis(50));
        let failure = client.get("/api/v2/version").await.unwrap_err();
        assert_eq!(failure.message, format!("GET http://127.0.0.1:{port}/api/v2/version: no answer"));
        assert_eq!(failure.evidence, ["no answer within 0.05 s"]);
    }

    #[tokio::test]
    async fn a_closed_port_is_no_answer() {
        // Port 1 is tcpmux, which nothing has answered for decades.
        let failure = Client::new(1).get("/").await.unwrap_err();
        assert_eq!((failure.kind, failure.code), (Kind::Unhealthy, Some(Code::NoAnswer)));
        assert!(failure.evidence[0].contains("refused"), "{:?}", failure.evidence);
    }

    #[tokio::test]
    async fn something_that_is_not_http_is_foreign() {
        let (port, _) = serve([Script::raw("SSH-2.0-OpenSSH_9.2\r\n")]).await;
        let failure = Client::new(port).get("/").await.unwrap_err();
        assert_eq!((failure.kind, failure.code), (Kind::Foreign, Some(Code::NotAirflow)));
    }
}
