//! `windtunnel.yaml`: found from below, layered between what was before and what is given; and the commands that show it.

use serde_json::Value;

use crate::context::{Run, TestContext, assert_run};

/// The value and the origin of a setting in `config show -o json`.
fn setting(run: &Run, key: &str) -> (Value, String) {
    let document: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{run}"));
    let settings = document["settings"].as_array().unwrap().clone();
    let setting = settings.into_iter().find(|setting| setting["key"] == key).unwrap();
    (setting["value"].clone(), setting["origin"].as_str().unwrap().to_owned())
}

fn without_variables() -> TestContext {
    let context = TestContext::new();
    context.forget_variable("WINDTUNNEL_BUNDLE");
    context.forget_variable("WINDTUNNEL_PORT");
    context
}

/// Runs it, and compares what it shows but for the width of its columns, which is that of this machine's paths.
macro_rules! assert_shown {
    ($context:expr, $arguments:expr) => {{
        let run = $context.run($arguments);
        let mut settings = $context.settings();
        settings.add_filter(" {2,}", "  ");
        settings.bind(|| insta::assert_snapshot!(run.to_string()));
    }};
}

#[test]
fn every_setting_without_a_file() {
    let context = without_variables();
    assert_shown!(context, &["config", "show"]);
}

#[test]
fn every_setting_with_its_origin() {
    let context = TestContext::new();
    let file = "name: shop\nport: 7171\n# the DAGs\ndags: flows\nset: [a=b, c=d]\ntimeout: 60\n";
    context.write_file("project/windtunnel.yaml", file);
    assert_shown!(context, &["config", "show", "--namespace", "data"]);
    assert_run!(context, &["config", "show", "--namespace", "data", "-o", "json"]);
}

#[test]
fn each_layer_wins_over_the_one_below() {
    let context = without_variables();
    let port = |variables: &[(&str, &str)], more: &[&str]| {
        let run = context.run_with(&[&["config", "show", "-o", "json"], more].concat(), variables);
        let (value, origin) = setting(&run, "port");
        (value.as_u64().unwrap(), origin)
    };
    assert_eq!(port(&[], &[]), (7070, "default".to_owned()));
    let bundle = context.path("bundle").display().to_string();
    let free = context.port.to_string();
    let run = context.run(&["up", "--port", &free, "--bundle", &bundle]);
    assert_eq!(run.code, 0, "{run}");
    assert_eq!(port(&[], &[]), (u64::from(context.port), "before".to_owned()));
    context.write_file("project/windtunnel.yaml", "port: 7171\n");
    assert_eq!(port(&[], &[]), (7171, "file".to_owned()));
    let variable = [("WINDTUNNEL_PORT", "7272")];
    assert_eq!(port(&variable, &[]), (7272, "variable".to_owned()));
    assert_eq!(port(&variable, &["--port", "7373"]), (7373, "flag".to_owned()));
    let other = [("WINDTUNNEL_NAME", "other")];
    let run = context.run_with(&["config", "show", "-o", "json"], &other);
    assert_eq!(setting(&run, "name"), ("other".into(), "variable".to_owned()), "{run}");
    assert_eq!(setting(&run, "port").0, 7171, "a new environment takes what the file says: {run}");
}

#[test]
fn every_command_finds_the_environment_of_the_file() {
    let context = TestContext::new();
    context.write_file("project/windtunnel.yaml", "name: shop\n");
    for command in [&["status"][..], &["credentials"], &["kubeconfig"], &["smoke"], &["open"], &["down", "--yes"]] {
        let run = context.run(command);
        assert_eq!(run.code, 10, "{run}");
        assert!(run.stderr.contains("there is no environment `shop`"), "{run}");
        assert!(!run.stderr.contains("--name"), "in this folder it needs no name: {run}");
    }
    let run = context.run(&["status", "--name", "airflow-cluster"]);
    assert!(run.stderr.contains("windtunnel up --name airflow-cluster"), "{run}");
}

#[test]
fn up_takes_the_file() {
    let context = TestContext::new();
    context.write_file("project/windtunnel.yaml", "dags: ../flows\nnamespace: data\n");
    let run = context.run(&["up"]);
    assert_eq!(run.code, 0, "{run}");
    let record = std::fs::read_to_string(context.environment("environment.json")).unwrap();
    assert!(record.contains("\"namespace\": \"data\"") && context.path("flows").is_dir(), "{record}");
}

#[test]
fn a_project_has_one_dag_folder_wherever_below_it_one_is() {
    let context = TestContext::new();
    context.write_file("project/windtunnel.yaml", "timeout: 60\n");
    context.write_file("project/deep/down/file", "");
    let shown = context.run_in("project/deep/down", &["config", "show", "-o", "json"]);
    let folder = context.path("project/dags").display().to_string();
    assert_eq!(setting(&shown, "dags"), (folder.into(), "default".to_owned()));
}

#[test]
fn an_unknown_key() {
    let context = TestContext::new();
    context.write_file("project/windtunnel.yaml", "# mine\nname: shop\nprot: 7171\n");
    assert_run!(context, &["up"]);
    assert_run!(context, &["status"]);
    assert_eq!(context.run(&["completions", "bash"]).code, 0);
    assert_eq!(context.run(&["profiles"]).code, 0);
}

#[test]
fn a_consent_is_no_key() {
    let context = TestContext::new();
    context.write_file("project/windtunnel.yaml", "allow_remote: true\n");
    assert_run!(context, &["up"]);
}

#[test]
fn init_writes_a_file_that_changes_nothing_and_never_over_another() {
    let context = without_variables();
    let before = context.run(&["config", "show"]);
    assert_run!(context, &["init"]);
    let written = std::fs::read_to_string(context.path("project/windtunnel.yaml")).unwrap();
    context.settings().bind(|| insta::assert_snapshot!(written));
    let after = context.run(&["config", "show"]);
    let settings = |run: &Run| run.stdout.split("\nfile:").next().unwrap_or_default().to_owned();
    assert_eq!(settings(&before), settings(&after));
    assert_run!(context, &["init"]);
}

#[test]
fn init_takes_a_name() {
    let context = without_variables();
    let run = context.run(&["init", "--name", "shop", "-o", "json"]);
    assert!(run.code == 0 && run.stdout.contains("windtunnel.yaml"), "{run}");
    let shown = context.run(&["config", "show", "-o", "json"]);
    assert_eq!(setting(&shown, "name"), ("shop".into(), "file".to_owned()));
    let refused = context.run(&["init", "--name", "Shop"]);
    assert_eq!(refused.code, 2, "{refused}");
}

#[test]
fn the_schema_and_the_profiles_are_printed() {
    let context = TestContext::new();
    let schema = context.run(&["config", "schema"]);
    assert_eq!(serde_json::from_str::<Value>(&schema.stdout).unwrap()["title"], "windtunnel.yaml");
    let list = context.run(&["profiles"]);
    assert!(list.stdout.starts_with("lite ") && list.stdout.contains("Airflow 3."), "{list}");
    let list = context.run(&["profiles", "-o", "json"]);
    assert_eq!(serde_json::from_str::<Value>(&list.stdout).unwrap()[0]["name"], "lite");
    let text = context.run(&["profiles", "show", "lite"]);
    assert_eq!(text.stdout, include_str!("../../profiles/lite.yaml"));
    let json = context.run(&["profiles", "show", "lite", "-o", "json"]);
    assert_eq!(serde_json::from_str::<Value>(&json.stdout).unwrap()["stack"], "lite");
    context.write_file("project/mine.yaml", include_str!("../../profiles/official.yaml"));
    let mine = context.run(&["profiles", "show", "mine.yaml", "-o", "json"]);
    let mine: Value = serde_json::from_str(&mine.stdout).unwrap();
    assert_eq!(mine["stack"], "official");
    let unknown = context.run(&["profiles", "show", "nothing"]);
    assert!(unknown.code == 2 && unknown.stderr.contains("shipped profiles: lite"), "{unknown}");
}
