//! A namespace that is being deleted: what keeps it, and waiting until it is gone.

use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use kube::api::Api;
use kube::runtime::watcher;

use super::namespace::named;
use super::{Cluster, observe};
use crate::error::{During, Failure, Kind};

/// An object that stays until somebody takes its finalizer off.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Held {
    /// The object, as `kind/name`.
    pub object: String,
    /// The finalizer.
    pub finalizer: String,
}

impl Cluster {
    /// The objects of a namespace that are deleted and held by a finalizer which no part of Kubernetes takes off.
    ///
    /// # Errors
    /// The API server does not answer.
    pub async fn held_objects(&self, namespace: &str) -> Result<Vec<Held>, Failure> {
        let doing = format!("cannot look at what is left in the namespace `{namespace}`");
        let objects = self.objects_in(namespace).await.during(Kind::Cluster, doing)?;
        let deleted = objects.into_iter().filter(|(_, metadata)| metadata.deletion_timestamp.is_some());
        let held = deleted.flat_map(|(kind, metadata)| {
            let object = named(&kind, metadata.name.as_deref().unwrap_or_default());
            let foreign = metadata.finalizers.into_iter().flatten().filter(|finalizer| !is_kubernetes_own(finalizer));
            foreign.map(move |finalizer| Held { object: object.clone(), finalizer }).collect::<Vec<_>>()
        });
        Ok(held.collect())
    }

    /// Waits until a namespace is gone, or nothing but somebody's finalizer keeps it, for at most `deadline`; whether one of these came.
    pub async fn await_termination(&self, namespace: &str, deadline: Duration) -> bool {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        let only = watcher::Config::default().fields(&format!("metadata.name={namespace}"));
        observe::until(namespaces, only, deadline, |found| found.iter().all(|namespace| is_held(namespace)))
            .await
            .is_ok()
    }
}

/// Whether the namespace's controller has come to finalizers that it waits for (kubernetes,
/// `pkg/controller/namespace/deletion/status_condition_utils.go`).
fn is_held(namespace: &Namespace) -> bool {
    let conditions = namespace.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let remaining = conditions
        .filter(|condition| condition.type_ == "NamespaceFinalizersRemaining" && condition.status == "True")
        .filter_map(|condition| condition.message.as_deref()?.split_once("remaining: "));
    // `example.com/hold in 1 resource instances, kubernetes.io/pvc-protection in 2 resource instances`
    let mut finalizers =
        remaining.flat_map(|(_, list)| list.split(", ")).filter_map(|entry| entry.split(" in ").next());
    finalizers.any(|finalizer| !is_kubernetes_own(finalizer))
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

    #[test]
    fn a_namespace_is_held_by_somebodys_finalizer_alone() {
        let namespace = |status: &str, finalizers: &str| -> Namespace {
            let message = format!("Some content in the namespace has finalizers remaining: {finalizers}");
            let condition = json!({"type": "NamespaceFinalizersRemaining", "status": status, "message": message, "reason": "", "lastTransitionTime": null});
            serde_json::from_value(json!({"metadata": {"name": "a"}, "status": {"conditions": [condition]}})).unwrap()
        };
        let (own, foreign) =
            ("kubernetes.io/pvc-protection in 1 resource instances", "example.com/hold in 1 resource instances");
        assert!(is_held(&namespace("True", &format!("{own}, {foreign}"))));
        assert!(!is_held(&namespace("True", own)) && !is_held(&namespace("False", foreign)));
        assert!(!is_held(&Namespace::default()));
    }

    #[test]
    fn kubernetes_takes_off_its_own_finalizers() {
        for own in ["foregroundDeletion", "kubernetes.io/pvc-protection", "batch.kubernetes.io/job-tracking"] {
            assert!(is_kubernetes_own(own), "{own}");
        }
        assert!(!is_kubernetes_own("example.com/hold") && !is_kubernetes_own("notkubernetes.io/hold"));
    }
}
