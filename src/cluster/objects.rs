//! The objects of an environment as the API server has them, for a report. No `ConfigMaps`; Secrets only to know what must not be in it.

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Event, LimitRange, Node, PersistentVolumeClaim, Pod, ResourceQuota, Secret, Service};
use kube::api::ListParams;
use kube::{Api, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use tokio::time::timeout;

use super::Cluster;
use super::survey::PATIENCE;
use crate::error::{During, Failure, Kind, sentence};

/// Every kind that tells how an environment is, as lists by their plural names. What cannot be listed is told in the place of its list.
pub async fn of_namespace(cluster: &Cluster, namespace: &str) -> Value {
    let client = || cluster.client.clone();
    let (pods, events, claims, services) = tokio::join!(
        list::<Pod>(Api::namespaced(client(), namespace)),
        list::<Event>(Api::namespaced(client(), namespace)),
        list::<PersistentVolumeClaim>(Api::namespaced(client(), namespace)),
        list::<Service>(Api::namespaced(client(), namespace)),
    );
    let (deployments, replica_sets, stateful_sets, jobs) = tokio::join!(
        list::<Deployment>(Api::namespaced(client(), namespace)),
        list::<ReplicaSet>(Api::namespaced(client(), namespace)),
        list::<StatefulSet>(Api::namespaced(client(), namespace)),
        list::<Job>(Api::namespaced(client(), namespace)),
    );
    let (quotas, limits, nodes) = tokio::join!(
        list::<ResourceQuota>(Api::namespaced(client(), namespace)),
        list::<LimitRange>(Api::namespaced(client(), namespace)),
        list::<Node>(Api::all(client())),
    );
    let all = [pods, events, claims, services, deployments, replica_sets, stateful_sets, jobs, quotas, limits, nodes];
    Value::Object(all.into_iter().collect::<Map<_, _>>())
}

/// What is in the Secrets of a namespace, as far as it is text: a map of keys and values for each.
///
/// # Errors
/// The API server refuses or does not answer.
pub async fn secrets(cluster: &Cluster, namespace: &str) -> Result<Vec<Value>, Failure> {
    let doing = || format!("cannot list the Secrets of namespace `{namespace}`");
    let secrets: Api<Secret> = Api::namespaced(cluster.client.clone(), namespace);
    let listed = timeout(PATIENCE, secrets.list(&ListParams::default())).await.during(Kind::Cluster, doing())?;
    let listed = listed.during(Kind::Cluster, doing())?;
    let texts = |secret: Secret| {
        let data = secret.data.unwrap_or_default().into_iter();
        data.filter_map(|(key, value)| Some((key, Value::from(String::from_utf8(value.0).ok()?)))).collect()
    };
    Ok(listed.items.into_iter().map(|secret| Value::Object(texts(secret))).collect())
}

async fn list<K>(api: Api<K>) -> (String, Value)
where
    K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + DeserializeOwned + Serialize,
{
    let items = match timeout(PATIENCE, api.list(&ListParams::default())).await {
        Ok(Ok(listed)) => Value::Array(listed.items.iter().map(shown).collect()),
        Ok(Err(error)) => json!({"cannot be listed": sentence(error.to_string())}),
        Err(_) => json!({"cannot be listed": format!("no answer within {} s", PATIENCE.as_secs())}),
    };
    (K::plural(&()).into_owned(), items)
}

/// Without who wrote which field when, which nobody reads.
fn shown(object: &impl Serialize) -> Value {
    let mut value = serde_json::to_value(object).expect("objects of the API are plain data with text keys");
    if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    value
}
