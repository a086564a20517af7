//! The invariants of `src/lib.rs`, held against the code that ships: every file of `src` without its unit tests.

mod source;

use source::{Mention, Source};

/// Crates that only these rooms may name, invariant 1. A room is a path of modules.
const GATEWAYS: [(&str, &[&str]); 8] = [
    ("clap", &["cli", "main"]),
    ("clap_complete", &["cli", "main"]),
    ("console", &["ui"]),
    ("dialoguer", &["ui"]),
    ("duct", &["tools::process"]),
    ("indicatif", &["ui"]),
    ("k8s_openapi", &["cluster"]),
    ("kube", &["cluster"]),
];

/// Rooms that only compute, invariant 2.
const PURE: [&str; 8] = [
    "cluster::requests",
    "cluster::verdict",
    "plan",
    "profile",
    "redact",
    "stacks",
    "steps::manifest_changes",
    "steps::prerequisites::judge",
];

/// What a pure room may not name, whatever follows.
const WORLD: [&str; 16] = [
    "crate::tools",
    "crate::ui",
    "hyper",
    "hyper_util",
    "kube::Api",
    "kube::Client",
    "rustix",
    "std::env",
    "std::fs",
    "std::io",
    "std::net",
    "std::os",
    "std::process",
    "std::thread",
    "tempfile",
    "tokio",
];

/// Words that a pure room may not contain: a macro that prints, waiting, and the methods of `Path` that ask the disk.
const ACTS: [&str; 12] = [
    "async",
    "await",
    "canonicalize",
    "dbg",
    "eprint",
    "eprintln",
    "exists",
    "is_dir",
    "is_file",
    "print",
    "println",
    "read_dir",
];

/// The rooms from the top to the ground, invariant 3: each may name its own layer and those below.
const LAYERS: [&[&str]; 8] = [
    &["commands"],
    &["cli"],
    &["steps"],
    &["airflow", "backup", "charts", "cluster", "images", "providers", "stacks"],
    &["plan", "profile", "redact", "state", "surroundings", "tools"],
    &["ui"],
    &["error"],
    &["codes"],
];

/// What reads the process environment or the user's own kubeconfig, invariant 4.
const SURROUNDINGS: [&str; 7] = [
    "etcetera",
    "kube::Client::try_default",
    "kube::Config::infer",
    "kube::config::Kubeconfig::read",
    "std::env",
    "which::which",
    "which::which_all",
];

/// The longest file that still is about one thing.
const LONGEST: usize = 400;

#[test]
fn a_crate_is_named_in_its_gateway_only() {
    let faults = faults(|source, mention| {
        let (name, rooms) = GATEWAYS.iter().find(|(name, _)| mention.begins_with(name))?;
        let is_gateway = rooms.iter().any(|room| source.is_in(room));
        (!is_gateway).then(|| format!("only {} may name `{name}`", rooms.join(" and ")))
    });
    assert!(faults.is_empty(), "invariant 1:\n{}", faults.join("\n"));
}

#[test]
fn rooms_that_compute_do_nothing_else() {
    let pure = |source: &Source| PURE.iter().any(|room| source.is_in(room));
    let mut faults = faults(|source, mention| {
        let named = WORLD.iter().find(|path| mention.begins_with(path))?;
        // What tools say is judged as plain data there; `async` and `await` are forbidden, so nothing can be run.
        let is_data = *named == "crate::tools" && source.is_in("steps::prerequisites::judge");
        (pure(source) && !is_data).then(|| format!("this room only computes and has no use for `{named}`"))
    });
    for source in Source::all().iter().filter(|source| pure(source)) {
        for (line, word) in source.words().filter(|(_, word)| ACTS.contains(word)) {
            faults.push(format!("{}:{line}: this room only computes and has no use for `{word}`", source.path()));
        }
    }
    assert!(faults.is_empty(), "invariant 2:\n{}", faults.join("\n"));
}

#[test]
fn dependencies_point_down() {
    let layer = |room: &str| LAYERS.iter().position(|layer| layer.contains(&room));
    let faults = faults(|source, mention| {
        let room = mention.path.get(1).filter(|_| mention.begins_with("crate"))?;
        let points_up = layer(source.room())? > layer(room)?;
        points_up.then(|| format!("`{}` lies below `{room}`", source.room()))
    });
    assert!(faults.is_empty(), "invariant 3:\n{}", faults.join("\n"));
}

#[test]
fn every_room_has_its_layer() {
    let known = |room: &str| ["lib", "main"].contains(&room) || LAYERS.iter().any(|layer| layer.contains(&room));
    let sources = Source::all();
    let strangers: Vec<&str> = sources.iter().map(Source::room).filter(|room| !known(room)).collect();
    assert!(strangers.is_empty(), "say in LAYERS where these stand: {strangers:?}");
}

#[test]
fn nothing_but_main_looks_at_the_process_environment() {
    let faults = faults(|source, mention| {
        let named = SURROUNDINGS.iter().find(|path| mention.begins_with(path))?;
        let allowed = source.is_in("main") || mention.begins_with("std::env::consts");
        (!allowed).then(|| format!("only main looks at the environment, by `{named}`"))
    });
    assert!(faults.is_empty(), "invariant 4:\n{}", faults.join("\n"));
}

/// The wall clock jumps when a laptop wakes up. What is said and written has its time; nothing waits by it.
#[test]
fn the_forward_waits_by_the_monotonic_clock() {
    let faults = faults(|source, mention| {
        let named = ["jiff", "std::time::SystemTime"].iter().find(|path| mention.begins_with(path))?;
        let only_tells = ["cluster::forward::log", "cluster::forward::process"].iter().any(|room| source.is_in(room));
        let waits = source.is_in("cluster::forward") && !only_tells;
        waits.then(|| format!("only the forward's log and state have a use for `{named}`"))
    });
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn no_file_is_long() {
    let long: Vec<String> = source::files(&["profiles", "scripts", "src", "tests"])
        .iter()
        .filter(|path| {
            path.extension().is_some_and(|ending| ["py", "rs", "sh", "go"].iter().any(|ours| ending == *ours))
        })
        .map(|path| (path, source::read(path).lines().count()))
        .filter(|(_, lines)| *lines > LONGEST)
        .map(|(path, lines)| format!("{}: {lines} lines", path.display()))
        .collect();
    assert!(long.is_empty(), "more than {LONGEST} lines, so about more than one thing:\n{}", long.join("\n"));
}

/// What `judge` says against any path that any file of `src` mentions, with the place.
fn faults(judge: impl Fn(&Source, &Mention) -> Option<String>) -> Vec<String> {
    let mut faults = Vec::new();
    for source in Source::all() {
        for mention in source.mentions() {
            if let Some(fault) = judge(&source, &mention) {
                faults.push(format!("{}:{}: {fault}", source.path(), mention.line));
            }
        }
    }
    faults
}
