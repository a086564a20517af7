//! `windtunnel list`: every environment of this user's windtunnel, one row each, whatever has become of it.

mod row;

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use tokio::time::timeout;

use super::remembered;
use crate::cli::ListArgs;
use crate::cluster::Cluster;
use crate::error::Failure;
use crate::images::bundle::places_of;
use crate::plan::ClusterPlan;
use crate::providers::{kind, minikube};
use crate::state::{EnvironmentPaths, Record};
use crate::surroundings::Surroundings;
use crate::tools::docker::{Container, DiskUsage, Docker};
use crate::tools::minikube::{Minikube, Profile, State};
use crate::ui::Ui;
use row::Row;

/// How long the engine, minikube or a cluster that exists may take to say how they are.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long the engine may take to measure, unless it is waited for: longer than that takes it where there are few files.
const MEASURED_AT_ONCE: Duration = Duration::from_millis(300);
/// How long it may take where it is waited for: it looks at every file of every volume.
const MEASURED: Duration = Duration::from_mins(5);

/// One environment as this machine remembers it.
struct Known {
    name: String,
    paths: EnvironmentPaths,
    record: Result<Option<Record>, Failure>,
}

/// What the engine says of all nodes.
struct Nodes {
    containers: BTreeMap<String, Container>,
    disk: Option<DiskUsage>,
}

/// Prints a row for each environment.
///
/// # Errors
/// The folder of environments cannot be read. What is wrong with one environment is told in its row.
pub async fn list(arguments: &ListArgs, ui: &Ui, surroundings: &Surroundings) -> Result<(), Failure> {
    let environments = surroundings.paths.environment_names()?;
    let known = join_all(environments.into_iter().map(|name| async {
        let paths = surroundings.paths.environment(&name);
        Known { record: remembered::record(&name, ui, surroundings).await, paths, name }
    }));
    let known = known.await;
    let names: Vec<String> = known.iter().filter_map(Known::container).collect();
    let measured = if arguments.disk { MEASURED } else { MEASURED_AT_ONCE };
    let (nodes, answers) = tokio::join!(
        nodes(&names, measured, ui, surroundings),
        join_all(known.iter().map(|known| answer(known, ui, surroundings))),
    );
    let rows: Vec<Row> = known.iter().zip(answers).map(|(known, answer)| row(known, answer, &nodes)).collect();
    if ui.is_json() {
        ui.document(&rows);
    } else if rows.is_empty() {
        ui.data("There is no environment. To make one: windtunnel up\n");
    } else {
        ui.data(&row::table(&rows, Timestamp::now()));
    }
    Ok(())
}

impl Known {
    /// The name of the container that its node is, if it is one.
    fn container(&self) -> Option<String> {
        match self.record.as_ref().ok().and_then(Option::as_ref).map(|record| &record.cluster) {
            Some(ClusterPlan::Existing { .. }) => None,
            Some(ClusterPlan::Minikube { driver, .. }) => (driver == minikube::DOCKER).then(|| self.name.clone()),
            Some(ClusterPlan::Kind) | None => Some(kind::container_name(&self.name)),
        }
    }
}

/// Asks the engine about all nodes at once.
async fn nodes(names: &[String], measured: Duration, ui: &Ui, surroundings: &Surroundings) -> Result<Nodes, Failure> {
    if names.is_empty() {
        return Ok(Nodes { containers: BTreeMap::new(), disk: None });
    }
    let docker = Docker::find(&surroundings.search_path, &surroundings.folder)?;
    let (containers, disk) = tokio::join!(docker.containers(names, PATIENCE, ui), docker.disk_usage(measured, ui));
    // A disk that was not measured has no number in its row, which says enough.
    Ok(Nodes { containers: containers?, disk: disk.ok() })
}

/// How a cluster is whose node is no container: `None` where it is one.
async fn answer(known: &Known, ui: &Ui, surroundings: &Surroundings) -> Option<Result<&'static str, String>> {
    let record = known.record.as_ref().ok()?.as_ref()?;
    let late = |who: &str| format!("{who} did not answer within {} s", PATIENCE.as_secs());
    match &record.cluster {
        ClusterPlan::Kind => None,
        ClusterPlan::Minikube { driver, .. } if driver == minikube::DOCKER => None,
        ClusterPlan::Minikube { .. } => {
            let state = async {
                let tool = Minikube::find(&places_of(record.bundle.as_deref(), "minikube", surroundings), ui).await?;
                let kubeconfig = known.paths.kubeconfig();
                tool.state(Profile { name: &record.name, kubeconfig: &kubeconfig }, ui).await
            };
            Some(match timeout(PATIENCE, state).await {
                Ok(Ok(State::Running)) => Ok("running"),
                Ok(Ok(State::Absent)) => Ok("absent"),
                Ok(Ok(State::Stopped | State::Paused)) => Ok("stopped"),
                Ok(Err(failure)) => Err(failure.message),
                Err(_) => Err(late("minikube")),
            })
        }
        ClusterPlan::Existing { .. } => {
            let version = async { Cluster::open(&known.paths.kubeconfig(), &record.context).await?.version().await };
            Some(match timeout(PATIENCE, version).await {
                Ok(Ok(_)) => Ok("running"),
                Ok(Err(failure)) => Err(failure.message),
                Err(_) => Err(late("the cluster")),
            })
        }
    }
}

fn row(known: &Known, answer: Option<Result<&'static str, String>>, nodes: &Result<Nodes, Failure>) -> Row {
    let record = known.record.as_ref().ok().and_then(Option::as_ref);
    let found = known.container().map(|name| {
        let nodes = nodes.as_ref().map_err(|failure| ("unreachable", failure.message.clone()))?;
        let container = nodes.containers.get(&name);
        let found = match record.map(|record| &record.cluster) {
            Some(ClusterPlan::Minikube { .. }) => minikube::of_container(&known.name, container),
            _ => kind::of_container(&known.name, container, &known.paths),
        };
        // What somebody else has under its name is not it.
        let found = found.map_err(|failure| ("absent", failure.message))?;
        let disk = container.zip(nodes.disk.as_ref()).and_then(|(container, disk)| disk.of(&name, container));
        Ok((found.state(), container.and_then(|container| container.created), disk))
    });
    let mut row = Row::of(&known.name, record);
    match (answer, found) {
        (Some(Ok(state)), _) => row.state = state,
        (Some(Err(why)), _) => (row.state, row.problem) = ("unreachable", Some(why)),
        (None, Some(Ok((state, created, disk)))) => {
            row.state = state;
            row.made = row.made.or(created);
            row.disk_bytes = disk;
        }
        (None, Some(Err((state, why)))) => (row.state, row.problem) = (state, Some(why)),
        (None, None) => {}
    }
    let why = match &known.record {
        Ok(Some(_)) => return row,
        Ok(None) => format!("{} is not there", known.paths.record().display()),
        Err(failure) => failure.message.clone(),
    };
    (row.state, row.problem) = ("damaged", Some(why));
    row
}
