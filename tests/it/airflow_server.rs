//! Airflow's web server as far as windtunnel asks it: the health document.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use hyper::StatusCode;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::api_server::{json_answer, now, serve};

/// The server; it ends when this is dropped.
pub(crate) struct AirflowServer {
    pub(crate) address: SocketAddr,
    pub(crate) parts: Parts,
    _stop: oneshot::Sender<()>,
}

/// The parts that are not healthy, and when they were last heard of.
#[derive(Clone, Default)]
pub(crate) struct Parts(Arc<Mutex<BTreeMap<String, String>>>);

impl Parts {
    /// From now on this part is not healthy, and gives no heartbeat.
    pub(crate) fn make_unhealthy(&self, part: &str) {
        self.0.lock().unwrap().insert(part.to_owned(), now());
    }

    /// From now on every part is healthy.
    pub(crate) fn heal(&self) {
        self.0.lock().unwrap().clear();
    }
}

impl AirflowServer {
    /// Starts it, healthy.
    pub(crate) fn start() -> Self {
        let parts = Parts::default();
        let (stop, stopped) = oneshot::channel();
        let seen = parts.clone();
        let address = serve(stopped, move |request| {
            let unhealthy = seen.0.lock().unwrap().clone();
            async move {
                match request.uri().path() {
                    "/api/v2/monitor/health" => json_answer(StatusCode::OK, &health(&unhealthy)),
                    "/api/v2/version" => json_answer(StatusCode::OK, &json!({"version": "3.3.2", "git_version": null})),
                    _ => json_answer(StatusCode::NOT_FOUND, &json!({"detail": "Not Found"})),
                }
            }
        });
        Self { address, parts, _stop: stop }
    }

    /// From now on this part is not healthy, and gives no heartbeat.
    pub(crate) fn make_unhealthy(&self, part: &str) {
        self.parts.make_unhealthy(part);
    }
}

fn health(unhealthy: &BTreeMap<String, String>) -> Value {
    let state = |part: &str| if unhealthy.contains_key(part) { "unhealthy" } else { "healthy" };
    let last = |part: &str| unhealthy.get(part).cloned().unwrap_or_else(now);
    let beating = |part: &str, beat: &str| json!({"status": state(part), beat: last(part)});
    json!({
        "metadatabase": {"status": state("metadatabase")},
        "scheduler": beating("scheduler", "latest_scheduler_heartbeat"),
        "triggerer": beating("triggerer", "latest_triggerer_heartbeat"),
        "dag_processor": beating("dag_processor", "latest_dag_processor_heartbeat"),
    })
}
