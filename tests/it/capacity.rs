//! What the nodes of a cluster that exists have to give, against what the rendered chart asks for.

use serde_json::json;

use crate::context::TestContext;
use crate::existing::UP;

#[test]
fn a_pod_that_fits_no_node_is_told_before_anything_is_made() {
    let context = TestContext::with_cluster();
    let pod = |memory: &str| {
        format!(
            "kind: Deployment\nmetadata: {{name: big}}\nspec: {{template: {{spec: {{containers: [{{name: a, image: 'in-the-nodes/airflow:1', \
             resources: {{requests: {{memory: {memory}}}}}}}]}}}}}}\n"
        )
    };
    context.write_file("tools/rendered.yaml", &pod("17Gi"));
    let run = context.run(&UP);
    let expected = "error[WT104]: Deployment big: 17.0 GiB of memory are needed, no node has more than 16.0 GiB";
    assert!(run.code == 3 && run.stderr.contains(expected), "{run}");
    assert!(!context.environment("").exists(), "{run}");
    // What others have asked for there may go, or more nodes may come.
    let others = json!({"resources": {"requests": {"memory": "10Gi"}}, "name": "a"});
    context.api.change(|store| {
        store.put(json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "other", "namespace": "default"},
            "spec": {"nodeName": "airflow-cluster-control-plane", "containers": [others]}, "status": {"phase": "Running"},
        }));
    });
    context.write_file("tools/rendered.yaml", &pod("7Gi"));
    let doctor: Vec<&str> = std::iter::once("doctor").chain(UP[1..].iter().copied()).collect();
    let run = context.run(&doctor);
    let expected = "warning[WT104]: the nodes have 6.0 GiB left, 7.0 GiB of memory are needed";
    assert!(run.code == 0 && run.stdout.contains(expected), "{run}");
    context.api.refuse("list pods everywhere");
    let run = context.run(&doctor);
    assert!(run.stdout.contains("7.0 GiB needed; what other pods have taken is not known"), "{run}");
    context.api.refuse("list nodes everywhere");
    let run = context.run(&doctor);
    assert!(run.stdout.contains("- memory") && run.stdout.contains("not known: the cluster does not tell"), "{run}");
}

#[test]
fn a_context_that_is_not_there_stands_in_the_report() {
    let context = TestContext::with_cluster();
    context.without("helm");
    let run = context.run(&["doctor", "--context", "absent", "--kubeconfig", "config"]);
    assert!(run.code == 3 && run.stdout.contains("error[WT139]") && run.stdout.contains("error[WT107]"), "{run}");
}
