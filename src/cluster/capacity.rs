//! What the nodes of a cluster that exists have to give.

use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{Api, ListParams};
use serde_json::Value;

use super::Cluster;
use super::requests::{Amount, of_pod};
use crate::error::{During, Failure, Kind};

/// How many pods are looked at: a cluster with more of them is not one of a laptop, and its list takes long.
const PODS: u32 = 1000;

/// What nodes have to give, as far as this user may know it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Capacity {
    /// What each node that takes pods can give in all.
    pub nodes: Vec<Amount>,
    /// What the pods on them have asked for, but for those of the environment's own namespace; `None` where that is not known.
    pub taken: Option<Amount>,
}

impl Cluster {
    /// Looks at the nodes and their pods; `None` where this user may not see the nodes.
    ///
    /// # Errors
    /// The API server does not answer.
    pub async fn capacity(&self, namespace: &str) -> Result<Option<Capacity>, Failure> {
        let (nodes, pods): (Api<Node>, Api<Pod>) = (Api::all(self.client.clone()), Api::all(self.client.clone()));
        let all = ListParams::default();
        let alive = ListParams::default().fields("status.phase!=Succeeded,status.phase!=Failed").limit(PODS);
        let (nodes, pods) = tokio::join!(nodes.list(&all), pods.list(&alive));
        let nodes = match nodes {
            Err(kube::Error::Api(status)) if status.is_forbidden() => return Ok(None),
            listed => listed.during(Kind::Cluster, "cannot list the nodes")?.items,
        };
        let pods = match pods {
            Err(kube::Error::Api(status)) if status.is_forbidden() => None,
            listed => Some(listed.during(Kind::Cluster, "cannot list the pods")?),
        };
        let is_whole = |rest: &Option<String>| rest.as_deref().is_none_or(str::is_empty);
        let pods = pods.filter(|list| is_whole(&list.metadata.continue_)).map(|list| list.items);
        Ok(Some(of(&nodes, pods.as_deref(), namespace)))
    }
}

fn of(nodes: &[Node], pods: Option<&[Pod]>, namespace: &str) -> Capacity {
    let open: Vec<&Node> = nodes.iter().filter(|node| takes_pods(node)).collect();
    let is_on_them = |pod: &&Pod| {
        let on = pod.spec.as_ref().and_then(|spec| spec.node_name.as_ref());
        on.is_some_and(|name| open.iter().any(|node| node.metadata.name.as_ref() == Some(name)))
    };
    let taken = pods.map(|pods| {
        let others = pods.iter().filter(|pod| pod.metadata.namespace.as_deref() != Some(namespace)).filter(is_on_them);
        others.map(|pod| of_pod(&json(&pod.spec))).fold(Amount::default(), Amount::plus)
    });
    let allocatable = |node: &&Node| Amount::of(&json(&node.status.as_ref().map(|status| &status.allocatable)));
    // A node that tells nothing is not one that has nothing.
    let nodes = open.iter().map(allocatable).filter(|amount| amount.memory > 0).collect();
    Capacity { nodes, taken }
}

/// Whether a pod without tolerations may go there.
fn takes_pods(node: &Node) -> bool {
    let Some(spec) = &node.spec else { return true };
    let mut taints = spec.taints.iter().flatten();
    spec.unschedulable != Some(true) && taints.all(|taint| taint.effect == "PreferNoSchedule")
}

/// Plain data of an object of the API, which is plain data already.
fn json(object: &impl serde::Serialize) -> Value {
    serde_json::to_value(object).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_nodes_that_take_pods_count_and_only_pods_of_others_on_them() {
        let node = |name: &str, spec: Value| -> Node {
            let allocatable = json!({"cpu": "1930m", "memory": "4Gi"});
            serde_json::from_value(
                json!({"metadata": {"name": name}, "spec": spec, "status": {"allocatable": allocatable}}),
            )
            .unwrap()
        };
        let tainted = json!({"taints": [{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}]});
        let nodes = [node("a", json!({})), node("b", json!({"unschedulable": true})), node("c", tainted)];
        let pod = |namespace: &str, node: &str| -> Pod {
            let container = json!({"name": "x", "resources": {"requests": {"cpu": "100m", "memory": "1Gi"}}});
            serde_json::from_value(json!({
                "metadata": {"namespace": namespace}, "spec": {"nodeName": node, "containers": [container]},
            }))
            .unwrap()
        };
        let pods = [pod("kube-system", "a"), pod("other", "c"), pod("mine", "a")];
        let found = of(&nodes, Some(&pods), "mine");
        assert_eq!(found.nodes, [Amount { millicores: 1930, memory: 4 << 30 }]);
        assert_eq!(found.taken, Some(Amount { millicores: 100, memory: 1 << 30 }));
        assert_eq!(of(&nodes, None, "mine").taken, None);
        let silent: Node = serde_json::from_value(json!({"metadata": {"name": "a"}})).unwrap();
        assert_eq!(of(&[silent], None, "mine"), Capacity::default());
    }
}
