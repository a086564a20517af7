//! Images before anything is created: found in a registry on loopback, or refused in one report, each with its cause.

use serde_json::{Value, json};

use crate::bundle::{AIRFLOW, DATABASE, NODE};
use crate::context::{Run, TestContext, assert_run};
use crate::registry::{Image, LOGIN, Registry};
use crate::scripts::engine_image;

impl TestContext {
    /// A machine whose profile names images of this registry, where the chart names what the profile does.
    fn with_images(registry: &Registry, airflow: &str, database: &str) -> Self {
        let context = Self::new();
        context.forget_variable("WINDTUNNEL_BUNDLE");
        let (node, airflow, database) =
            (registry.put("node:1", Image::Of(&["amd64"])), registry.reference(airflow), registry.reference(database));
        let (head, tail) = include_str!("../../profiles/lite.yaml").split_once("images:\n").unwrap();
        let rest: Vec<&str> = tail.lines().skip_while(|line| line.starts_with("  ")).collect();
        let images = format!("images:\n  node: {node}\n  airflow: {airflow}\n  database: {database}\n");
        context.write_file("project/mine.yaml", &format!("{head}{images}{}", rest.join("\n")));
        context.render(&[("scheduler", &airflow), ("database", &database)]);
        context
    }

    fn up_with_images(&self) -> Run {
        self.run_without_commands(&["up", "--profile", "mine.yaml"])
    }
}

/// Compares a run with its snapshot, in which the registry has no port.
macro_rules! assert_images {
    ($context:expr, $registry:expr, $run:expr) => {{
        let mut settings = $context.settings();
        settings.add_filter(&$registry.address(), "[REGISTRY]");
        settings.add_filter(r"0\.\ds", "[SECONDS]");
        settings.bind(|| insta::assert_snapshot!($run.to_string()));
    }};
}

fn assert_untouched(context: &TestContext, run: &Run) {
    assert_eq!(run.code, 5, "{run}");
    assert!(!context.environment("").exists() && !context.path("project/dags").exists(), "{run}");
    assert!(!context.path("tools/node").exists(), "{run}");
}

#[test]
fn they_are_pulled_and_shown_in_a_table() {
    let registry = Registry::start();
    let context = TestContext::with_images(&registry, "airflow:1", "database:1");
    registry.put("airflow:1", Image::Of(&["amd64", "arm64"]));
    registry.put("database:1", Image::Alone("amd64"));
    context.serve_pulls(&[&registry.reference("airflow:1"), &registry.reference("database:1")]);
    let run = context.up_with_images();
    assert_eq!(run.code, 0, "{run}");
    assert_images!(context, registry, run);
    // What came of the same inputs once is not made again, and what the node has is not asked for.
    let asked = registry.requests().len();
    let again = context.run(&["up"]);
    assert!(!again.journal.iter().any(|line| line.starts_with("helm template")), "{again}");
    assert_eq!((again.code, registry.requests().len()), (0, asked), "{again}");
}

#[test]
fn a_dry_run_tells_where_they_are() {
    let registry = Registry::start();
    let context = TestContext::with_images(&registry, "airflow:1", "database:1");
    registry.put("airflow:1", Image::Of(&["amd64"]));
    registry.put("database:1", Image::Of(&["amd64"]));
    let run = context.run_without_commands(&["up", "--profile", "mine.yaml", "--dry-run"]);
    assert_images!(context, registry, run);
    let json = context.run(&["up", "--profile", "mine.yaml", "--dry-run", "-o", "json"]);
    let events: Vec<Value> = json.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let images: Vec<&Value> = events.iter().filter(|event| event["event"] == "image").collect();
    assert_eq!(images[2]["role"], "airflow", "{json}");
    assert_eq!(images[2]["bytes"], 32_000_000, "{json}");
    assert!(!context.path("state/environments").exists());
}

#[test]
fn one_of_the_users_own_is_not_replaced_by_the_bundles() {
    let registry = Registry::start();
    let context = TestContext::new();
    let mine = |airflow: &str| {
        let profile = include_str!("../../profiles/lite.yaml").replace("apache/airflow:3.3.2", airflow);
        context.write_file("project/mine.yaml", &profile);
        context.render(&[("scheduler", airflow), ("database", DATABASE)]);
        let run = context.run(&["up", "--profile", "mine.yaml", "--dry-run", "-o", "json"]);
        assert_eq!(run.code, 0, "{run}");
        let events = run.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let images = events.filter(|event| event["event"] == "image");
        let words = |image: &Value| ["role", "reference", "from"].map(|key| image[key].as_str().unwrap().to_owned());
        images.map(|image| words(&image)).collect::<Vec<_>>()
    };
    registry.put("airflow:1", Image::Of(&["amd64"]));
    let own = registry.reference("airflow:1");
    let [node, database] = [["node", NODE, "bundle"], ["database", DATABASE, "bundle"]];
    assert_eq!(mine(&own), [node, database, ["airflow", own.as_str(), registry.address().as_str()]]);
    // By the name that it has there, the bundle's is meant.
    assert_eq!(mine(AIRFLOW), [node, database, ["airflow", AIRFLOW, "bundle"]]);
}

#[test]
fn several_that_cannot_be_had_are_told_at_once() {
    let registry = Registry::start();
    let context = TestContext::with_images(&registry, "airflow:1", "database:1");
    registry.put("airflow:1", Image::Of(&["arm64", "s390x"]));
    let run = context.up_with_images();
    assert_untouched(&context, &run);
    assert_images!(context, registry, run);
    let json = context.run(&["up", "--profile", "mine.yaml", "-o", "json"]);
    let last: Value = serde_json::from_str(json.stdout.lines().last().unwrap()).unwrap();
    assert_eq!((&last["code"], &last["cause"]), (&json!("WT203"), &json!("registry_image_missing")), "{json}");
}

#[test]
fn a_private_one_needs_a_login_and_the_login_is_never_shown() {
    let registry = Registry::start();
    let context = TestContext::with_images(&registry, "airflow:1", "database:1");
    registry.put("airflow:1", Image::Private("the registry"));
    registry.put("database:1", Image::Of(&["amd64"]));
    let refused = context.up_with_images();
    assert_untouched(&context, &refused);
    assert_images!(context, registry, refused);
    let config = |auth: &str| json!({"auths": {registry.address(): {"auth": auth}}}).to_string();
    // A password that is not the right one: `me:wr0ng`.
    context.write_file("home/.docker/config.json", &config("bWU6d3IwbmcK"));
    let wrong = context.up_with_images();
    assert_untouched(&context, &wrong);
    assert!(wrong.stderr.contains("refuses docker's login"), "{wrong}");
    context.write_file("home/.docker/config.json", &config(LOGIN));
    let run = context.run(&["-v", "up", "--profile", "mine.yaml", "--dry-run"]);
    assert_eq!(run.code, 0, "{run}");
    for secret in ["s3cret", "wr0ng", LOGIN, "a-token-that-nobody-may-see"] {
        assert!(![&refused, &wrong, &run].iter().any(|run| run.to_string().contains(secret)), "{run}");
    }
}

#[test]
fn a_rate_limit_is_waited_for_where_it_is_short() {
    let registry = Registry::start();
    let context = TestContext::with_images(&registry, "airflow:1", "database:1");
    registry.put("database:1", Image::Of(&["amd64"]));
    registry.put("airflow:1", Image::Limited(1, 1));
    let run = context.run(&["up", "--profile", "mine.yaml", "--dry-run"]);
    assert!(run.code == 0 && run.stderr.contains("takes no more requests for 1 s"), "{run}");
    registry.put("airflow:1", Image::Limited(9, 3600));
    let run = context.up_with_images();
    assert_untouched(&context, &run);
    assert_images!(context, registry, run);
}

#[test]
fn a_registry_in_trouble_is_asked_again_and_then_named() {
    let registry = Registry::start();
    let context = TestContext::with_images(&registry, "airflow:1", "database:1");
    registry.put("database:1", Image::Of(&["amd64"]));
    registry.put("airflow:1", Image::Broken);
    let run = context.up_with_images();
    assert_untouched(&context, &run);
    assert!(run.stderr.contains("error[WT209]") && run.stderr.contains("503 Service Unavailable"), "{run}");
    assert_eq!(registry.requests().iter().filter(|line| line.contains("/airflow/")).count(), 3);
}

#[test]
fn where_nothing_listens_it_is_the_network_unless_the_engine_has_a_way_of_its_own() {
    let registry = Registry::start();
    let context = TestContext::with_images(&registry, "airflow:1", "database:1");
    drop(registry);
    let run = context.run(&["up", "--profile", "mine.yaml"]);
    assert_untouched(&context, &run);
    assert!(run.stderr.contains("error[WT207]: 3 of 3 images cannot be had"), "{run}");
    assert!(run.stderr.contains("cannot be reached: nothing listens there"), "{run}");
    context.edit_engine(|info| info["HttpsProxy"] = "http://proxy:3128".into());
    let run = context.run(&["up", "--profile", "mine.yaml", "--dry-run"]);
    assert!(run.code == 0 && run.stderr.contains("but the engine has a proxy of its own"), "{run}");
}

#[test]
fn a_pull_that_is_cut_is_tried_again_and_one_that_is_refused_is_not() {
    let registry = Registry::start();
    let context = TestContext::with_images(&registry, "airflow:1", "database:1");
    let airflow = registry.put("airflow:1", Image::Of(&["amd64"]));
    let database = registry.put("database:1", Image::Of(&["amd64"]));
    context.serve_pulls(&[&airflow, &database]);
    let cut = ["unless cut", "mark cut", "stderr unexpected EOF", "exit 1"];
    context.on("docker", &format!("image pull {airflow}"), &cut);
    let run = context.run(&["up", "--profile", "mine.yaml"]);
    assert!(run.code == 0 && run.stderr.contains("docker says: unexpected EOF: again in 1 s"), "{run}");
    let pulls =
        |run: &Run, image: &str| run.journal.iter().filter(|line| line.ends_with(&format!("pull {image}"))).count();
    assert_eq!((pulls(&run, &airflow), pulls(&run, &database)), (2, 1), "{run}");

    let context = TestContext::with_images(&registry, "airflow:1", "database:1");
    context.serve_pulls(&[&airflow, &database]);
    let denied = format!("stderr Error response from daemon: pull access denied for {airflow}");
    context.on("docker", &format!("image pull {airflow}"), &[&denied, "exit 1"]);
    let run = context.run(&["up", "--profile", "mine.yaml"]);
    assert!(run.code == 5 && run.stderr.contains("error[WT204]") && pulls(&run, &airflow) == 1, "{run}");
}

/// The line of a script that tells of an image as an engine with containerd's image store does, recorded from Docker Engine 29.7.2: no storage
/// driver, and the digest of an index, of whose platforms it has one.
fn in_containerd(id: &str) -> String {
    let media_type = "application/vnd.docker.distribution.manifest.list.v2+json";
    let image = json!({
        "Id": id, "Architecture": "amd64", "Os": "linux", "Size": 145_208_102,
        "Descriptor": {"mediaType": media_type, "digest": id, "size": 731},
    });
    format!("stdout {image}")
}

/// An image comes from a registry, and is built anew under the same name later; `told` is what the engine says of one with this id. Returns
/// what docker was told to save by the first `up`, by the one after the build, and by one after that.
fn saved_when_built_anew(told: impl Fn(&str) -> String) -> [Vec<String>; 3] {
    let registry = Registry::start();
    let context = TestContext::with_images(&registry, "airflow:1", "database:1");
    let airflow = registry.put("airflow:1", Image::Of(&["amd64"]));
    let database = registry.put("database:1", Image::Of(&["amd64"]));
    context.serve_pulls(&[&airflow, &database]);
    for (index, reference) in [&airflow, &database].into_iter().enumerate() {
        let pulled = format!("when pulled-{index}");
        context.on("docker", &format!("image inspect {reference}"), &[&pulled, &told(&format!("sha256:{index}"))]);
    }
    let saved = |run: &Run| {
        assert_eq!(run.code, 0, "{run}");
        let saved = run.journal.iter().filter_map(|line| line.strip_prefix("docker image save "));
        saved.map(|line| line.replace(&registry.address(), "R")).collect()
    };
    let first = saved(&context.run(&["up", "--profile", "mine.yaml"]));

    context.on("docker", &format!("image inspect {airflow}"), &[&told("sha256:2")]);
    let listed =
        json!({"images": [{"id": "sha256:2", "repoTags": [airflow]}, {"id": "sha256:1", "repoTags": [database]}]});
    context.write_file("tools/anew.json", &listed.to_string());
    let copy = format!("copy anew.json {}", context.path("tools/images.json").display());
    context.on("docker", "exec --interactive ctr import -", &[&copy]);
    let anew = context.run(&["up"]);
    assert!(anew.stderr.contains("✓ 2: 1 in the node, 1 in the engine"), "{anew}");
    assert!(
        anew.stderr.contains(&format!("{airflow} is another image now; pods that run keep the one before")),
        "{anew}"
    );
    [first, saved(&anew), saved(&context.run(&["up"]))]
}

#[test]
fn one_that_was_built_anew_under_its_name_comes_into_the_node_once() {
    let [first, anew, again] = saved_when_built_anew(engine_image);
    assert_eq!(first, ["R/database:1", "R/airflow:1"]);
    assert_eq!(anew, ["R/airflow:1"]);
    assert_eq!(again, [""; 0]);
}

#[test]
fn so_does_one_in_containerds_image_store_with_the_files_of_one_platform() {
    let [first, anew, again] = saved_when_built_anew(in_containerd);
    assert_eq!(first, ["--platform linux/amd64 R/database:1", "--platform linux/amd64 R/airflow:1"]);
    assert_eq!(anew, ["--platform linux/amd64 R/airflow:1"]);
    assert_eq!(again, [""; 0]);
}

#[test]
fn values_that_helm_refuses_are_said_before_anything_is_created() {
    let context = TestContext::new();
    let error = "stderr Error: values don't meet the specifications of the schema(s): uid: Invalid type";
    context.on("helm", "template", &[error, "exit 1"]);
    let run = assert_run!(context, &["up", "--set", "uid=me"]);
    assert!(run.code == 6 && !context.environment("").exists(), "{run}");
}

#[test]
fn a_name_that_is_none_is_told_before_anything_is_created() {
    let registry = Registry::start();
    let context = TestContext::with_images(&registry, "airflow:1", "database:1");
    registry.put("airflow:1", Image::Of(&["amd64"]));
    registry.put("database:1", Image::Of(&["amd64"]));
    context.render(&[("scheduler", &registry.reference("airflow:1")), ("sync", "Corp//git-sync:")]);
    let run = context.up_with_images();
    assert!(run.stderr.contains("error[WT210]: the image Corp//git-sync: cannot be had"), "{run}");
    assert!(run.stderr.contains("`Corp//git-sync:` is no image's name"), "{run}");
    assert_untouched(&context, &run);
}
