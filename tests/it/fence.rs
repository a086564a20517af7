//! The fence: whatever is done in whatever order, with whatever in the environment, nothing that is somebody else's is touched.
//!
//! Random sequences of commands and of things that happen between them, on every kind of cluster; on one that others use too, two windtunnels
//! take turns. After every command: no tool was given another cluster's name, nothing was removed that was not looked at before, every object
//! that the API server was told to change or delete carried the id of the environment at that time, what others put into the cluster and into
//! the environment's namespace is as it was, and what windtunnel remembers can be read.
//! `WINDTUNNEL_FENCE_SEQUENCES` says how many sequences, `WINDTUNNEL_FENCE_SEED` which ones; without it, others each time.

mod journal;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use semver::Version;
use serde_json::{Value, json};
use windtunnel::state::{EnvironmentPaths, Paths, Record};

use crate::api_server::{Address, Store};
use crate::backup::PASSPHRASE;
use crate::context::{Run, TestContext, free_port};
use crate::existing::UP as UP_ON_EXISTING;
use crate::kept::MAKER;
use crate::objects::{ID, put_in};
use crate::owner::plant_release;

/// Commands at most, in one sequence.
const LONGEST: usize = 7;
/// The environment, and its namespace.
const NAME: &str = "airflow-cluster";
/// The node of a kind cluster of that name.
const KIND_NODE: &str = "airflow-cluster-control-plane";

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
const COMMANDS: [&str; 20] = [
    "up",
    "up",
    "up --set airflow.replicas=2",
    "up --adopt-namespace --yes",
    "up --dry-run",
    "stop",
    "start",
    "status",
    "reset release --yes",
    "reset data --yes",
    "reset all --yes",
    "reset data --dry-run",
    "forward stop",
    "backup b.backup --force",
    "restore a.backup --yes",
    "down --dry-run",
    "down --yes",
    "down --yes",
    "down --yes --keep-images",
    "down",
];

/// What happens between two commands.
const HAPPENINGS: [&str; 12] = [
    "nothing",
    "nothing",
    "nothing",
    "the node stops",
    "the node is removed",
    "the node is somebody else's",
    "a container of that name is somebody else's",
    "the kubeconfig is lost",
    "the record is lost",
    "the tool fails once",
    "somebody puts an object into the namespace",
    "somebody has a release in the place of ours",
];

/// What others have where the environment is to be, before it is.
const BEFORE: [&str; 6] = ["nothing", "nothing", "nothing", "a release", "a Secret", "a ConfigMap and a Job"];

/// Who provides the cluster.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Provider {
    Kind,
    Minikube,
    Existing,
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the test's own settings")]
fn nothing_of_others_is_touched() {
    let setting = |name: &str| std::env::var(name).ok().map(|value| value.parse::<u64>().unwrap());
    let sequences = setting("WINDTUNNEL_FENCE_SEQUENCES").unwrap_or(40);
    let first = setting("WINDTUNNEL_FENCE_SEED").unwrap_or_else(|| fastrand::u64(..1 << 32));
    let next = AtomicU64::new(first);
    std::thread::scope(|scope| {
        // Commands wait more than they compute.
        for _ in 0..3 * std::thread::available_parallelism().unwrap().get() {
            scope.spawn(|| {
                let seeds = std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
                seeds.take_while(|seed| *seed < first + sequences).for_each(|seed| Sequence::new(seed).run());
            });
        }
    });
}

/// One windtunnel, by where it keeps what it remembers.
struct Actor {
    state: &'static str,
    port: String,
    /// The ids that its environment has had.
    ids: BTreeSet<String>,
}

#[expect(clippy::struct_excessive_bools, reason = "facts that do not depend on each other")]
struct Sequence {
    context: TestContext,
    random: fastrand::Rng,
    provider: Provider,
    actors: Vec<Actor>,
    /// What others have, as they made it.
    theirs: Vec<(Address, Value)>,
    /// Whether they have a Helm release of the environment's name.
    is_release_foreign: bool,
    /// Whether the node is somebody else's now.
    is_foreign: bool,
    /// Whether the container is in which a node image would be made.
    is_maker_foreign: bool,
    /// Whether anything that windtunnel knows its environment by was taken away.
    is_lost: bool,
    history: String,
}

impl Sequence {
    fn new(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let (context, provider) = match random.u8(..3) {
            0 => (TestContext::new(), Provider::Kind),
            1 => (TestContext::with_minikube(), Provider::Minikube),
            _ => (TestContext::with_cluster(), Provider::Existing),
        };
        if provider != Provider::Existing {
            // Elsewhere this waits for the cluster, so that lines have one order.
            context.on("docker", "exec ctr version", &[]);
            context.keeps();
        }
        if provider == Provider::Minikube {
            let config = format!("unmark {}", context.profile_config().display());
            let all = format!("post {}/fake/delete-cluster", context.api.url());
            context.on("minikube", "delete", &[&config, "unmark node", "unmark images", "unmark stopped", &all]);
            context.on("minikube", "stop", &["mark stopped"]);
        }
        context.write_backup(Version::new(3, 3, 2));
        std::fs::create_dir(context.path("another")).unwrap();
        let actor = |state, port| Actor { state, port, ids: BTreeSet::new() };
        let mut actors = vec![actor("state", context.port.to_string())];
        if provider == Provider::Existing {
            actors.push(actor("another", free_port().to_string()));
        }
        let before = BEFORE[random.usize(..BEFORE.len())];
        let history = format!(
            "WINDTUNNEL_FENCE_SEED={seed} WINDTUNNEL_FENCE_SEQUENCES=1\n{provider:?}, others have {before} in its namespace\n"
        );
        let mut sequence = Self {
            context,
            random,
            provider,
            actors,
            theirs: Vec::new(),
            is_release_foreign: false,
            is_foreign: false,
            is_maker_foreign: false,
            is_lost: false,
            history,
        };
        for namespace in ["theirs", "kube-system"] {
            sequence.plant(namespace, |store| put_in(store, namespace, config_map("theirs")));
        }
        match before {
            "a release" => sequence.plant_release(),
            "a Secret" => {
                let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "airflow-cluster-credentials"}, "data": {"a": "b"}});
                sequence.plant(NAME, |store| put_in(store, NAME, secret));
            }
            "a ConfigMap and a Job" => sequence.plant(NAME, |store| {
                let metadata = json!({"name": "airflow-cluster-run-airflow-migrations"});
                put_in(
                    store,
                    NAME,
                    json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "data": {"a": "b"}}),
                );
                put_in(store, NAME, config_map("airflow-cluster-smoke"));
            }),
            _ => {}
        }
        sequence
    }

    fn run(mut self) {
        for _ in 0..self.random.usize(1..=LONGEST) {
            let happening = HAPPENINGS[self.random.usize(..HAPPENINGS.len())];
            self.happen(happening);
            let command = COMMANDS[self.random.usize(..COMMANDS.len())];
            let actor = self.random.usize(..self.actors.len());
            let hostile: Vec<_> = HOSTILE.into_iter().filter(|_| self.random.bool()).collect();
            self.act(actor, command, &hostile, happening);
        }
        self.mend_node();
        // No tool fails any more.
        self.context.write_file("tools/failed", "");
        for actor in 0..self.actors.len() {
            let is_known = self.paths(actor).record().exists();
            let down = self.act(actor, "down --yes", &[], "the end");
            let mut fine = vec![0, 10];
            // Without a record, a windtunnel looks for a kind cluster, or finds a profile whose maker it does not know.
            fine.extend((!is_known && self.provider == Provider::Existing).then_some(3));
            let may_refuse = self.is_lost && self.provider != Provider::Kind;
            fine.extend((self.is_release_foreign && self.provider == Provider::Existing || may_refuse).then_some(9));
            assert!(fine.contains(&down.code), "{}\n{down}", self.history);
            let is_left = |mark: &str| self.context.path(mark).exists();
            let clean = !self.paths(actor).root().exists() && !is_left("tools/maker") && !is_left("tools/kept");
            assert!(down.code != 0 || clean, "{}\n{down}", self.history);
            if down.code != 0 {
                self.act(actor, "forward stop", &[], "the end");
            }
        }
    }

    fn act(&mut self, actor: usize, command: &str, hostile: &[(&str, &str)], happening: &str) -> Run {
        let mut arguments: Vec<&str> = command.split(' ').collect();
        if arguments[0] == "up" {
            match self.provider {
                Provider::Kind => {}
                Provider::Minikube => arguments.extend(["--provider", "minikube"]),
                Provider::Existing => arguments.extend(&UP_ON_EXISTING[1..]),
            }
        }
        let Actor { state, port, .. } = &self.actors[actor];
        let state = self.context.path(state).display().to_string();
        let own = [("WINDTUNNEL_STATE", state.as_str()), ("WINDTUNNEL_PORT", port.as_str()), PASSPHRASE[0]];
        let run = self.context.run_with(&arguments, &[hostile, &own].concat());
        writeln!(self.history, "{happening}, {}, {hostile:?}\n{run}", self.actors[actor].state).unwrap();
        if let Ok(Some(record)) = Record::load(&self.paths(actor)) {
            self.actors[actor].ids.extend(record.id);
        }
        self.check(actor, &run);
        run
    }

    fn paths(&self, actor: usize) -> EnvironmentPaths {
        Paths::new(self.context.path(self.actors[actor].state)).environment(NAME)
    }

    fn node(&self) -> &'static str {
        if self.provider == Provider::Minikube { NAME } else { KIND_NODE }
    }

    fn describe_node(&self, is_ours: bool) {
        if self.provider == Provider::Minikube {
            self.context.describe_profile_node(is_ours);
        } else {
            let smoke = self.context.environment("smoke");
            self.context.describe_node("running", is_ours.then_some(&smoke));
        }
    }

    fn happen(&mut self, happening: &str) {
        let forget = |file: std::path::PathBuf| drop(std::fs::remove_file(file));
        let has_node = self.provider != Provider::Existing;
        match happening {
            "the node stops" if has_node && self.context.path("tools/node").exists() => {
                self.context.write_file("tools/stopped", "");
            }
            "the node is removed" if has_node => {
                forget(self.context.path("tools/node"));
                forget(self.context.path("tools/stopped"));
            }
            "the node is somebody else's" if has_node => {
                self.context.write_file("tools/node", "");
                forget(self.context.path("tools/stopped"));
                self.describe_node(false);
                self.is_foreign = true;
                return;
            }
            "a container of that name is somebody else's" if has_node => {
                self.context.write_file("tools/maker", "");
                self.context.describe_maker(&json!({}));
                self.is_maker_foreign = true;
                return;
            }
            "the kubeconfig is lost" => {
                self.is_lost = true;
                forget(self.context.environment("kubeconfig"));
            }
            "the record is lost" => {
                self.is_lost = true;
                forget(self.context.environment("environment.json"));
            }
            "the tool fails once" => {
                let once = ["unless failed", "mark failed", "exit 1"];
                self.context.on("kind", "create cluster", &once);
                self.context.on("minikube", "start", &once);
                self.context.on("helm", "uninstall", &["unless failed", "mark failed", "exit 1"]);
            }
            "somebody puts an object into the namespace" => {
                self.plant(NAME, |store| put_in(store, NAME, config_map("theirs-here")));
            }
            "somebody has a release in the place of ours" => self.plant_release(),
            _ => {}
        }
        self.mend_node();
    }

    fn mend_node(&mut self) {
        if std::mem::take(&mut self.is_foreign) {
            self.describe_node(true);
        }
        if std::mem::take(&mut self.is_maker_foreign) {
            let _ = std::fs::remove_file(self.context.path("tools/maker"));
            self.context.describe_maker(&self.context.labels());
        }
    }

    /// Others make something in a namespace, which they make first where it is not there.
    fn plant(&mut self, namespace: &str, make: impl FnOnce(&mut Store)) {
        let planted = self.context.api.change(|store| {
            let home = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
            if store.get(&Address::of(&home)).is_none() {
                store.put(home);
            }
            let before = store.version();
            make(store);
            let changed = store.changes_after(before).map(|change| (change.address.clone(), change.object.clone()));
            changed.collect::<Vec<_>>()
        });
        self.theirs.retain(|(address, _)| !planted.iter().any(|(other, _)| other == address));
        self.theirs.extend(planted);
    }

    fn plant_release(&mut self) {
        self.context.api.change(|store| {
            for address in store.addresses(|object| object["metadata"]["labels"]["owner"] == "helm") {
                store.delete(&address);
            }
        });
        self.plant(NAME, |store| plant_release(store, NAME, "deployed"));
        self.is_release_foreign = true;
    }
}

fn config_map(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "b"}})
}
