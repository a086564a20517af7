//! A Service that leads to no pod though the pods are ready: nobody who asks it gets an answer.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{Pod, Service, ServicePort};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::ResourceExt;

use super::super::workload::Expected;
use super::Verdict;
use super::view::is_ready;
use crate::codes::Code;

/// Judges a Service by its selector and this port of it. Only where pods are ready: while they are not, that is the cause.
pub(in crate::cluster) fn judge(
    expected: Expected<'_>,
    name: &str,
    port: u16,
    service: Option<&Service>,
    pods: &[Arc<Pod>],
) -> Option<Verdict> {
    let cause = |message: String| {
        let look = format!("get service {name} --output yaml");
        Verdict::new(Code::ServiceLeadsNowhere, format!("service `{name}`"), message)
            .hint(format!("see what it selects: {}", expected.kubectl(expected.namespace, &look)))
            .hint(format!("have the release made anew, the data stays: {}", expected.command("reset release")))
    };
    let Some(service) = service else { return Some(cause("it is not there".to_owned())) };
    let spec = service.spec.as_ref();
    let selector = spec.and_then(|spec| spec.selector.clone()).unwrap_or_default();
    let selects = |pod: &&Arc<Pod>| selector.iter().all(|(key, value)| pod.labels().get(key) == Some(value));
    let selected: Vec<&Arc<Pod>> = pods.iter().filter(selects).collect();
    let words: Vec<String> = selector.iter().map(|(key, value)| format!("{key}={value}")).collect();
    if selector.is_empty() || selected.is_empty() {
        return Some(cause(format!("it leads to no pod: none has the labels `{}`", words.join(","))));
    }
    let ready: Vec<&Arc<Pod>> = selected.into_iter().filter(|pod| is_ready(pod)).collect();
    let first = ready.first()?;
    let ports = spec.and_then(|spec| spec.ports.as_deref()).unwrap_or_default();
    let Some(found) = ports.iter().find(|found| found.port == i32::from(port)) else {
        let known: Vec<String> = ports.iter().map(|port| port.port.to_string()).collect();
        return Some(cause(format!("it has no port {port}")).evidence(format!("it has {}", known.join(", "))));
    };
    let declared: Vec<(Option<String>, i32)> = ready.iter().flat_map(|pod| declared(pod)).collect();
    let leads = match &found.target_port {
        Some(IntOrString::String(wanted)) => declared.iter().any(|(name, _)| name.as_ref() == Some(wanted)),
        // A port need not be declared: only where others are is one that is not worth a word.
        _ => declared.is_empty() || declared.iter().any(|(_, number)| *number == target(found)),
    };
    let wanted = match &found.target_port {
        Some(IntOrString::String(wanted)) => format!("`{wanted}`"),
        _ => target(found).to_string(),
    };
    let ports: Vec<String> = declared
        .iter()
        .map(|(name, number)| name.as_ref().map_or_else(|| number.to_string(), |name| format!("{number} `{name}`")))
        .collect();
    (!leads).then(|| {
        cause(format!("its port {port} leads to port {wanted}, on which nothing listens")).evidence(format!(
            "pod `{}` listens on {}",
            first.name_any(),
            ports.join(", ")
        ))
    })
}

/// The number that a port leads to, where it is no name.
fn target(port: &ServicePort) -> i32 {
    match port.target_port {
        Some(IntOrString::Int(number)) => number,
        _ => port.port,
    }
}

/// The ports that a pod's containers say they listen on.
fn declared(pod: &Arc<Pod>) -> Vec<(Option<String>, i32)> {
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    containers
        .flat_map(|container| container.ports.iter().flatten())
        .map(|port| (port.name.clone(), port.container_port))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn judged(selector: &Value, target: &Value, ready: &str) -> Option<Verdict> {
        let expected = Expected { environment: "airflow-cluster", namespace: "airflow-cluster", workloads: &[] };
        let pod = serde_json::from_value(json!({
            "metadata": {"name": "airflow-1", "labels": {"app": "airflow"}},
            "spec": {"containers": [{"name": "api-server", "ports": [{"name": "http", "containerPort": 8080}]}]},
            "status": {"conditions": [{"type": "Ready", "status": ready}]},
        }));
        let service = serde_json::from_value(json!({
            "metadata": {"name": "web"}, "spec": {"selector": selector, "ports": [{"port": 8080, "targetPort": target}]},
        }));
        judge(expected, "web", 8080, Some(&service.unwrap()), &[Arc::new(pod.unwrap())])
    }

    #[test]
    fn a_service_that_leads_nowhere_says_why() {
        let airflow = json!({"app": "airflow"});
        let message = |verdict: Option<Verdict>| verdict.map(|verdict| verdict.message);
        assert_eq!(message(judged(&airflow, &json!("http"), "True")), None);
        assert_eq!(message(judged(&airflow, &json!(8080), "True")), None);
        let nobody = judged(&json!({"app": "nobody"}), &json!("http"), "True");
        assert_eq!(message(nobody).unwrap(), "it leads to no pod: none has the labels `app=nobody`");
        let wrong = judged(&airflow, &json!(9999), "True").unwrap();
        assert_eq!(wrong.message, "its port 8080 leads to port 9999, on which nothing listens");
        assert_eq!(wrong.evidence, ["pod `airflow-1` listens on 8080 `http`"]);
        assert!(judged(&airflow, &json!("web"), "True").is_some());
        assert_eq!(message(judged(&airflow, &json!(9999), "False")), None, "the pod is the cause");
    }

    #[test]
    fn a_service_that_is_not_there_is_said_to_be() {
        let expected = Expected { environment: "airflow-cluster", namespace: "airflow-cluster", workloads: &[] };
        let verdict = judge(expected, "web", 8080, None, &[]).unwrap();
        assert_eq!(verdict.line(), "service `web`: it is not there");
    }
}
