//! A copy of an environment's record in its own cluster, for the day on which this machine has lost it.

use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, ListParams};

use super::Cluster;
use super::owner::ENVIRONMENT_LABEL;
use crate::error::{During, Failure, Kind};
use crate::state::{FORMAT, Record};

/// The entry that holds it.
const ENTRY: &str = "record";

/// The name of the Secret. The user's own values, which may hold a password, are a part of it.
#[must_use]
pub fn record_secret(environment: &str) -> String {
    format!("{environment}-record")
}

impl Cluster {
    /// Keeps a copy of the record.
    ///
    /// # Errors
    /// The API server refuses.
    pub async fn keep_record(&self, record: &Record) -> Result<(), Failure> {
        let text = serde_json::to_string(record).during(Kind::Bug, "cannot write the record")?;
        self.put_secret(&record.namespace, &record_secret(&record.name), record.into(), &[(ENTRY, text)]).await
    }

    /// The copies that environments of this name have here: in this namespace, or in whatever namespace they are, as far as this user may
    /// look.
    ///
    /// # Errors
    /// The API server does not answer, or this user may not list Secrets.
    pub async fn kept_records(
        &self,
        environment: &str,
        namespace: &str,
        extent: Extent,
    ) -> Result<Vec<Record>, Failure> {
        let ours = ListParams::default().labels(&format!("{ENVIRONMENT_LABEL}={environment}"));
        let here = Api::<Secret>::namespaced(self.client.clone(), namespace);
        let listed = match extent {
            Extent::Namespace => here.list(&ours).await,
            Extent::Cluster => match Api::<Secret>::all(self.client.clone()).list(&ours).await {
                Err(kube::Error::Api(status)) if status.is_forbidden() => here.list(&ours).await,
                listed => listed,
            },
        };
        let listed = listed.during(Kind::Cluster, "cannot list the Secrets")?;
        let name = record_secret(environment);
        let kept = listed.items.into_iter().filter(|found| found.metadata.name.as_ref() == Some(&name));
        let texts = kept.filter_map(|found| found.data?.remove(ENTRY));
        // One of a newer windtunnel is no more use than none.
        let records = texts.filter_map(|text| serde_json::from_slice::<Record>(&text.0).ok());
        Ok(records.filter(|record| record.format == FORMAT && record.name == environment).collect())
    }
}

/// Where copies are looked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Extent {
    /// In one namespace.
    Namespace,
    /// In all of them.
    Cluster,
}
