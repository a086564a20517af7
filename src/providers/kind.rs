//! Clusters of one kind node, which is a container of the Docker Engine.
//!
//! A node that windtunnel made is known by its mount of the environment's own folder: a container keeps it in whatever state it is.

use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::json;
use tokio::time::sleep;

use super::{DAGS, Found, IMAGES, Node, SMOKE};
use crate::cluster::owner::{ENVIRONMENT_LABEL, ID_LABEL, Owner};
use crate::codes::Code;
use crate::error::{Failure, Kind};
use crate::state::EnvironmentPaths;
use crate::surroundings::Surroundings;
use crate::tools::docker::{Container, Docker};
use crate::tools::host::Host;
use crate::tools::kind as kind_tool;
use crate::ui::Ui;

/// The label that kind puts on the containers of a cluster.
const CLUSTER_LABEL: &str = "io.x-k8s.kind.cluster";

/// How long the engine may take to remove a container: the files of a whole cluster, on a slow disk.
const REMOVAL: Duration = Duration::from_mins(1);
/// How often it is asked whether it has.
const LOOK: Duration = Duration::from_millis(200);

/// The name of a cluster's only container.
#[must_use]
pub fn container_name(cluster: &str) -> String {
    format!("{cluster}-control-plane")
}

/// Asks the engine of this machine what there is.
///
/// # Errors
/// As [`find()`]; the engine is not there.
pub async fn look(
    cluster: &str,
    paths: &EnvironmentPaths,
    surroundings: &Surroundings,
    ui: &Ui,
) -> Result<(Docker, Found), Failure> {
    let docker = Docker::find(&surroundings.search_path, &surroundings.folder)?;
    docker.info(ui).await?;
    let found = find(&docker, cluster, paths, ui).await?;
    Ok((docker, found))
}

/// Looks what there is.
///
/// # Errors
/// Foreign, where a cluster or container of that name was not made by this environment; it is left as it is.
pub async fn find(docker: &Docker, cluster: &str, paths: &EnvironmentPaths, ui: &Ui) -> Result<Found, Failure> {
    let name = container_name(cluster);
    let mut container = docker.container(&name, ui).await?;
    if container.as_ref().is_some_and(|container| container.state.status == "removing") {
        ui.say(&format!("The engine is removing {name} still: waiting for that."));
        container = rest_of_removal(docker, &name, ui).await?;
    }
    of_container(cluster, container.as_ref(), paths)
}

/// Deletes a cluster. A `down` that was killed may have told the engine already, which goes on by itself.
///
/// # Errors
/// kind fails, or the engine does not come to the end of what it began.
pub async fn delete(
    docker: &Docker,
    kind: &kind_tool::Kind,
    cluster: &str,
    paths: &EnvironmentPaths,
    ui: &Ui,
) -> Result<(), Failure> {
    let kubeconfig = paths.kubeconfig();
    let Err(failure) = kind.delete(cluster, &kubeconfig, ui).await else { return Ok(()) };
    let says = |words: &str| failure.evidence.iter().any(|line| line.contains(words));
    // moby, `daemon/kill.go`: so with cgroup v1, where the engine ends a node in the moment in which runc in it holds a container frozen.
    if says("did not receive an exit event") {
        return Err(failure.hint(format!(
            "the engine has lost hold of the node: start it anew, {}, then the same command again",
            Host::here().restart_engine()
        )));
    }
    // moby, `daemon/delete.go`
    if !says("is already in progress") || rest_of_removal(docker, &container_name(cluster), ui).await?.is_some() {
        return Err(failure);
    }
    // For what else kind knows of it.
    kind.delete(cluster, &kubeconfig, ui).await
}

/// Waits until a container that is being removed is gone; what there is of it then. The docker command knows no such wait.
async fn rest_of_removal(docker: &Docker, name: &str, ui: &Ui) -> Result<Option<Container>, Failure> {
    let begun = Instant::now();
    loop {
        let container = docker.container(name, ui).await?;
        if container.is_none() || begun.elapsed() > REMOVAL {
            return Ok(container);
        }
        sleep(LOOK).await;
    }
}

/// What it is that the engine has under the name of the cluster's container.
///
/// # Errors
/// Foreign, as [`find()`].
pub fn of_container(cluster: &str, container: Option<&Container>, paths: &EnvironmentPaths) -> Result<Found, Failure> {
    container.map_or(Ok(Found::Absent), |found| judge(container_name(cluster), cluster, found, paths))
}

fn judge(container: String, cluster: &str, found: &Container, paths: &EnvironmentPaths) -> Result<Found, Failure> {
    let mounted = |destination: &str| {
        found.mounts.iter().find(|mount| mount.destination == Path::new(destination)).map(|mount| mount.source.clone())
    };
    let rename = "choose another name: `--name NAME`";
    if found.config.labels.get(CLUSTER_LABEL).map(String::as_str) != Some(cluster) {
        return Err(Failure::new(Kind::Foreign, format!("the container `{container}` is not a kind node"))
            .code(Code::ClusterForeign)
            .hint(rename));
    }
    match mounted(SMOKE) {
        Some(folder) if folder == paths.smoke_dags() => {}
        Some(folder) => {
            return Err(Failure::new(
                Kind::Foreign,
                format!("the kind cluster `{cluster}` belongs to another windtunnel"),
            )
            .code(Code::ClusterForeign)
            .evidence(format!("its state is in {}", folder.parent().unwrap_or(&folder).display()))
            .hint(rename));
        }
        None => {
            return Err(Failure::new(
                Kind::Foreign,
                format!("a kind cluster `{cluster}` exists and was not made by windtunnel"),
            )
            .code(Code::ClusterForeign)
            .evidence(format!("container {container}, image {}", found.config.image))
            .hint(rename)
            .hint(format!("or, if nobody needs it: `kind delete cluster --name {cluster}`")));
        }
    }
    let node = Node {
        container,
        image: found.config.image.clone(),
        dags: mounted(DAGS),
        images: mounted(IMAGES),
        ended: Some(found.state.finished_at).filter(|ended| *ended > Timestamp::UNIX_EPOCH),
    };
    Ok(if found.state.status == "running" { Found::Running(node) } else { Found::Stopped(node) })
}

/// The configuration of a new cluster, as `kind create --config` reads it (JSON is YAML in every dialect).
#[must_use]
pub fn config(owner: Owner<'_>, dags: &Path, images: Option<&Path>, smoke: &Path) -> serde_json::Value {
    let mount = |host: &Path, node: &str| json!({"hostPath": host, "containerPath": node, "readOnly": true});
    let mut mounts = vec![mount(dags, DAGS), mount(smoke, SMOKE)];
    mounts.extend(images.map(|folder| mount(folder, IMAGES)));
    let mut labels = json!({ENVIRONMENT_LABEL: owner.environment});
    if let Some(id) = owner.id {
        labels[ID_LABEL] = json!(id);
    }
    json!({
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "networking": {"apiServerAddress": "127.0.0.1"},
        "kubeadmConfigPatches": [control_plane_settings().to_string()],
        "nodes": [{
            "role": "control-plane",
            "labels": labels,
            "extraMounts": mounts,
        }],
    })
}

/// Settings of controller manager and scheduler where there is no second one to agree with and no neighbour to be gentle to: a
/// lease taken 4 s late, and a controller's start every 0.15 s, would keep the first pod waiting for 8 s. After a restart of
/// the node endpoints would stay stale until the old lease ends.
pub(super) const CONTROL_PLANE: [(&str, &str); 3] =
    [("leader-elect", "false"), ("kube-api-qps", "200"), ("kube-api-burst", "400")];

/// kubeadm's `v1beta3` takes arguments as a map; kind leaves a patch for another version aside.
fn control_plane_settings() -> serde_json::Value {
    let arguments = serde_json::Map::from_iter(CONTROL_PLANE.map(|(key, value)| (key.to_owned(), json!(value))));
    json!({
        "apiVersion": "kubeadm.k8s.io/v1beta3",
        "kind": "ClusterConfiguration",
        "controllerManager": {"extraArgs": arguments},
        "scheduler": {"extraArgs": arguments},
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Paths;

    fn container(status: &str, label: &str, smoke: Option<&str>) -> Container {
        let mounts = smoke.map_or_else(Vec::new, |source| {
            vec![
                json!({"Source": source, "Destination": SMOKE}),
                json!({"Source": "/home/me/dags", "Destination": DAGS}),
            ]
        });
        serde_json::from_value(json!({
            "State": {"Status": status, "FinishedAt": "0001-01-01T00:00:00Z"},
            "Mounts": mounts,
            "Config": {"Image": "kindest/node:v1.34.3", "Labels": {CLUSTER_LABEL: label}},
        }))
        .unwrap()
    }

    fn judged(container: &Container) -> Result<Found, Failure> {
        judge("a-control-plane".to_owned(), "a", container, &Paths::new("/state".into()).environment("a"))
    }

    #[test]
    fn our_node_is_known_by_its_mount() {
        let ours = "/state/environments/a/smoke";
        let Ok(Found::Running(node)) = judged(&container("running", "a", Some(ours))) else { panic!() };
        assert_eq!(node.dags.as_deref(), Some(Path::new("/home/me/dags")));
        assert_eq!(node.ended, None);
        assert!(matches!(judged(&container("exited", "a", Some(ours))), Ok(Found::Stopped(_))));
    }

    #[test]
    fn anybody_elses_is_foreign() {
        for (found, why) in [
            (container("running", "a", None), "was not made by windtunnel"),
            (container("running", "a", Some("/root/state/environments/a/smoke")), "belongs to another windtunnel"),
            (container("running", "b", None), "is not a kind node"),
        ] {
            let failure = judged(&found).unwrap_err();
            assert_eq!(failure.kind, Kind::Foreign);
            assert!(failure.message.contains(why), "{}", failure.message);
        }
    }

    #[test]
    fn a_new_cluster_listens_on_loopback_and_mounts_read_only() {
        let config = config(
            Owner { environment: "a", id: Some("1") },
            Path::new("/dags"),
            Some(Path::new("/bundle")),
            Path::new("/smoke"),
        );
        assert_eq!(config["networking"]["apiServerAddress"], "127.0.0.1");
        assert_eq!(config["nodes"][0]["labels"][ID_LABEL], "1");
        let mounts = config["nodes"][0]["extraMounts"].as_array().unwrap();
        assert_eq!(mounts.len(), 3);
        assert!(mounts.iter().all(|mount| mount["readOnly"] == true));
    }
}
