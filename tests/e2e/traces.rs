//! What an environment leaves on the machine: containers, volumes, networks, processes, files.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::docker::{CLUSTER_LABEL, docker, node};
use crate::environment::Environment;
use crate::until::until;

/// A container that looks like a kind node and is none of ours; removed when dropped.
pub(crate) struct Stranger {
    pub(crate) cluster: String,
    identity: String,
}

impl Stranger {
    /// Makes it of the node image that the environment's cluster was made of. It never runs.
    pub(crate) fn create(environment: &Environment) -> Self {
        let cluster = format!("{}-other", environment.name);
        let image = docker(&["inspect", "--format", "{{.Config.Image}}", &node(&environment.name)]).succeeded().stdout;
        let label = format!("{CLUSTER_LABEL}={cluster}");
        let container = docker(&["create", "--name", &node(&cluster), "--label", &label, image.trim()]).succeeded();
        Self { cluster, identity: container.stdout.trim().to_owned() }
    }

    /// Insists that nobody touched it.
    pub(crate) fn assert_untouched(&self) {
        let state = docker(&["inspect", "--format", "{{.Id}} {{.State.Status}}", &node(&self.cluster)]).succeeded();
        assert_eq!(state.stdout.trim(), format!("{} created", self.identity));
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        docker(&["rm", "--force", "--volumes", &self.identity]);
    }
}

/// What to look for after `down`.
pub(crate) struct Traces {
    volumes: Vec<String>,
    /// The network of kind's nodes, where there was one already: it is somebody else's.
    pub(crate) network: Option<String>,
    kubeconfig: Vec<u8>,
}

impl Traces {
    /// Gives the user a kubeconfig, before anything else happens.
    pub(crate) fn before(environment: &Environment) -> Self {
        let text = b"apiVersion: v1\nkind: Config\ncurrent-context: production\n# Keep me.\n".to_vec();
        std::fs::write(kubeconfig(environment), &text).unwrap();
        Self { volumes: Vec::new(), network: network(), kubeconfig: text }
    }

    /// Remembers the volumes of the running cluster.
    pub(crate) fn see(&mut self, environment: &Environment) {
        let format = "{{range .Mounts}}{{if eq .Type \"volume\"}}{{.Name}}\n{{end}}{{end}}";
        let names = docker(&["inspect", "--format", format, &node(&environment.name)]).succeeded().stdout;
        self.volumes.extend(names.split_whitespace().map(str::to_owned));
        assert!(!self.volumes.is_empty(), "the node has no volume");
    }

    /// Insists that the user's home is as it was.
    pub(crate) fn assert_home_untouched(&self, environment: &Environment) {
        assert_eq!(
            std::fs::read(kubeconfig(environment)).unwrap(),
            self.kubeconfig,
            "the user's kubeconfig was changed"
        );
        assert_eq!(files_below(&environment.home()), [kubeconfig(environment)], "files in the user's home");
    }

    /// Insists that nothing is left but what the user made.
    pub(crate) fn assert_gone(&self, environment: &Environment, user_files: &[PathBuf]) {
        let name = &environment.name;
        assert_ne!(docker(&["container", "inspect", &node(name)]).code, Some(0), "the node is left");
        for volume in &self.volumes {
            assert_ne!(docker(&["volume", "inspect", volume]).code, Some(0), "the volume {volume} is left");
        }
        self.assert_network();
        // The kernel may take a moment to forget a process that was ended.
        until("the last process to end", Duration::from_secs(5), || {
            let processes = processes_naming(name);
            if processes.is_empty() { Ok(()) } else { Err(format!("{processes:?}")) }
        });
        assert_eq!(crate::sockets::server(environment.port), None, "somebody listens on the port");
        assert_eq!(files_below(&environment.state()), Vec::<PathBuf>::new(), "files in the state folder");
        assert_eq!(files_below(&environment.project()), user_files, "files in the project folder");
        self.assert_home_untouched(environment);
    }

    /// The network stays where it was there before, and where another cluster, perhaps of a run beside this one, is on it.
    fn assert_network(&self) {
        if self.network.is_some() {
            assert_eq!(network(), self.network, "somebody else's network was removed");
            return;
        }
        until("the network `kind` to go", Duration::from_secs(30), || {
            // Those that were stopped count too, and have no network of their own until they start.
            let nodes = format!("label={CLUSTER_LABEL}");
            let others = docker(&["ps", "--all", "--quiet", "--filter", &nodes]).succeeded().stdout;
            let left = network().is_some() && others.trim().is_empty();
            if left { Err("there is no node, and it is left") } else { Ok(()) }
        });
    }
}

/// The id of the network of kind's nodes.
fn network() -> Option<String> {
    let found = docker(&["network", "inspect", "kind", "--format", "{{.Id}}"]);
    (found.code == Some(0)).then(|| found.stdout.trim().to_owned())
}

/// The processes, but not this one, whose command line or environment has a text in it.
pub(crate) fn processes_naming(text: &str) -> Vec<i32> {
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let names = |process: &i32| {
        ["cmdline", "environ"].iter().any(|file| {
            let words = std::fs::read(format!("/proc/{process}/{file}")).unwrap_or_default();
            String::from_utf8_lossy(&words).contains(text)
        })
    };
    numbers.filter(|process| u32::try_from(*process) != Ok(std::process::id())).filter(names).collect()
}

/// Those of them that run on this machine itself: what runs in a node is seen here too.
pub(crate) fn processes_outside_nodes_naming(text: &str) -> Vec<i32> {
    let namespace = |process: &str| std::fs::read_link(format!("/proc/{process}/ns/pid")).ok();
    let own = namespace("self");
    processes_naming(text).into_iter().filter(|process| namespace(&process.to_string()) == own).collect()
}

fn kubeconfig(environment: &Environment) -> PathBuf {
    environment.home().join(".kube/config")
}

/// All files below a folder, sorted.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() { folders.push(entry.path()) } else { files.push(entry.path()) }
        }
    }
    files.sort();
    files
}
