//! Airflow's web server as far as windtunnel asks it: the health document.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use hyper::StatusCode;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::api_server::{json_answer, now, serve};

/// The server; it ends when this is dropped.
pub(crate) struct AirflowServer {
    pub(crate) address: SocketAddr,
    /// The parts that are not healthy.
    unhealthy: Arc<Mutex<Vec<String>>>,
    _stop: oneshot::Sender<()>,
}

impl AirflowServer {
    /// Starts it, healthy.
    pub(crate) fn start() -> Self {
        let unhealthy: Arc<Mutex<Vec<String>>> = Arc::default();
        let (stop, stopped) = oneshot::channel();
        let seen = Arc::clone(&unhealthy);
        let address = serve(stopped, move |request| {
            let unhealthy = seen.lock().unwrap().clone();
            async move {
                match request.uri().path() {
                    "/api/v2/monitor/health" => json_answer(StatusCode::OK, &health(&unhealthy)),
                    "/api/v2/version" => json_answer(StatusCode::OK, &json!({"version": "3.3.2", "git_version": null})),
                    _ => json_answer(StatusCode::NOT_FOUND, &json!({"detail": "Not Found"})),
                }
            }
        });
        Self { address, unhealthy, _stop: stop }
    }

    /// From now on this part is not healthy.
    pub(crate) fn make_unhealthy(&self, part: &str) {
        self.unhealthy.lock().unwrap().push(part.to_owned());
    }
}

fn health(unhealthy: &[String]) -> Value {
    let state = |part: &str| if unhealthy.iter().any(|ill| ill == part) { "unhealthy" } else { "healthy" };
    let beating = |part: &str, beat: &str| json!({"status": state(part), beat: now()});
    json!({
        "metadatabase": {"status": state("metadatabase")},
        "scheduler": beating("scheduler", "latest_scheduler_heartbeat"),
        "triggerer": beating("triggerer", "latest_triggerer_heartbeat"),
        "dag_processor": beating("dag_processor", "latest_dag_processor_heartbeat"),
    })
}
