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

    /// Waits until a namespace is gone, for at most `deadline`; whether it is.
    pub async fn await_no_namespace(&self, namespace: &str, deadline: Duration) -> bool {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        let only = watcher::Config::default().fields(&format!("metadata.name={namespace}"));
        observe::until(namespaces, only, deadline, <[_]>::is_empty).await.is_ok()
    }
}

/// Those that Kubernetes itself sets and takes off: without a domain, or with one of its own.
fn is_kubernetes_own(finalizer: &str) -> bool {
    let domain = finalizer.split_once('/').map_or("kubernetes.io", |(domain, _)| domain);
    domain == "kubernetes.io" || domain.ends_with(".kubernetes.io")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kubernetes_takes_off_its_own_finalizers() {
        for own in ["foregroundDeletion", "kubernetes.io/pvc-protection", "batch.kubernetes.io/job-tracking"] {
            assert!(is_kubernetes_own(own), "{own}");
        }
        assert!(!is_kubernetes_own("example.com/hold") && !is_kubernetes_own("notkubernetes.io/hold"));
    }
}
