//! The engine is stopped while `up` waits: one of the test's own, for the machine's is everybody's.

use std::path::Path;
use std::time::{Duration, SystemTime};

use super::during::during;
use super::report::Met;
use crate::artefacts::{say, stage};
use crate::engine::Engine;
use crate::environment::{Environment, bundle};
use crate::outcome::Outcome;

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
