//! The engine is stopped while `up` waits: one of the test's own, for the machine's is everybody's.
//!
//! An engine that stops gives its containers 10 s. As long as the API server answers nothing is wrong for `up`, which needs the cluster and
//! not the engine (one with `live-restore` may stop and come back meanwhile); the time to the verdict counts from its last answer.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use super::during::during;
use super::report::Met;
use crate::airflow::await_healthy;
use crate::artefacts::{say, stage};
use crate::docker::node;
use crate::engine::Engine;
use crate::environment::{Environment, bundle};
use crate::http::get;
use crate::outcome::Outcome;
use crate::sockets::server;
use crate::until::until;

/// How long `up` may take to tell of an engine that is gone; the engine's own end, with its containers, takes most of it.
const WITHIN: Duration = Duration::from_secs(40);

#[test]
fn engine_stopped() {
    if let Some(why) = Engine::is_out_of_reach(None) {
        return say(&format!("faults: the engine is stopped: SKIPPED, {why}"));
    }
    let environment = Environment::claim("engine");
    stage("faults", "the engine is stopped", || {
        let mut engine = Engine::start(None, &environment);
        let socket = engine.socket();
        let (up, seen) = during(
            &environment,
            "wait_for_pods",
            || up_at(&socket, &environment),
            || {
                let api_server = api_server(&engine, &environment);
                std::thread::scope(|scope| {
                    scope.spawn(|| engine.stop());
                    last_answer(&api_server)
                })
            },
        );
        let met = Met { title: "the engine is stopped", up: &up, seen };
        met.say();
        met.assert_named(&["engine_unreachable".to_owned()], 3, &[socket.display().to_string()]);
        met.assert_named_soon(WITHIN);
        met.assert_soon(WITHIN);
        // In the words of the system that this runs on.
        met.assert_hint(&environment, "start it: ");
        stage("faults", "the engine runs again, and `up` goes on", || {
            engine.start_again();
            up_at(&socket, &environment).succeeded();
        });
        stage("faults", "the engine is started again", || started_again(&mut engine, &environment));
    });
}

/// Airflow comes back with the engine: by the same forward, and without `up`.
fn started_again(engine: &mut Engine, environment: &Environment) {
    let forward = server(environment.port);
    engine.stop();
    let status = format!("DOCKER_HOST=unix://{} windtunnel status", engine.socket().display());
    environment.shell(&status).ended_with(3).says(&["the Docker Engine is not running"]);
    engine.start_again();
    let begun = Instant::now();
    await_healthy(environment.port);
    say(&format!("Airflow answers again {:.0} s after the engine", begun.elapsed().as_secs_f64()));
    assert_eq!(server(environment.port), forward, "another process serves the port");
    until("`status` to find nothing wrong", Duration::from_mins(1), || {
        let status = environment.shell(&status);
        if status.code == Some(0) { Ok(()) } else { Err(status) }
    });
}

/// Where the API server answers on this machine, also to whom it only tells that it wants TLS.
fn api_server(engine: &Engine, environment: &Environment) -> String {
    let port = engine.ask(&["port", &node(&environment.name), "6443/tcp"]);
    format!("http://{}/", String::from_utf8(port.stdout).unwrap().trim())
}

fn last_answer(url: &str) -> SystemTime {
    let mut last = SystemTime::now();
    until("the API server to be gone", WITHIN, || match get(url, Duration::from_secs(1)) {
        Ok(_) => {
            last = SystemTime::now();
            Err("it answers")
        }
        Err(_) => Ok(()),
    });
    last
}

fn up_at(socket: &Path, environment: &Environment) -> Outcome {
    let (bundle, port) = (bundle(), environment.port);
    let up = format!("windtunnel up --bundle {} --port {port} --output json", bundle.display());
    environment.shell(&format!("DOCKER_HOST=unix://{} {up}", socket.display()))
}
