//! What is in the surroundings and would lead elsewhere: kubeconfig files that disagree, and proxies.

use std::net::TcpListener;

use serde_json::{Value, json};

use crate::context::TestContext;
use crate::existing::UP;

/// Something that listens and is not to be spoken to.
fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

/// A kubeconfig whose contexts `work` and `home` lead to one server each.
fn kubeconfig(work: &str, home: &str, current: &str) -> String {
    let named = |name: &str, key: &str, value: Value| json!({"name": name, key: value});
    let context = |cluster: &str| json!({"cluster": cluster, "user": "me"});
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": current,
        "clusters": [named("shared", "cluster", json!({"server": work})), named("home", "cluster", json!({"server": home}))],
        "users": [named("me", "user", json!({"token": "token-of-me"}))],
        "contexts": [named("work", "context", context("shared")), named("home", "context", context("home"))],
    })
    .to_string()
}

#[test]
fn two_kubeconfigs_that_disagree() {
    let context = TestContext::with_cluster();
    let (other, theirs) = listener();
    // As kubectl reads them: the first one to name a context or a cluster wins.
    context.write_file("home/first", &kubeconfig(&context.api.url(), &theirs, ""));
    context.write_file("home/second", &kubeconfig(&theirs, &theirs, "work"));
    let file = |name: &str| context.path("home").join(name).display().to_string();
    let both = format!("{}:{}", file("first"), file("second"));
    let swapped = format!("{}:{}", file("second"), file("first"));
    let run = context.run_with(&["up", "--context", "work"], &[("KUBECONFIG", &both)]);
    assert_eq!(run.code, 0, "{run}");
    // Which files there are now is of no account for an environment that is there.
    for command in [&["status"][..], &["up"], &["stop"], &["start"], &["reset", "release", "--yes"], &["down", "--yes"]]
    {
        let run = context.run_with(command, &[("KUBECONFIG", &swapped)]);
        assert_eq!(run.code, 0, "{run}");
        assert!(!run.to_string().contains(&theirs), "{run}");
    }
    assert!(other.accept().is_err(), "somebody spoke to the other file's cluster");
}

#[test]
fn no_proxy_comes_between_windtunnel_and_the_cluster() {
    let (proxy, url) = listener();
    let variables = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"];
    let mut proxies: Vec<(&str, &str)> = variables.iter().map(|name| (*name, url.as_str())).collect();
    for no in [None, Some("example.com")] {
        proxies.extend(no.map(|no| ("NO_PROXY", no)));
        let existing = TestContext::with_cluster();
        let kind = TestContext::new();
        for (context, up) in [(&existing, &UP[..]), (&kind, &["up"])] {
            for command in
                [up, &["up", "--set", "airflow.replicas=2"], &["status"], &["stop"], &["start"], &["down", "--yes"]]
            {
                // A proxy is a thing that `up` warns of where pods would not get past it; that is all.
                let run = context.run_with(command, &proxies);
                assert_eq!(run.code, 0, "{run}");
            }
        }
    }
    assert!(proxy.accept().is_err(), "somebody spoke to the proxy");
}
