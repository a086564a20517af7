//! The engine is stopped while `up` waits: one of the test's own, for the machine's is everybody's.
//!
//! It has a bridge of its own, since an engine without one removes `docker0`, whosever that is (moby, `daemon/daemon_unix.go`,
//! `removeDefaultBridgeInterface`). And it writes no rules of the packet filter: nothing here needs a way out of the node.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use std::time::{Duration, SystemTime};

use rustix::process::{Pid, Signal, geteuid, kill_process};

use super::during::during;
use super::report::Met;
use crate::artefacts::{say, stage};
use crate::environment::{Environment, bundle};
use crate::outcome::Outcome;
use crate::until::until;

/// How long the engine may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long `up` may take to tell of an engine that is gone; the engine's own end, with its containers, takes most of it.
const WITHIN: Duration = Duration::from_secs(40);

#[test]
fn engine_stopped() {
    let (Ok(dockerd), Ok(_)) = (which::which("dockerd"), which::which("ip")) else {
        return say("faults: the engine is stopped: SKIPPED, dockerd and ip are not both on PATH");
    };
    if !geteuid().is_root() {
        return say("faults: the engine is stopped: SKIPPED, only root may start one");
    }
    let environment = Environment::claim("engine");
    stage("faults", "the engine is stopped", || {
        let mut engine = Engine::start(&dockerd, &environment);
        let (socket, mut stopped) = (engine.socket(), SystemTime::now());
        let (up, ()) = during(
            &environment,
            "wait_for_pods",
            || up_at(&socket, &environment),
            || {
                stopped = SystemTime::now();
                engine.stop();
            },
        );
        let met = Met { title: "the engine is stopped", up: &up, seen: stopped };
        met.say();
        met.assert_named(&["engine_unreachable".to_owned()], 3, &[socket.display().to_string()]);
        met.assert_soon(WITHIN);
        met.assert_hint(&environment, "systemctl start docker");
    });
}

fn up_at(socket: &Path, environment: &Environment) -> Outcome {
    let (bundle, port) = (bundle(), environment.port);
    let up = format!("windtunnel up --bundle {} --port {port} --output json", bundle.display());
    environment.shell(&format!("DOCKER_HOST=unix://{} {up}", socket.display()))
}

/// A Docker Engine that shares nothing with the machine's; stopped with all its containers when dropped.
struct Engine {
    daemon: Child,
    /// Of its sockets, whose paths must be short. The data are in the environment's folder.
    folder: PathBuf,
    /// What it has made, or was given, of the machine's network.
    bridges: Vec<String>,
}

impl Engine {
    fn start(dockerd: &Path, environment: &Environment) -> Self {
        let folder = std::env::temp_dir().join(&environment.name);
        std::fs::create_dir_all(&folder).unwrap();
        let log = File::create(environment.folder.join("dockerd.log")).unwrap();
        let path = |name: &str| folder.join(name).display().to_string();
        // A name of an interface has 15 characters at most.
        let bridge = format!("wt-{}", &environment.name[environment.name.len() - 6..]);
        ip(&["link", "add", "name", &bridge, "type", "bridge"]);
        ip(&["address", "add", "10.213.255.1/24", "dev", &bridge]);
        let daemon = Command::new(dockerd)
            .args(["--data-root", environment.folder.join("engine").to_str().unwrap()])
            .args(["--exec-root", &path("run"), "--pidfile", &path("docker.pid")])
            .args(["--host", &format!("unix://{}", path("docker.sock"))])
            .args(["--bridge", &bridge, "--iptables=false", "--ip6tables=false", "--ip-masq=false"])
            .args(["--default-address-pool", "base=10.213.0.0/16,size=24"])
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let engine = Self { daemon, folder, bridges: vec![bridge] };
        until("the test's own engine", PATIENCE, || {
            let asked = engine.ask(&["info"]);
            if asked.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&asked.stderr).into_owned()) }
        });
        engine
    }

    fn socket(&self) -> PathBuf {
        self.folder.join("docker.sock")
    }

    fn ask(&self, arguments: &[&str]) -> Output {
        let host = format!("unix://{}", self.socket().display());
        Command::new("docker").args(["--host", &host]).args(arguments).output().unwrap()
    }

    /// As a service is stopped: it ends its containers first. The bridge of a network outlives it.
    fn stop(&mut self) {
        if self.daemon.try_wait().unwrap().is_none() {
            let networks =
                self.ask(&["network", "ls", "--filter", "driver=bridge", "--filter", "type=custom", "--quiet"]);
            let networks = String::from_utf8(networks.stdout).unwrap();
            self.bridges.extend(networks.lines().map(|network| format!("br-{network}")));
            kill_process(Pid::from_child(&self.daemon), Signal::TERM).unwrap();
            self.daemon.wait().unwrap();
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.stop();
        for bridge in &self.bridges {
            ip(&["link", "delete", bridge]);
        }
        std::fs::remove_dir_all(&self.folder).unwrap();
    }
}

fn ip(arguments: &[&str]) {
    let status = Command::new("ip").args(arguments).status().unwrap();
    assert!(status.success(), "ip {}", arguments.join(" "));
}
