//! A namespace that is being deleted: one that is held by a finalizer is named at once, one that goes is waited for.

use std::time::{Duration, SystemTime};

use super::matrix::in_node;
use super::report::{Met, NAMED};
use crate::environment::Environment;

/// An object with a finalizer that nobody takes off.
const HELD: &str =
    r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"held","finalizers":["example.com/hold"]}}"#;

pub(super) fn held_by_a_finalizer(environment: &Environment) {
    in_node(
        environment,
        &format!("echo '{HELD}' | kubectl -n $N apply -f -; kubectl delete namespace $N --wait=false; sleep 12"),
    );
    let seen = SystemTime::now();
    let up = environment.up(&["--output", "json", "--profile", "lite"]);
    let met = Met { title: "a namespace that a finalizer holds", up: &up, seen };
    met.say();
    met.assert_named(
        &["namespace_terminating".to_owned()],
        4,
        &["configmap/held".to_owned(), "example.com/hold".to_owned()],
    );
    met.assert_named_soon(NAMED);
    met.assert_soon(Duration::from_secs(30));
    met.assert_hint(environment, "finalizers");
    in_node(
        environment,
        "kubectl -n $N patch configmap held --type merge --patch '{\"metadata\":{\"finalizers\":null}}'",
    );
}
