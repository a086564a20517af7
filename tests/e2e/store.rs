//! An engine with containerd's image store, which the machine's need not have: `WINDTUNNEL_E2E_ENGINE` names a folder with the programs of a
//! Docker Engine 29 or newer, its client, containerd and runc.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::airflow::{assert_healthy, await_healthy};
use crate::artefacts::{say, stage};
use crate::engine::Engine;
use crate::environment::{Environment, bundle, reference};
use crate::images::profile;
use crate::outcome::Outcome;
use crate::registry::Registry;

/// A line of shell in which docker and windtunnel speak to the engine.
struct Shell<'a> {
    environment: &'a Environment,
    /// What goes before each line.
    settings: String,
}

impl Shell<'_> {
    fn run(&self, line: &str) -> Outcome {
        self.environment.shell(&format!("{}\n{line}", self.settings))
    }
}

#[test]
fn containerd_store() {
    let Some(programs) = std::env::var_os("WINDTUNNEL_E2E_ENGINE").map(PathBuf::from) else {
        return say("containerd's image store: SKIPPED, WINDTUNNEL_E2E_ENGINE names no folder with an engine");
    };
    if let Some(why) = Engine::is_out_of_reach(Some(&programs)) {
        return say(&format!("containerd's image store: SKIPPED, {why}"));
    }
    let environment = Environment::claim("store");
    let mut engine = Engine::start(Some(&programs), &environment);
    let driver = String::from_utf8(engine.ask(&["info", "--format", "{{.DriverStatus}}"]).stdout).unwrap();
    assert!(driver.contains("io.containerd.snapshotter"), "this engine has another image store: {driver}");
    let registry = Registry::start(&environment.folder.join("registry"), false);
    let shell = Shell { environment: &environment, settings: settings(&programs, &engine) };
    let database = registry.reference("database:1");
    let test = |title: &str, part: &dyn Fn()| stage("containerd's image store", title, part);

    test("doctor sees it", &|| {
        shell.run("windtunnel doctor --bundle $BUNDLE").succeeded().says(&["containerd's image store", "0 warnings"]);
    });
    test("an index of two platforms", &|| push_index(&shell, &database));
    let profile = profile(&environment, &reference("node"), &reference("airflow"), &database);
    let up = format!("windtunnel up --port {} --profile {profile}", environment.port);
    test("what is pulled and what the engine has go into the node", &|| {
        // The tags are not those that the node image brings along.
        shell.run(&up).succeeded().says(&["1 at localhost:", "in the engine"]);
        assert_healthy(environment.port);
        shell.run(&format!("docker image ls --tree {database}")).succeeded().says(&["linux/arm64"]);
    });
    test("it is not brought twice", &|| shell.run(&up).succeeded().says(&["2 in the node", "already there: 2"]));
    test("what is built anew comes into the node", &|| {
        build(&shell, "anew", &format!("FROM {}\nCOPY file /file\n", reference("database")), "amd64", &database);
        shell.run(&up).succeeded().says(&["1 in the engine", "is another image now"]);
        shell.run(&up).succeeded().says(&["2 in the node", "already there: 2"]);
    });
    stage("containerd's image store", "the engine is started again", || {
        let has_default_bridge = || Path::new("/sys/class/net/docker0").exists();
        let before = has_default_bridge();
        engine.stop();
        shell.run("windtunnel status").ended_with(3).says(&["the Docker Engine is not running"]);
        engine.start_again();
        assert_eq!(has_default_bridge(), before, "the bridge of the machine's engine is not the test's to remove");
        let begun = Instant::now();
        await_healthy(environment.port);
        say(&format!("Airflow answers again {:.0} s after the engine", begun.elapsed().as_secs_f64()));
        assert!(begun.elapsed() < Duration::from_mins(3));
        shell.run("windtunnel status").succeeded();
    });
    test("down", &|| drop(shell.run("windtunnel down --yes").succeeded()));
}

fn settings(programs: &Path, engine: &Engine) -> String {
    let (bundle, programs, socket) = (bundle(), programs.display(), engine.socket());
    let (bundle, socket) = (bundle.display(), socket.display());
    format!("export PATH={programs}:{bundle}/bin:$PATH DOCKER_HOST=unix://{socket} DOCKER_BUILDKIT=0 BUNDLE={bundle}")
}

/// Pushes the database for this machine, and something else for the other platform. The engine keeps neither name.
fn push_index(shell: &Shell<'_>, name: &str) {
    shell
        .run("for image in node airflow postgres; do docker image load --quiet --input $BUNDLE/$image.tar; done")
        .succeeded();
    let [own, other] = ["own", "other"].map(|platform| format!("{name}-{platform}"));
    build(shell, "own", &format!("FROM {}\nCOPY file /file\n", reference("database")), "amd64", &own);
    build(shell, "other", "FROM scratch\nCOPY file /file\n", "arm64", &other);
    let push = format!(
        "docker push --quiet {own}; docker push --quiet {other}; docker manifest create --insecure {name} {own} {other}"
    );
    shell.run(&format!("{push}; docker manifest push --insecure {name}; docker image rm {own} {other}")).succeeded();
}

fn build(shell: &Shell<'_>, folder: &str, file: &str, architecture: &str, name: &str) {
    let context = shell.environment.folder.join(folder);
    fs::create_dir_all(&context).unwrap();
    fs::write(context.join("Dockerfile"), file).unwrap();
    fs::write(context.join("file"), folder).unwrap();
    let line = format!("docker build --quiet --platform linux/{architecture} --tag {name} {}", context.display());
    shell.run(&line).succeeded();
}
