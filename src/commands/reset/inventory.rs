//! What a reset takes and what it leaves, from what is really there, in words.

use crate::cluster::namespace::Holding;
use crate::cluster::removal::Extent;
use crate::plan::{ClusterPlan, Provider};
use crate::stacks;
use crate::state::Record;

/// How many names stand in one line.
const NAMED: usize = 4;

/// Two lists for a person.
pub(super) struct Inventory {
    pub(super) goes: Vec<String>,
    pub(super) stays: Vec<String>,
    what: &'static str,
}

impl Inventory {
    /// Of a reset that leaves the cluster; `releases` are the Helm releases that go.
    pub(super) fn in_cluster(record: &Record, extent: Extent, releases: &[String], ours: &[Holding]) -> Self {
        let (mut goes, mut stays) = (Vec::new(), Vec::new());
        for release in releases {
            // Helm's own records are no object of the person's.
            let is_of_it = |holding: &&Holding| holding.release.as_ref() == Some(release) && holding.kind != "secret";
            goes.push(match ours.iter().filter(is_of_it).count() {
                0 => format!("the Helm release {release}"),
                count => format!("the Helm release {release} with its {count} objects"),
            });
        }
        goes.extend(named("worker pods", ours, |holding| {
            holding.kind == "pod" && !holding.is_owned && holding.release.is_none()
        }));
        let claims =
            named("volumes with database and task logs", ours, |holding| holding.kind == "persistentvolumeclaim");
        let secret = stacks::credentials_secret(&record.name);
        let keys = named("keys and passwords", ours, |holding| holding.kind == "secret" && holding.name == secret);
        let of_data = claims.into_iter().chain(keys);
        match extent {
            Extent::Release => stays.extend(of_data),
            Extent::Data => goes.extend(of_data),
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
    pub(super) fn of_all(record: &Record, mut goes: Vec<String>) -> Self {
        goes.push("keys and passwords".to_owned());
        let mut stays: Vec<String> = dags(record).into_iter().collect();
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

fn named(title: &str, ours: &[Holding], which: impl Fn(&Holding) -> bool) -> Option<String> {
    let names: Vec<&str> = ours.iter().filter(|holding| which(holding)).map(|holding| holding.name.as_str()).collect();
    if names.is_empty() {
        return None;
    }
    let more = names.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    Some(format!("{title}: {}{more}", names[..names.len().min(NAMED)].join(", ")))
}
