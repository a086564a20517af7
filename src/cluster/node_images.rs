//! What the nodes of a cluster that exists are, as far as images go.

use k8s_openapi::api::core::v1::Node;
use kube::api::{Api, ListParams};

use super::Cluster;
use crate::error::{During, Failure, Kind};

/// The nodes' platform and images.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NodeImages {
    /// `linux/amd64`; `None` where the nodes are of several.
    pub platform: Option<String>,
    /// The images that every node has, by all their names. A kubelet tells of its largest fifty only (`nodeStatusMaxImages`).
    pub names: Vec<String>,
}

impl Cluster {
    /// Looks at the nodes; `None` where this user may not.
    ///
    /// # Errors
    /// The API server does not answer.
    pub async fn node_images(&self) -> Result<Option<NodeImages>, Failure> {
        let nodes: Api<Node> = Api::all(self.client.clone());
        let nodes = match nodes.list(&ListParams::default()).await {
            Err(kube::Error::Api(status)) if status.is_forbidden() => return Ok(None),
            listed => listed.during(Kind::Cluster, "cannot list the nodes")?.items,
        };
        Ok(Some(of_nodes(&nodes)))
    }
}

fn of_nodes(nodes: &[Node]) -> NodeImages {
    let statuses = || nodes.iter().filter_map(|node| node.status.as_ref());
    let names_of = |node: &Node| -> Vec<String> {
        let images = node.status.iter().flat_map(|status| status.images.iter().flatten());
        images.flat_map(|image| image.names.iter().flatten().cloned()).collect()
    };
    let mut platforms: Vec<String> = statuses()
        .filter_map(|status| status.node_info.as_ref())
        .filter(|info| !info.architecture.is_empty())
        .map(|info| format!("{}/{}", info.operating_system, info.architecture))
        .collect();
    platforms.sort();
    platforms.dedup();
    let mut names = nodes.first().map(names_of).unwrap_or_default();
    for node in nodes.iter().skip(1) {
        let others = names_of(node);
        names.retain(|name| others.contains(name));
    }
    NodeImages { platform: platforms.pop().filter(|_| platforms.is_empty()), names }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn node(architecture: &str, names: &[&str]) -> Node {
        let info = json!({
            "architecture": architecture, "bootID": "", "containerRuntimeVersion": "", "kernelVersion": "", "kubeProxyVersion": "",
            "kubeletVersion": "", "machineID": "", "operatingSystem": "linux", "osImage": "", "systemUUID": "",
        });
        serde_json::from_value(json!({"status": {"nodeInfo": info, "images": [{"names": names, "sizeBytes": 1}]}}))
            .unwrap()
    }

    #[test]
    fn an_image_is_there_where_every_node_has_it() {
        let nodes = [node("amd64", &["docker.io/a:1", "docker.io/b:1"]), node("amd64", &["docker.io/b:1"])];
        let found = of_nodes(&nodes);
        assert_eq!((found.platform.as_deref(), found.names), (Some("linux/amd64"), vec!["docker.io/b:1".to_owned()]));
        assert_eq!(of_nodes(&[node("amd64", &[]), node("arm64", &[])]).platform, None);
    }
}
