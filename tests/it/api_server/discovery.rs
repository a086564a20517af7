//! What the API server says of itself: its version, and what it serves, as one aggregated document.

use serde_json::{Value, json};

use super::store::RESOURCES;

/// The document at a path, where there is one.
pub(crate) fn document(path: &str) -> Option<Value> {
    match path {
        "/version" => Some(json!({
            "major": "1", "minor": "34", "gitVersion": "v1.34.4", "gitCommit": "", "gitTreeState": "clean", "buildDate": "",
            "goVersion": "", "compiler": "gc", "platform": "linux/amd64",
        })),
        "/api" => Some(list(&["v1"])),
        "/apis" => {
            let mut groups: Vec<&str> =
                RESOURCES.iter().map(|(group, ..)| *group).filter(|group| *group != "v1").collect();
            groups.dedup();
            Some(list(&groups))
        }
        _ => None,
    }
}

fn list(groups: &[&str]) -> Value {
    let items: Vec<Value> = groups.iter().map(|group| describe(group)).collect();
    json!({"apiVersion": "apidiscovery.k8s.io/v2", "kind": "APIGroupDiscoveryList", "metadata": {}, "items": items})
}

fn describe(group_version: &str) -> Value {
    let (group, version) = group_version.split_once('/').unwrap_or(("", group_version));
    let resources = RESOURCES.iter().filter(|(known, ..)| *known == group_version);
    let resources: Vec<Value> = resources
        .map(|(_, plural, kind, namespaced)| {
            json!({
                "resource": plural,
                "responseKind": {"group": group, "version": version, "kind": kind},
                "scope": if *namespaced { "Namespaced" } else { "Cluster" },
                "singularResource": kind.to_lowercase(),
                "verbs": ["create", "delete", "get", "list", "patch", "update", "watch"],
            })
        })
        .collect();
    let versions = json!([{"version": version, "resources": resources, "freshness": "Current"}]);
    json!({"metadata": {"name": group}, "versions": versions})
}
