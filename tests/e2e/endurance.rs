//! The forward under steady requests while the pod behind it is deleted again and again, by both routes.
//!
//! `WINDTUNNEL_E2E_PODS` says how often by each route (3 by default). So that a round takes seconds, the web interface's Service leads to
//! a small web server in between. By itself: `cargo test --test e2e -- --ignored --exact endurance::forward`.

use std::fs::DirEntry;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::airflow::await_healthy;
use crate::artefacts::{say, stage};
use crate::docker::{docker, kubectl, node, objects};
use crate::environment::{Environment, reference};
use crate::http::get;
use crate::outcome::Outcome;
use crate::sockets::server;
use crate::steady::{CLIENTS, SetAtEnd, under_requests};
use crate::until::until;

/// No request may take longer, whatever happens meanwhile.
const BOUND: Duration = Duration::from_secs(30);
/// How soon a request in flight has to fail once its pod is gone.
const AT_ONCE: Duration = Duration::from_secs(3);
/// How long the machine sleeps: longer than the forward waits for any single answer of the API server.
const SLEEP: Duration = Duration::from_secs(20);
/// How soon a peer that is gone without a word has to be noticed: the forward asks after 20 s, and three times, 5 s apart.
const NOTICED: Duration = Duration::from_secs(45);
/// The most memory that the forward may ever have used, in KiB.
const MEMORY: u64 = 15 * 1024;
/// The most files that it may have open when nobody is connected.
const FILES: usize = 100;

/// Answers at once, but for `/slow`, which takes a minute.
const SERVER: &str = r#"
import http.server, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        time.sleep(60 if self.path == "/slow" else 0)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
    def log_message(self, *_):
        pass
class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 1024
Server(("", 8080), Handler).serve_forever()
"#;

#[test]
#[ignore = "part of main_path; by itself for many rounds"]
fn forward() {
    let environment = Environment::claim("endurance");
    environment.up(&[]).succeeded();
    stage("endurance", "pods are deleted again and again", || survives_many_pods(&environment));
    stage("endurance", "the API server starts again", || survives_the_api_server(&environment));
    stage("endurance", "the machine sleeps", || survives_a_sleep(&environment));
    stage("endurance", "the node's cable is pulled", || survives_a_pulled_cable(&environment));
    environment.windtunnel(&["down", "--yes"]).succeeded();
}

/// The pod behind the forward is deleted many times, by either route.
pub(crate) fn survives_many_pods(environment: &Environment) {
    let rounds = std::env::var("WINDTUNNEL_E2E_PODS").map_or(3, |count| count.parse().unwrap());
    let own = service(environment)["spec"]["selector"].to_string();
    stand_in(environment);
    endure(environment, "straight to the node where it is sure", rounds);
    environment.windtunnel(&["forward", "stop"]).succeeded();
    environment.shell("WINDTUNNEL_FORWARD_ROUTE=api windtunnel forward start").succeeded();
    endure(environment, "through the API server", rounds);
    select(environment, &own);
    kubectl(&environment.name, &["delete", "deployment", "stand-in", "--namespace", &environment.name]).succeeded();
    environment.windtunnel(&["forward", "stop"]).succeeded();
    environment.windtunnel(&["forward", "start"]).succeeded();
    await_healthy(environment.port);
}

/// The API server goes and comes back: what the forward knows of pods is doubted until then, and requests are held.
pub(crate) fn survives_the_api_server(environment: &Environment) {
    let forward = server(environment.port);
    let node = node(&environment.name);
    let script = "crictl stop $(crictl ps --quiet --name kube-apiserver)";
    docker(&["exec", &node, "sh", "-c", script]).succeeded();
    let begin = Instant::now();
    until("an answer", Duration::from_mins(2), || {
        get(&format!("http://127.0.0.1:{}/api/v2/monitor/health", environment.port), Duration::from_mins(1)).map(drop)
    });
    say(&format!("the first answer came {:.1} s after the API server had ended", begin.elapsed().as_secs_f64()));
    assert_eq!(server(environment.port), forward, "another process serves the port");
    await_healthy(environment.port);
}

/// The machine sleeps, cluster and forward with it: a request that came in between is answered when they wake.
pub(crate) fn survives_a_sleep(environment: &Environment) {
    let forward = server(environment.port).unwrap();
    let (node, process) = (node(&environment.name), Pid::from_raw(forward.try_into().unwrap()).unwrap());
    let url = format!("http://127.0.0.1:{}/api/v2/monitor/health", environment.port);
    docker(&["pause", &node]).succeeded();
    kill_process(process, Signal::STOP).unwrap();
    let waiting = std::thread::spawn(move || get(&url, BOUND * 2));
    std::thread::sleep(SLEEP);
    docker(&["unpause", &node]).succeeded();
    kill_process(process, Signal::CONT).unwrap();
    let begin = Instant::now();
    let answer = waiting.join().unwrap().unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    say(&format!("the request of before was answered {:.1} s after the sleep", begin.elapsed().as_secs_f64()));
    assert_eq!(server(environment.port), Some(forward), "another process serves the port");
    await_healthy(environment.port);
}

/// The node is away without a word: who waits for its answer is told, and who asks meanwhile is answered when it is back.
pub(crate) fn survives_a_pulled_cable(environment: &Environment) {
    let forward = server(environment.port).unwrap();
    let url = format!("http://127.0.0.1:{}/api/v2/version", environment.port);
    until("the route straight to the node", Duration::from_mins(2), || {
        let status = environment.windtunnel(&["forward", "status", "-o", "json"]).succeeded().document();
        if status["route"]["by"] == "direct" { Ok(()) } else { Err(status) }
    });
    // The pod waits for the rest of it, and this client for the pod.
    let mut half = TcpStream::connect((Ipv4Addr::LOCALHOST, environment.port)).unwrap();
    half.write_all(b"GET /api/v2/version HTTP/1.1\r\nHost: x\r\n").unwrap();
    half.set_read_timeout(Some(NOTICED * 2)).unwrap();
    get(&url, BOUND).unwrap();
    std::thread::sleep(Duration::from_secs(1));
    let cable = Cable::pull(&node(&environment.name));
    let begin = Instant::now();
    let end = half.read(&mut [0; 100]);
    let noticed = begin.elapsed();
    assert!(matches!(end, Ok(0)) && noticed < NOTICED, "after {noticed:?}: {end:?}");
    let waiting = std::thread::spawn(move || get(&url, BOUND * 2));
    std::thread::sleep(AT_ONCE);
    drop(cable);
    let begin = Instant::now();
    let answer = waiting.join().unwrap().unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    say(&format!(
        "the one before was told after {:.1} s, the one meanwhile answered {:.1} s after the node was back",
        noticed.as_secs_f64(),
        begin.elapsed().as_secs_f64()
    ));
    assert_eq!(server(environment.port), Some(forward), "another process serves the port");
    await_healthy(environment.port);
}

/// The network cable of a node while it is pulled: the host's end of it is down. The node itself sees only that nobody speaks.
struct Cable(String);

impl Cable {
    fn pull(node: &str) -> Self {
        let number = docker(&["exec", node, "cat", "/sys/class/net/eth0/iflink"]).succeeded().stdout;
        let mut interfaces = std::fs::read_dir("/sys/class/net").unwrap().map(|interface| interface.unwrap());
        let is_it = |interface: &DirEntry| std::fs::read_to_string(interface.path().join("ifindex")).unwrap() == number;
        let interface = interfaces.find(is_it).unwrap().file_name().into_string().unwrap();
        set_link(&interface, "down").succeeded();
        Self(interface)
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        // Where it fails, what the test does next does too.
        set_link(&self.0, "up");
    }
}

/// By a container of the host's network: whoever may use the engine may do this.
fn set_link(interface: &str, state: &str) -> Outcome {
    let (image, script) = (reference("node"), format!("ip link set {interface} {state}"));
    let run = ["run", "--rm", "--privileged", "--network=host", "--entrypoint=sh", &image, "-c", &script];
    docker(&run)
}

/// The Service of the web interface.
fn service(environment: &Environment) -> Value {
    let name = format!("{}-web", environment.name);
    let services = objects(&environment.name, &environment.name, "services");
    services.into_iter().find(|service| service["metadata"]["name"] == name.as_str()).unwrap()
}

/// Leads the web interface's Service to other pods.
fn select(environment: &Environment, selector: &str) {
    let (name, service) = (&environment.name, format!("{}-web", environment.name));
    let patch = format!(r#"[{{"op": "replace", "path": "/spec/selector", "value": {selector}}}]"#);
    kubectl(name, &["patch", "service", &service, "--namespace", name, "--type", "json", "--patch", &patch])
        .succeeded();
}

fn stand_in(environment: &Environment) {
    let target = service(environment)["spec"]["ports"][0]["targetPort"].as_str().unwrap().to_owned();
    let (name, image) = (&environment.name, reference("airflow"));
    let create = ["create", "deployment", "stand-in", "--replicas=0", "--image", &image, "--namespace", name];
    let create = [&create[..], &["--", "python", "-c", SERVER]].concat();
    kubectl(name, &create).succeeded();
    // The Service leads to a port by its name.
    let container = r#"[
        {"op": "add", "path": "/spec/template/spec/containers/0/readinessProbe", "value": {
            "httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1}},
        {"op": "add", "path": "/spec/template/spec/containers/0/ports", "value": [{"name": "PORT", "containerPort": 8080}]},
        {"op": "replace", "path": "/spec/replicas", "value": 1}
    ]"#;
    let container = container.replace("PORT", &target);
    let patch = ["patch", "deployment", "stand-in", "--namespace", name, "--type", "json", "--patch", &container];
    kubectl(name, &patch).succeeded();
    kubectl(name, &["rollout", "status", "deployment/stand-in", "--namespace", name, "--timeout", "90s"]).succeeded();
    select(environment, r#"{"app": "stand-in"}"#);
}

fn endure(environment: &Environment, route: &str, rounds: usize) {
    let url = format!("http://127.0.0.1:{}", environment.port);
    let forward = server(environment.port).unwrap();
    // The pods of before still run, and until kube-proxy has written its rules the node's port leads to them.
    until("the small web server to answer for two seconds", BOUND, || {
        (0..20).try_for_each(|_| {
            std::thread::sleep(Duration::from_millis(100));
            let answer = get(&url, BOUND)?;
            if answer.body == "ok" { Ok(()) } else { Err(answer.body) }
        })
    });
    let (peak, ended) = (AtomicU64::new(0), AtomicBool::new(false));
    let (mut recoveries, requests) = under_requests(&url, BOUND * 2, || {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !ended.load(Ordering::Relaxed) {
                    peak.fetch_max(memory(forward), Ordering::Relaxed);
                    std::thread::sleep(Duration::from_millis(20));
                }
            });
            let _end = SetAtEnd(&ended);
            let recoveries: Vec<_> = (0..rounds).map(|_| round(environment, &url)).collect();
            crowd(&url);
            recoveries
        })
    });
    let longest = requests.iter().map(|request| request.took).max().unwrap();
    let failed: Vec<_> = requests.iter().filter(|request| request.failure.is_some()).collect();
    let peak = peak.into_inner();
    let files = until("the descriptors to be closed", AT_ONCE, || {
        let files = std::fs::read_dir(format!("/proc/{forward}/fd")).unwrap().count();
        if files <= FILES { Ok(files) } else { Err(format!("{files} files are open")) }
    });
    recoveries.sort_unstable();
    say(&format!(
        "{route}: {rounds} pods; {} requests, {} failed, longest {:.1} s; recovery {:.1} s in the middle, {:.1} s at most; {peak} KiB, {files} files",
        requests.len(),
        failed.len(),
        longest.as_secs_f64(),
        recoveries[rounds / 2].as_secs_f64(),
        recoveries[rounds - 1].as_secs_f64(),
    ));
    assert!(longest < BOUND, "a request took {longest:?}");
    let slow = failed.iter().find(|request| request.took > AT_ONCE * 2);
    assert!(slow.is_none(), "a request failed late: {:?}", slow.unwrap().failure);
    // More than one request of each client may meet the end of a pod.
    assert!(failed.len() <= rounds * CLIENTS * 2, "{} failed: {:?}", failed.len(), failed[0].failure);
    assert!(peak < MEMORY, "the forward used {peak} KiB");
    assert_eq!(server(environment.port), Some(forward), "another process serves the port");
}

/// Deletes the pod while a request is in flight, and returns how long after its end the next request was answered.
fn round(environment: &Environment, url: &str) -> Duration {
    let name = &environment.name;
    let pods = objects(name, name, "pods").into_iter();
    let mut old = pods
        .filter(|pod| pod["metadata"]["labels"]["app"] == "stand-in" && pod["metadata"]["deletionTimestamp"].is_null());
    let old = old.next().unwrap()["metadata"]["name"].as_str().unwrap().to_owned();
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| (get(&format!("{url}/slow"), BOUND * 3).map(|answer| answer.status), Instant::now()));
        // So that it is on its way when the pod goes.
        get(url, BOUND).unwrap();
        std::thread::sleep(Duration::from_millis(300));
        kubectl(name, &["delete", "pod", &old, "--namespace", name, "--grace-period=1"]).succeeded();
        let gone = Instant::now();
        let next = get(url, BOUND).map_err(|error| format!("the first request after a deletion: {error}")).unwrap();
        assert_eq!(next.body, "ok");
        let recovery = gone.elapsed();
        let (answer, end) = slow.join().unwrap();
        let late = end.saturating_duration_since(gone);
        assert!(answer.is_err() && late < AT_ONCE, "the request in flight ended {late:?} after its pod: {answer:?}");
        recovery
    })
}

/// Five hundred connections at once.
fn crowd(url: &str) {
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..500).map(|_| scope.spawn(|| get(url, BOUND))).collect();
        for client in clients {
            client.join().unwrap().unwrap();
        }
    });
}

/// The memory that a process uses, in KiB: in a build for tests without that of its own file, which is many times as large there.
fn memory(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let entry = if cfg!(debug_assertions) { "RssAnon:" } else { "VmHWM:" };
    let line = status.lines().find_map(|line| line.strip_prefix(entry)).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
