//! A copy of an environment's record in its own cluster, for the day on which this machine has lost it.

use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, ListParams};

use super::Cluster;
use super::namespace::ENVIRONMENT_LABEL;
use crate::error::{During, Failure, Kind};
use crate::state::{FORMAT, Record};

/// The entry that holds it.
const ENTRY: &str = "record";

/// The name of the Secret. The user's own values, which may hold a password, are a part of it.
fn secret(environment: &str) -> String {
    format!("{environment}-record")
}

impl Cluster {
    /// Keeps a copy of the record.
    ///
    /// # Errors
    /// The API server refuses.
    pub async fn keep_record(&self, record: &Record) -> Result<(), Failure> {
        let text = serde_json::to_string(record).during(Kind::Bug, "cannot write the record")?;
        self.put_secret(&record.namespace, &secret(&record.name), &record.name, &[(ENTRY, text)]).await
    }

    /// The copy that an environment has here, in whatever namespace it is; for who may not look everywhere, in this one.
    ///
    /// # Errors
    /// The API server does not answer, or this user may not list Secrets.
    pub async fn kept_record(&self, environment: &str, namespace: &str) -> Result<Option<Record>, Failure> {
        let ours = ListParams::default().labels(&format!("{ENVIRONMENT_LABEL}={environment}"));
        let listed = match Api::<Secret>::all(self.client.clone()).list(&ours).await {
            Err(kube::Error::Api(status)) if status.is_forbidden() => {
                Api::<Secret>::namespaced(self.client.clone(), namespace).list(&ours).await
            }
            listed => listed,
        };
        let listed = listed.during(Kind::Cluster, "cannot list the Secrets")?;
        let name = secret(environment);
        let kept = listed.items.into_iter().find(|found| found.metadata.name.as_ref() == Some(&name));
        let text = kept.and_then(|found| found.data?.remove(ENTRY));
        // One of a newer windtunnel is no more use than none.
        let record: Option<Record> = text.and_then(|text| serde_json::from_slice(&text.0).ok());
        Ok(record.filter(|record| record.format == FORMAT && record.name == environment))
    }
}
