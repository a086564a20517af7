//! A Helm release as Helm itself keeps it: a Secret for each revision, with labels that tell its state.
//!
//! The labels `owner`, `name`, `status` and `version` are those of Helm's own storage driver for Secrets, in Helm 3 and 4 alike (helm/helm,
//! `pkg/storage/driver/secrets.go`). Reading them costs one request instead of a process.

use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use futures_util::future::try_join_all;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Api, ListParams, Patch, PatchParams};
use serde::Deserialize;
use serde_json::json;

use super::Cluster;
use super::owner::{ID_LABEL, Owner, foreign, label};
use super::removal::this_very;
use super::verdict::judge_release;
use super::workload::{Expected, Workload, WorkloadKind};
use crate::codes::Code;
use crate::error::{During, Failure, Kind};

/// The label that says what a revision was installed from: a digest of chart and values.
pub const INPUTS_LABEL: &str = "windtunnel-inputs";

/// How much of what Helm keeps of a revision is read, in bytes: more is none of Helm's.
const LARGEST: u64 = 64 * 1024 * 1024;

/// The newest revision of a release.
#[derive(Clone, Debug)]
pub struct Revision {
    /// Counts from 1.
    pub number: u32,
    /// `deployed`, `failed`, `pending-install`, `pending-upgrade`, …
    pub status: String,
    /// What it was installed from: the value of [`INPUTS_LABEL`].
    pub inputs: Option<String>,
    /// The environment that the release was installed for: the value of [`ID_LABEL`], which Helm hands on from revision to revision.
    id: Option<String>,
    /// Whether windtunnel installed any revision that is still there: those of before there were ids are known by that.
    is_windtunnels: bool,
    secret: ObjectMeta,
}

impl Revision {
    /// Whether Helm was stopped in the middle of it, which makes every later Helm refuse to work on the release.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.status.starts_with("pending-")
    }

    /// Whether windtunnel began it, which then was cut short: whoever has the environment's lock is the only one.
    #[must_use]
    pub const fn was_begun_here(&self) -> bool {
        self.inputs.is_some()
    }

    /// Whether the release is an environment's own.
    #[must_use]
    fn is_of(&self, owner: Owner<'_>) -> bool {
        match &self.id {
            Some(id) => Some(id.as_str()) == owner.id,
            None => self.is_windtunnels,
        }
    }
}

/// What Helm keeps of a revision, as far as it tells a person whose it is, and what was installed (helm/helm, `pkg/release`).
#[derive(Default, Deserialize)]
#[serde(default)]
struct Kept {
    chart: KeptChart,
    info: KeptInfo,
    manifest: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct KeptChart {
    metadata: KeptChartMetadata,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct KeptChartMetadata {
    name: String,
    version: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct KeptInfo {
    first_deployed: String,
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
        Ok(newest(list.items.into_iter().map(|secret| secret.metadata)))
    }

    /// The same of a release that must be the environment's own if it is there.
    ///
    /// # Errors
    /// The API server does not answer; foreign, where the release is somebody else's, with what is known of it.
    pub async fn own_release(
        &self,
        namespace: &str,
        release: &str,
        owner: Owner<'_>,
    ) -> Result<Option<Revision>, Failure> {
        let newest = self.release(namespace, release).await?;
        self.demand_own(namespace, release, owner, newest).await
    }

    /// The newest revision of a release as it was found, which must be the environment's own.
    ///
    /// # Errors
    /// Foreign, where the release is somebody else's, with what is known of it; chart, where a Helm of theirs is at work on it or was stopped.
    pub async fn demand_own(
        &self,
        namespace: &str,
        release: &str,
        owner: Owner<'_>,
        newest: Option<Revision>,
    ) -> Result<Option<Revision>, Failure> {
        match newest {
            Some(revision) if !revision.is_of(owner) => {
                let expected = Expected { environment: owner.environment, namespace, workloads: &[] };
                Err(match pending_elsewhere(expected, release, &revision) {
                    Some(failure) => failure,
                    None => self.foreign_release(namespace, release, owner, &revision).await,
                })
            }
            found => Ok(found),
        }
    }

    /// Those of the releases that are there, all of them the environment's own.
    ///
    /// # Errors
    /// As [`Cluster::own_release`].
    pub async fn own_releases(
        &self,
        namespace: &str,
        releases: &[String],
        owner: Owner<'_>,
    ) -> Result<Vec<String>, Failure> {
        let found = releases.iter().map(|release| self.own_release(namespace, release, owner));
        let found = try_join_all(found).await?;
        Ok(releases.iter().zip(found).filter(|(_, found)| found.is_some()).map(|(name, _)| name.clone()).collect())
    }

    /// That a release is somebody else's: which chart, which revision, since when.
    async fn foreign_release(&self, namespace: &str, release: &str, owner: Owner<'_>, revision: &Revision) -> Failure {
        // What cannot be read only makes the words fewer.
        let kept = self.kept(namespace, revision).await.unwrap_or_default();
        let KeptChartMetadata { name: chart, version } = kept.chart.metadata;
        let mut words = vec![format!("revision {}", revision.number), revision.status.clone()];
        if !chart.is_empty() {
            words.insert(0, format!("chart {chart} {version}"));
        }
        let made = || revision.secret.creation_timestamp.as_ref().map(|made| made.0.to_string());
        let since = Some(kept.info.first_deployed).filter(|time| !time.is_empty()).or_else(made);
        words.extend(since.map(|since| format!("there since {since}")));
        let whose = match &revision.id {
            Some(id) => format!("belongs to another environment, with the id {id}"),
            None => "was not installed by windtunnel".to_owned(),
        };
        let message = format!("the Helm release `{release}` in the namespace `{namespace}` {whose}");
        Failure::new(Kind::Foreign, message)
            .code(Code::ObjectForeign)
            .evidence(words.join(", "))
            .hint(format!(
                "it stays as it is; install `{}` under another name: `windtunnel up --name NAME`",
                owner.environment
            ))
            .hint("or in another namespace: `windtunnel up --namespace NAME`")
    }

    /// What the newest revision of a release is made of, as YAML documents; empty where Helm kept nothing that can be read.
    ///
    /// # Errors
    /// The API server does not answer.
    pub(super) async fn manifest(&self, namespace: &str, release: &str) -> Result<String, Failure> {
        let Some(revision) = self.release(namespace, release).await? else { return Ok(String::new()) };
        let kept = self.kept(namespace, &revision).await;
        Ok(kept.during(Kind::Cluster, format!("cannot read the Helm release `{release}`"))?.manifest)
    }

    /// What Helm keeps of a revision; nothing where that is gone or is none of Helm's.
    async fn kept(&self, namespace: &str, revision: &Revision) -> kube::Result<Kept> {
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        let secret = secrets.get_opt(revision.secret.name.as_deref().unwrap_or_default()).await?;
        Ok(secret.as_ref().and_then(unpacked).unwrap_or_default())
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

    /// Deletes those of the Jobs that are there, with their pods: Kubernetes lets nobody change what a Job runs. `release`, which made
    /// them, is the environment's own.
    ///
    /// # Errors
    /// The API server refuses; foreign, where a Job of that name is somebody else's.
    pub async fn delete_jobs(
        &self,
        namespace: &str,
        names: &[String],
        release: &str,
        owner: Owner<'_>,
    ) -> Result<(), Failure> {
        let jobs: Api<Job> = Api::namespaced(self.client.clone(), namespace);
        let releases = [release.to_owned()];
        for name in names {
            let doing = || format!("cannot delete the Job `{name}`");
            let Some(job) = jobs.get_metadata_opt(name).await.during(Kind::Cluster, doing())? else { continue };
            if !owner.has(&job.metadata, &releases) {
                return Err(foreign(&format!("the Job `{name}`"), namespace, &job.metadata));
            }
            match jobs.delete(name, &this_very(&job.metadata)).await {
                Err(kube::Error::Api(status)) if status.code == 404 => {}
                deleted => drop(deleted.during(Kind::Cluster, doing())?),
            }
        }
        Ok(())
    }

    /// Forgets what the newest revision of a release was installed from: the next `up` runs Helm, which undoes what was changed since.
    ///
    /// # Errors
    /// The API server refuses; foreign, where the release is somebody else's.
    pub async fn forget_inputs(&self, namespace: &str, release: &str, owner: Owner<'_>) -> Result<(), Failure> {
        let Some(revision) = self.own_release(namespace, release, owner).await? else { return Ok(()) };
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        // The one mark of ours that a release of before there were ids has goes: it gets the other one.
        let patch = json!({"metadata": {"labels": {INPUTS_LABEL: null, ID_LABEL: owner.id}}});
        let secret = revision.secret.name.unwrap_or_default();
        let patched = secrets.patch_metadata(&secret, &PatchParams::default(), &Patch::Merge(&patch)).await;
        patched.map(drop).during(Kind::Cluster, format!("cannot write the Helm release `{release}`"))
    }

    /// Forgets a revision that Helm was stopped in, so that it can be installed again over what it made already.
    ///
    /// # Errors
    /// The API server refuses.
    pub async fn forget_revision(&self, namespace: &str, revision: &Revision) -> Result<(), Failure> {
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        let secret = revision.secret.name.as_deref().unwrap_or_default();
        secrets
            .delete(secret, &this_very(&revision.secret))
            .await
            .map(drop)
            .during(Kind::Cluster, format!("cannot remove the interrupted Helm revision {}", revision.number))
    }
}

/// That somebody else's Helm is at work on a release or was stopped in the middle of it, if so.
#[must_use]
pub fn pending_elsewhere(expected: Expected<'_>, release: &str, newest: &Revision) -> Option<Failure> {
    judge_release(expected, release, newest).map(|verdict| Failure { kind: Kind::Chart, ..verdict.into() })
}

/// The label by which Helm's revisions are known as the environment's, as `helm --labels` takes it.
#[must_use]
pub fn mark(owner: Owner<'_>) -> Option<String> {
    owner.id.map(|id| format!("{ID_LABEL}={id}"))
}

/// The newest of a release's revisions, and whose they are. A hand that ran an old Helm may have lost the labels of the last one.
pub(super) fn newest(secrets: impl IntoIterator<Item = ObjectMeta>) -> Option<Revision> {
    let mut revisions: Vec<Revision> = secrets.into_iter().filter_map(revision).collect();
    revisions.sort_by_key(|revision| revision.number);
    let id = revisions.iter().rev().find_map(|revision| revision.id.clone());
    let is_windtunnels = revisions.iter().any(|revision| revision.is_windtunnels);
    revisions.pop().map(|newest| Revision { id, is_windtunnels, ..newest })
}

fn revision(secret: ObjectMeta) -> Option<Revision> {
    let own = |key| label(&secret, key).map(str::to_owned);
    let inputs = own(INPUTS_LABEL);
    Some(Revision {
        number: label(&secret, "version")?.parse().ok()?,
        status: own("status")?,
        is_windtunnels: inputs.is_some(),
        inputs,
        id: own(ID_LABEL),
        secret,
    })
}

/// What Helm wrote of a revision: JSON, by gzip, in base64.
fn unpacked(secret: &Secret) -> Option<Kept> {
    let text = secret.data.as_ref()?.get("release")?;
    let packed = STANDARD.decode(&text.0).ok()?;
    let mut json = Vec::new();
    GzDecoder::new(packed.as_slice()).take(LARGEST).read_to_end(&mut json).ok()?;
    serde_json::from_slice(&json).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEMO: Owner<'_> = Owner { environment: "demo", id: Some("1") };

    fn secret(version: u32, more: &[(&str, &str)]) -> ObjectMeta {
        let number = version.to_string();
        let own = [("owner", "helm"), ("name", "demo"), ("status", "deployed"), ("version", number.as_str())];
        let labels = own.iter().chain(more).map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        ObjectMeta { labels: Some(labels.collect()), ..ObjectMeta::default() }
    }

    #[test]
    fn the_newest_revision_is_read_from_helms_labels() {
        let pending = secret(12, &[("status", "pending-upgrade"), (INPUTS_LABEL, "abc")]);
        let found = newest([pending, secret(3, &[])]).unwrap();
        assert_eq!((found.number, found.inputs.as_deref()), (12, Some("abc")));
        assert!(found.is_pending() && found.was_begun_here());
        let no_revision =
            ObjectMeta { labels: Some([("owner".to_owned(), "helm".to_owned())].into()), ..secret(1, &[]) };
        assert!(newest(std::iter::once(no_revision)).is_none());
    }

    #[test]
    fn a_release_is_the_environments_by_its_id_or_by_the_mark_of_before_there_were_ids() {
        let of = |secrets: &[ObjectMeta]| newest(secrets.iter().cloned()).unwrap().is_of(DEMO);
        let before = secret(1, &[(INPUTS_LABEL, "abc")]);
        assert!(of(&[secret(1, &[(ID_LABEL, "1")])]));
        assert!(of(&[before.clone(), secret(2, &[])]), "a restore took the mark off the newest one");
        assert!(!of(&[secret(1, &[])]), "somebody's own");
        assert!(!of(&[before, secret(2, &[(ID_LABEL, "2")])]), "another environment's");
    }
}
