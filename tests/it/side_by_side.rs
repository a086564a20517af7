//! Two environments of one user, one of minikube's and one of kind's: each has a port of its own, and what is done to one leaves the other.

use serde_json::{Value, json};

use crate::context::{Run, TestContext, free_port};
use crate::scripts::kubeconfig;

const NODE: &str = "second-control-plane";

impl TestContext {
    /// A machine on which minikube has made `airflow-cluster`, and kind makes `second`.
    fn with_both() -> Self {
        let context = Self::with_minikube();
        context.with("kind");
        // A node as kind makes it is described already, under the other name.
        let node = std::fs::read_to_string(context.path("tools/node-stopped.json")).unwrap();
        let node = node.replace("airflow-cluster", "second").replace("exited", "running");
        context.write_file("tools/second.json", &node.replace("project/dags", "project/second-dags"));
        context.write_file("tools/second-kubeconfig", &kubeconfig("kind-second", &context.api.url()));
        let absent = format!("stderr Error response from daemon: No such container: {NODE}");
        context.on("docker", &format!("container inspect {NODE}"), &[&absent, "exit 1"]);
        context.on("docker", &format!("container inspect {NODE}"), &["when second", "stdout-file second.json"]);
        // `list` asks once for all.
        let both = format!("container inspect airflow-cluster {NODE}");
        context.on("docker", &both, &["when second", "stdout-file both.json"]);
        let described = |file: &str| -> Vec<Value> {
            serde_json::from_str(&std::fs::read_to_string(context.path(file)).unwrap()).unwrap()
        };
        let nodes = [described("tools/node.json"), described("tools/second.json")].concat();
        context.write_file("tools/both.json", &Value::from(nodes).to_string());
        let create = ["stderr  ✓ Preparing nodes 📦 ", "mark second", "copy second-kubeconfig --kubeconfig"];
        context.on("kind", "create cluster second", &create);
        context.on("kind", "delete cluster second", &["unmark second"]);
        context.up_on_minikube();
        context
    }

    fn up_second(&self, port: u16) -> Run {
        let second = ["up", "--name", "second", "--provider", "kind", "--dags", "second-dags", "--port"];
        self.run(&[&second[..], &[&port.to_string()]].concat())
    }

    fn status(&self, name: &str) -> Value {
        let run = self.run(&["status", "--name", name, "-o", "json"]);
        assert_eq!(run.code, 0, "{run}");
        serde_json::from_str(&run.stdout).unwrap()
    }

    fn listed(&self) -> Value {
        let run = self.run(&["list", "-o", "json"]);
        let rows: Vec<Value> = serde_json::from_str(&run.stdout).unwrap();
        rows.iter().map(|row| json!([row["name"], row["provider"], row["state"], row["port"]])).collect()
    }
}

#[test]
fn each_is_healthy_and_one_goes_alone() {
    let (context, port) = (TestContext::with_both(), free_port());
    let up = context.up_second(port);
    assert_eq!(up.code, 0, "{up}");
    assert!(!up.journal.iter().any(|line| line.starts_with("minikube")), "{up}");
    let first = json!(["airflow-cluster", "minikube", "running", context.port]);
    assert_eq!(context.listed(), json!([first, ["second", "kind", "running", port]]));
    assert_eq!(context.status("second")["context"], "kind-second");
    let forward = context.status("airflow-cluster")["forward"]["process"].clone();
    let remembered = context.remembered();

    let down = context.run(&["down", "--name", "second", "--yes"]);
    assert_eq!(down.code, 0, "{down}");
    let others = |line: &&String| line.contains("airflow-cluster") || line.starts_with("minikube");
    assert_eq!(down.journal.iter().find(others), None, "{down}");
    assert_eq!(context.status("airflow-cluster")["forward"]["process"], forward);
    assert_eq!(context.remembered(), remembered);
    assert_eq!(context.listed(), json!([first]));
}

#[test]
fn the_port_of_the_other_is_refused_and_the_next_free_one_offered() {
    let context = TestContext::with_both();
    let up = context.up_second(context.port);
    assert_eq!(up.code, 9, "{up}");
    assert!(up.stderr.contains(&format!("port {} on 127.0.0.1 is taken by windtunnel", context.port)), "{up}");
    let (_, offered) = up.stderr.split_once("`windtunnel up --port ").unwrap();
    let (port, rest) = offered.split_once(' ').unwrap();
    assert!(rest.starts_with("--name second`"), "the hint must not move the first one: {up}");
    // Whether it is free is not looked at: another test may have just taken it.
    assert!(port.parse::<u16>().unwrap() > context.port, "{up}");
    assert!(!context.path("state/environments/second").exists(), "a refusal left state");
}
