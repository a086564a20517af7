//! What a run leaves on purpose: seconds, the screenshot, and after a failure what the cluster looked like.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::Instant;

use crate::docker::kubectl;
use crate::outcome::Outcome;
use crate::place::Place;

/// A line for the person who waits. The test harness keeps back what goes through `println!`, and a cluster takes minutes.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "e2e: {line}");
}

/// Tells why a test ends when it does: the harness would tell at the end of all, and a log may be cut before.
pub(crate) fn tell_of_failures() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            say(&format!("FAILED: {}", panic.payload_as_str().unwrap_or_default()));
            before(panic);
        }));
    });
}

/// Where artefacts go.
pub(crate) fn folder() -> PathBuf {
    let folder = std::env::var_os("WINDTUNNEL_E2E_ARTEFACTS")
        .map_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("e2e"), PathBuf::from);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Keeps a text.
pub(crate) fn keep(file: &str, text: &str) {
    std::fs::write(folder().join(file), text).unwrap();
}

/// Runs one part of a test and says how long it took.
pub(crate) fn stage<T>(test: &str, title: &str, part: impl FnOnce() -> T) -> T {
    let begin = Instant::now();
    let result = part();
    say(&format!("{test}: {title:42} {:6.1} s", begin.elapsed().as_secs_f64()));
    result
}

/// Writes down what there is in a cluster, for whoever reads about the failure.
pub(crate) fn keep_evidence(place: &Place) {
    let looks: [&[&str]; 4] = [
        &["get", "pods,pvc,events", "--all-namespaces", "--output", "wide"],
        &["describe", "pods", "--namespace", &place.name],
        &[
            "logs",
            "--namespace",
            &place.name,
            "--selector",
            "app.kubernetes.io/name=lite",
            "--all-containers",
            "--tail=60",
        ],
        &["describe", "nodes"],
    ];
    let mut outcomes = vec![place.windtunnel(&["status"]), place.windtunnel(&["logs", "forward"])];
    outcomes.extend(looks.map(|look| kubectl(&place.name, look)));
    let text: Vec<_> = outcomes.iter().map(Outcome::to_string).collect();
    let path = folder().join(format!("{}-failure.txt", place.name));
    match std::fs::write(&path, text.join("\n\n")) {
        Ok(()) => say(&format!("what the cluster looked like: {}", path.display())),
        Err(error) => say(&format!("{}: {error}", path.display())),
    }
}
