//! A namespace that is being deleted: what keeps it, and waiting until it is gone.

use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use kube::api::Api;
use kube::runtime::watcher;

use super::verdict::{Verdict, is_held, judge_namespace};
use super::workload::Expected;
use super::{Cluster, observe};
use crate::error::{During, Failure, Kind};

impl Cluster {
    /// What is to be said of the environment's namespace where it is being deleted: a terminal verdict where somebody's finalizer keeps it.
    ///
    /// # Errors
    /// The API server does not answer.
    pub async fn leaving_namespace(&self, expected: Expected<'_>) -> Result<Option<Verdict>, Failure> {
        let name = expected.namespace;
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        let found = namespaces.get_opt(name).await;
        let found = found.during(Kind::Cluster, format!("cannot look at the namespace `{name}`"))?;
        let Some(leaving) = found.filter(|namespace| namespace.metadata.deletion_timestamp.is_some()) else {
            return Ok(None);
        };
        let doing = format!("cannot look at what is left in the namespace `{name}`");
        let objects = self.objects_in(name).await.during(Kind::Cluster, doing)?;
        Ok(judge_namespace(expected, &leaving, &objects))
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
