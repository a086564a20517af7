//! `list`: one row for each environment, whatever has become of it.

use serde_json::{Value, json};

use crate::context::{Run, TestContext, assert_run};
use crate::scripts::kubeconfig;

const INSPECT: &str = "container inspect airflow-cluster-control-plane";

impl TestContext {
    /// The engine has measured the node.
    fn measure(&self) {
        let usage = json!({
            "Images": [], "BuildCache": [],
            "Containers": [{"Names": "airflow-cluster-control-plane", "Size": "850kB (virtual 1.16GB)"}],
            "Volumes": [{"Name": "node-volume", "Size": "202.6MB"}],
        });
        self.write_file("tools/usage.json", &usage.to_string());
        self.on("docker", "system df", &["stdout-file usage.json"]);
    }

    /// Remembers another environment, made of the first one's record.
    fn remember(&self, name: &str, change: impl FnOnce(&mut Value)) {
        let text = std::fs::read_to_string(self.environment("environment.json")).unwrap();
        let mut record: Value = serde_json::from_str(&text).unwrap();
        record["name"] = name.into();
        record["port"] = 7171.into();
        change(&mut record);
        self.write_file(&format!("state/environments/{name}/environment.json"), &record.to_string());
    }
}

fn rows(run: &Run) -> Vec<Value> {
    assert_eq!(run.code, 0, "{run}");
    serde_json::from_str(&run.stdout).unwrap()
}

fn row<'a>(rows: &'a [Value], name: &str) -> &'a Value {
    rows.iter().find(|row| row["name"] == name).unwrap()
}

#[test]
fn nothing() {
    let context = TestContext::new();
    assert_run!(context, &["list"]);
    assert_eq!(rows(&context.run(&["list", "-o", "json"])), Vec::<Value>::new());
}

#[test]
fn one_that_runs() {
    let context = TestContext::new();
    context.up();
    context.measure();
    context.settings().bind(|| {
        let run = context.run_without_commands(&["list", "--disk"]);
        let mut settings = insta::Settings::clone_current();
        settings.add_filter(r"\b\d+ (s|min) +", "[AGE]  ");
        settings.bind(|| insta::assert_snapshot!(run.to_string()));
    });
    let run = context.run_without_commands(&["list", "--disk", "-o", "json"]);
    context.settings().bind(|| insta::assert_snapshot!(run.to_string()));
}

#[test]
fn the_engine_is_asked_once_for_all_and_one_that_is_absent_keeps_no_other_from_being_shown() {
    let context = TestContext::new();
    context.up();
    context.measure();
    context.remember("other", |_| {});
    let absent = "stderr Error: No such container: other-control-plane";
    context.on("docker", &format!("{INSPECT} other-control-plane"), &["stdout-file node.json", absent, "exit 1"]);
    let run = context.run(&["list", "--disk", "-o", "json"]);
    let listed = rows(&run);
    assert_eq!(row(&listed, "airflow-cluster")["state"], "running", "{run}");
    assert_eq!(row(&listed, "other")["state"], "absent", "{run}");
    assert_eq!(run.journal.len(), 2, "one question for all nodes, one for the disk: {run}");
}

#[test]
fn each_has_its_own_trouble() {
    let context = TestContext::new();
    context.up();
    context.describe_node("exited", Some(&context.environment("smoke")));
    let absent = "stderr Error: No such container: damaged-control-plane";
    context.on("docker", INSPECT, &["stdout-file node.json", absent, "exit 1"]);
    context.write_file("state/environments/damaged/environment.json", "{");
    context.remember("far", |record| {
        record["cluster"] = json!({"provider": "existing", "kubeconfig": ["/nowhere"], "context": "far"});
        record["context"] = "far".into();
    });
    context.write_file("state/environments/far/kubeconfig", &kubeconfig("far", "http://127.0.0.1:1"));
    context.on("docker", "system df", &["stderr Error response from daemon: busy", "exit 1"]);
    let run = context.run_without_commands(&["list"]);
    let mut settings = context.settings();
    settings.add_filter(r"\b\d+ (s|min) +", "[AGE]  ");
    settings.bind(|| insta::assert_snapshot!(run.to_string()));
}

#[test]
fn without_an_engine() {
    let context = TestContext::new();
    context.up();
    let why =
        "stderr Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?";
    for question in ["container inspect", INSPECT, "system df"] {
        context.on("docker", question, &[why, "exit 1"]);
    }
    let listed = rows(&context.run(&["list", "-o", "json"]));
    let row = row(&listed, "airflow-cluster");
    assert_eq!((&row["state"], &row["problem"]), (&json!("unreachable"), &json!("the Docker Engine is not running")));
    assert_eq!(row["port"], context.port);
}
