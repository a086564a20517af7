//! Airflow's health document, and who it is that answers.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Answer, Client};
use crate::codes::Code;
use crate::error::{Failure, Kind};
use crate::profile::Generation;

/// What Airflow says of its parts at `/api/v2/monitor/health`, Airflow 2 at `/health`.
///
/// The status of that answer is 200 whatever the parts do, as
/// `airflow-core/src/airflow/api_fastapi/core_api/routes/public/monitor.py` has it: only the document tells.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Health {
    /// The database behind all of it; it has no heartbeat.
    pub metadatabase: Part,
    /// The scheduler, which holds the executor.
    pub scheduler: Part,
    /// The process that reads DAG files; Airflow 2 has it in the scheduler.
    #[serde(default)]
    pub dag_processor: Part,
    /// The process that deferred tasks wait in.
    #[serde(default)]
    pub triggerer: Part,
    /// Which Airflow said so.
    #[serde(skip)]
    pub generation: Generation,
    /// The parts that it is not to have: the document goes on telling of one that has run once.
    #[serde(skip)]
    pub left_out: Vec<String>,
}

/// One part of Airflow.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Part {
    /// How it is.
    #[serde(default, rename = "status")]
    pub state: State,
    /// When it was last heard of.
    #[serde(
        default,
        alias = "latest_scheduler_heartbeat",
        alias = "latest_dag_processor_heartbeat",
        alias = "latest_triggerer_heartbeat",
        skip_serializing_if = "Option::is_none"
    )]
    pub heartbeat: Option<Timestamp>,
}

/// How a part of Airflow is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Its heartbeat is recent.
    Healthy,
    /// Its heartbeat is old; for the scheduler also: there never was one.
    Unhealthy,
    /// It has never run: the document says `null`.
    #[default]
    Absent,
}

impl<'de> Deserialize<'de> for State {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Option::<String>::deserialize(deserializer)?.as_deref() {
            None => Ok(Self::Absent),
            Some("healthy") => Ok(Self::Healthy),
            Some("unhealthy") => Ok(Self::Unhealthy),
            Some(other) => Err(serde::de::Error::unknown_variant(other, &["healthy", "unhealthy"])),
        }
    }
}

impl Health {
    /// Every part with its name as people say it, in the order of what needs what. Of Airflow 2, those that have ever run: not every
    /// version has a triggerer or tells of it, and a DAG processor of its own is for those who ask for one.
    #[must_use]
    pub fn parts(&self) -> Vec<(&'static str, &Part)> {
        let mut parts = vec![
            ("metadatabase", &self.metadatabase),
            ("scheduler", &self.scheduler),
            ("dag processor", &self.dag_processor),
            ("triggerer", &self.triggerer),
        ];
        if self.generation == Generation::Two {
            parts.retain(|(name, part)| ["metadatabase", "scheduler"].contains(name) || part.state != State::Absent);
        }
        parts.retain(|(name, _)| !self.left_out.iter().any(|left_out| left_out == name));
        parts
    }

    /// The names of the parts that are not healthy; empty where all is well.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        self.parts().into_iter().filter(|(_, part)| part.state != State::Healthy).map(|(name, _)| name).collect()
    }

    /// A line for each part that is not healthy: `scheduler: unhealthy, last heartbeat 2026-11-22T21:57:36Z`.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        self.parts()
            .into_iter()
            .filter(|(_, part)| part.state != State::Healthy)
            .map(|(name, part)| format!("{name}: {part}"))
            .collect()
    }
}

impl std::fmt::Display for Part {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.state, self.heartbeat) {
            (State::Healthy, _) => write!(formatter, "healthy"),
            (State::Unhealthy, Some(heartbeat)) => write!(formatter, "unhealthy, last heartbeat {heartbeat:.0}"),
            (State::Unhealthy, None) => write!(formatter, "unhealthy, no heartbeat yet"),
            (State::Absent, _) => write!(formatter, "has not started yet"),
        }
    }
}

/// Looks once.
///
/// # Errors
/// Foreign where something answers that is not Airflow 3, which time will not cure; unhealthy where nobody answers or the
/// server says 5xx, which it may.
pub async fn look(client: &Client) -> Result<Health, Failure> {
    let path = match client.generation() {
        Generation::Two => "/health",
        Generation::Three => "/api/v2/monitor/health",
    };
    let answer = client.get(path).await?;
    if answer.status >= 500 {
        answer.succeed()?;
    }
    let health: Health = answer.read().map_err(|_| stranger(client, &answer))?;
    Ok(Health { generation: client.generation(), left_out: client.left_out().to_vec(), ..health })
}

/// Which Airflow answers.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Version {
    /// `3.3.2`.
    pub version: String,
}

/// Asks for Airflow's version.
///
/// # Errors
/// As [`look`].
pub async fn version(client: &Client) -> Result<Version, Failure> {
    let answer = client.get(&client.rest("/version")).await?;
    if answer.status >= 500 {
        answer.succeed()?;
    }
    answer.read().map_err(|_| stranger(client, &answer))
}

fn stranger(client: &Client, answer: &Answer) -> Failure {
    let header = |name: &str, value: &Option<String>| {
        value.as_ref().map_or_else(String::new, |value| format!("{name}: {value}"))
    };
    Failure::new(Kind::Foreign, format!("{} is answered by something that is not Airflow", client.address()))
        .code(Code::NotAirflow)
        .evidence(format!("status {}", answer.status))
        .evidence(header("Server", &answer.server))
        .evidence(header("Content-Type", &answer.content_type))
        .evidence(answer.first_line())
        .hint("to use another port: `windtunnel up --port PORT`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::airflow::scripted::{Script, serve};

    /// As Airflow 3.3.2 said it, all four running.
    pub(crate) const HEALTHY: &str = r#"{"metadatabase":{"status":"healthy"},"scheduler":{"status":"healthy","latest_scheduler_heartbeat":"2026-11-22T21:57:36.526842+00:00"},"triggerer":{"status":"healthy","latest_triggerer_heartbeat":"2026-11-22T21:57:32.500521+00:00"},"dag_processor":{"status":"healthy","latest_dag_processor_heartbeat":"2026-11-22T21:57:35.838803+00:00"}}"#;
    /// As it said when only the web server ran, on an empty database.
    pub(crate) const ALONE: &str = r#"{"metadatabase":{"status":"healthy"},"scheduler":{"status":"unhealthy","latest_scheduler_heartbeat":null},"triggerer":{"status":null,"latest_triggerer_heartbeat":null},"dag_processor":{"status":null,"latest_dag_processor_heartbeat":null}}"#;

    #[test]
    fn a_healthy_document() {
        let health: Health = serde_json::from_str(HEALTHY).unwrap();
        assert!(health.missing().is_empty());
        assert_eq!(health.scheduler.heartbeat.unwrap().to_string(), "2026-11-22T21:57:36.526842Z");
    }

    #[test]
    fn parts_that_never_ran_are_absent() {
        let health: Health = serde_json::from_str(ALONE).unwrap();
        assert_eq!(health.missing(), ["scheduler", "dag processor", "triggerer"]);
        assert_eq!(
            health.complaints()[..2],
            ["scheduler: unhealthy, no heartbeat yet", "dag processor: has not started yet"]
        );
    }

    #[test]
    fn a_dead_part_is_named_with_its_last_heartbeat() {
        let text = HEALTHY.replacen(r#""scheduler":{"status":"healthy""#, r#""scheduler":{"status":"unhealthy""#, 1);
        let health: Health = serde_json::from_str(&text).unwrap();
        assert_eq!(health.complaints(), ["scheduler: unhealthy, last heartbeat 2026-11-22T21:57:36Z"]);
    }

    #[tokio::test]
    async fn another_web_server_on_the_port_is_told_apart() {
        let headers = "content-type: text/html\r\nserver: nginx/1.27";
        let page = "\n<!doctype html>\n<title>Hello</title>";
        for status in [200, 404] {
            let (port, _) = serve([Script::of(status, headers, page)]).await;
            let failure = look(&Client::new(port)).await.unwrap_err();
            assert_eq!((failure.kind, failure.code), (Kind::Foreign, Some(Code::NotAirflow)));
            assert_eq!(failure.message, format!("127.0.0.1:{port} is answered by something that is not Airflow"));
            assert_eq!(
                failure.evidence,
                [
                    format!("status {status}").as_str(),
                    "Server: nginx/1.27",
                    "Content-Type: text/html",
                    "<!doctype html>"
                ]
            );
        }
    }

    #[tokio::test]
    async fn a_server_fault_is_not_taken_for_a_stranger() {
        let (port, _) = serve([Script::of(503, "content-type: text/plain", "Service Unavailable")]).await;
        let failure = look(&Client::new(port)).await.unwrap_err();
        assert_eq!(failure.kind, Kind::Unhealthy);
        assert!(failure.message.ends_with("503: Service Unavailable"), "{}", failure.message);
    }

    #[tokio::test]
    async fn the_version_is_asked_for() {
        let (port, _) = serve([Script::json(200, r#"{"version":"3.3.2","git_version":".release:aa19d2d"}"#)]).await;
        assert_eq!(version(&Client::new(port)).await.unwrap().version, "3.3.2");
    }
}
