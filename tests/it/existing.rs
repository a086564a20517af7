//! A cluster that is there already: used by the context that was named, and left as it was found.

use std::net::TcpListener;

use serde_json::{Value, json};

use crate::api_server::{Address, Store};
use crate::context::{Run, TestContext, assert_run};
use crate::objects::put_in;
use crate::terminal::{end, spawn};

pub(crate) const UP: [&str; 5] = ["up", "--context", "work", "--kubeconfig", "config"];

impl TestContext {
    /// A machine with nothing but Helm, and a kubeconfig with the context `work`, which is not the current one.
    pub(crate) fn with_cluster() -> Self {
        let context = Self::new();
        context.without("docker");
        context.without("kind");
        context.forget_variable("WINDTUNNEL_BUNDLE");
        context.write_kubeconfig(&context.api.url(), "http://127.0.0.1:9");
        // Images that the nodes have: a test asks nobody outside this machine.
        context.render(&[("scheduler", "in-the-nodes/airflow:1"), ("database", "in-the-nodes/database:1")]);
        context
    }

    pub(crate) fn write_kubeconfig(&self, work: &str, current: &str) {
        let named = |name: &str, key: &str, value: Value| json!({"name": name, key: value});
        let kubeconfig = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "home",
            "clusters": [
                named("home", "cluster", json!({"server": current})), named("shared", "cluster", json!({"server": work})),
            ],
            "users": [named("me", "user", json!({"token": "token-of-me"}))],
            "contexts": [
                named("home", "context", json!({"cluster": "home", "user": "me"})),
                named("work", "context", json!({"cluster": "shared", "user": "me", "namespace": "team"})),
            ],
        });
        self.write_file("project/config", &kubeconfig.to_string());
    }

    pub(crate) fn up_on_cluster(&self) {
        let run = self.run(&UP);
        assert_eq!(run.code, 0, "{run}");
    }

    /// From now on nothing answers where the cluster was when the environment came up.
    fn lose_cluster(&self) {
        let kubeconfig = self.environment("kubeconfig");
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let text = std::fs::read_to_string(&kubeconfig).unwrap().replace(&self.api.url(), &format!("http://{closed}"));
        std::fs::write(&kubeconfig, text).unwrap();
    }

    /// Every object that there is, but for what every cluster has and what only tells of others.
    pub(crate) fn objects(&self) -> Vec<String> {
        let name = |address: Address| {
            let name = address.name.unwrap_or_default();
            [address.namespace.unwrap_or_default(), address.resource, name].join("/")
        };
        let all = self.api.change(|store: &mut Store| store.addresses(|_| true));
        let own = all.into_iter().map(name).filter(|name| !name.starts_with("/nodes/"));
        let mut own: Vec<String> =
            own.filter(|name| !["/namespaces/default", "/namespaces/kube-system"].contains(&name.as_str())).collect();
        own.sort();
        own
    }
}

fn assert_untouched(context: &TestContext, run: &Run) {
    assert!(!run.journal.iter().any(|line| line.starts_with("helm upgrade")), "{run}");
    assert!(!context.environment("").exists() && !context.path("project/dags").exists(), "{run}");
    assert!(context.objects().is_empty(), "{:?}", context.objects());
}

fn config_map(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}})
}

#[test]
fn from_nothing() {
    let context = TestContext::with_cluster();
    let before = std::fs::read_to_string(context.path("project/config")).unwrap();
    assert_run!(context, &["up", "--context", "work", "--kubeconfig", "config", "--profile", "lite"]);
    assert_eq!(std::fs::read_to_string(context.path("project/config")).unwrap(), before);
    assert!(!context.path("project/dags").exists(), "its nodes would not see it");
    insta::assert_snapshot!("from_nothing_objects", context.objects().join("\n"));
}

#[test]
fn dry_run() {
    let context = TestContext::with_cluster();
    let run = assert_run!(context, &[&UP[..], &["--dry-run"]].concat());
    assert_untouched(&context, &run);
}

#[test]
fn dry_run_as_json() {
    let context = TestContext::with_cluster();
    let run = context.run(&[&UP[..], &["--dry-run", "-o", "json"]].concat());
    let result: Value = serde_json::from_str(run.stdout.lines().last().unwrap()).unwrap();
    assert_eq!(result["dags"], Value::Null, "{run}");
    assert!(result["images"].as_array().unwrap().iter().all(|image| image["role"] != "node"), "{run}");
}

#[test]
fn again_changes_nothing() {
    let context = TestContext::with_cluster();
    context.up_on_cluster();
    let objects = context.objects();
    assert_run!(context, &["up"]);
    assert_eq!(context.objects(), objects);
}

#[test]
fn the_kubeconfig_of_the_surroundings() {
    let context = TestContext::with_cluster();
    let kubeconfig = context.path("project/config").display().to_string();
    let run = context.run_with(&["up", "--context", "work"], &[("KUBECONFIG", &kubeconfig)]);
    assert_eq!(run.code, 0, "{run}");
}

#[test]
fn the_current_context_is_never_used() {
    let context = TestContext::with_cluster();
    let current = TcpListener::bind("127.0.0.1:0").unwrap();
    current.set_nonblocking(true).unwrap();
    context.write_kubeconfig(&context.api.url(), &format!("http://{}", current.local_addr().unwrap()));
    context.up_on_cluster();
    let run = context.run(&["status"]);
    assert_eq!(run.code, 0, "{run}");
    let run = context.run(&["down", "--yes"]);
    assert_eq!(run.code, 0, "{run}");
    assert!(current.accept().is_err(), "somebody spoke to the current context's cluster");
}

#[test]
fn the_private_kubeconfig_has_one_context_and_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let context = TestContext::with_cluster();
    context.up_on_cluster();
    let file = context.environment("kubeconfig");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("work") && !text.contains("home"), "{text}");
}

#[test]
fn what_the_users_file_says_now_counts() {
    let context = TestContext::with_cluster();
    context.up_on_cluster();
    let renewed = std::fs::read_to_string(context.path("project/config")).unwrap().replace("token-of-me", "renewed");
    context.write_file("project/config", &renewed);
    let run = context.run(&["up"]);
    assert_eq!(run.code, 0, "{run}");
    assert!(std::fs::read_to_string(context.environment("kubeconfig")).unwrap().contains("renewed"));
}

#[test]
fn images_of_a_bundle_are_not_brought_in() {
    let context = TestContext::with_cluster();
    let run = context.run(&[&UP[..], &["--bundle", "../bundle"]].concat());
    assert!(run.code == 0 && run.stderr.contains("warning: the nodes must have the bundle's images already"), "{run}");
}

#[test]
fn missing_rights_are_named() {
    let context = TestContext::with_cluster();
    for right in ["create namespaces", "create secrets", "patch secrets", "get pods/log", "watch deployments"] {
        context.api.refuse(right);
    }
    let run = assert_run!(context, &UP);
    assert_untouched(&context, &run);
}

#[test]
fn jobs_are_for_charts_that_have_some() {
    let context = TestContext::with_cluster();
    context.api.refuse("create jobs");
    let run = context.run(&[&UP[..], &["--profile", "official"]].concat());
    assert!(run.code == 3 && run.stderr.contains("jobs.batch: create"), "{run}");
    assert_untouched(&context, &run);
    context.up_on_cluster();
}

#[test]
fn what_the_users_kubeconfig_holds_is_not_shown() {
    let context = TestContext::with_cluster();
    let run = context.run(&[&UP[..], &["-v"]].concat());
    assert_eq!(run.code, 0, "{run}");
    assert!(!run.to_string().contains("token-of-me"), "{run}");
}

#[test]
fn a_cluster_that_is_not_near() {
    let context = TestContext::with_cluster();
    // Another way to write 127.0.0.1, which windtunnel does not know.
    context.write_kubeconfig(&context.api.url().replace("127.0.0.1", "127.1"), "http://127.0.0.1:9");
    let run = context.run(&UP);
    assert!(run.code == 9 && run.stderr.contains("does not look like a cluster of this machine"), "{run}");
    assert_untouched(&context, &run);
    assert_eq!(context.api.requests(), 0);
    let run = context.run(&[&UP[..], &["--allow-remote"]].concat());
    assert_eq!(run.code, 0, "{run}");
}

#[test]
fn an_unknown_context() {
    let context = TestContext::with_cluster();
    let run = assert_run!(context, &["up", "--context", "wrok", "--kubeconfig", "config"]);
    assert_untouched(&context, &run);
}

#[test]
fn no_context() {
    let context = TestContext::with_cluster();
    let run = assert_run!(context, &["up", "--provider", "existing", "--kubeconfig", "config"]);
    assert_untouched(&context, &run);
}

#[test]
fn a_folder_that_the_nodes_do_not_see() {
    let context = TestContext::with_cluster();
    let run = assert_run!(context, &[&UP[..], &["--dags", "flows"]].concat());
    assert_untouched(&context, &run);
}

#[test]
fn a_cluster_that_does_not_answer() {
    let context = TestContext::with_cluster();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    context.write_kubeconfig(&format!("http://{closed}"), "http://127.0.0.1:9");
    let run = context.run(&UP);
    let file = context.path("project/config").display().to_string();
    let command = format!("`kubectl --kubeconfig {file} --context work get nodes`");
    assert!(run.code == 8 && run.stderr.contains(&command), "{run}");
    assert_untouched(&context, &run);
    let run = context.run_with(&["up", "--context", "work"], &[("KUBECONFIG", &file)]);
    assert!(run.code == 8 && run.stderr.contains("`kubectl --context work get nodes`"), "{run}");
}

#[test]
fn another_context_for_an_environment_that_is_there() {
    let context = TestContext::with_cluster();
    context.up_on_cluster();
    let run = context.run(&["up", "--context", "home", "--kubeconfig", "config"]);
    assert!(run.code == 2 && run.stderr.contains("an environment keeps its cluster"), "{run}");
}

#[test]
fn status() {
    let context = TestContext::with_cluster();
    context.up_on_cluster();
    assert_run!(context, &["status"]);
}

#[test]
fn status_of_a_cluster_that_does_not_answer() {
    let context = TestContext::with_cluster();
    context.up_on_cluster();
    context.lose_cluster();
    let run = context.run(&["status", "-o", "json"]);
    let document: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(
        (run.code, &document["cluster"], &document["healthy"]),
        (1, &json!("unreachable"), &json!(false)),
        "{run}"
    );
}

#[test]
fn down() {
    let context = TestContext::with_cluster();
    context.up_on_cluster();
    assert_run!(context, &["down", "--yes"]);
    assert!(context.objects().is_empty(), "{:?}", context.objects());
    assert!(!context.environment("").exists());
}

#[test]
fn down_leaves_a_namespace_with_somebody_elses_objects() {
    let context = TestContext::with_cluster();
    context.up_on_cluster();
    context.api.change(|store| put_in(store, "airflow-cluster", config_map("theirs")));
    assert_run!(context, &["down", "--yes"]);
    assert_eq!(context.objects(), ["/namespaces/airflow-cluster", "airflow-cluster/configmaps/theirs"]);
}

#[test]
fn down_leaves_a_namespace_that_somebody_else_made() {
    let context = TestContext::with_cluster();
    context
        .api
        .change(|store| store.put(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}})));
    let run = context.run(&[&UP[..], &["--namespace", "team"]].concat());
    assert_eq!(run.code, 0, "{run}");
    let run = context.run(&["down", "--yes"]);
    assert!(run.code == 0 && run.stderr.contains("team stays: windtunnel did not make it"), "{run}");
    assert_eq!(context.objects(), ["/namespaces/team"]);
}

#[test]
fn down_without_an_answer_removes_nothing() {
    let context = TestContext::with_cluster();
    context.up_on_cluster();
    let objects = context.objects();
    context.lose_cluster();
    let run = context.run(&["down", "--yes"]);
    assert!(run.code == 8 && run.stderr.contains("while it answers"), "{run}");
    assert!(context.environment("environment.json").exists());
    assert_eq!(context.objects(), objects);
}

#[test]
fn stop_ends_the_pods_and_start_lets_them_run() {
    let context = TestContext::with_cluster();
    context.up_on_cluster();
    let objects = context.objects();
    assert_run!(context, &["stop"]);
    let run = context.run(&["status"]);
    assert!(
        run.code == 1 && run.stderr.contains("Airflow is stopped") && run.stderr.contains("windtunnel start"),
        "{run}"
    );
    assert!(!context.objects().iter().any(|object| object.contains("/pods/")), "{:?}", context.objects());
    let run = context.run(&["start"]);
    assert!(run.code == 0 && run.stderr.contains("2 workloads that were stopped run again"), "{run}");
    assert!(!run.journal.iter().any(|line| line.starts_with("helm upgrade")), "{run}");
    assert_eq!(context.objects(), objects);
}

#[test]
fn a_workload_of_somebody_elses_is_not_stopped() {
    let context = TestContext::with_cluster();
    context.up_on_cluster();
    context.api.change(|store| {
        let address = Address::of(&json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"namespace": "airflow-cluster", "name": "airflow-cluster-airflow"}}));
        let mut deployment = store.get(&address).unwrap().clone();
        deployment["metadata"]["labels"] = json!({});
        store.put(deployment);
    });
    let run = context.run(&["stop"]);
    assert!(run.code == 9 && run.stderr.contains("was not made by windtunnel"), "{run}");
}

#[test]
fn a_reset_leaves_what_is_somebody_elses() {
    let context = TestContext::with_cluster();
    context.up_on_cluster();
    context.api.change(|store| put_in(store, "airflow-cluster", config_map("theirs")));
    for extent in ["data", "all"] {
        let run = context.run(&["reset", extent, "--yes"]);
        assert!(run.code == 0 && run.stderr.contains("the cluster work and all else in it"), "{run}");
        assert!(context.objects().contains(&"airflow-cluster/configmaps/theirs".to_owned()), "{run}");
    }
}

#[test]
fn on_a_terminal_the_context_is_chosen_from_a_list() {
    let context = TestContext::with_cluster();
    let mut session = spawn(&context, &["up", "--provider", "existing", "--kubeconfig", "config", "--plain"]);
    let shown = session.exp_string("Number from 1 to 2").unwrap();
    assert!(shown.contains("home") && shown.contains("namespace team"), "{shown}");
    session.send_line("2").unwrap();
    let (shown, code) = end(session);
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains("Using existing cluster"), "{shown}");
}

#[test]
fn a_list_that_is_left_changes_nothing() {
    let context = TestContext::with_cluster();
    let mut session = spawn(&context, &["up", "--provider", "existing", "--kubeconfig", "config", "--plain"]);
    session.exp_string("Number from 1 to 2").unwrap();
    session.send_control('c').unwrap();
    assert_eq!(end(session).1, 130);
    assert!(context.objects().is_empty() && !context.environment("").exists());
}
