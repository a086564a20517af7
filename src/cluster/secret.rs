//! The Secrets that hold an environment's keys and passwords in the cluster.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, Patch, PatchParams};
use serde_json::{Map, Value, json};

use super::owner::{Owner, foreign};
use super::{Cluster, FIELD_MANAGER};
use crate::error::{During, Failure, Kind};
use crate::state::Credentials;

impl Cluster {
    /// The credentials in the cluster, if they are there and complete.
    ///
    /// # Errors
    /// The API server does not answer; foreign, where a Secret of that name is not of this environment.
    pub async fn credentials(
        &self,
        namespace: &str,
        secret: &str,
        owner: Owner<'_>,
    ) -> Result<Option<Credentials>, Failure> {
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        let found =
            secrets.get_opt(secret).await.during(Kind::Cluster, format!("cannot read the Secret `{secret}`"))?;
        if let Some(found) = found.as_ref().filter(|found| !owner.owns(&found.metadata)) {
            return Err(foreign(&format!("the Secret `{secret}`"), namespace, &found.metadata));
        }
        let Some(data) = found.and_then(|secret| secret.data) else { return Ok(None) };
        Ok(Credentials::from_entries(|key| String::from_utf8(data.get(key)?.0.clone()).ok()))
    }

    /// The keys of a Secret; none where there is no such Secret.
    ///
    /// # Errors
    /// The API server does not answer.
    pub async fn secret_keys(&self, namespace: &str, secret: &str) -> Result<BTreeSet<String>, Failure> {
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        let found =
            secrets.get_opt(secret).await.during(Kind::Cluster, format!("cannot read the Secret `{secret}`"))?;
        Ok(found.and_then(|secret| secret.data).into_iter().flat_map(BTreeMap::into_keys).collect())
    }

    /// Writes a Secret into the cluster.
    ///
    /// # Errors
    /// The API server refuses; foreign, where a Secret of that name is not of this environment.
    pub async fn put_secret(
        &self,
        namespace: &str,
        secret: &str,
        owner: Owner<'_>,
        entries: &[(&'static str, String)],
    ) -> Result<(), Failure> {
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        let doing = || format!("cannot write the Secret `{secret}`");
        let found = secrets.get_metadata_opt(secret).await.during(Kind::Cluster, doing())?;
        if let Some(found) = found.filter(|found| !owner.owns(&found.metadata)) {
            return Err(foreign(&format!("the Secret `{secret}`"), namespace, &found.metadata));
        }
        let entries: Map<String, Value> =
            entries.iter().map(|(key, value)| ((*key).to_owned(), value.as_str().into())).collect();
        let object = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": secret, "labels": owner.labels()},
            "stringData": entries,
        });
        secrets
            .patch(secret, &PatchParams::apply(FIELD_MANAGER).force(), &Patch::Apply(&object))
            .await
            .map(drop)
            .during(Kind::Cluster, doing())
    }
}
