//! What outlives an Airflow of another's chart: the database, the volume for task logs, and Redis where Celery runs.
//!
//! The templates are those of the lite chart: one database, whichever stack it serves.

use serde_json::json;

use super::{Chart, HelmRelease, Inputs, Shape, credentials_secret, lite};
use crate::profile::Executor;

const CHART: [(&str, &str); 6] = [
    ("Chart.yaml", include_str!("../../profiles/data/Chart.yaml")),
    ("templates/_shared.tpl", include_str!("../../profiles/lite/templates/_shared.tpl")),
    ("templates/database.yaml", include_str!("../../profiles/lite/templates/database.yaml")),
    ("templates/logs.yaml", include_str!("../../profiles/lite/templates/logs.yaml")),
    ("templates/redis.yaml", include_str!("../../profiles/data/templates/redis.yaml")),
    ("values.yaml", lite::VALUES),
];

pub(super) fn release(inputs: &Inputs<'_>, shape: Shape<'_>) -> HelmRelease {
    let mut images = json!({"database": inputs.database_image});
    if let (Executor::Celery, Some(redis)) = (shape.executor, inputs.redis_image) {
        images["redis"] = json!(redis);
    }
    HelmRelease {
        name: shape.data_release(),
        chart: Chart::Embedded(CHART.to_vec()),
        values: json!({
            "environment": shape.name,
            "environmentId": shape.id.unwrap_or_default(),
            "airflowVersion": inputs.plan.profile.airflow.version,
            "credentialsSecret": credentials_secret(shape.name),
            "images": images,
        }),
        takes_user_values: false,
        replaced: Vec::new(),
    }
}
