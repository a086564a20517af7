//! Whose an object is, is asked of the object: what carries no mark of this environment, or another one's, is refused and stays as it is.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use semver::Version;
use serde_json::{Value, json};

use crate::api_server::Store;
use crate::backup::PASSPHRASE;
use crate::context::{Run, TestContext, free_port};
use crate::existing::UP;
use crate::objects::{ID, put_in, record_revision, revision_secret};

/// What Helm keeps of a chart of somebody's, installed by hand under our release's name.
pub(crate) fn plant_release(store: &mut Store, namespace: &str, status: &str) {
    let kept = json!({
        "name": "airflow-cluster", "version": 3, "chart": {"metadata": {"name": "shop", "version": "1.2.3"}},
        "info": {"first_deployed": "2026-01-02T03:04:05Z", "status": status},
    });
    let labels = json!({"owner": "helm", "name": "airflow-cluster", "status": status, "version": "3"});
    let metadata = json!({"name": "sh.helm.release.v1.airflow-cluster.v3", "labels": labels});
    put_in(store, namespace, revision_secret(&metadata, &kept));
    let annotations =
        json!({"meta.helm.sh/release-name": "airflow-cluster", "meta.helm.sh/release-namespace": namespace});
    let metadata = json!({"name": "shop", "annotations": annotations});
    put_in(store, namespace, json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata}));
}

/// Every object as it is, but for what no test is about.
fn all(context: &TestContext) -> Vec<Value> {
    context.api.change(|store: &mut Store| {
        store.addresses(|_| true).iter().map(|address| store.get(address).unwrap().clone()).collect()
    })
}

fn assert_refused(run: &Run, words: &[&str]) {
    assert_eq!(run.code, 9, "{run}");
    assert!(words.iter().all(|word| run.stderr.contains(word)), "{run}");
    let acts = ["helm upgrade", "helm uninstall", "helm rollback", "kind delete"];
    assert!(!run.journal.iter().any(|line| acts.iter().any(|act| line.starts_with(act))), "{run}");
}

const FOREIGN_RELEASE: [&str; 6] = [
    "the Helm release `airflow-cluster` in the namespace `data` was not installed by windtunnel",
    "chart shop 1.2.3",
    "revision 3",
    "there since 2026-01-02T03:04:05Z",
    "--name NAME",
    "--namespace NAME",
];

/// Somebody has a release of the environment's name in a namespace of their own.
fn plant_in_data(context: &TestContext, status: &str) {
    context.api.change(|store| {
        store.put(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "data"}}));
        plant_release(store, "data", status);
    });
}

#[test]
fn up_leaves_a_helm_release_of_that_name() {
    for status in ["deployed", "failed"] {
        let context = TestContext::with_cluster();
        plant_in_data(&context, status);
        let before = all(&context);
        let run = context.run(&[&UP[..], &["--namespace", "data", "--adopt-namespace", "--yes"]].concat());
        assert_refused(&run, &FOREIGN_RELEASE);
        assert!(run.stderr.contains(status), "{run}");
        assert_eq!(all(&context), before);
        assert!(!context.environment("").exists(), "nothing is remembered");
    }
}

#[test]
fn up_leaves_one_that_somebodys_helm_is_at_work_on() {
    let context = TestContext::with_cluster();
    plant_in_data(&context, "pending-install");
    let before = all(&context);
    let run = context.run(&[&UP[..], &["--namespace", "data", "--adopt-namespace", "--yes"]].concat());
    assert_eq!(run.code, 6, "{run}");
    for words in ["error[WT901]", "pending-install", "was not begun by windtunnel", "uninstall airflow-cluster"] {
        assert!(run.stderr.contains(words), "{words}: {run}");
    }
    assert_eq!(all(&context), before);
}

#[test]
fn up_leaves_it_in_a_cluster_of_its_own_too() {
    let context = TestContext::new();
    plant_in_data(&context, "deployed");
    let before = all(&context);
    assert_refused(&context.run(&["up", "--namespace", "data", "--adopt-namespace"]), &FOREIGN_RELEASE);
    assert_eq!(all(&context), before);
}

/// Somebody uninstalled our release and has one of its own under the name.
fn replace_release(context: &TestContext) {
    context.api.change(|store| {
        for address in store.addresses(|object| object["metadata"]["labels"]["owner"] == "helm") {
            store.delete(&address);
        }
        plant_release(store, "airflow-cluster", "deployed");
    });
}

#[test]
fn no_command_touches_a_release_that_somebody_put_in_the_place_of_ours() {
    let context = TestContext::with_cluster();
    context.up_on_cluster();
    replace_release(&context);
    context.write_backup(Version::new(3, 3, 2));
    let before = all(&context);
    for command in [
        &["up"][..],
        &["stop"],
        &["start"],
        &["reset", "release", "--yes"],
        &["reset", "data", "--yes"],
        &["reset", "all", "--yes"],
        &["restore", "a.backup", "--yes"],
        &["down", "--yes"],
    ] {
        let run = context.run_with(command, &PASSPHRASE);
        assert_refused(&run, &["the Helm release `airflow-cluster`", "chart shop 1.2.3", "revision 3"]);
        assert_eq!(all(&context), before, "{run}");
        assert!(context.remembered().is_some(), "{run}");
    }
}

#[test]
fn an_object_of_a_name_of_ours_is_not_written_over() {
    for (kind, name) in [
        ("Secret", "airflow-cluster-credentials"),
        ("Secret", "airflow-cluster-record"),
        ("ConfigMap", "airflow-cluster-smoke"),
    ] {
        let context = TestContext::with_cluster();
        let theirs = json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, "data": {"theirs": "YQ=="}});
        context.api.change(|store| {
            store.put(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "data"}}));
            put_in(store, "data", theirs);
        });
        let before = all(&context);
        let run = context.run(&[&UP[..], &["--namespace", "data", "--adopt-namespace", "--yes"]].concat());
        assert_refused(&run, &[&format!("the {kind} `{name}` in the namespace `data` was not made by windtunnel")]);
        assert_eq!(all(&context), before);
    }
}

#[test]
fn a_job_of_a_name_of_the_charts_is_not_removed() {
    let context = TestContext::with_cluster();
    let (head, _) = include_str!("../../profiles/official.yaml").split_once("chart:").unwrap();
    context.write_file("project/mine.yaml", &format!("{head}chart: {{from: ./chart, version: 1.22.0}}\n"));
    context.write_file("project/chart/Chart.yaml", "name: airflow\nversion: 1.22.0\n");
    let helm = ["upgrade", "--install", "airflow-cluster", "--namespace", "airflow-cluster", "--labels"];
    let helm =
        [&helm[..], &["windtunnel-inputs=old"]].concat().iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "airflow-cluster-create-user"}});
    context.api.change(|store| {
        store.put(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "airflow-cluster"}}));
        record_revision(store, &helm, "pending-install");
        put_in(store, "airflow-cluster", job);
    });
    let up = [&UP[..], &["--profile", "mine.yaml"]].concat();
    let run = context.run(&up);
    assert_refused(&run, &["has an environment `airflow-cluster` of another windtunnel", "Helm release", "no id"]);
    let run = context.run(&[&up[..], &["--adopt-namespace", "--yes"]].concat());
    assert!(run.code == 9 && run.stderr.contains("the Job `airflow-cluster-create-user`"), "{run}");
    let jobs = context.api.change(|store| store.addresses(|object| object["kind"] == "Job").len());
    assert_eq!(jobs, 1, "{run}");
}

#[test]
fn everything_that_is_made_carries_one_id() {
    for context in [TestContext::with_cluster(), TestContext::new()] {
        let is_existing = context.path("project/config").exists();
        let run = context.run(if is_existing { &UP } else { &["up"] });
        assert_eq!(run.code, 0, "{run}");
        let record: Value = serde_json::from_str(&context.remembered().unwrap()).unwrap();
        let id = record["id"].as_str().unwrap();
        assert!(id.len() == 20 && id.bytes().all(|sign| sign.is_ascii_hexdigit()), "{id}");
        for object in all(&context) {
            let (kind, name) = (object["kind"].as_str().unwrap(), object["metadata"]["name"].as_str().unwrap());
            if ["Node", "EndpointSlice"].contains(&kind) || ["default", "kube-system"].contains(&name) {
                continue;
            }
            assert_eq!(object["metadata"]["labels"][ID], id, "{kind}/{name}");
        }
        if !is_existing {
            let config = std::fs::read_to_string(context.environment("kind.json")).unwrap();
            assert!(config.contains(&format!(r#""{ID}": "{id}""#)), "{config}");
        }
    }
}

/// Takes the ids away, as if windtunnel had made it before there were any.
fn make_old(context: &TestContext) {
    context.api.change(|store| {
        for address in store.addresses(|object| !object["metadata"]["labels"][ID].is_null()) {
            let mut object = store.get(&address).unwrap().clone();
            object["metadata"]["labels"].as_object_mut().unwrap().remove(ID);
            if let Some(text) = object["data"]["record"].as_str() {
                let mut record: Value = serde_json::from_slice(&STANDARD.decode(text).unwrap()).unwrap();
                record.as_object_mut().unwrap().remove("id");
                object["data"]["record"] = STANDARD.encode(record.to_string()).into();
            }
            store.put(object);
        }
    });
    if let Some(text) = context.remembered() {
        let mut record: Value = serde_json::from_str(&text).unwrap();
        record.as_object_mut().unwrap().remove("id");
        context.write_file("state/environments/airflow-cluster/environment.json", &record.to_string());
    }
}

#[test]
fn an_environment_of_before_there_were_ids_gets_one() {
    for commands in [&[&["up"][..], &["status"]][..], &[&["stop"], &["start"]], &[&["reset", "data", "--yes"]]] {
        let context = TestContext::with_cluster();
        context.up_on_cluster();
        make_old(&context);
        for command in commands {
            let run = context.run(command);
            assert_eq!(run.code, 0, "{run}");
        }
        let record: Value = serde_json::from_str(&context.remembered().unwrap()).unwrap();
        for object in all(&context) {
            let kind = object["kind"].as_str().unwrap();
            let is_revision = object["metadata"]["labels"]["owner"] == "helm";
            if object["metadata"]["namespace"] == "airflow-cluster" && kind != "EndpointSlice" && !is_revision {
                assert_eq!(object["metadata"]["labels"][ID], record["id"], "{object}");
            }
        }
        let down = context.run(&["down", "--yes"]);
        assert!(down.code == 0 && context.objects().is_empty(), "{down}");
    }
}

#[test]
fn an_environment_of_before_there_were_ids_is_removed_as_it_is() {
    let context = TestContext::with_cluster();
    context.up_on_cluster();
    make_old(&context);
    let down = context.run(&["down", "--yes"]);
    assert!(down.code == 0 && context.objects().is_empty(), "{down}: {:?}", context.objects());
}

/// Another user's windtunnel on the same machine.
fn of_another(context: &TestContext) -> [(&'static str, String); 2] {
    [("WINDTUNNEL_STATE", context.path("another").display().to_string()), ("WINDTUNNEL_PORT", free_port().to_string())]
}

#[test]
fn another_windtunnel_does_not_take_an_environment_over() {
    for is_old in [false, true] {
        let context = TestContext::with_cluster();
        std::fs::create_dir(context.path("another")).unwrap();
        context.up_on_cluster();
        if is_old {
            make_old(&context);
        }
        let (before, another) = (all(&context), of_another(&context));
        let another: Vec<(&str, &str)> = another.iter().map(|(name, value)| (*name, value.as_str())).collect();
        for more in [&[][..], &["--dry-run"], &["--yes"]] {
            let run = context.run_with(&[&UP[..], more].concat(), &another);
            let words = ["has an environment `airflow-cluster` of another windtunnel", "was made", "--adopt-namespace"];
            assert_refused(&run, &words);
        }
        let unasked = context.run_with(&[&UP[..], &["--adopt-namespace"]].concat(), &another);
        assert!(unasked.code == 2 && unasked.stderr.contains("this needs a yes"), "{unasked}");
        assert_eq!(context.run_with(&["down", "--yes"], &another).code, 3, "no engine has a cluster of that name");
        assert_eq!(all(&context), before);

        let agreed = context.run_with(&[&UP[..], &["--adopt-namespace", "--yes"]].concat(), &another);
        assert!(agreed.code == 0 && agreed.stderr.contains("that this machine does not know"), "{agreed}");
        let stopped = context.run_with(&["forward", "stop"], &another);
        assert_eq!(stopped.code, 0, "{stopped}");
    }
}

#[test]
fn an_environment_of_that_name_elsewhere_in_the_cluster_is_another_one() {
    let context = TestContext::with_cluster();
    std::fs::create_dir(context.path("another")).unwrap();
    context.up_on_cluster();
    let first = |objects: Vec<Value>| -> Vec<Value> {
        objects.into_iter().filter(|object| object["metadata"]["namespace"] == "airflow-cluster").collect()
    };
    let (before, another) = (first(all(&context)), of_another(&context));
    let another: Vec<(&str, &str)> = another.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let run = context.run_with(&[&UP[..], &["--namespace", "elsewhere"]].concat(), &another);
    assert_eq!(run.code, 0, "{run}");
    // Its record is lost; its keys tell which of the two is its own.
    std::fs::write(context.path("another/environments/airflow-cluster/environment.json"), "{").unwrap();
    let down = context.run_with(&["down", "--yes"], &another);
    assert!(down.code == 0 && down.stderr.contains("elsewhere"), "{down}");
    assert_eq!(first(all(&context)), before);
}

#[test]
fn a_network_that_was_there_before_is_not_removed() {
    for (was_there, is_another_since) in [(true, false), (false, true), (false, false)] {
        let context = TestContext::new();
        if was_there {
            context.write_file("tools/network", "");
        }
        context.up();
        if is_another_since {
            context.on("docker", "network inspect kind", &["stdout id-of-another"]);
        }
        let down = context.run(&["down", "--yes"]);
        let removed = down.journal.iter().any(|line| line.starts_with("docker network rm"));
        assert_eq!((down.code, removed), (0, !was_there && !is_another_since), "{down}");
        assert!(!context.path("state/kind-network").exists());
    }
}
