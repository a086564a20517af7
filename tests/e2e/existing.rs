//! A cluster that windtunnel did not make, with somebody's workload in it: used by its named context, and left as it was.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::airflow::assert_healthy;
use crate::artefacts::stage;
use crate::docker::{docker, helm_revisions, kubectl, objects, pod_identities};
use crate::environment::{Environment, bundle, reference};
use crate::lifecycle;
use crate::outcome::Outcome;
use crate::traces::Traces;

/// The namespace of somebody else's workload.
const FOREIGN: &str = "foreign";
/// The namespace of a user who has no other.
const TEAM: &str = "team";

#[test]
fn existing() {
    let environment = Environment::claim("existing");
    let traces = Traces::before(&environment);
    let cluster = Cluster { environment: &environment };
    let test = |title: &str, part: &dyn Fn(&Cluster<'_>)| stage("existing", title, || part(&cluster));

    test("somebody makes a cluster", &|cluster| cluster.create());
    let theirs = cluster.workload();
    test("no context is guessed", &refused);
    test("up", &up);
    test("up again changes nothing", &up_again);
    test("stop and start", &stop_and_start);
    test("reset data", &|cluster| lifecycle::reset_data(cluster.environment));
    test("a namespace in use is refused", &in_use);
    test("down leaves the cluster", &down);
    test("a user of one namespace", &limited);
    test("Apache's chart, by its stand-in", &stand_in);
    assert_eq!(cluster.workload(), theirs, "somebody else's workload was touched");
    traces.assert_home_untouched(&environment);
    test("somebody removes the cluster", &|cluster| cluster.remove(&traces));
}

struct Cluster<'e> {
    environment: &'e Environment,
}

impl Cluster<'_> {
    /// As it was made, by kind alone, which leaves its network behind.
    fn remove(&self, traces: &Traces) {
        let kind = bundle().join("bin/kind");
        let kubeconfig = self.kubeconfig("admin");
        let name = &self.environment.name;
        let line = format!("{} delete cluster --name {name} --kubeconfig {}", kind.display(), kubeconfig.display());
        self.environment.shell(&line).succeeded();
        if traces.network.is_none() {
            // A cluster of a run beside this one keeps it.
            docker(&["network", "rm", "kind"]);
        }
    }

    /// By kind alone, as anybody would; it has the environment's name, so that what an aborted run leaves is found.
    fn create(&self) {
        let node = reference("node");
        if docker(&["image", "inspect", &node]).code != Some(0) {
            docker(&["load", "--input", bundle().join("node.tar").to_str().unwrap()]).succeeded();
        }
        let kind = bundle().join("bin/kind");
        let (name, kubeconfig) = (&self.environment.name, self.kubeconfig("admin"));
        let line = format!(
            "{} create cluster --name {name} --image {node} --kubeconfig {} --wait 2m",
            kind.display(),
            kubeconfig.display()
        );
        self.environment.shell(&line).succeeded();
        self.kubectl(&["create", "namespace", FOREIGN]);
        let database = reference("database");
        self.kubectl(&[
            "-n",
            FOREIGN,
            "create",
            "deployment",
            "theirs",
            "--image",
            &database,
            "--",
            "sleep",
            "infinity",
        ]);
        self.kubectl(&["-n", FOREIGN, "rollout", "status", "deployment/theirs", "--timeout", "60s"]);
        let profile = format!(
            "description: What the nodes have.\nstack: lite\nairflow: {{version: {}}}\nimages: {{node: '{node}', airflow: '{}', database: '{database}'}}\n",
            reference("airflow").rsplit_once(':').unwrap().1,
            reference("airflow"),
        );
        std::fs::write(self.environment.folder.join("mine.yaml"), profile).unwrap();
    }

    fn kubeconfig(&self, user: &str) -> PathBuf {
        self.environment.folder.join(format!("{user}.kubeconfig"))
    }

    fn kubectl(&self, arguments: &[&str]) -> String {
        kubectl(&self.environment.name, arguments).succeeded().stdout
    }

    /// `up` as the user of a context, with helm of the bundle on PATH and nothing else.
    fn up(&self, user: &str, context: &str, more: &[&str]) -> Outcome {
        self.up_of(&self.environment.folder.join("mine.yaml"), user, context, more)
    }

    /// The same of another profile.
    fn up_of(&self, profile: &Path, user: &str, context: &str, more: &[&str]) -> Outcome {
        let helm = self.environment.folder.join("bin/helm");
        if !helm.exists() {
            std::os::unix::fs::symlink(bundle().join("bin/helm"), helm).unwrap();
        }
        let kubeconfig = self.kubeconfig(user);
        let port = self.environment.port.to_string();
        let mut arguments = vec!["up", "--port", &port, "--context", context];
        arguments.extend(["--kubeconfig", kubeconfig.to_str().unwrap(), "--profile", profile.to_str().unwrap()]);
        arguments.extend(more);
        self.environment.windtunnel(&arguments)
    }

    fn context(&self) -> String {
        format!("kind-{}", self.environment.name)
    }

    /// What identifies somebody else's workload, and whether it still runs as it did.
    fn workload(&self) -> Vec<Value> {
        let identify = |object: &Value| {
            json!([
                object["kind"],
                object["metadata"]["name"],
                object["metadata"]["uid"],
                object["metadata"]["generation"]
            ])
        };
        ["deployments", "pods", "serviceaccounts"]
            .iter()
            .flat_map(|kind| objects(&self.environment.name, FOREIGN, kind))
            .map(|object| identify(&object))
            .collect()
    }

    /// A kubeconfig of a service account, with the token that the cluster gives it.
    fn write_kubeconfig_of(&self, account: &str) {
        let token = self.kubectl(&["-n", TEAM, "create", "token", account]);
        let mut document: Value =
            serde_yaml::from_str(&std::fs::read_to_string(self.kubeconfig("admin")).unwrap()).unwrap();
        document["users"] = json!([{"name": account, "user": {"token": token.trim()}}]);
        document["contexts"] =
            json!([{"name": account, "context": {"cluster": self.context(), "user": account, "namespace": TEAM}}]);
        document["current-context"] = json!("");
        std::fs::write(self.kubeconfig(account), document.to_string()).unwrap();
    }
}

fn refused(cluster: &Cluster<'_>) {
    let environment = cluster.environment;
    environment.windtunnel(&["up", "--provider", "existing"]).ended_with(2).says(&["--context NAME"]);
    cluster.up("admin", "nowhere", &[]).ended_with(2).says(&["nowhere", &cluster.context()]);
    cluster.up("admin", &cluster.context(), &["--dags", "dags"]).ended_with(2).says(&["--dags-claim"]);
    assert!(!environment.state().join("environments").join(&environment.name).exists(), "a refusal left state");
}

fn up(cluster: &Cluster<'_>) {
    cluster.up("admin", &cluster.context(), &["--smoke"]).succeeded().says(&["Using existing cluster", "worker pod"]);
    assert_healthy(cluster.environment.port);
    cluster.environment.windtunnel(&["status"]).succeeded().says(&[&cluster.context()]);
}

fn up_again(cluster: &Cluster<'_>) {
    let name = &cluster.environment.name;
    let look = || (helm_revisions(name, name), pod_identities(name, name));
    let before = look();
    // Context, kubeconfig and profile are remembered.
    cluster.environment.windtunnel(&["up"]).succeeded();
    assert_eq!(look(), before);
}

fn stop_and_start(cluster: &Cluster<'_>) {
    let name = &cluster.environment.name;
    let claims = objects(name, name, "persistentvolumeclaims");
    cluster.environment.windtunnel(&["stop"]).succeeded();
    assert_eq!(objects(name, name, "pods"), Vec::<Value>::new(), "pods run on");
    cluster.environment.windtunnel(&["start"]).succeeded();
    assert_healthy(cluster.environment.port);
    assert_eq!(objects(name, name, "persistentvolumeclaims").len(), claims.len());
}

fn in_use(cluster: &Cluster<'_>) {
    let other = format!("{}-b", cluster.environment.name);
    let options = ["--name", &other, "--namespace", FOREIGN];
    cluster.up("admin", &cluster.context(), &options).ended_with(9).says(&["deployment/theirs", "--adopt-namespace"]);
}

fn down(cluster: &Cluster<'_>) {
    let environment = cluster.environment;
    environment.windtunnel(&["down", "--yes"]).succeeded().says(&["Removing namespace"]);
    let namespaces = cluster.kubectl(&["get", "namespaces", "--output", "name"]);
    assert!(!namespaces.contains(&environment.name) && namespaces.contains(FOREIGN), "{namespaces}");
    let volumes = cluster.kubectl(&["get", "persistentvolumes", "--output", "name"]);
    assert_eq!(volumes, "", "volumes are left");
    // What is left under that name is somebody's kind cluster.
    environment.windtunnel(&["down", "--yes"]).ended_with(9).says(&["was not made by windtunnel"]);
}

/// Refused without rights, naming them; at home in a namespace of her own, which stays with what is hers.
fn limited(cluster: &Cluster<'_>) {
    cluster.kubectl(&["create", "namespace", TEAM]);
    cluster.kubectl(&["-n", TEAM, "create", "serviceaccount", "dev"]);
    cluster.write_kubeconfig_of("dev");
    let here = ["--namespace", TEAM, "--adopt-namespace"];
    cluster.up("dev", "dev", &here).ended_with(3).says(&["lacks rights", "deployments.apps"]);
    let role = ["create", "rolebinding", "dev", "--clusterrole", "admin", "--serviceaccount", "team:dev"];
    cluster.kubectl(&[["-n", TEAM].as_slice(), &role].concat());
    cluster.up("dev", "dev", &here).succeeded();
    cluster.environment.windtunnel(&["status"]).succeeded().says(&["through the API server"]);
    cluster.environment.windtunnel(&["down", "--yes"]).succeeded().says(&["stays", "rolebinding/dev"]);
    for kind in ["pods", "persistentvolumeclaims", "secrets", "deployments", "statefulsets", "services"] {
        assert_eq!(objects(&cluster.environment.name, TEAM, kind), Vec::<Value>::new(), "{kind} are left");
    }
}

fn stand_in(cluster: &Cluster<'_>) {
    let up = cluster.up_of(&crate::charts::stand_in(), "admin", &cluster.context(), &["--smoke"]);
    up.succeeded().says(&["official (Airflow", "worker pod"]);
    cluster.environment.windtunnel(&["down", "--yes"]).succeeded().says(&["Removing namespace"]);
    let namespaces = cluster.kubectl(&["get", "namespaces", "--output", "name"]);
    assert!(!namespaces.contains(&cluster.environment.name), "{namespaces}");
}
