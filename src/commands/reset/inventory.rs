//! What a reset takes and what it leaves, from what is really there, in words.

use crate::cluster::namespace::Holding;
use crate::cluster::removal::{Data, Extent};
use crate::plan::{ClusterPlan, Provider};
use crate::state::Record;

/// How many worker pods are named: there may be hundreds.
const NAMED: usize = 4;

/// What is there before a reset that leaves the cluster.
#[derive(Clone, Copy)]
pub(super) struct There<'a> {
    /// The Helm releases that go.
    pub(super) releases: &'a [String],
    /// All that is the environment's.
    pub(super) ours: &'a [Holding],
    /// What goes with the data, if they go.
    pub(super) data: &'a [Data],
    /// The volumes that outlive their claims, and these.
    pub(super) retained: &'a [(String, String)],
}

/// Two lists for a person.
pub(super) struct Inventory {
    pub(super) goes: Vec<String>,
    pub(super) stays: Vec<String>,
    what: &'static str,
}

impl Inventory {
    /// Of a reset that leaves the cluster.
    pub(super) fn in_cluster(record: &Record, extent: Extent, there: There<'_>) -> Self {
        let There { releases, ours, data, retained } = there;
        let (mut goes, mut stays) = (Vec::new(), Vec::new());
        for release in releases {
            // Helm's own records are no object of the person's.
            let is_of_it = |holding: &&Holding| holding.release.as_ref() == Some(release) && holding.kind != "secret";
            goes.push(match ours.iter().filter(is_of_it).count() {
                0 => format!("the Helm release {release}"),
                count => format!("the Helm release {release} with its {count} objects"),
            });
        }
        let is_worker = |holding: &&Holding| holding.kind == "pod" && !holding.is_owned && holding.release.is_none();
        let workers: Vec<&str> = ours.iter().filter(is_worker).map(|holding| holding.name.as_str()).collect();
        goes.extend(named("worker pods", &workers[..workers.len().min(NAMED)]).map(|line| {
            let more = workers.len().saturating_sub(NAMED);
            if more > 0 { format!("{line}, and {more} more") } else { line }
        }));
        // What goes with a release has been counted with it.
        let is_counted = |data: &Data| {
            let mut same = ours.iter().filter(|holding| holding.kind == data.kind && holding.name == data.name);
            same.any(|holding| holding.release.as_ref().is_some_and(|release| releases.contains(release)))
        };
        let of_kind = |kind: &str| -> Vec<&str> {
            let found = data.iter().filter(|data| data.kind == kind && !is_counted(data));
            found.map(|data| data.name.as_str()).collect()
        };
        let claims = of_kind("persistentvolumeclaim");
        let of_data = [
            named("volumes with database and task logs", &claims),
            named("ConfigMaps", &of_kind("configmap")),
            named("Secrets with keys, passwords and what windtunnel remembers", &of_kind("secret")),
        ];
        match extent {
            Extent::Release => stays.extend(of_data.into_iter().flatten()),
            Extent::Data => {
                goes.extend(of_data.into_iter().flatten());
                stays.extend(retained_lines(retained));
            }
        }
        stays.push(match record.cluster.provider() {
            Provider::Existing => format!("the cluster {} and all else in it", record.context),
            Provider::Kind | Provider::Minikube => format!("the cluster {} with its images", record.context),
        });
        stays.extend(dags(record));
        let what = match extent {
            Extent::Release => "Install Airflow anew in",
            Extent::Data => "Remove database, task logs and keys of",
        };
        Self { goes, stays, what }
    }

    /// Of a reset that takes the cluster, or all that the environment has in one that stays.
    pub(super) fn of_all(record: &Record, mut goes: Vec<String>, retained: Option<String>) -> Self {
        goes.push("keys and passwords".to_owned());
        let mut stays: Vec<String> = dags(record).into_iter().chain(retained).collect();
        stays.push(match &record.cluster {
            ClusterPlan::Existing { .. } => format!("the cluster {} and all else in it", record.context),
            _ => "images in the Docker Engine".to_owned(),
        });
        stays.push("the settings of the environment".to_owned());
        Self { goes, stays, what: "Remove the cluster with all data of" }
    }

    pub(super) fn question(&self, name: &str) -> String {
        format!("{} {name}?", self.what)
    }

    pub(super) fn lines(&self) -> String {
        let list = |title: &str, lines: &[String]| format!("{title}\n  {}\n", lines.join("\n  "));
        format!("{}{}", list("This goes:", &self.goes), list("This stays:", &self.stays))
    }
}

fn dags(record: &Record) -> Option<String> {
    let seen = record.cluster.provider().sees_dag_folder();
    seen.then(|| format!("your DAGs in {}", record.dags.display()))
}

/// The volumes that outlive their claims, for a person.
pub(in crate::commands) fn retained_lines(retained: &[(String, String)]) -> Option<String> {
    let names: Vec<String> = retained.iter().map(|(volume, claim)| format!("{volume} (of {claim})")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    named("PersistentVolumes with what is in them, whose policy is Retain", &names)
}

fn named(title: &str, names: &[&str]) -> Option<String> {
    (!names.is_empty()).then(|| format!("{title}: {}", names.join(", ")))
}
