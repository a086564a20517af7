//! What a namespace has under the names of an environment, before anything is done for that.

use std::fmt::Debug;

use futures_util::future::try_join_all;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Api, ListParams, Patch, PatchParams};
use kube::core::NamespaceResourceScope;
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::Cluster;
use super::owner::{ENVIRONMENT_LABEL, ID_LABEL, Owner, foreign, label};
use crate::error::{During, Failure, Kind};

/// The mark of an environment's name on a Secret: every environment has some.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mark {
    /// The Secret.
    pub secret: String,
    /// The environment's id; `None` where it was made before there were ids.
    pub id: Option<String>,
    /// When the Secret was made.
    pub made: Option<Timestamp>,
}

impl Cluster {
    /// The marks of an environment's name in a namespace. `secrets` and `config_maps` are the names of what will be written there.
    ///
    /// # Errors
    /// The API server does not answer; foreign, where one of those names is taken by an object of nobody's or another environment's name.
    pub async fn marks(
        &self,
        namespace: &str,
        environment: &str,
        secrets: &[String],
        config_maps: &[String],
    ) -> Result<Vec<Mark>, Failure> {
        let doing = || format!("cannot look at the namespace `{namespace}`");
        let is_named = |metadata: &ObjectMeta| label(metadata, ENVIRONMENT_LABEL) == Some(environment);
        let api: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        let listed = api.list_metadata(&ListParams::default()).await.during(Kind::Cluster, doing())?;
        let mut marks = Vec::new();
        for metadata in listed.items.into_iter().map(|secret| secret.metadata) {
            let name = metadata.name.clone().unwrap_or_default();
            if is_named(&metadata) {
                let id = label(&metadata, ID_LABEL).map(str::to_owned);
                let made = metadata.creation_timestamp.map(|made| made.0);
                marks.push(Mark { secret: name, id, made });
            } else if secrets.contains(&name) {
                return Err(foreign(&format!("the Secret `{name}`"), namespace, &metadata));
            }
        }
        let api: Api<ConfigMap> = Api::namespaced(self.client.clone(), namespace);
        let found = try_join_all(config_maps.iter().map(|name| api.get_metadata_opt(name)));
        for config_map in found.await.during(Kind::Cluster, doing())?.into_iter().flatten() {
            if !is_named(&config_map.metadata) {
                let name = config_map.metadata.name.as_deref().unwrap_or_default();
                return Err(foreign(&format!("the ConfigMap `{name}`"), namespace, &config_map.metadata));
            }
        }
        Ok(marks)
    }

    /// Gives the id to what Helm leaves and its own templates cannot name: the claims that a StatefulSet made, and the Secrets and `ConfigMaps`
    /// of an environment that was made before there were ids.
    ///
    /// # Errors
    /// The API server refuses.
    pub async fn mark_kept(&self, namespace: &str, owner: Owner<'_>) -> Result<(), Failure> {
        tokio::try_join!(
            self.mark::<PersistentVolumeClaim>(namespace, owner),
            self.mark::<Secret>(namespace, owner),
            self.mark::<ConfigMap>(namespace, owner),
        )
        .map(drop)
    }

    async fn mark<K>(&self, namespace: &str, owner: Owner<'_>) -> Result<(), Failure>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
    {
        let objects: Api<K> = Api::namespaced(self.client.clone(), namespace);
        let doing = || format!("cannot label the {} of `{}`", K::plural(&()), owner.environment);
        let of_environment = ListParams::default().labels(&format!("{ENVIRONMENT_LABEL}={}", owner.environment));
        let patch = json!({"metadata": {"labels": {ID_LABEL: owner.id}}});
        for object in objects.list_metadata(&of_environment).await.during(Kind::Cluster, doing())? {
            if label(&object.metadata, ID_LABEL).is_some() {
                continue;
            }
            match objects.patch_metadata(&object.name_any(), &PatchParams::default(), &Patch::Merge(&patch)).await {
                Err(kube::Error::Api(status)) if status.is_not_found() => {}
                patched => drop(patched.during(Kind::Cluster, doing())?),
            }
        }
        Ok(())
    }
}
