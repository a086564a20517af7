//! "Stopping …": the cluster that windtunnel made ends and keeps all that is on its disk; in one that exists, only the environment's pods end.

use std::time::Duration;

use futures_util::future::try_join_all;
use serde::Deserialize;

use crate::cluster::Cluster;
use crate::cluster::pause::Paused;
use crate::cluster::removal::Extent;
use crate::error::{During, Failure, Kind};
use crate::plan::ClusterPlan;
use crate::providers::{Found, Node, kind, minikube};
use crate::stacks;
use crate::state::{self, EnvironmentPaths, Record};
use crate::surroundings::Surroundings;
use crate::tools::docker::Docker;
use crate::tools::minikube::Profile;
use crate::ui::{Step, Ui};

/// How long a node may take to end when no container runs in it any more.
pub const NODE_END: Duration = Duration::from_secs(10);
/// How long a container may take to end by itself, as long as a pod of Airflow: `terminationGracePeriodSeconds` of the lite chart.
const CONTAINER_END: Duration = Duration::from_secs(3);
/// The same for one that keeps data, most often a tenth of a second.
const DATA_END: Duration = Duration::from_secs(20);
/// The containers whose data are in no other's hands: they end after those that write to them.
const DATA: [&str; 3] = ["database", "redis", "etcd"];

/// Makes it not run.
///
/// # Errors
/// There is no cluster, or it is somebody else's; a tool, the engine or the API server fail.
pub async fn ensure(
    record: &Record,
    paths: &EnvironmentPaths,
    surroundings: &Surroundings,
    ui: &Ui,
) -> Result<(), Failure> {
    match &record.cluster {
        ClusterPlan::Kind => stop_kind(record, paths, surroundings, ui).await,
        ClusterPlan::Minikube { driver, .. } => stop_minikube(record, driver, paths, surroundings, ui).await,
        ClusterPlan::Existing { .. } => stop_pods(record, paths, ui).await,
    }
}

/// Where the stopping of a node was cut short, stops it: no kubelet may run in it any more that would let its pods run. With what `look`
/// finds then.
///
/// # Errors
/// What `end` and `look` fail with.
pub async fn finish(
    paths: &EnvironmentPaths,
    found: &Found,
    step: &Step<'_>,
    end: impl AsyncFnOnce(&Node) -> Result<(), Failure>,
    look: impl AsyncFnOnce() -> Result<Found, Failure>,
) -> Result<Found, Failure> {
    if !paths.stopping().exists() {
        return Ok(found.clone());
    }
    if let Found::Running(node) = found {
        step.doing(format!("ending {}, whose stopping was cut short", node.container));
        end(node).await?;
    }
    state::remove_file(&paths.stopping())?;
    look().await
}

async fn stop_kind(
    record: &Record,
    paths: &EnvironmentPaths,
    surroundings: &Surroundings,
    ui: &Ui,
) -> Result<(), Failure> {
    let step = ui.step("stop_cluster", "Stopping kind cluster");
    let (docker, found) = kind::look(&record.name, paths, surroundings, ui).await?;
    match found {
        Found::Absent => return Err(absent(&format!("kind cluster `{}`", record.name))),
        Found::Stopped(_) => step.done(format!("{} did not run", record.context)),
        Found::Running(node) => {
            state::write_private(&paths.stopping(), b"")?;
            step.doing("ending Airflow, then its database");
            if let Err(failure) = end_containers(&docker, &node.container, ui).await {
                step.note(&format!("the containers end with the node: {}", failure.message));
            }
            step.doing("ending the node");
            docker.stop(&node.container, NODE_END, ui).await?;
            step.done(&record.context);
        }
    }
    state::remove_file(&paths.stopping())
}

/// What `crictl ps --output json` prints.
#[derive(Deserialize)]
struct Listing {
    containers: Vec<Container>,
}

#[derive(Deserialize)]
struct Container {
    id: String,
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
}

/// The node's own end would take all containers with it by force, the database in the middle of its work among them.
async fn end_containers(docker: &Docker, node: &str, ui: &Ui) -> Result<(), Failure> {
    // Else what ends would be started again.
    docker.exec(node, ["systemctl", "stop", "kubelet"]).run(Kind::Cluster, ui).await?;
    let list = docker.exec(node, ["crictl", "ps", "--output", "json"]);
    let output = list.run(Kind::Cluster, ui).await?;
    let listing: Listing = serde_json::from_str(&output.stdout)
        .during(Kind::Cluster, format!("`{}` printed something unexpected", list.line()))?;
    let (data, users): (Vec<_>, Vec<_>) =
        (listing.containers.into_iter()).partition(|container| DATA.contains(&container.metadata.name.as_str()));
    for (together, patience) in [(users, CONTAINER_END), (data, DATA_END)] {
        let seconds = patience.as_secs().to_string();
        // `crictl stop` waits for one after the other.
        let stops = together.iter().map(|container| {
            let stop = docker.exec(node, ["crictl", "stop", "--timeout", &seconds, &container.id]);
            async move { stop.run(Kind::Cluster, ui).await }
        });
        try_join_all(stops).await?;
    }
    Ok(())
}

async fn stop_minikube(
    record: &Record,
    driver: &str,
    paths: &EnvironmentPaths,
    surroundings: &Surroundings,
    ui: &Ui,
) -> Result<(), Failure> {
    let step = ui.step("stop_cluster", "Stopping minikube");
    let minikube::Looked { minikube, found, .. } = minikube::look(record, driver, paths, surroundings, ui).await?;
    match found {
        Found::Absent => return Err(absent(&format!("minikube profile `{}`", record.name))),
        // A frozen one counts as stopped, and still holds its memory: minikube ends it, or finds nothing to end.
        Found::Running(_) | Found::Stopped(_) => {
            state::write_private(&paths.stopping(), b"")?;
            minikube.stop(Profile { name: &record.name, kubeconfig: &paths.kubeconfig() }, ui).await?;
            step.done(&record.name);
        }
    }
    state::remove_file(&paths.stopping())
}

async fn stop_pods(record: &Record, paths: &EnvironmentPaths, ui: &Ui) -> Result<(), Failure> {
    let step = ui.step("stop_cluster", "Stopping Airflow");
    let cluster = Cluster::open(&paths.kubeconfig(), &record.context).await?;
    let workloads = stacks::workloads(record.into());
    let releases = stacks::release_names(record.into());
    let releases = cluster.own_releases(&record.namespace, &releases, record.into()).await?;
    let stopped = cluster
        .pause(Paused {
            namespace: &record.namespace,
            owner: record.into(),
            releases: &releases,
            workloads: &workloads,
        })
        .await?;
    step.doing("waiting for its pods to end");
    cluster.end_pods(&record.namespace, record.into(), Extent::Data).await?;
    step.done(format!("{stopped} workloads in {}, which runs on", record.context));
    Ok(())
}

fn absent(what: &str) -> Failure {
    Failure::new(Kind::Cluster, format!("there is no {what} to stop")).hint("to make it again: `windtunnel up`")
}
