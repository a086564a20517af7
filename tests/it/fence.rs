//! The fence: whatever is done in whatever order, with whatever in the environment, nothing that is somebody else's is touched.
//!
//! Random sequences of commands and of things that happen between them. After every command: no tool was given another cluster's name, nothing
//! was removed that was not looked at before, what others put into the cluster is as it was, and what windtunnel remembers can be read.
//! `WINDTUNNEL_FENCE_SEQUENCES` says how many sequences, `WINDTUNNEL_FENCE_SEED` which ones.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};
use windtunnel::state::{Paths, Record};

use crate::api_server::Store;
use crate::context::{Run, TestContext};
use crate::kept::MAKER;
use crate::objects::put_in;

/// Commands at most, in one sequence.
const LONGEST: usize = 7;
/// The node of the environment.
const NODE: &str = "airflow-cluster-control-plane";

/// Each would lead a tool to another cluster.
const HOSTILE: [(&str, &str); 10] = [
    ("HELM_DRIVER", "configmap"),
    ("HELM_KUBEAPISERVER", "https://192.0.2.1"),
    ("HELM_KUBEASUSER", "root"),
    ("HELM_KUBECONTEXT", "production"),
    ("HELM_KUBETOKEN", "stolen"),
    ("HELM_NAMESPACE", "kube-system"),
    ("KIND_CLUSTER_NAME", "production"),
    ("KIND_EXPERIMENTAL_PROVIDER", "podman"),
    ("KUBECONFIG", "/nowhere/a:/nowhere/b"),
    ("MINIKUBE_PROFILE", "production"),
];

/// Commands, as they are typed.
const COMMANDS: [&str; 15] = [
    "up",
    "up --set airflow.replicas=2",
    "up --dry-run",
    "stop",
    "start",
    "status",
    "reset release --yes",
    "reset data --yes",
    "reset all --yes",
    "reset data --dry-run",
    "forward stop",
    "down --dry-run",
    "down --yes",
    "down --yes --keep-images",
    "down",
];

/// What happens between two commands.
const HAPPENINGS: [&str; 9] = [
    "nothing",
    "nothing",
    "the node stops",
    "the node is removed",
    "the node is somebody else's",
    "a container of that name is somebody else's",
    "the kubeconfig is lost",
    "the record is lost",
    "kind fails once",
];

#[test]
#[expect(clippy::disallowed_methods, reason = "the test's own settings")]
fn nothing_of_others_is_touched() {
    let setting = |name: &str| std::env::var(name).ok().map(|value| value.parse::<u64>().unwrap());
    let sequences = setting("WINDTUNNEL_FENCE_SEQUENCES").unwrap_or(40);
    let first = setting("WINDTUNNEL_FENCE_SEED").unwrap_or_else(|| fastrand::u64(..1 << 32));
    let next = AtomicU64::new(first);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().unwrap().get() {
            scope.spawn(|| {
                let seeds = std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
                seeds.take_while(|seed| *seed < first + sequences).for_each(|seed| Sequence::new(seed).run());
            });
        }
    });
}

struct Sequence {
    context: TestContext,
    random: fastrand::Rng,
    /// Whether the node is somebody else's now.
    is_foreign: bool,
    /// Whether the container is in which a node image would be made.
    is_maker_foreign: bool,
    history: String,
}

impl Sequence {
    fn new(seed: u64) -> Self {
        let context = TestContext::new();
        context.api.change(plant);
        // Elsewhere this waits for the cluster, so that lines have one order.
        context.on("docker", "exec ctr version", &[]);
        context.keeps();
        let history = format!("WINDTUNNEL_FENCE_SEED={seed} WINDTUNNEL_FENCE_SEQUENCES=1\n");
        let random = fastrand::Rng::with_seed(seed);
        Self { context, random, is_foreign: false, is_maker_foreign: false, history }
    }

    fn run(mut self) {
        for _ in 0..self.random.usize(1..=LONGEST) {
            let happening = HAPPENINGS[self.random.usize(..HAPPENINGS.len())];
            self.happen(happening);
            let command = COMMANDS[self.random.usize(..COMMANDS.len())];
            let hostile: Vec<_> = HOSTILE.into_iter().filter(|_| self.random.bool()).collect();
            let arguments: Vec<&str> = command.split(' ').collect();
            let run = self.context.run_with(&arguments, &hostile);
            writeln!(self.history, "{happening}, {hostile:?}\n{run}").unwrap();
            self.check(&run);
        }
        self.mend_node();
        let down = self.context.run(&["down", "--yes"]);
        self.check(&down);
        assert!([0, 10].contains(&down.code), "{}\n{down}", self.history);
        let is_left = |mark: &str| self.context.path(mark).exists();
        let clean = !self.context.environment("").exists() && !is_left("tools/maker") && !is_left("tools/kept");
        assert!(clean, "{}\n{down}", self.history);
    }

    fn happen(&mut self, happening: &str) {
        let context = &self.context;
        let forget = |file: std::path::PathBuf| drop(std::fs::remove_file(file));
        match happening {
            "the node stops" => context.write_file("tools/stopped", ""),
            "the node is removed" => forget(context.path("tools/node")),
            "the node is somebody else's" => {
                context.write_file("tools/node", "");
                forget(context.path("tools/stopped"));
                context.describe_node("running", None);
                self.is_foreign = true;
                return;
            }
            "a container of that name is somebody else's" => {
                context.write_file("tools/maker", "");
                context.describe_maker(&json!({}));
                self.is_maker_foreign = true;
                return;
            }
            "the kubeconfig is lost" => forget(context.environment("kubeconfig")),
            "the record is lost" => forget(context.environment("environment.json")),
            "kind fails once" => context.on("kind", "create cluster", &["unless failed", "mark failed", "exit 1"]),
            _ => {}
        }
        self.mend_node();
    }

    fn mend_node(&mut self) {
        if std::mem::take(&mut self.is_foreign) {
            let context = &self.context;
            context.describe_node("running", Some(&context.environment("smoke")));
        }
        if std::mem::take(&mut self.is_maker_foreign) {
            let _ = std::fs::remove_file(self.context.path("tools/maker"));
            self.context.describe_maker(&self.context.labels());
        }
    }

    fn check(&self, run: &Run) {
        let insist = |holds: bool, what: &str| assert!(holds, "{what}\n{}", self.history);
        insist(run.code != 70, "a fault of windtunnel's own");
        insist(!run.stderr.contains("reached"), "a hostile variable reached a tool");
        let (mut looked, mut looked_at_maker) = (false, false);
        let kept = format!("/{}", self.context.kept());
        for line in &run.journal {
            let words = shell_words::split(line).unwrap();
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            match words[..] {
                ["docker", "container", "inspect", node] => {
                    insist([NODE, MAKER].contains(&node), "another container was looked at");
                    looked |= node == NODE;
                    looked_at_maker |= node == MAKER;
                }
                ["docker", "container", "run", ..] => {
                    insist(value_of(&words, "--name") == Some(MAKER), "another container was made");
                }
                ["docker", "container", "kill" | "wait" | "rm", .., maker]
                | ["docker", "container", "commit", .., maker, _]
                | ["docker", "cp", .., maker] => {
                    let is_maker = maker.split(':').next() == Some(MAKER);
                    insist(is_maker && looked_at_maker && !self.is_maker_foreign, "a container was acted on");
                }
                ["docker", "exec", "--interactive", MAKER, ..] | ["docker", "exec", MAKER, ..] => {
                    insist(looked_at_maker && !self.is_maker_foreign, "a container was acted on");
                }
                ["docker", "image", "rm", image] => insist(image.ends_with(&kept), "another image was removed"),
                ["docker", "container", "start" | "stop", .., node] | ["docker", "exec", node, ..] => {
                    insist(node == NODE && looked && !self.is_foreign, "a container was acted on");
                }
                ["docker", "exec", ..] => insist(words.contains(&NODE) && !self.is_foreign, "a container was acted on"),
                ["kind", "version"] | ["helm", "version" | "template", ..] => {}
                ["kind", act, ..] => {
                    insist(value_of(&words, "--name") == Some("airflow-cluster"), "another cluster is named");
                    insist(self.is_private(value_of(&words, "--kubeconfig")), "somebody else's kubeconfig");
                    insist(act == "create" || !self.is_foreign, "a cluster of somebody else's");
                }
                ["helm", ..] => {
                    insist(value_of(&words, "--namespace") == Some("airflow-cluster"), "another namespace is named");
                    insist(value_of(&words, "--kube-context") == Some("kind-airflow-cluster"), "another context");
                    insist(self.is_private(value_of(&words, "--kubeconfig")), "somebody else's kubeconfig");
                    insist(!self.is_foreign, "a cluster of somebody else's");
                }
                _ => {}
            }
        }
        // The journal has each tool's commands in order, docker's first.
        let deletes = run.journal.iter().any(|line| line.starts_with("kind delete"));
        insist(!deletes || looked, "a cluster was deleted without a look at whose it is");
        if deletes {
            // With a cluster that windtunnel made goes all that is in it.
            self.context.api.change(plant);
        }
        let theirs = self.context.api.change(|store| {
            let is_theirs = |object: &Value| object["metadata"]["name"] == "theirs" && object["data"]["a"] == "b";
            store.addresses(is_theirs).len()
        });
        insist(theirs == 2, "what others put into the cluster is not as it was");
        let paths = Paths::new(self.context.path("state")).environment("airflow-cluster");
        insist(Record::load(&paths).is_ok(), "what windtunnel remembers cannot be read");
    }

    fn is_private(&self, kubeconfig: Option<&str>) -> bool {
        kubeconfig == self.context.environment("kubeconfig").to_str()
    }
}

/// What others put into the cluster: beside the environment, and into its namespace's neighbours.
fn plant(store: &mut Store) {
    store.put(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "theirs"}}));
    for namespace in ["theirs", "kube-system"] {
        let metadata = json!({"name": "theirs"});
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": "b"}});
        put_in(store, namespace, object);
    }
}

fn value_of<'a>(words: &[&'a str], option: &str) -> Option<&'a str> {
    let position = words.iter().position(|word| *word == option)?;
    words.get(position + 1).copied()
}
