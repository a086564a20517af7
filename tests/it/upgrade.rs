//! An upgrade: what it changes is told first, and one that fails brings back what ran.

use serde_json::{Value, json};

use crate::context::{TestContext, assert_run};
use crate::objects::{self, revisions};

const BEFORE: &str = "kind: Deployment\nmetadata: {name: airflow-cluster-airflow}\nspec: {replicas: 1, image: a}\n";

impl TestContext {
    /// An environment that is up, of which an upgrade changes one field.
    fn with_changes() -> Self {
        let context = Self::new();
        context.up();
        context.write_file("tools/manifest.yaml", BEFORE);
        context.on("helm", "get manifest", &["stdout-file manifest.yaml"]);
        let after = json!({"manifest": BEFORE.replace("replicas: 1", "replicas: 2")}).to_string();
        context.on("helm", "upgrade --dry-run=server", &[&format!("stdout {after}")]);
        context
    }

    /// From now on an image is missing that Helm installs with a single value.
    fn break_upgrades(&self) {
        self.api.effect("install", |store, arguments| {
            objects::install(store, arguments);
            if arguments.iter().any(|argument| argument == "--set") {
                objects::break_image(store, &arguments[2]);
            }
        });
    }

    /// From now on the scheduler does not come up that Helm installs with a single value, and that of before does.
    fn silence_upgrades(&self) {
        let parts = self.airflow.parts.clone();
        self.api.effect("install", move |store, arguments| {
            objects::install(store, arguments);
            if arguments.iter().any(|argument| argument == "--set") {
                parts.make_unhealthy("scheduler");
            }
        });
        let parts = self.airflow.parts.clone();
        self.api.effect("rollback", move |store, arguments| {
            objects::rollback(store, arguments);
            parts.heal();
        });
    }

    fn record(&self) -> Value {
        serde_json::from_str(&self.remembered().unwrap()).unwrap()
    }
}

#[test]
fn tells_what_it_changes() {
    let context = TestContext::with_changes();
    let run = assert_run!(context, &["up", "--set", "airflow.replicas=2"]);
    let dry = run.journal.iter().position(|line| line.contains("--dry-run=server")).unwrap();
    assert!(dry < run.ran("helm upgrade --install"), "{run}");
}

#[test]
fn tells_it_to_programs() {
    let context = TestContext::with_changes();
    let run = context.run(&["up", "--set", "airflow.replicas=2", "-o", "json"]);
    let events = run.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let changes: Vec<Value> = events.filter(|event| event["event"] == "change").collect();
    assert_eq!(changes.len(), 1, "{run}");
    assert_eq!(changes[0]["change"], "~ deployment/airflow-cluster-airflow: spec.replicas 1 → 2");
}

#[test]
fn that_fails_brings_back_what_ran() {
    let context = TestContext::with_changes();
    let before = context.record();
    context.break_upgrades();
    let run = assert_run!(context, &["up", "--set", "airflow.replicas=2"]);
    assert_eq!(run.code, 7, "the cause is the upgrade's");
    assert_eq!(context.record(), before);
    assert_eq!(context.run(&["status"]).code, 0);
    // The copy in the cluster is that of before as well.
    std::fs::remove_file(context.environment("environment.json")).unwrap();
    let run = context.run(&["up"]);
    assert_eq!(context.record()["set"], before["set"]);
    assert!(run.code == 0 && !run.journal.iter().any(|line| line.starts_with("helm upgrade")), "{run}");
}

#[test]
fn that_fails_is_left_if_wished() {
    let context = TestContext::with_changes();
    context.break_upgrades();
    let run = context.run(&["up", "--set", "airflow.replicas=2", "--no-rollback"]);
    assert!(run.code == 7 && !run.journal.iter().any(|line| line.starts_with("helm rollback")), "{run}");
    // What is repaired did not run before: there is nothing to go back to.
    let run = context.run(&["up", "--set", "airflow.replicas=3"]);
    assert!(run.code == 7 && !run.journal.iter().any(|line| line.starts_with("helm rollback")), "{run}");
}

#[test]
fn whose_rollback_fails_too_says_both() {
    let context = TestContext::with_changes();
    context.break_upgrades();
    context.on("helm", "rollback", &["stderr Error: release has no 1 version", "exit 1"]);
    let run = context.run(&["up", "--set", "airflow.replicas=2"]);
    assert!(run.code == 7 && run.stderr.contains("could not be brought back"), "{run}");
    assert!(run.stderr.contains("release has no 1 version") && run.stderr.contains("image"), "{run}");
    assert_eq!(context.api.change(|store| revisions(store).len()), 2);
}

#[test]
fn after_which_airflow_is_not_healthy_brings_back_what_ran() {
    let context = TestContext::with_changes();
    let before = context.record();
    context.silence_upgrades();
    let run = context.run(&["up", "--set", "airflow.replicas=2", "--timeout", "3"]);
    assert!(run.code == 1 && run.stderr.contains("scheduler is not healthy, and nothing has moved"), "{run}");
    assert!(run.stderr.contains("what ran before was brought back, and is healthy"), "{run}");
    run.ran("helm rollback");
    assert_eq!(context.record(), before);
    assert_eq!(context.run(&["status"]).code, 0);
    let run = context.run(&["up", "--set", "airflow.replicas=2", "--timeout", "3", "--no-rollback"]);
    assert!(run.code == 1 && !run.journal.iter().any(|line| line.starts_with("helm rollback")), "{run}");
}

#[test]
fn that_has_migrated_the_database_is_left_as_it_is() {
    let context = TestContext::with_changes();
    let record = context.remembered().unwrap().replace("\"3.3.2\"", "\"3.3.1\"");
    std::fs::write(context.environment("environment.json"), record).unwrap();
    context.silence_upgrades();
    let run = context.run(&["up", "--set", "airflow.replicas=2", "--timeout", "3"]);
    let said = "Airflow 3.3.2 has migrated the database, and Airflow 3.3.1 does not run on that";
    assert!(run.code == 1 && run.stderr.contains(said) && run.stderr.contains("left as it is"), "{run}");
    assert!(!run.journal.iter().any(|line| line.starts_with("helm rollback")), "{run}");
    assert_eq!(context.record()["airflow"], "3.3.2");
}
