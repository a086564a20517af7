//! What a running forward says of itself: written by its process, read by every other command.

use std::fmt::{Display, Formatter};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::document::{Document, Step};

/// How bytes travel from the forward to the pod.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "by")]
pub enum ForwardRoute {
    /// To the node's own address and the Service's node port.
    Direct {
        /// Address and port.
        address: SocketAddr,
    },
    /// Through the API server's port-forward.
    ApiServer,
}

/// The settings of a forward: another setting needs another forward.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ForwardSettings {
    /// The local port, on 127.0.0.1.
    pub port: u16,
    /// The kubeconfig context.
    pub context: String,
    /// The Service's namespace.
    pub namespace: String,
    /// The Service's name.
    pub service: String,
    /// The Service's port.
    pub service_port: u16,
    /// What is forwarded beside the web interface.
    #[serde(default)]
    pub also: Vec<ForwardedPort>,
    /// The windtunnel that it runs: after an update it is started anew.
    pub version: String,
}

/// A port of 127.0.0.1 that leads to another Service than the web interface's, in the same namespace.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ForwardedPort {
    /// The component's name.
    pub component: String,
    /// The local port, on 127.0.0.1.
    pub port: u16,
    /// The Service's name.
    pub service: String,
    /// The Service's port.
    pub service_port: u16,
}

/// How one port of the forward is.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct ForwardCondition {
    /// The route of the next connection; none while no pod is ready.
    pub route: Option<ForwardRoute>,
    /// Connections accepted so far, up to ten seconds ago.
    pub connections: u64,
    /// What is wrong right now, in one line.
    pub trouble: Option<String>,
    /// Why the last connection that could not be served was closed, in one line.
    pub last_error: Option<String>,
}

impl ForwardCondition {
    fn way(&self) -> String {
        match (self.route, &self.trouble) {
            (Some(ForwardRoute::Direct { .. }), _) => "direct to the node".to_owned(),
            (Some(ForwardRoute::ApiServer), _) => "through the API server".to_owned(),
            (None, Some(trouble)) => format!("waiting: {trouble}"),
            (None, None) => "waiting for the cluster".to_owned(),
        }
    }
}

/// The state of a forward, as of its last change.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ForwardState {
    /// Its process id.
    pub process: u32,
    /// When it began to listen.
    pub since: Timestamp,
    /// Where it listens for the web interface; on 127.0.0.1 it always does.
    #[serde(default = "localhost")]
    pub address: IpAddr,
    /// What it forwards.
    #[serde(flatten)]
    pub settings: ForwardSettings,
    /// How the port of the web interface is.
    #[serde(flatten)]
    pub condition: ForwardCondition,
    /// How the other ports are, in the order of the settings.
    #[serde(default)]
    pub also_conditions: Vec<ForwardCondition>,
}

impl Document for ForwardState {
    const STEPS: &'static [Step] = &[];
}

const fn localhost() -> IpAddr {
    IpAddr::V4(Ipv4Addr::LOCALHOST)
}

/// What is known of a forward from outside.
#[derive(Clone, Debug, Serialize)]
pub struct ForwardStatus {
    /// Whether its process lives.
    pub running: bool,
    /// What it said last.
    #[serde(flatten)]
    pub state: ForwardState,
}

impl ForwardStatus {
    /// One line for each port beside the web interface's: `127.0.0.1:5432 → airflow-cluster-database:5432, through the API server`.
    #[must_use]
    pub fn also(&self) -> Vec<String> {
        let ports = self.state.settings.also.iter().zip(&self.state.also_conditions);
        let line = |(forwarded, condition): (&ForwardedPort, &ForwardCondition)| {
            let ForwardedPort { port, service, service_port, .. } = forwarded;
            format!("127.0.0.1:{port} → {service}:{service_port}, {}", condition.way())
        };
        if self.running { ports.map(line).collect() } else { Vec::new() }
    }
}

/// One line: `running (pid 123) 127.0.0.1:7070 → airflow-cluster-web:8080, direct to the node`.
impl Display for ForwardStatus {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        let ForwardState { process, address, settings, condition, .. } = &self.state;
        let local = SocketAddr::new(*address, settings.port);
        let ways = format!("{local} → {}:{}", settings.service, settings.service_port);
        if !self.running {
            return write!(formatter, "not running: process {process} ended without a word ({ways})");
        }
        write!(formatter, "running (pid {process}) {ways}, {}", condition.way())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(running: bool, route: Option<ForwardRoute>, trouble: Option<&str>) -> ForwardStatus {
        let database = ForwardedPort {
            component: "database".to_owned(),
            port: 15432,
            service: "airflow-cluster-database".to_owned(),
            service_port: 5432,
        };
        let settings = ForwardSettings {
            port: 7070,
            context: "kind-airflow-cluster".to_owned(),
            namespace: "airflow-cluster".to_owned(),
            service: "airflow-cluster-web".to_owned(),
            service_port: 8080,
            also: vec![database],
            version: "0.1.0".to_owned(),
        };
        let trouble = trouble.map(str::to_owned);
        let state = ForwardState {
            process: 123,
            since: Timestamp::UNIX_EPOCH,
            address: localhost(),
            settings,
            condition: ForwardCondition { route, trouble, ..ForwardCondition::default() },
            also_conditions: vec![ForwardCondition::default()],
        };
        ForwardStatus { running, state }
    }

    #[test]
    fn one_line_says_where_to_and_how() {
        let direct = Some(ForwardRoute::Direct { address: "172.18.0.2:30080".parse().unwrap() });
        assert_eq!(
            status(true, direct, None).to_string(),
            "running (pid 123) 127.0.0.1:7070 → airflow-cluster-web:8080, direct to the node"
        );
        assert_eq!(
            status(true, None, Some("no pod is ready")).to_string(),
            "running (pid 123) 127.0.0.1:7070 → airflow-cluster-web:8080, waiting: no pod is ready"
        );
        assert_eq!(
            status(true, direct, None).also(),
            ["127.0.0.1:15432 → airflow-cluster-database:5432, waiting for the cluster"]
        );
        assert!(status(false, direct, None).to_string().starts_with("not running: process 123"));
        assert!(status(false, direct, None).also().is_empty());
    }

    #[test]
    fn the_state_survives_its_file() {
        let direct = Some(ForwardRoute::Direct { address: "172.18.0.2:30080".parse().unwrap() });
        let state = status(true, direct, None).state;
        let text = serde_json::to_string(&state).unwrap();
        assert!(text.contains(r#""route":{"by":"direct","address":"172.18.0.2:30080"}"#), "{text}");
        assert_eq!(serde_json::from_str::<ForwardState>(&text).unwrap(), state);
    }
}
