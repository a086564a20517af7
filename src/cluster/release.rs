//! A Helm release as Helm itself keeps it: a Secret for each revision, with labels that tell its state.
//!
//! The labels `owner`, `name`, `status` and `version` are those of Helm's own storage driver for Secrets, in Helm 3 and 4 alike (helm/helm,
//! `pkg/storage/driver/secrets.go`). Reading them costs one request instead of a process.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams};
use serde_json::json;

use super::Cluster;
use super::workload::{Workload, WorkloadKind};
use crate::error::{During, Failure, Kind};

/// The label that says what a revision was installed from: a digest of chart and values.
pub const INPUTS_LABEL: &str = "windtunnel-inputs";

/// The newest revision of a release.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Revision {
    /// Counts from 1.
    pub number: u32,
    /// `deployed`, `failed`, `pending-install`, `pending-upgrade`, …
    pub status: String,
    /// What it was installed from: the value of [`INPUTS_LABEL`].
    pub inputs: Option<String>,
    secret: String,
}

impl Revision {
    /// Whether Helm was stopped in the middle of it, which makes every later Helm refuse to work on the release.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.status.starts_with("pending-")
    }

    /// Whether windtunnel began it, which then was cut short: whoever has the environment's lock is the only one.
    #[must_use]
    pub const fn is_ours(&self) -> bool {
        self.inputs.is_some()
    }
}

impl Cluster {
    /// The newest revision of a release, if there is any.
    ///
    /// # Errors
    /// The API server does not answer.
    pub async fn release(&self, namespace: &str, release: &str) -> Result<Option<Revision>, Failure> {
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        let selector = ListParams::default().labels(&format!("owner=helm,name={release}"));
        let list = secrets
            .list_metadata(&selector)
            .await
            .during(Kind::Cluster, format!("cannot read the Helm release `{release}`"))?;
        Ok(newest(list.items.into_iter().filter_map(|secret| Some((secret.metadata.name?, secret.metadata.labels?)))))
    }

    /// Whether all of a release's workloads exist: somebody may have deleted one since Helm made it.
    ///
    /// # Errors
    /// The API server does not answer.
    pub async fn has_workloads(&self, namespace: &str, workloads: &[Workload]) -> Result<bool, Failure> {
        let needed = workloads.iter().filter(|workload| !workload.optional);
        let exists = needed.map(|workload| async move {
            let doing = || format!("cannot look at {}", workload.name);
            match workload.kind {
                WorkloadKind::Deployment => {
                    let api: Api<Deployment> = Api::namespaced(self.client.clone(), namespace);
                    api.get_metadata_opt(&workload.name)
                        .await
                        .during(Kind::Cluster, doing())
                        .map(|found| found.is_some())
                }
                // One that is complete may be removed at any time.
                WorkloadKind::Job => Ok(true),
                WorkloadKind::StatefulSet => {
                    let api: Api<StatefulSet> = Api::namespaced(self.client.clone(), namespace);
                    api.get_metadata_opt(&workload.name)
                        .await
                        .during(Kind::Cluster, doing())
                        .map(|found| found.is_some())
                }
            }
        });
        Ok(try_join_all(exists).await?.into_iter().all(|exists| exists))
    }

    /// Deletes those of the Jobs that are there, with their pods: Kubernetes lets nobody change what a Job runs.
    ///
    /// # Errors
    /// The API server refuses.
    pub async fn delete_jobs(&self, namespace: &str, names: &[String]) -> Result<(), Failure> {
        let jobs: Api<Job> = Api::namespaced(self.client.clone(), namespace);
        for name in names {
            match jobs.delete(name, &DeleteParams::background()).await {
                Err(kube::Error::Api(status)) if status.code == 404 => {}
                deleted => drop(deleted.during(Kind::Cluster, format!("cannot delete the Job `{name}`"))?),
            }
        }
        Ok(())
    }

    /// Forgets what the newest revision of a release was installed from: the next `up` runs Helm, which undoes what was changed since.
    ///
    /// # Errors
    /// The API server refuses.
    pub async fn forget_inputs(&self, namespace: &str, release: &str) -> Result<(), Failure> {
        let Some(revision) = self.release(namespace, release).await? else { return Ok(()) };
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        let patch = json!({"metadata": {"labels": {INPUTS_LABEL: null}}});
        let patched = secrets.patch_metadata(&revision.secret, &PatchParams::default(), &Patch::Merge(&patch)).await;
        patched.map(drop).during(Kind::Cluster, format!("cannot write the Helm release `{release}`"))
    }

    /// Forgets a revision that Helm was stopped in, so that it can be installed again over what it made already.
    ///
    /// # Errors
    /// The API server refuses.
    pub async fn forget_revision(&self, namespace: &str, revision: &Revision) -> Result<(), Failure> {
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        secrets
            .delete(&revision.secret, &DeleteParams::default())
            .await
            .map(drop)
            .during(Kind::Cluster, format!("cannot remove the interrupted Helm revision {}", revision.number))
    }
}

/// The newest of the revisions that are in Secrets of these names and labels.
pub(super) fn newest(secrets: impl IntoIterator<Item = (String, BTreeMap<String, String>)>) -> Option<Revision> {
    let revisions = secrets.into_iter().filter_map(|(secret, labels)| revision(secret, &labels));
    revisions.max_by_key(|revision| revision.number)
}

fn revision(secret: String, labels: &BTreeMap<String, String>) -> Option<Revision> {
    Some(Revision {
        number: labels.get("version")?.parse().ok()?,
        status: labels.get("status")?.clone(),
        inputs: labels.get(INPUTS_LABEL).cloned(),
        secret,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
        entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_revision_is_read_from_helms_labels() {
        let labels = labels(&[
            ("owner", "helm"),
            ("name", "a"),
            ("status", "pending-upgrade"),
            ("version", "12"),
            (INPUTS_LABEL, "abc"),
        ]);
        let found = revision("sh.helm.release.v1.a.v12".to_owned(), &labels).unwrap();
        assert_eq!((found.number, found.inputs.as_deref()), (12, Some("abc")));
        assert!(found.is_pending());
    }

    #[test]
    fn a_secret_without_helms_labels_is_no_revision() {
        assert_eq!(revision("x".to_owned(), &labels(&[("owner", "helm")])), None);
    }
}
