//! What pods ask for: processors and memory, as the scheduler counts them. Pure.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{During, Failure, Kind};

/// The annotation by which Helm runs an object beside the release.
const HOOK: &str = "helm.sh/hook";

/// Processors and memory.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Amount {
    /// Thousandths of a processor.
    pub millicores: u64,
    /// Bytes.
    pub memory: u64,
}

impl Amount {
    /// Both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            millicores: self.millicores.saturating_add(other.millicores),
            memory: self.memory.saturating_add(other.memory),
        }
    }

    /// What is left of it, at least nothing.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self {
            millicores: self.millicores.saturating_sub(other.millicores),
            memory: self.memory.saturating_sub(other.memory),
        }
    }

    /// So often.
    #[must_use]
    pub const fn times(self, count: u64) -> Self {
        Self { millicores: self.millicores.saturating_mul(count), memory: self.memory.saturating_mul(count) }
    }

    /// The larger one of each.
    #[must_use]
    pub fn or_more(self, other: Self) -> Self {
        Self { millicores: self.millicores.max(other.millicores), memory: self.memory.max(other.memory) }
    }

    /// Of a map of quantities: a node's `allocatable`, a container's `requests`.
    #[must_use]
    pub fn of(quantities: &Value) -> Self {
        let read = |name: &str, scale| quantity(&quantities[name], scale).unwrap_or_default();
        Self { millicores: read("cpu", 1000), memory: read("memory", 1) }
    }
}

/// Pods of one kind.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Pods {
    /// What makes them: `Deployment airflow-cluster-scheduler`.
    pub of: String,
    /// How many there are as long as the release is; 0 for those that come and go.
    pub count: u64,
    /// What each asks for.
    pub each: Amount,
}

/// All that stay, together.
#[must_use]
pub fn total(pods: &[Pods]) -> Amount {
    pods.iter().fold(Amount::default(), |sum, pods| sum.plus(pods.each.times(pods.count)))
}

/// The pods of a chart's manifests. Jobs and hooks come and go. A pod in a `ConfigMap` is the template of worker pods, of which one is
/// counted where `has_workers`.
///
/// # Errors
/// The text is not YAML.
pub fn of_manifests(manifests: &str, has_workers: bool) -> Result<Vec<Pods>, Failure> {
    let mut found = Vec::new();
    for document in serde_yaml::Deserializer::from_str(manifests) {
        let object = Value::deserialize(document).during(Kind::Chart, "Helm's manifests cannot be read")?;
        collect(&object, has_workers, &mut found);
    }
    Ok(found)
}

fn collect(object: &Value, has_workers: bool, found: &mut Vec<Pods>) {
    let kind = object["kind"].as_str().unwrap_or_default();
    let spec = &object["spec"];
    let is_hook = !object["metadata"]["annotations"][HOOK].is_null();
    let (count, pod) = match kind {
        "Deployment" | "StatefulSet" | "ReplicaSet" => (spec["replicas"].as_u64().unwrap_or(1), &spec["template"]),
        // One on each node; a cluster that windtunnel makes has one.
        "DaemonSet" => (1, &spec["template"]),
        "Pod" => (1, object),
        "Job" => (0, &spec["template"]),
        "CronJob" => (0, &spec["jobTemplate"]["spec"]["template"]),
        "List" => {
            return object["items"].as_array().into_iter().flatten().for_each(|item| collect(item, has_workers, found));
        }
        "ConfigMap" => return found.extend(template(object, has_workers)),
        _ => return,
    };
    let of = format!("{kind} {}", object["metadata"]["name"].as_str().unwrap_or_default());
    found.push(Pods { of, count: if is_hook { 0 } else { count }, each: of_pod(&pod["spec"]) });
}

/// The template of worker pods, where the map has one.
fn template(object: &Value, has_workers: bool) -> Option<Pods> {
    let texts = object["data"].as_object()?.values().filter_map(Value::as_str);
    // Any file may be in there; only one that is a pod counts.
    let mut pods = texts.filter_map(|text| serde_yaml::from_str::<Value>(text).ok());
    let pod = pods.find(|pod| pod["kind"] == "Pod")?;
    Some(Pods { of: "worker pod".to_owned(), count: u64::from(has_workers), each: of_pod(&pod["spec"]) })
}

/// What a pod asks for: its containers and the init containers that go on beside them together, or the most that one init container takes
/// with those that go on before it, whichever is more; or what the pod itself asks for; and its overhead (Kubernetes' documentation,
/// "Init Containers", "Sidecar Containers", "Assign Pod-level resources").
#[must_use]
pub fn of_pod(spec: &Value) -> Amount {
    let list = |name: &str| spec[name].as_array().map(Vec::as_slice).unwrap_or_default();
    let (mut beside, mut most) = (Amount::default(), Amount::default());
    for container in list("initContainers") {
        if container["restartPolicy"] == "Always" {
            beside = beside.plus(of_resources(&container["resources"]));
        } else {
            most = most.or_more(beside.plus(of_resources(&container["resources"])));
        }
    }
    let all =
        list("containers").iter().map(|container| of_resources(&container["resources"])).fold(beside, Amount::plus);
    let (containers, own) = (most.or_more(all.or_more(beside)), of_resources(&spec["resources"]));
    let either = |own: u64, containers: u64| if own > 0 { own } else { containers };
    let asked = Amount {
        millicores: either(own.millicores, containers.millicores),
        memory: either(own.memory, containers.memory),
    };
    asked.plus(Amount::of(&spec["overhead"]))
}

/// Without a request the limit is one.
fn of_resources(resources: &Value) -> Amount {
    let (requests, limits) = (&resources["requests"], &resources["limits"]);
    let read = |name: &str, scale| quantity(&requests[name], scale).or_else(|| quantity(&limits[name], scale));
    Amount { millicores: read("cpu", 1000).unwrap_or_default(), memory: read("memory", 1).unwrap_or_default() }
}

/// A quantity `scale` times, rounded up, as the API server does (Kubernetes' API reference, "Quantity"). `None` for what is none.
fn quantity(value: &Value, scale: u128) -> Option<u64> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let end = text.find(|character: char| !character.is_ascii_digit() && character != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits: u128 = format!("{whole}{fraction}").parse().ok()?;
    let (binary, exponent): (u128, i32) = match suffix {
        "" => (1, 0),
        "n" => (1, -9),
        "u" => (1, -6),
        "m" => (1, -3),
        "k" => (1, 3),
        "M" => (1, 6),
        "G" => (1, 9),
        "T" => (1, 12),
        "P" => (1, 15),
        "E" => (1, 18),
        "Ki" => (1 << 10, 0),
        "Mi" => (1 << 20, 0),
        "Gi" => (1 << 30, 0),
        "Ti" => (1 << 40, 0),
        "Pi" => (1 << 50, 0),
        "Ei" => (1 << 60, 0),
        _ => (1, suffix.strip_prefix(['e', 'E'])?.parse().ok()?),
    };
    let exponent = exponent - i32::try_from(fraction.len()).ok()?;
    let power = 10_u128.checked_pow(exponent.unsigned_abs())?;
    let scaled = digits.checked_mul(binary)?.checked_mul(scale)?;
    let result = if exponent < 0 { scaled.div_ceil(power) } else { scaled.checked_mul(power)? };
    u64::try_from(result).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const MIB: u64 = 1 << 20;

    const fn amount(millicores: u64, mebibytes: u64) -> Amount {
        Amount { millicores, memory: mebibytes * MIB }
    }

    #[test]
    fn quantities_are_read_in_every_form() {
        for (value, processors, bytes) in [
            (json!("250m"), Some(250), Some(1)),
            (json!("1"), Some(1000), Some(1)),
            (json!(2), Some(2000), Some(2)),
            (json!(0.5), Some(500), Some(1)),
            (json!("0.29"), Some(290), Some(1)),
            (json!("1.5Gi"), None, Some(3 << 29)),
            (json!("64Mi"), None, Some(64 * MIB)),
            (json!("128Ki"), None, Some(128 << 10)),
            (json!("512k"), None, Some(512_000)),
            (json!("1G"), None, Some(1_000_000_000)),
            (json!("12e6"), None, Some(12_000_000)),
            (json!("1E3"), None, Some(1000)),
            (json!("5e-1"), Some(500), Some(1)),
            (json!("1E"), None, Some(1_000_000_000_000_000_000)),
            (json!("100n"), Some(1), Some(1)),
            (json!(" 3 "), Some(3000), Some(3)),
        ] {
            if let Some(processors) = processors {
                assert_eq!(quantity(&value, 1000), Some(processors), "{value}");
            }
            assert_eq!(quantity(&value, 1), bytes, "{value}");
        }
        for nonsense in [json!(null), json!(""), json!("much"), json!("1x"), json!("-1"), json!("1.2.3"), json!("9e99")]
        {
            assert_eq!(quantity(&nonsense, 1), None, "{nonsense}");
        }
    }

    fn container(cpu: &str, memory: &str) -> Value {
        json!({"resources": {"requests": {"cpu": cpu, "memory": memory}}})
    }

    #[test]
    fn a_pod_asks_for_what_it_needs_at_its_hungriest() {
        let mut sidecar = container("50m", "64Mi");
        sidecar["restartPolicy"] = "Always".into();
        let containers = json!([container("100m", "256Mi"), container("200m", "128Mi"), {"name": "without"}]);
        let cases = [
            (json!({"containers": containers}), amount(300, 384)),
            (json!({"containers": containers, "initContainers": [container("250m", "1Gi")]}), amount(300, 1024)),
            (json!({"containers": containers, "initContainers": [sidecar]}), amount(350, 448)),
            // The sidecar runs already when the second one begins, and not yet when the first one does.
            (
                json!({"containers": [], "initContainers": [container("1", "1Mi"), sidecar, container("10m", "1Gi")]}),
                amount(1000, 1088),
            ),
            (json!({"containers": [{"resources": {"limits": {"cpu": 1, "memory": "1Gi"}}}]}), amount(1000, 1024)),
            (
                json!({"containers": containers, "resources": {"requests": {"memory": "2Gi"}}, "overhead": {"cpu": "10m"}}),
                amount(310, 2048),
            ),
            (json!({}), amount(0, 0)),
        ];
        for (spec, expected) in cases {
            assert_eq!(of_pod(&spec), expected, "{spec}");
        }
    }

    #[test]
    fn the_pods_of_manifests_are_counted_by_what_makes_them() {
        let manifests = r"
kind: Deployment
metadata: {name: web}
spec: {replicas: 2, template: {spec: {containers: [{resources: {requests: {cpu: 100m, memory: 384Mi}}}]}}}
---
# only a comment
---
kind: StatefulSet
metadata: {name: database}
spec: {template: {spec: {containers: [{resources: {requests: {memory: 128Mi}}}]}}}
---
kind: Deployment
metadata: {name: asleep}
spec: {replicas: 0, template: {spec: {containers: [{resources: {requests: {memory: 64Gi}}}]}}}
---
kind: List
items: [{kind: DaemonSet, metadata: {name: each}, spec: {template: {spec: {containers: [{resources: {requests: {cpu: 1}}}]}}}}]
---
kind: Job
metadata: {name: migrate}
spec: {template: {spec: {containers: [{resources: {requests: {memory: 2Gi}}}]}}}
---
kind: CronJob
metadata: {name: clean}
spec: {jobTemplate: {spec: {template: {spec: {containers: [{resources: {requests: {memory: 3Gi}}}]}}}}}
---
kind: Pod
metadata: {name: test, annotations: {helm.sh/hook: test}}
spec: {containers: [{resources: {requests: {memory: 4Gi}}}]}
---
kind: ConfigMap
metadata: {name: settings}
data:
  broken.yaml: '{'
  pod_template.yaml: |
    kind: Pod
    spec: {containers: [{resources: {requests: {cpu: 50m, memory: 256Mi}}}]}
";
        let pods = of_manifests(manifests, true).unwrap();
        let counted: Vec<_> = pods.iter().map(|pods| (pods.of.as_str(), pods.count)).collect();
        let expected = [
            ("Deployment web", 2),
            ("StatefulSet database", 1),
            ("Deployment asleep", 0),
            ("DaemonSet each", 1),
            ("Job migrate", 0),
            ("CronJob clean", 0),
            ("Pod test", 0),
            ("worker pod", 1),
        ];
        assert_eq!(counted, expected);
        assert_eq!(total(&pods), amount(1250, 2 * 384 + 128 + 256));
        assert_eq!(total(&of_manifests(manifests, false).unwrap()), amount(1200, 2 * 384 + 128));
        assert_eq!(of_manifests("{", true).unwrap_err().kind, Kind::Chart);
    }
}
