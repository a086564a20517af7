//! A copy of an environment's record in its own cluster, for the day on which this machine has lost it.

use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, ListParams};

use super::Cluster;
use super::owner::ENVIRONMENT_LABEL;
use crate::error::{During, Failure, Kind};
use crate::state::Record;
use crate::state::document::{self, Trouble};

/// The entry that holds it.
const ENTRY: &str = "record";

/// The name of the Secret. The user's own values, which may hold a password, are a part of it.
#[must_use]
pub fn record_secret(environment: &str) -> String {
    format!("{environment}-record")
}

impl Cluster {
    /// Keeps a copy of the record, in the place of the one that is there.
    ///
    /// # Errors
    /// The API server refuses; usage, where a newer windtunnel wrote the one that is there.
    pub async fn keep_record(&self, record: &Record) -> Result<(), Failure> {
        let text = document::text(record)?;
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), &record.namespace);
        let there = secrets
            .get_opt(&record_secret(&record.name))
            .await
            .during(Kind::Cluster, "cannot look at the kept record")?;
        there.and_then(entry).map_or(Ok(None), |there| read(&there, &record.name))?;
        self.put_secret(&record.namespace, &record_secret(&record.name), record.into(), &[(ENTRY, text)]).await
    }

    /// The copies that environments of this name have here: in this namespace, or in whatever namespace they are, as far as this user may
    /// look.
    ///
    /// # Errors
    /// The API server does not answer, or this user may not list Secrets; usage, where a newer windtunnel wrote a copy.
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
        kept.filter_map(entry).filter_map(|text| read(&text, environment).transpose()).collect()
    }
}

fn entry(kept: Secret) -> Option<Vec<u8>> {
    Some(kept.data?.remove(ENTRY)?.0)
}

/// A copy that is damaged is no more use than none: the next `up` writes it anew.
fn read(text: &[u8], environment: &str) -> Result<Option<Record>, Failure> {
    match document::parse::<Record>(text) {
        Ok(record) => Ok(Some(record).filter(|record| record.name == environment)),
        Err(Trouble::Damaged(_)) => Ok(None),
        Err(newer @ Trouble::Newer { .. }) => Err(newer.of(&format!("the record of `{environment}` in its cluster"))),
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
