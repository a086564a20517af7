//! A namespace that is being deleted, and what keeps it.
//!
//! Terminal where an object in it has a finalizer that no part of Kubernetes takes off; otherwise it may be gone in a moment. What the
//! namespace's controller says of it is evidence (kubernetes, `pkg/controller/namespace/deletion/status_condition_utils.go`).

use k8s_openapi::api::core::v1::{Namespace, NamespaceCondition};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::super::namespace::named;
use super::super::workload::Expected;
use super::Verdict;
use crate::codes::Code;

/// How many objects are named.
const NAMED: usize = 10;

/// Judges a namespace by what is in it: kind and metadata of each object.
pub(in crate::cluster) fn judge(
    expected: Expected<'_>,
    namespace: &Namespace,
    objects: &[(String, ObjectMeta)],
) -> Option<Verdict> {
    namespace.metadata.deletion_timestamp.as_ref()?;
    let verdict = |message: String| {
        Verdict::new(Code::NamespaceTerminating, format!("namespace `{}`", expected.namespace), message)
    };
    let elsewhere = "use another namespace: `windtunnel up --namespace NAME`";
    let held = held(objects);
    let Some((first, _)) = held.first() else {
        let verdict = verdict("it is being deleted".to_owned()).terminal_if(false);
        let verdict = troubles(namespace).fold(verdict, Verdict::evidence);
        return Some(verdict.hint(format!("run this again when it is gone, or {elsewhere}")));
    };
    let patch = format!("patch {first} --type merge --patch '{{\"metadata\":{{\"finalizers\":null}}}}'");
    let verdict = verdict(format!("it cannot be deleted: {first} is held by a finalizer"))
        .hint("bring back what takes the finalizer off; or, if it is gone for good, take it off yourself:")
        .hint(expected.kubectl(expected.namespace, &patch))
        .hint(format!("or {elsewhere}"));
    let lines = held.iter().take(NAMED).map(|(object, finalizer)| format!("{object}: finalizer {finalizer}"));
    Some(lines.fold(verdict, Verdict::evidence))
}

/// The objects that are deleted and held by a finalizer which no part of Kubernetes takes off, as `kind/name`, with the finalizer.
fn held(objects: &[(String, ObjectMeta)]) -> Vec<(String, &str)> {
    let deleted = objects.iter().filter(|(_, metadata)| metadata.deletion_timestamp.is_some());
    let held = deleted.flat_map(|(kind, metadata)| {
        let object = named(kind, metadata.name.as_deref().unwrap_or_default());
        let finalizers = metadata.finalizers.iter().flatten().map(String::as_str);
        finalizers.filter(|finalizer| !is_kubernetes_own(finalizer)).map(move |finalizer| (object.clone(), finalizer))
    });
    held.collect()
}

/// What the namespace's controller cannot do, as with an interface of the API server's whose own server is gone.
fn troubles(namespace: &Namespace) -> impl Iterator<Item = String> {
    let failed = conditions(namespace).filter(|condition| condition.type_.ends_with("Failure"));
    failed.filter_map(|condition| condition.message.clone())
}

/// Whether the namespace's controller has come to finalizers that it waits for.
pub(in crate::cluster) fn is_held(namespace: &Namespace) -> bool {
    let remaining = conditions(namespace)
        .filter(|condition| condition.type_ == "NamespaceFinalizersRemaining")
        .filter_map(|condition| condition.message.as_deref()?.split_once("remaining: "));
    // `example.com/hold in 1 resource instances, kubernetes.io/pvc-protection in 2 resource instances`
    let mut finalizers =
        remaining.flat_map(|(_, list)| list.split(", ")).filter_map(|entry| entry.split(" in ").next());
    finalizers.any(|finalizer| !is_kubernetes_own(finalizer))
}

/// Those that are true.
fn conditions(namespace: &Namespace) -> impl Iterator<Item = &NamespaceCondition> {
    let conditions = namespace.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.filter(|condition| condition.status == "True")
}

/// Those that Kubernetes itself sets and takes off: without a domain, or with one of its own.
fn is_kubernetes_own(finalizer: &str) -> bool {
    let domain = finalizer.split_once('/').map_or("kubernetes.io", |(domain, _)| domain);
    domain == "kubernetes.io" || domain.ends_with(".kubernetes.io")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const EXPECTED: Expected<'_> = Expected { environment: "airflow-cluster", namespace: "a", workloads: &[] };

    fn namespace(condition: &str, status: &str, message: &str) -> Namespace {
        let condition =
            json!({"type": condition, "status": status, "message": message, "reason": "", "lastTransitionTime": null});
        let metadata = json!({"name": "a", "deletionTimestamp": "2026-11-22T22:00:00Z"});
        serde_json::from_value(json!({"metadata": metadata, "status": {"conditions": [condition]}})).unwrap()
    }

    fn object(kind: &str, metadata: &serde_json::Value) -> (String, ObjectMeta) {
        (kind.to_owned(), serde_json::from_value(metadata.clone()).unwrap())
    }

    #[test]
    fn a_namespace_is_held_by_somebodys_finalizer_alone() {
        let namespace = |status: &str, finalizers: &str| {
            let message = format!("Some content in the namespace has finalizers remaining: {finalizers}");
            namespace("NamespaceFinalizersRemaining", status, &message)
        };
        let (own, foreign) =
            ("kubernetes.io/pvc-protection in 1 resource instances", "example.com/hold in 1 resource instances");
        assert!(is_held(&namespace("True", &format!("{own}, {foreign}"))));
        assert!(!is_held(&namespace("True", own)) && !is_held(&namespace("False", foreign)));
        assert!(!is_held(&Namespace::default()));
    }

    #[test]
    fn what_is_not_deleted_holds_nothing() {
        let deleted = "2026-11-22T22:00:01Z";
        let objects = [
            object("ConfigMap", &json!({"name": "stays", "finalizers": ["example.com/hold"]})),
            object("Pod", &json!({"name": "own", "finalizers": ["foregroundDeletion"], "deletionTimestamp": deleted})),
        ];
        let message = "Discovery failed for some groups: metrics.k8s.io/v1beta1: stale GroupVersion discovery";
        let leaving = namespace("NamespaceDeletionDiscoveryFailure", "True", message);
        let verdict = judge(EXPECTED, &leaving, &objects).unwrap();
        assert_eq!((verdict.terminal, verdict.evidence), (false, vec![message.to_owned()]));
        assert_eq!(judge(EXPECTED, &Namespace::default(), &objects), None);
        let held = [object("Pod", &json!({"name": "b", "finalizers": ["a.com/x"], "deletionTimestamp": deleted}))];
        let verdict = judge(EXPECTED, &leaving, &held).unwrap();
        assert_eq!((verdict.terminal, verdict.evidence), (true, vec!["pod/b: finalizer a.com/x".to_owned()]));
    }

    #[test]
    fn kubernetes_takes_off_its_own_finalizers() {
        for own in ["foregroundDeletion", "kubernetes.io/pvc-protection", "batch.kubernetes.io/job-tracking"] {
            assert!(is_kubernetes_own(own), "{own}");
        }
        assert!(!is_kubernetes_own("example.com/hold") && !is_kubernetes_own("notkubernetes.io/hold"));
    }
}
