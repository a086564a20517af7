//! The contexts of the user's own kubeconfig, for a person to choose from. Nothing is sent to any of them.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use kube::config::Kubeconfig;

use crate::error::{During, Failure, Kind};

/// A context as it is listed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// The address of the API server.
    pub server: String,
    /// The namespace that it works in.
    pub namespace: String,
    /// Whether it is the one that kubectl and Helm use unasked.
    pub current: bool,
}

impl Listed {
    /// Whether the server looks like one of this machine: by its name, or an address of loopback or of a container network.
    #[must_use]
    pub fn is_local(&self) -> bool {
        let rest = self.server.split_once("://").map_or(self.server.as_str(), |(_, rest)| rest);
        let host = rest.split(['/', '?']).next().unwrap_or_default();
        let host = match host.strip_prefix('[') {
            Some(host) => host.split(']').next().unwrap_or_default(),
            None => host.split(':').next().unwrap_or_default(),
        };
        match host.parse() {
            Ok(IpAddr::V4(address)) => {
                let [first, second, ..] = address.octets();
                // Docker gives its networks 172.16.0.0/12 and 192.168.0.0/16.
                address.is_loopback() || (first == 172 && (16..32).contains(&second)) || (first, second) == (192, 168)
            }
            Ok(IpAddr::V6(address)) => address.is_loopback(),
            Err(_) => host == "localhost" || host.ends_with(".localhost") || host.ends_with("docker.internal"),
        }
    }
}

/// The contexts of a kubeconfig, or of several that are separated as in `KUBECONFIG`; none where there is no such file.
///
/// # Errors
/// A file cannot be read.
pub fn list(kubeconfig: &Path) -> Result<Vec<Listed>, Failure> {
    let text = kubeconfig.to_string_lossy();
    let files = text.split(':').filter(|file| !file.is_empty()).map(PathBuf::from).filter(|file| file.exists());
    let mut listed: Vec<Listed> = Vec::new();
    let mut current = None;
    for file in files {
        let document = Kubeconfig::read_from(&file)
            .during(Kind::Usage, format!("cannot read the kubeconfig {}", file.display()))?;
        current = current.or_else(|| document.current_context.clone().filter(|name| !name.is_empty()));
        let server = |name: &str| {
            let cluster = document.clusters.iter().find(|cluster| cluster.name == name)?;
            cluster.cluster.as_ref()?.server.clone()
        };
        for context in &document.contexts {
            // As kubectl merges: the first file that names a context is right.
            if listed.iter().any(|listed| listed.name == context.name) {
                continue;
            }
            let Some(inner) = &context.context else { continue };
            listed.push(Listed {
                name: context.name.clone(),
                server: server(&inner.cluster).unwrap_or_default(),
                namespace: inner.namespace.clone().unwrap_or_else(|| "default".to_owned()),
                current: false,
            });
        }
    }
    for context in &mut listed {
        context.current = current.as_deref() == Some(context.name.as_str());
    }
    Ok(listed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_are_listed_with_their_servers_and_the_current_one() {
        let folder = tempfile::tempdir().unwrap();
        let one = folder.path().join("one");
        let text = "{current-context: work, contexts: [{name: work, context: {cluster: c, user: u, namespace: data}}, \
                    {name: lost, context: {cluster: gone, user: u}}], clusters: [{name: c, cluster: {server: 'https://k8s.example.com'}}]}";
        std::fs::write(&one, text).unwrap();
        let both = format!("{}:{}", one.display(), folder.path().join("absent").display());
        let listed = list(Path::new(&both)).unwrap();
        let work = &listed[0];
        assert_eq!((work.name.as_str(), work.namespace.as_str(), work.current), ("work", "data", true));
        assert_eq!((work.server.as_str(), work.is_local()), ("https://k8s.example.com", false));
        assert_eq!((listed[1].server.as_str(), listed[1].namespace.as_str()), ("", "default"));
    }

    #[test]
    fn a_server_of_this_machine_is_known_by_its_address() {
        let is_local = |server: &str| {
            Listed { name: String::new(), server: server.to_owned(), namespace: String::new(), current: false }
                .is_local()
        };
        for server in [
            "https://127.0.0.1:6443",
            "https://localhost:1",
            "https://[::1]:6443",
            "https://192.168.49.2:8443",
            "https://kubernetes.docker.internal:6443",
        ] {
            assert!(is_local(server), "{server}");
        }
        for server in
            ["https://10.0.0.1", "https://k8s.example.com", "https://172.32.0.1", "", "https://127.0.0.1.example.com"]
        {
            assert!(!is_local(server), "{server}");
        }
    }
}
