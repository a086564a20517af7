//! The user's own kubeconfig: read only where a context of it was named or is to be chosen, and never written.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use kube::config::Kubeconfig;
use serde::Serialize;

use crate::codes::Code;
use crate::error::{During, Failure, Kind};

/// Names that lead to this machine from containers and virtual machines on it.
const NEAR_NAMES: [&str; 4] =
    ["localhost", "host.docker.internal", "kubernetes.docker.internal", "host.minikube.internal"];

/// One context, as a list shows it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Context {
    /// Its name.
    pub name: String,
    /// The address of its API server; empty where the file does not say.
    pub server: String,
    /// The namespace that kubectl would use.
    pub namespace: String,
    /// Whether it is the user's current one.
    pub current: bool,
}

/// One context with all that belongs to it.
pub struct Extract {
    /// The address of its API server.
    pub server: String,
    /// A kubeconfig that has this context only, with absolute paths. It may hold a secret.
    pub document: String,
}

/// The contexts of kubeconfig files, in their order; none where there is no file.
///
/// # Errors
/// A file cannot be read or is no kubeconfig.
pub fn contexts(files: &[PathBuf]) -> Result<Vec<Context>, Failure> {
    let document = read(files)?;
    let contexts = document.contexts.iter().map(|named| {
        let context = named.context.as_ref();
        Context {
            name: named.name.clone(),
            server: context.and_then(|context| server(&document, &context.cluster)).unwrap_or_default(),
            namespace: context.and_then(|context| context.namespace.clone()).unwrap_or_else(|| "default".to_owned()),
            current: document.current_context.as_ref() == Some(&named.name),
        }
    });
    Ok(contexts.collect())
}

/// Takes one context out of kubeconfig files.
///
/// # Errors
/// A file cannot be read, there is no such context (the ones there are, are named), or it is incomplete.
pub fn extract(files: &[PathBuf], name: &str) -> Result<Extract, Failure> {
    let mut document = read(files)?;
    let from = files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", ");
    let context = document.contexts.iter().find(|named| named.name == name).ok_or_else(|| {
        let names: Vec<&str> = document.contexts.iter().map(|named| named.name.as_str()).collect();
        let there = if names.is_empty() { "it has none".to_owned() } else { format!("it has: {}", names.join(", ")) };
        Failure::usage(format!("the kubeconfig {from} has no context `{name}`"))
            .code(Code::ContextMissing)
            .evidence(there)
    })?;
    let incomplete = |what: &str| {
        Failure::usage(format!("the context `{name}` of the kubeconfig {from} is incomplete"))
            .code(Code::ContextMissing)
            .evidence(what)
    };
    let context = context.context.clone().ok_or_else(|| incomplete("it says nothing"))?;
    let server = server(&document, &context.cluster).ok_or_else(|| incomplete("its cluster has no server"))?;
    document.contexts.retain(|named| named.name == name);
    document.clusters.retain(|named| named.name == context.cluster);
    document.auth_infos.retain(|named| Some(&named.name) == context.user.as_ref());
    if document.clusters.iter().filter_map(|named| named.cluster.as_ref()).any(|cluster| cluster.proxy_url.is_some()) {
        return Err(Failure::usage(format!("the context `{name}` goes through a proxy (`proxy-url`)"))
            .hint("windtunnel and its forward speak to the API server directly: use a context without it"));
    }
    document.current_context = Some(name.to_owned());
    let document = serde_json::to_string(&document).map_err(|error| Failure::bug(error.to_string()))?;
    Ok(Extract { server, document })
}

/// Whether an API server's address is on this machine or in a private network.
#[must_use]
pub fn is_near(server: &str) -> bool {
    let rest = server.split_once("://").map_or(server, |(_, rest)| rest);
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(bracketed) => bracketed.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => {
            // As an address to connect to, 0.0.0.0 is this machine; k3d writes it.
            address.is_unspecified() || address.is_loopback() || address.is_private() || address.is_link_local()
        }
        Ok(IpAddr::V6(address)) => {
            address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
        }
        Err(_) => NEAR_NAMES.contains(&host) || host.ends_with(".localhost"),
    }
}

fn server(document: &Kubeconfig, cluster: &str) -> Option<String> {
    document.clusters.iter().find(|named| named.name == cluster)?.cluster.as_ref()?.server.clone()
}

/// The files as one document, the first to say something wins; a file that is not there counts as empty, as it does to kubectl.
fn read(files: &[PathBuf]) -> Result<Kubeconfig, Failure> {
    let doing = |file: &Path| format!("cannot read the kubeconfig {}", file.display());
    let mut merged = Kubeconfig::default();
    for file in files.iter().filter(|file| file.exists()) {
        let document = Kubeconfig::read_from(file).during(Kind::Usage, doing(file))?;
        merged = merged.merge(document).during(Kind::Usage, doing(file))?;
    }
    Ok(merged)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = r"
apiVersion: v1
kind: Config
current-context: work
clusters:
- {name: far, cluster: {server: 'https://abc.eks.amazonaws.com'}}
- {name: near, cluster: {server: 'https://127.0.0.1:6443', certificate-authority: ca.crt}}
users:
- {name: me, user: {token: secret-of-me}}
- {name: other, user: {token: secret-of-other}}
contexts:
- {name: work, context: {cluster: far, user: other, namespace: team}}
- {name: mine, context: {cluster: near, user: me}}
- {name: broken, context: {cluster: gone, user: me}}
";

    fn file() -> (tempfile::TempDir, Vec<PathBuf>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        std::fs::write(&path, TWO).unwrap();
        (folder, vec![path, "/nowhere/config".into()])
    }

    #[test]
    fn contexts_are_listed_with_server_and_namespace() {
        let (_folder, files) = file();
        let contexts = contexts(&files).unwrap();
        assert_eq!(contexts[0].name, "work");
        assert!(contexts[0].current && !contexts[1].current);
        assert_eq!(
            (contexts[1].server.as_str(), contexts[1].namespace.as_str()),
            ("https://127.0.0.1:6443", "default")
        );
        assert_eq!(contexts[2].server, "");
    }

    #[test]
    fn one_context_is_taken_out_with_nothing_of_the_others() {
        let (folder, files) = file();
        let extract = extract(&files, "mine").unwrap();
        assert_eq!(extract.server, "https://127.0.0.1:6443");
        assert!(extract.document.contains("secret-of-me") && !extract.document.contains("secret-of-other"));
        assert!(extract.document.contains(&format!("{}/ca.crt", folder.path().display())), "{}", extract.document);
        let again = Kubeconfig::from_yaml(&extract.document).unwrap();
        assert_eq!(again.current_context.as_deref(), Some("mine"));
    }

    #[test]
    fn a_context_that_is_not_there_is_answered_with_those_that_are() {
        let (_folder, files) = file();
        let failure = extract(&files, "kind-demo").err().unwrap();
        assert_eq!(failure.evidence, ["it has: work, mine, broken"]);
        let failure = extract(&files, "broken").err().unwrap();
        assert_eq!(failure.evidence, ["its cluster has no server"]);
    }

    #[test]
    fn near_is_this_machine_and_private_networks() {
        for near in [
            "https://127.0.0.1:6443",
            "https://192.168.49.2:8443",
            "https://[::1]:6443/",
            "https://localhost",
            "10.0.0.1",
            "https://0.0.0.0:6550",
        ] {
            assert!(is_near(near), "{near}");
        }
        for far in [
            "https://abc.eks.amazonaws.com",
            "https://34.1.2.3",
            "https://127.0.0.1.example.com",
            "",
            "https://[2001:db8::1]",
        ] {
            assert!(!is_near(far), "{far}");
        }
    }
}
