//! A cluster that exists stays: what goes is what the environment brought into it.

use super::super::reset::inventory::retained_lines;
use crate::cluster::Cluster;
use crate::cluster::namespace::Holding;
use crate::cluster::removal::Extent;
use crate::error::Failure;
use crate::images::bundle::places_of;
use crate::state::{EnvironmentPaths, Record};
use crate::steps::remove_release::{self, Inventory, Removal};
use crate::surroundings::Surroundings;
use crate::tools::helm::Helm;
use crate::ui::Ui;

/// What there is of an environment in its cluster.
pub(in crate::commands) struct Existing {
    record: Record,
    /// `None` where not even a private kubeconfig was written yet.
    cluster: Option<Box<(Cluster, Inventory)>>,
    /// The volumes that outlive their claims, and these.
    retained: Vec<(String, String)>,
}

/// Looks what is there.
pub(super) async fn look(record: &Record, paths: &EnvironmentPaths) -> Result<Existing, Failure> {
    if !paths.kubeconfig().exists() {
        return Ok(Existing { record: record.clone(), cluster: None, retained: Vec::new() });
    }
    let cluster = Cluster::open(&paths.kubeconfig(), &record.context).await?;
    cluster.version().await.map_err(|failure| {
        failure
            .hint("what is in it can only be removed while it answers")
            .hint(format!("if it is gone for good, forget the environment: remove {}", paths.root().display()))
    })?;
    let inventory = remove_release::look(&cluster, record).await?;
    let retained = cluster.retained_volumes(&record.namespace).await?;
    Ok(Existing { record: record.clone(), cluster: Some(Box::new((cluster, inventory))), retained })
}

impl Existing {
    pub(super) fn what_goes(&self) -> Vec<String> {
        let Some((_, inventory)) = self.cluster.as_deref() else { return Vec::new() };
        let Record { namespace, context, .. } = &self.record;
        let is_claim = |holding: &&Holding| holding.kind == "persistentvolumeclaim";
        let claims: Vec<&str> = inventory.ours.iter().filter(is_claim).map(|holding| holding.name.as_str()).collect();
        let volumes =
            if claims.is_empty() { String::new() } else { format!(", volumes {} among them", claims.join(" and ")) };
        let objects = format!("{} objects in the namespace {namespace} of {context}{volumes}", inventory.ours.len());
        let namespace = inventory.namespace_goes.then(|| format!("the namespace {namespace} itself"));
        std::iter::once(objects).chain(namespace).collect()
    }

    pub(super) fn what_stays(&self) -> Option<String> {
        retained_lines(&self.retained)
    }

    pub(super) async fn remove(
        &self,
        paths: &EnvironmentPaths,
        surroundings: &Surroundings,
        ui: &Ui,
    ) -> Result<(), Failure> {
        let Some((cluster, inventory)) = self.cluster.as_deref() else { return Ok(()) };
        let helm = Helm::find(&places_of(self.record.bundle.as_deref(), "helm", surroundings), ui).await?;
        let removal = Removal { cluster, record: &self.record, paths, helm: &helm, ui };
        removal.remove(Extent::Data).await?;
        removal.remove_namespace(inventory).await
    }
}
