//! A Docker Engine of a test's own: the machine's is everybody's, and is neither stopped nor of another make.
//!
//! It has a bridge of its own, since an engine without one removes `docker0`, whosever that is; and no address pools of its own, since with
//! them one that is started again does so too (moby, `daemon/daemon_unix.go`, `removeDefaultBridgeInterface`). And it writes no rules of the
//! packet filter: nothing here needs a way out of the node.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use std::time::Duration;

use rustix::process::{Pid, Signal, geteuid, kill_process};
use serde_json::json;

use crate::environment::Environment;
use crate::until::until;

/// How long the engine may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// An engine that shares nothing with the machine's; stopped with all its containers when dropped.
pub(crate) struct Engine {
    daemon: Child,
    start: Start,
    /// Of its sockets, whose paths must be short. The data are in the environment's folder.
    folder: PathBuf,
    /// What it has made, or was given, of the machine's network.
    bridges: Vec<String>,
}

/// How it is started.
struct Start {
    /// What is looked for first: `dockerd`, `docker`, `containerd` and the like.
    path: std::ffi::OsString,
    arguments: Vec<String>,
    log: PathBuf,
}

impl Engine {
    /// Why none can be started here. `programs` is the folder of another one than the machine's.
    pub(crate) fn is_out_of_reach(programs: Option<&Path>) -> Option<&'static str> {
        let path = path(programs);
        let has = |program: &str| which::which_in(program, Some(&path), "/").is_ok();
        match (has("dockerd") && has("ip"), geteuid().is_root()) {
            (false, _) => Some("dockerd and ip are not both on PATH"),
            (true, false) => Some("only root may start one"),
            (true, true) => None,
        }
    }

    /// Starts the machine's engine a second time, or the one whose programs are in a folder, with containerd's image store.
    pub(crate) fn start(programs: Option<&Path>, environment: &Environment) -> Self {
        let folder = std::env::temp_dir().join(&environment.name);
        std::fs::create_dir_all(&folder).unwrap();
        let file = |name: &str| folder.join(name).display().to_string();
        // A name of an interface has 15 characters at most.
        let bridge = format!("wt-{}", &environment.name[environment.name.len() - 6..]);
        ip(&["link", "add", "name", &bridge, "type", "bridge"]);
        ip(&["address", "add", "10.213.255.1/24", "dev", &bridge]);
        let mut arguments = vec![
            format!("--data-root={}", environment.folder.join("engine").display()),
            format!("--exec-root={}", file("run")),
            format!("--pidfile={}", file("docker.pid")),
            format!("--host=unix://{}", file("docker.sock")),
            format!("--bridge={bridge}"),
        ];
        arguments.extend(["--iptables=false", "--ip6tables=false", "--ip-masq=false"].map(str::to_owned));
        if let Some(programs) = programs {
            let settings = json!({"features": {"containerd-snapshotter": true}});
            std::fs::write(folder.join("daemon.json"), settings.to_string()).unwrap();
            arguments.push(format!("--config-file={}", file("daemon.json")));
            arguments.push(format!("--userland-proxy-path={}", programs.join("docker-proxy").display()));
        }
        let start = Start { path: path(programs), arguments, log: environment.folder.join("dockerd.log") };
        let engine = Self { daemon: start.daemon(), start, folder, bridges: vec![bridge] };
        engine.await_answer();
        engine
    }

    fn await_answer(&self) {
        until("the test's own engine", PATIENCE, || {
            let asked = self.ask(&["info"]);
            if asked.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&asked.stderr).into_owned()) }
        });
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.join("docker.sock")
    }

    /// Runs its own docker command.
    pub(crate) fn ask(&self, arguments: &[&str]) -> Output {
        let host = format!("unix://{}", self.socket().display());
        let docker = which::which_in("docker", Some(&self.start.path), "/").unwrap();
        Command::new(docker).args(["--host", &host]).args(arguments).output().unwrap()
    }

    /// As a service is stopped: it ends its containers first. The bridge of a network outlives it.
    pub(crate) fn stop(&mut self) {
        if self.daemon.try_wait().unwrap().is_none() {
            let networks =
                self.ask(&["network", "ls", "--filter", "driver=bridge", "--filter", "type=custom", "--quiet"]);
            let networks = String::from_utf8(networks.stdout).unwrap();
            self.bridges.extend(networks.lines().map(|network| format!("br-{network}")));
            kill_process(Pid::from_child(&self.daemon), Signal::TERM).unwrap();
            self.daemon.wait().unwrap();
        }
    }

    /// Starts it again, with all that it had.
    pub(crate) fn start_again(&mut self) {
        self.daemon = self.start.daemon();
        self.await_answer();
    }
}

impl Start {
    fn daemon(&self) -> Child {
        let log = File::options().create(true).append(true).open(&self.log).unwrap();
        let dockerd = which::which_in("dockerd", Some(&self.path), "/").unwrap();
        let mut command = Command::new(dockerd);
        command.args(&self.arguments).env("PATH", &self.path).stdout(log.try_clone().unwrap()).stderr(log);
        command.spawn().unwrap()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.stop();
        self.bridges.sort();
        self.bridges.dedup();
        for bridge in &self.bridges {
            // A network that was removed since has taken its own with it.
            if Path::new("/sys/class/net").join(bridge).exists() {
                ip(&["link", "delete", bridge]);
            }
        }
        std::fs::remove_dir_all(&self.folder).unwrap();
    }
}

/// PATH, with the folder before it.
fn path(programs: Option<&Path>) -> std::ffi::OsString {
    let rest = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths(programs.map(Path::to_owned).into_iter().chain(std::env::split_paths(&rest))).unwrap()
}

fn ip(arguments: &[&str]) {
    let status = Command::new("ip").args(arguments).status().unwrap();
    assert!(status.success(), "ip {}", arguments.join(" "));
}
