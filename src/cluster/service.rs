//! Whether a Service leads to pods, asked once.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{Pod, Service};
use kube::Api;
use kube::api::ListParams;
use tokio::time::timeout;

use super::Cluster;
use super::survey::PATIENCE;
use super::verdict::{Verdict, judge_service};
use super::workload::Expected;
use crate::error::{During, Failure, Kind};

impl Cluster {
    /// Why this port of a Service leads to no pod; none where it does, or where no pod is ready.
    ///
    /// # Errors
    /// The API server does not answer within 10 s, or refuses.
    pub async fn misled_service(
        &self,
        expected: Expected<'_>,
        name: &str,
        port: u16,
    ) -> Result<Option<Verdict>, Failure> {
        let services: Api<Service> = Api::namespaced(self.client.clone(), expected.namespace);
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), expected.namespace);
        let doing = || format!("cannot look at the service `{name}`");
        let all = ListParams::default();
        let asked = async { tokio::try_join!(services.get_opt(name), pods.list(&all)) };
        let (service, pods) =
            timeout(PATIENCE, asked).await.during(Kind::Cluster, doing())?.during(Kind::Cluster, doing())?;
        let pods: Vec<Arc<Pod>> = pods.items.into_iter().map(Arc::new).collect();
        Ok(judge_service(expected, name, port, service.as_ref(), &pods))
    }
}
