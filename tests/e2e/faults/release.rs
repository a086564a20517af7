//! A Helm of somebody else's that was stopped in the middle of an installation, for real.

use std::time::{Duration, SystemTime};

use super::matrix::in_node;
use super::report::{Met, NAMED};
use crate::docker::{docker, node};
use crate::environment::{Environment, bundle};

/// Its chart has a pod that never runs; the hint, followed to the letter, lets `up` install the right one.
pub(super) fn left_in_pending_install(environment: &Environment) {
    let programs = bundle().join("bin");
    let target = format!("{}:/usr/local/bin/helm", node(&environment.name));
    docker(&["cp", programs.join("helm").to_str().unwrap(), &target]).succeeded();
    in_node(environment, "helm uninstall $R --namespace $N --wait; helm_killed $R");
    let seen = SystemTime::now();
    let up = environment.up(&["--output", "json", "--profile", "lite"]);
    let met = Met { title: "an installation that somebody's Helm was stopped in", up: &up, seen };
    met.say();
    met.assert_named(&["release_pending".to_owned()], 6, &["pending-install".to_owned()]);
    met.assert_named_soon(NAMED);
    met.assert_soon(Duration::from_secs(30));
    met.assert_hint(environment, " uninstall ");
    let failure = up.last_event();
    let mut commands = failure["hints"].as_array().unwrap().iter().filter_map(|hint| hint.as_str()?.split('`').nth(1));
    let uninstall = commands.find(|command| command.contains(" uninstall ")).unwrap();
    environment.shell(&format!("PATH={}:$PATH; {uninstall}", programs.display())).succeeded();
    environment.up(&["--profile", "lite"]).succeeded();
}
