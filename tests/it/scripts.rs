//! How the fake tools behave as long as a test says nothing else: as docker, kind and Helm do where all is well.

use std::path::Path;

use serde_json::{Value, json};

use crate::bundle::{AIRFLOW, DATABASE, NODE, image_id, listing};
use crate::context::TestContext;

impl TestContext {
    /// What `docker container inspect` tells of the node; of ours where `smoke` is the environment's own folder.
    pub(crate) fn describe_node(&self, status: &str, smoke: Option<&Path>) {
        self.describe_node_with_dags(status, smoke, "dags");
    }

    /// The same of a node that was made with another DAG folder.
    pub(crate) fn describe_node_with_dags(&self, status: &str, smoke: Option<&Path>, dags: &str) {
        let mount =
            |source: &Path, destination: &str| json!({"Type": "bind", "Source": source, "Destination": destination});
        let mounts: Vec<Value> = smoke.map_or_else(Vec::new, |smoke| {
            vec![
                mount(&self.path("project").join(dags), "/windtunnel/dags"),
                mount(smoke, "/windtunnel/smoke"),
                mount(&self.path("bundle"), "/windtunnel/images"),
                json!({"Type": "volume", "Name": "node-volume", "Source": "/volumes/node", "Destination": "/var"}),
            ]
        });
        let labels = json!({"io.x-k8s.kind.cluster": "airflow-cluster", "io.x-k8s.kind.role": "control-plane"});
        let node = json!([{
            "Id": "0", "Name": "/airflow-cluster-control-plane", "Created": "2026-11-20T10:00:00.5Z", "Mounts": mounts,
            "State": {"Status": status}, "Config": {"Image": NODE, "Labels": labels},
        }]);
        self.write_file("tools/node.json", &node.to_string());
    }

    /// What `helm template` prints: a pod with these containers and their images, which ask for as much as the lite chart if they are two.
    pub(crate) fn render(&self, containers: &[(&str, &str)]) {
        let containers: Vec<Value> = containers
            .iter()
            .map(|(name, image)| {
                let requests = json!({"cpu": "300m", "memory": "832Mi"});
                json!({"name": name, "image": image, "resources": {"requests": requests}})
            })
            .collect();
        let pod =
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"containers": containers}});
        self.write_file("tools/rendered.yaml", &format!("---\n{pod}\n"));
    }

    /// The engine pulls these images, which the node has once they were imported.
    pub(crate) fn serve_pulls(&self, references: &[&str]) {
        self.on("docker", "image pull", &["stdout 1: Pulling from a", "mark node-image"]);
        self.on("docker", "image save", &["stdout an image"]);
        self.on("docker", "exec --interactive ctr import -", &["mark images"]);
        let mut listed = Vec::new();
        for (index, reference) in references.iter().enumerate() {
            let (id, mark) = (format!("sha256:{index}"), format!("pulled-{index}"));
            listed.push(json!({"id": id, "repoTags": [reference]}));
            self.on("docker", &format!("image pull {reference}"), &[&format!("mark {mark}")]);
            self.on("docker", &format!("image inspect {reference}"), &[&format!("when {mark}"), &engine_image(&id)]);
        }
        self.write_file("tools/images.json", &json!({"images": listed}).to_string());
    }

    /// Writes the scripts of those that every machine has.
    pub(crate) fn write_scripts(&self) {
        let info = json!({
            "ServerVersion": "28.2.2", "MemTotal": 64_u64 << 30, "NCPU": 4, "DockerRootDir": "/nowhere", "OSType": "linux",
            "Architecture": "x86_64",
        });
        self.write_file("tools/info.json", &info.to_string());
        self.write_file("tools/images.json", &listing().to_string());
        self.write_file("tools/kubeconfig", &kubeconfig("kind-airflow-cluster", &self.api.url()));
        self.describe_node("exited", Some(&self.environment("smoke")));
        std::fs::rename(self.path("tools/node.json"), self.path("tools/node-stopped.json")).unwrap();
        self.describe_node("running", Some(&self.environment("smoke")));
        let fake = |name: &str| format!("post {}/fake/{name}", self.api.url());

        self.on("docker", "info", &["stdout-file info.json"]);
        let absent = "stderr Error response from daemon: No such container: airflow-cluster-control-plane";
        self.on("docker", "container inspect", &[absent, "exit 1"]);
        self.on("docker", "container inspect airflow-cluster-control-plane", &["when node", "stdout-file node.json"]);
        let stopped = ["when node", "when stopped", "stdout-file node-stopped.json"];
        self.on("docker", "container inspect airflow-cluster-control-plane", &stopped);
        self.on("docker", "container ls", &[]);
        self.on("docker", "container ls --all --format", &["when node", "stdout airflow-cluster"]);
        self.on("docker", "version", &["stdout Engine", "stdout containerd"]);
        self.on("docker", "network ls", &["stdout 1", "stdout 2"]);
        self.on("docker", "network inspect", &["stdout bridge 172.17.0.0/16 ", "stdout kind fc00::/64 172.18.0.0/16 "]);
        self.on("docker", "image ls", &[]);
        self.on("docker", "container start airflow-cluster-control-plane", &["unmark stopped"]);
        self.on("docker", "container stop airflow-cluster-control-plane", &["mark stopped"]);
        self.on("docker", "image inspect", &["stderr Error response from daemon: No such image", "exit 1"]);
        self.on("docker", &format!("image inspect {NODE}"), &["when node-image", &engine_image(&image_id("node"))]);
        self.on("docker", "image load node.tar", &["mark node-image"]);
        // Images and cluster come side by side; here the cluster first, so that what is printed has one order.
        self.on("docker", "exec ctr version", &["await version-asked"]);
        self.on("docker", "exec ctr version", &["when images"]);
        self.on("docker", "exec crictl images", &["stdout {\"images\":[]}"]);
        self.on("docker", "exec crictl images", &["when images", "stdout-file images.json"]);
        self.on("docker", "exec ctr import database.tar", &[]);
        self.on("docker", "exec ctr import airflow.tar", &["mark images"]);
        self.on("docker", "exec systemctl stop kubelet", &[]);
        let container = |name: &str, namespace: &str| json!({"id": format!("id-of-{name}"), "metadata": {"name": name}, "labels": {"io.kubernetes.pod.namespace": namespace}});
        let containers = [container("database", "airflow-cluster"), container("scheduler", "airflow-cluster")];
        self.on("docker", "exec crictl ps", &[&format!("stdout {}", json!({"containers": containers}))]);
        self.on("docker", "exec crictl stop", &[]);
        let no_network = "stderr Error response from daemon: network kind not found";
        self.on("docker", "network inspect kind", &[no_network, "exit 1"]);
        self.on("docker", "network inspect kind", &["when network", "stdout id-of-the-network"]);
        self.on("docker", "network rm id-of-the-network", &["unmark network"]);

        self.on("kind", "version", &["stdout kind v0.30.0 go1.24.6 linux/amd64"]);
        let create = [
            "stderr Creating cluster \"airflow-cluster\" ...",
            "stderr  • Ensuring node image (windtunnel.local/node:v1.34.4) 🖼  ...",
            "stderr  ✓ Ensuring node image (windtunnel.local/node:v1.34.4) 🖼",
            "stderr  • Preparing nodes 📦   ...",
            "mark node",
            "mark network",
            "stderr  ✓ Preparing nodes 📦 ",
            "copy kubeconfig --kubeconfig",
            "stderr  ✓ Starting control-plane 🕹️",
        ];
        self.on("kind", "create cluster", &create);
        let delete = ["unmark node", "unmark images", "unmark stopped", &fake("delete-cluster")];
        self.on("kind", "delete cluster", &delete);
        self.on("kind", "export kubeconfig", &["copy kubeconfig --kubeconfig"]);

        self.on("helm", "version", &["stdout v3.19.0"]);
        self.render(&[("scheduler", AIRFLOW), ("database", DATABASE)]);
        self.on("helm", "template", &["stdout-file rendered.yaml"]);
        self.on("helm", "upgrade --install", &[&fake("install")]);
        self.on("helm", "upgrade --dry-run=server", &["stdout {\"manifest\":\"\"}"]);
        self.on("helm", "get manifest", &[]);
        self.on("helm", "rollback", &[&fake("rollback")]);
        self.on("helm", "uninstall", &[&fake("uninstall")]);
    }
}

/// The line of a script that prints what `docker image inspect` tells of an image of the classic store.
pub(crate) fn engine_image(id: &str) -> String {
    let image = json!({
        "Id": id, "Os": "linux", "Architecture": "amd64", "Size": 1_000_000, "GraphDriver": {"Name": "overlay2"},
    });
    format!("stdout {image}")
}

/// A kubeconfig with one context.
pub(crate) fn kubeconfig(name: &str, server: &str) -> String {
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": name,
        "clusters": [{"name": name, "cluster": {"server": server}}],
        "users": [{"name": name, "user": {}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
    })
    .to_string()
}
