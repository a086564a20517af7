//! HTTP as any client speaks it, one connection for each request.

use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// A server's answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Answer {
    /// The JSON in it; the text where it is none, so that a wrong answer can be seen.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| Value::String(self.body.clone()))
    }
}

/// Sends a request and waits for the whole answer. `token` is a bearer token.
pub(crate) fn request(
    method: &str,
    url: &str,
    token: Option<&str>,
    body: Option<&Value>,
    deadline: Duration,
) -> Result<Answer, String> {
    let mut request = http::Request::builder().method(method).uri(url).header("content-type", "application/json");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let body = body.map(Value::to_string).unwrap_or_default();
    let request = request.body(Full::new(hyper::body::Bytes::from(body))).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let exchange = async {
        let client = Client::builder(TokioExecutor::new()).build_http();
        let response = client.request(request).await.map_err(|error| format!("{method} {url}: {error:?}"))?;
        let status = response.status().as_u16();
        let bytes =
            response.into_body().collect().await.map_err(|error| format!("{method} {url}: {error:?}"))?.to_bytes();
        Ok(Answer { status, body: String::from_utf8_lossy(&bytes).into_owned() })
    };
    runtime
        .block_on(async { tokio::time::timeout(deadline, exchange).await })
        .unwrap_or_else(|_| Err(format!("{method} {url}: no answer within {} s", deadline.as_secs())))
}

/// Gets a page without logging in.
pub(crate) fn get(url: &str, deadline: Duration) -> Result<Answer, String> {
    request("GET", url, None, None, deadline)
}
