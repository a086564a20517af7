//! The images that a chart's manifests name. Pure.

use serde::Deserialize;
use serde_json::Value;

use crate::error::{During, Failure, Kind};

/// Where a pod lists its containers.
const CONTAINERS: [&str; 3] = ["initContainers", "containers", "ephemeralContainers"];

/// A container's name and its image.
pub type Named = (String, String);

/// The images in all pods, jobs and templates of pods, in their order, each once. Worker pods are in a `ConfigMap`, as text.
///
/// # Errors
/// The text is not YAML.
pub fn images(manifests: &str) -> Result<Vec<Named>, Failure> {
    let mut found = Vec::new();
    for document in serde_yaml::Deserializer::from_str(manifests) {
        let object = Value::deserialize(document).during(Kind::Chart, "Helm's manifests cannot be read")?;
        collect(&object, &mut found);
        let data = object.get("data").filter(|_| object["kind"] == "ConfigMap").and_then(Value::as_object);
        for text in data.into_iter().flatten().filter_map(|(_, text)| text.as_str()) {
            // Any file may be in there; only one that is a pod counts.
            let pod: Value = serde_yaml::from_str(text).unwrap_or_default();
            if pod["kind"] == "Pod" {
                collect(&pod, &mut found);
            }
        }
    }
    Ok(found)
}

fn collect(object: &Value, found: &mut Vec<Named>) {
    match object {
        Value::Object(map) => {
            for container in CONTAINERS.iter().filter_map(|key| map.get(*key)?.as_array()).flatten() {
                let name = container["name"].as_str().unwrap_or_default();
                let image = container["image"].as_str().unwrap_or_default();
                if !image.is_empty() && !found.iter().any(|(_, known)| known == image) {
                    found.push((name.to_owned(), image.to_owned()));
                }
            }
            map.iter()
                .filter(|(key, _)| !CONTAINERS.contains(&key.as_str()))
                .for_each(|(_, value)| collect(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_container_counts_once_wherever_it_is() {
        let manifests = r"
apiVersion: apps/v1
kind: Deployment
spec: {template: {spec: {initContainers: [{name: wait, image: 'airflow:1'}], containers: [{name: web, image: 'airflow:1'}]}}}
---
# only a comment
---
kind: CronJob
spec: {jobTemplate: {spec: {template: {spec: {containers: [{name: clean, image: 'busybox:1'}]}}}}}
---
kind: ConfigMap
data:
  pod_template.yaml: |
    kind: Pod
    spec:
      containers: [{name: base, image: 'worker:2'}]
  airflow.cfg: '[core]'
  broken.yaml: '{'
";
        let named = |name: &str, image: &str| (name.to_owned(), image.to_owned());
        let expected = [named("wait", "airflow:1"), named("clean", "busybox:1"), named("base", "worker:2")];
        assert_eq!(images(manifests).unwrap(), expected);
        assert_eq!(images("{").unwrap_err().kind, Kind::Chart);
    }
}
