//! Objects as a cluster has them after Helm installed the lite chart, and what can be wrong with them.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::api_server::{Address, Store, now};

/// The label that tells an environment from every other one of its name.
pub(crate) const ID: &str = "windtunnel.dev/environment-id";

/// What every cluster has.
pub(crate) fn cluster(store: &mut Store) {
    for name in ["default", "kube-system"] {
        store.put(
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}, "status": {"phase": "Active"}}),
        );
    }
    store.put(json!({
        "apiVersion": "v1", "kind": "Node", "metadata": {"name": "airflow-cluster-control-plane"}, "spec": {},
        "status": {
            "allocatable": {"cpu": "2", "memory": "16Gi", "pods": "110"},
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady", "lastTransitionTime": now()}],
            "nodeInfo": {"kubeletVersion": "v1.34.4"},
            "images": [{"names": ["docker.io/in-the-nodes/airflow:1", "docker.io/in-the-nodes/database:1"], "sizeBytes": 1}],
        },
    }));
}

/// What is left when its cluster is deleted: another one will be there.
pub(crate) fn delete_cluster(store: &mut Store, _: &[String]) {
    for address in store.addresses(|object| object["kind"] == "Namespace") {
        if !["default", "kube-system"].contains(&address.name.as_deref().unwrap()) {
            store.delete(&address);
        }
    }
}

/// What `helm upgrade --install` with these arguments makes, and then the kubelet: all of it ready.
pub(crate) fn install(store: &mut Store, arguments: &[String]) {
    record_revision(store, arguments, "deployed");
    let namespace = value_of(arguments, "--namespace");
    let release = &arguments[2];
    let of = Of { release, id: &id_of(store, namespace, release) };
    for object in [airflow(of), database(of), web(of)].concat() {
        put_in(store, namespace, object);
    }
}

/// An environment, by its release's name and its id.
#[derive(Clone, Copy)]
struct Of<'a> {
    release: &'a str,
    id: &'a str,
}

/// The id that the newest of a release's revisions has.
fn id_of(store: &Store, namespace: &str, release: &str) -> String {
    let secrets = Address { name: None, ..Address::of(&json!({"apiVersion": "v1", "kind": "Secret"})) };
    let here = store.list(&secrets).filter(|secret| secret["metadata"]["namespace"] == namespace);
    let labels = here.map(|secret| &secret["metadata"]["labels"]);
    let of_release = labels.filter(|labels| labels["owner"] == "helm" && labels["name"] == release);
    let newest = of_release.max_by_key(|labels| labels["version"].as_str().unwrap().parse::<u32>().unwrap());
    newest.and_then(|labels| labels[ID].as_str()).unwrap_or_default().to_owned()
}

/// What `helm rollback` with these arguments makes: the revision before as a new one, with its labels, and all of it ready.
pub(crate) fn rollback(store: &mut Store, arguments: &[String]) {
    let (release, revision, namespace) = (&arguments[1], &arguments[2], value_of(arguments, "--namespace"));
    let name = format!("sh.helm.release.v1.{release}.v{revision}");
    let labels = store.get(&address("v1", "Secret", namespace, &name)).unwrap()["metadata"]["labels"].clone();
    let label = |key: &str| format!("{key}={}", labels[key].as_str().unwrap());
    let own = format!("{},{}", label("windtunnel-inputs"), label(ID));
    let words = ["upgrade", "--install", release, "--namespace", namespace, "--labels", &own];
    install(store, &words.map(str::to_owned));
}

/// What `helm uninstall` with these arguments removes, and then the garbage collector: all but the claims.
pub(crate) fn uninstall(store: &mut Store, arguments: &[String]) {
    let (release, service) = (arguments[1].as_str(), format!("{}-web", arguments[1]));
    let namespace = value_of(arguments, "--namespace");
    let gone = store.addresses(|object| {
        if object["metadata"]["namespace"] != namespace {
            return false;
        }
        let labels = &object["metadata"]["labels"];
        let is_revision = labels["owner"] == "helm" && labels["name"] == release;
        let is_installed = labels["app.kubernetes.io/instance"] == release && object["kind"] != "PersistentVolumeClaim";
        is_revision || is_installed || labels["kubernetes.io/service-name"] == service.as_str()
    });
    for address in gone {
        store.delete(&address);
    }
}

/// What the controllers do with a workload whose replicas were changed: name, namespace and number.
pub(crate) fn scaled(store: &mut Store, words: &[String]) {
    let [name, namespace, replicas] = words else { panic!("{words:?}") };
    let (release, component) = name.rsplit_once('-').unwrap();
    let is_database = component == "database";
    let kind = if is_database { "StatefulSet" } else { "Deployment" };
    let mut workload = store.get(&address("apps/v1", kind, namespace, name)).unwrap().clone();
    for count in ["replicas", "readyReplicas", "updatedReplicas", "currentReplicas", "availableReplicas"] {
        workload["status"][count] = replicas.parse::<u8>().unwrap().into();
    }
    store.put(workload);
    let id = id_of(store, namespace, release);
    let of = Of { release, id: &id };
    let made = if is_database { database(of) } else { airflow(of) };
    for pod in made.into_iter().filter(|object| object["kind"] == "Pod") {
        if replicas == "0" {
            store.delete(&address("v1", "Pod", namespace, pod["metadata"]["name"].as_str().unwrap()));
        } else {
            put_in(store, namespace, pod);
        }
    }
}

/// The Secret in which Helm keeps a revision.
pub(crate) fn record_revision(store: &mut Store, arguments: &[String], status: &str) {
    let (release, namespace) = (&arguments[2], value_of(arguments, "--namespace"));
    let prefix = format!("sh.helm.release.v1.{release}.v");
    let secrets = Address { name: None, ..Address::of(&json!({"apiVersion": "v1", "kind": "Secret"})) };
    let is_revision = |secret: &&Value| {
        let metadata = &secret["metadata"];
        metadata["namespace"] == namespace && metadata["name"].as_str().unwrap().starts_with(&prefix)
    };
    let revision = store.list(&secrets).filter(is_revision).count() + 1;
    let mut labels = json!({"owner": "helm", "name": release, "status": status, "version": revision.to_string()});
    for (key, value) in value_of(arguments, "--labels").split(',').filter_map(|label| label.split_once('=')) {
        labels[key] = value.into();
    }
    let metadata = json!({"name": format!("{prefix}{revision}"), "labels": labels});
    let id = labels[ID].as_str().unwrap_or_default().to_owned();
    let of = Of { release, id: &id };
    let mut workloads = [airflow(of), database(of)].concat();
    workloads.retain(|object| object["kind"] == "Deployment" || object["kind"] == "StatefulSet");
    let manifest: Vec<String> = workloads.iter().map(|workload| format!("---\n{workload}\n")).collect();
    let kept = json!({"name": release, "manifest": manifest.concat()});
    put_in(store, namespace, revision_secret(&metadata, &kept));
}

/// The Secret in which Helm keeps this of a revision.
pub(crate) fn revision_secret(metadata: &Value, kept: &Value) -> Value {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(kept.to_string().as_bytes()).unwrap();
    // Once by Helm, and once more by Kubernetes.
    let data = json!({"release": STANDARD.encode(STANDARD.encode(packed.finish().unwrap()))});
    json!({"apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1", "metadata": metadata, "data": data})
}

/// Number and state of every revision that there is.
pub(crate) fn revisions(store: &Store) -> Vec<String> {
    let secrets = Address { name: None, ..Address::of(&json!({"apiVersion": "v1", "kind": "Secret"})) };
    let labels =
        store.list(&secrets).map(|secret| &secret["metadata"]["labels"]).filter(|labels| labels["owner"] == "helm");
    labels
        .map(|labels| format!("{} {}", labels["version"].as_str().unwrap(), labels["status"].as_str().unwrap()))
        .collect()
}

/// Puts an object into a namespace.
pub(crate) fn put_in(store: &mut Store, namespace: &str, mut object: Value) {
    object["metadata"]["namespace"] = namespace.into();
    store.put(object);
}

/// The value of an option.
pub(crate) fn value_of<'a>(arguments: &'a [String], option: &str) -> &'a str {
    let position = arguments.iter().position(|argument| argument == option);
    position.and_then(|position| arguments.get(position + 1)).map_or("", String::as_str)
}

/// The name of Airflow's pod.
pub(crate) fn airflow_pod(release: &str) -> String {
    format!("{release}-airflow-7d9f-abcde")
}

fn labels(Of { release, id }: Of<'_>, component: &str) -> Value {
    let mut labels = json!({
        "app.kubernetes.io/name": "lite", "app.kubernetes.io/instance": release, "app.kubernetes.io/component": component,
        "app.kubernetes.io/managed-by": "Helm", "windtunnel.dev/environment": release,
    });
    if !id.is_empty() {
        labels[ID] = id.into();
    }
    labels
}

fn selector(release: &str, component: &str) -> Value {
    json!({"matchLabels": {
        "app.kubernetes.io/name": "lite", "app.kubernetes.io/instance": release, "app.kubernetes.io/component": component,
    }})
}

fn airflow(of: Of<'_>) -> Vec<Value> {
    let release = of.release;
    let (name, labels) = (format!("{release}-airflow"), labels(of, "airflow"));
    let set = format!("{name}-7d9f");
    let containers = ["api-server", "scheduler", "dag-processor", "triggerer"];
    let status = json!({
        "observedGeneration": 1, "replicas": 1, "readyReplicas": 1, "updatedReplicas": 1, "availableReplicas": 1,
        "conditions": [{"type": "Available", "status": "True"}],
    });
    let selector = selector(release, "airflow");
    let template = json!({"metadata": {"labels": labels}, "spec": {"containers": []}});
    let spec = json!({"replicas": 1, "selector": selector, "template": template});
    let revision = json!({"deployment.kubernetes.io/revision": "1"});
    vec![
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "spec": spec, "status": status,
            "metadata": {"name": name, "uid": name, "labels": labels, "annotations": revision},
        }),
        json!({
            "apiVersion": "apps/v1", "kind": "ReplicaSet", "spec": spec, "status": status,
            "metadata": {
                "name": set, "uid": set, "labels": labels, "annotations": revision,
                "ownerReferences": owned_by("Deployment", &name),
            },
        }),
        pod(&airflow_pod(release), &labels, &owned_by("ReplicaSet", &set), &containers),
    ]
}

fn database(of: Of<'_>) -> Vec<Value> {
    let release = of.release;
    let (name, labels) = (format!("{release}-database"), labels(of, "database"));
    // As the chart's template of claims has them, which is without the id.
    let of_claim = self::labels(Of { id: "", ..of }, "database");
    let mut of_pod = labels.clone();
    of_pod["controller-revision-hash"] = "1".into();
    vec![
        json!({
            "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": name, "uid": name, "labels": labels},
            "spec": {
                "replicas": 1, "serviceName": name, "selector": selector(release, "database"),
                "template": {"metadata": {"labels": labels}, "spec": {"containers": []}},
            },
            "status": {
                "observedGeneration": 1, "replicas": 1, "readyReplicas": 1, "updatedReplicas": 1, "currentReplicas": 1,
                "availableReplicas": 1, "currentRevision": "1", "updateRevision": "1",
            },
        }),
        pod(&format!("{name}-0"), &of_pod, &owned_by("StatefulSet", &name), &["database"]),
        json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": format!("data-{name}-0"), "labels": of_claim},
            "spec": {"accessModes": ["ReadWriteOnce"]}, "status": {"phase": "Bound"},
        }),
    ]
}

fn web(of: Of<'_>) -> Vec<Value> {
    let release = of.release;
    let name = format!("{release}-web");
    let port = |number: u16| json!([{"name": "http", "port": number, "protocol": "TCP"}]);
    let target = json!({"kind": "Pod", "name": airflow_pod(release), "uid": "0"});
    vec![
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "labels": labels(of, "airflow")},
            "spec": {"ports": port(8080), "selector": selector(release, "airflow")["matchLabels"]},
        }),
        json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4", "ports": port(8080),
            "metadata": {
                "name": format!("{name}-x"), "labels": {"kubernetes.io/service-name": name},
                "ownerReferences": [{"apiVersion": "v1", "kind": "Service", "name": name, "uid": name}],
            },
            "endpoints": [{"addresses": ["10.244.0.5"], "conditions": {"ready": true}, "targetRef": target}],
        }),
    ]
}

/// The uid of an owner is its name.
fn owned_by(kind: &str, name: &str) -> Value {
    json!([{"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": name, "controller": true}])
}

fn pod(name: &str, labels: &Value, owners: &Value, containers: &[&str]) -> Value {
    let image = "windtunnel.local/image:1";
    let spec: Vec<Value> = containers
        .iter()
        .map(|name| json!({"name": name, "image": image, "readinessProbe": {"periodSeconds": 5}}))
        .collect();
    let status = |name: &&str| {
        json!({
            "name": name, "image": image, "imageID": "", "ready": true, "started": true, "restartCount": 0,
            "state": {"running": {"startedAt": now()}},
        })
    };
    let condition = |name| json!({"type": name, "status": "True", "lastTransitionTime": now()});
    let conditions = ["PodScheduled", "Initialized", "ContainersReady", "Ready"].map(condition);
    let statuses: Vec<Value> = containers.iter().map(status).collect();
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "uid": "0", "labels": labels, "ownerReferences": owners},
        "spec": {"containers": spec, "nodeName": "airflow-cluster-control-plane"},
        "status": {
            "phase": "Running", "podIP": "10.244.0.5", "startTime": now(), "conditions": conditions, "containerStatuses": statuses,
        },
    })
}

/// Somebody deleted the database's StatefulSet.
pub(crate) fn delete_database(store: &mut Store, release: &str) {
    store.delete(&address("apps/v1", "StatefulSet", release, &format!("{release}-database"))).unwrap();
}

/// Somebody scaled Airflow to none, or its database.
pub(crate) fn scale_to_none(store: &mut Store, release: &str, component: &str) {
    let kind = if component == "database" { "StatefulSet" } else { "Deployment" };
    let name = format!("{release}-{component}");
    let mut workload = store.get(&address("apps/v1", kind, release, &name)).unwrap().clone();
    workload["spec"]["replicas"] = 0.into();
    store.put(workload);
    scaled(store, &[name, release.to_owned(), "0".to_owned()]);
}

/// Somebody changed what the web Service selects.
pub(crate) fn mislead_web(store: &mut Store, release: &str) {
    let mut service = store.get(&address("v1", "Service", release, &format!("{release}-web"))).unwrap().clone();
    service["spec"]["selector"] = json!({"app": "nobody"});
    store.put(service);
}

/// Airflow's pod waits for an image that no registry has.
pub(crate) fn break_image(store: &mut Store, release: &str) {
    let message = "Back-off pulling image \"windtunnel.local/image:1\": ErrImagePull: rpc error: code = NotFound desc = failed to \
        pull and unpack image \"windtunnel.local/image:1\": failed to resolve reference \"windtunnel.local/image:1\": \
        windtunnel.local/image:1: not found";
    hold_airflow(store, release, &json!({"reason": "ImagePullBackOff", "message": message}));
}

/// Airflow's containers are being made, for as long as one likes to look.
pub(crate) fn delay_start(store: &mut Store, release: &str) {
    hold_airflow(store, release, &json!({"reason": "ContainerCreating"}));
}

/// They have ended with a failure, and are held back for that.
pub(crate) fn crash(store: &mut Store, release: &str) {
    hold_airflow(store, release, &json!({"reason": "CrashLoopBackOff"}));
    let mut pod = store.get(&address("v1", "Pod", release, &airflow_pod(release))).unwrap().clone();
    for status in pod["status"]["containerStatuses"].as_array_mut().unwrap() {
        status["restartCount"] = 1.into();
        status["lastState"] = json!({"terminated": {"exitCode": 1, "reason": "Error"}});
    }
    put_in(store, release, pod);
}

/// They run.
pub(crate) fn finish_start(store: &mut Store, release: &str) {
    let id = id_of(store, release, release);
    for object in airflow(Of { release, id: &id }) {
        put_in(store, release, object);
    }
}

fn hold_airflow(store: &mut Store, release: &str, waiting: &Value) {
    let mut pod = store.get(&address("v1", "Pod", release, &airflow_pod(release))).unwrap().clone();
    pod["status"]["phase"] = "Pending".into();
    for status in pod["status"]["containerStatuses"].as_array_mut().unwrap() {
        status["ready"] = false.into();
        status["started"] = false.into();
        status["state"] = json!({"waiting": waiting});
    }
    for condition in pod["status"]["conditions"].as_array_mut().unwrap() {
        if condition["type"] == "Ready" || condition["type"] == "ContainersReady" {
            condition["status"] = "False".into();
        }
    }
    store.put(pod);
    let address = address("apps/v1", "Deployment", release, &format!("{release}-airflow"));
    let mut deployment = store.get(&address).unwrap().clone();
    deployment["status"] =
        json!({"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "unavailableReplicas": 1});
    store.put(deployment);
}

fn address(group_version: &str, kind: &str, namespace: &str, name: &str) -> Address {
    Address::of(&json!({"apiVersion": group_version, "kind": kind, "metadata": {"namespace": namespace, "name": name}}))
}
