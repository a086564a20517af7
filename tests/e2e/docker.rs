//! Looks at the engine and into the node, to judge what windtunnel did by other means than its own.

use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::artefacts::say;
use crate::outcome::Outcome;

/// The label that kind puts on the containers of a cluster.
pub(crate) const CLUSTER_LABEL: &str = "io.x-k8s.kind.cluster";

/// Runs the engine's command.
pub(crate) fn docker(arguments: &[&str]) -> Outcome {
    let mut command = assert_cmd::Command::new("docker");
    command.args(arguments);
    Outcome::of(command, format!("docker {}", shell_words::join(arguments)), Duration::from_mins(2))
}

/// The name of the only node of a cluster of kind's.
pub(crate) fn node(cluster: &str) -> String {
    format!("{cluster}-control-plane")
}

/// The container of a cluster's only node, of whatever provider: minikube's has the name of its profile.
pub(crate) fn container(cluster: &str) -> String {
    let is_profile = docker(&["container", "inspect", "--format", "{{.Id}}", cluster]).code == Some(0);
    if is_profile { cluster.to_owned() } else { node(cluster) }
}

/// Runs the node's own kubectl.
pub(crate) fn kubectl(cluster: &str, arguments: &[&str]) -> Outcome {
    let node = container(cluster);
    let mut line = vec!["exec", &node, "kubectl", "--kubeconfig=/etc/kubernetes/admin.conf"];
    line.extend(arguments);
    docker(&line)
}

/// Objects of a kind in a namespace.
pub(crate) fn objects(cluster: &str, namespace: &str, kind: &str) -> Vec<Value> {
    let list = kubectl(cluster, &["get", kind, "--namespace", namespace, "--output", "json"]).succeeded().document();
    list["items"].as_array().unwrap().clone()
}

/// The one pod of Airflow's that is not on its way out, if it is there.
pub(crate) fn airflow_pod(cluster: &str, namespace: &str) -> Option<Value> {
    objects(cluster, namespace, "pods").into_iter().find(|pod| {
        pod["metadata"]["labels"]["app.kubernetes.io/component"] == "airflow"
            && pod["metadata"]["deletionTimestamp"].is_null()
    })
}

/// Names and identities of the pods of a namespace, sorted. Workers, which come and go, are left out.
pub(crate) fn pod_identities(cluster: &str, namespace: &str) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let pods = objects(cluster, namespace, "pods");
    let lasting = pods.iter().filter(|pod| pod["metadata"]["labels"]["kubernetes_executor"].is_null());
    let mut pods: Vec<_> = lasting.map(|pod| (text(&pod["metadata"]["name"]), text(&pod["metadata"]["uid"]))).collect();
    pods.sort();
    pods
}

/// The numbers of the revisions that Helm has stored in a namespace, sorted.
pub(crate) fn helm_revisions(cluster: &str, namespace: &str) -> Vec<String> {
    let secrets = objects(cluster, namespace, "secrets");
    let helm = secrets.iter().filter(|secret| secret["type"] == "helm.sh/release.v1");
    let mut names: Vec<_> = helm.map(|secret| secret["metadata"]["name"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

/// Kills a container.
pub(crate) fn kill(container: &str) {
    let killed = docker(&["kill", container]);
    if killed.code == Some(0) {
        return;
    }
    thaw(container);
    docker(&["wait", container]).succeeded();
}

/// Runs what may end a container, once more where the engine could not end it.
pub(crate) fn thawed(container: &str, run: impl Fn() -> Outcome) -> Outcome {
    let outcome = run();
    // moby, `daemon/kill.go`
    if !outcome.stderr.contains("did not receive an exit event") {
        return outcome;
    }
    say(&format!("the engine could not end {container}, which is thawed:\n{outcome}"));
    thaw(container);
    run()
}

/// With cgroup v1 runc freezes a cgroup while it changes what is allowed in it, and what was killed in that moment stays frozen, and so never
/// ends.
fn thaw(container: &str) {
    let id = docker(&["inspect", "--format", "{{.Id}}", container]).succeeded().stdout;
    let thaw = format!(
        "find /sys/fs/cgroup/freezer/docker/{} -name freezer.state -exec grep -l FROZEN {{}} + | while read -r state; do echo THAWED > $state; done",
        id.trim()
    );
    assert!(Command::new("sh").args(["-c", &thaw]).status().unwrap().success(), "{container}");
}
