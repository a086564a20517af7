//! The community's chart 8.x: what a plan means in its values.
//!
//! The base is what the chart's `sample-values-KubernetesExecutor.yaml` sets otherwise than its `values.yaml` (8.9.0): the executor, no
//! workers, no flower, no Redis, no examples and no exposed configuration. Where an object must be named, it is `<release>-<part>`.

use serde_json::{Map, Value, json};

use super::services::{DATABASE_PORT, REDIS_PORT};
use super::{
    BASIC_AUTH, BOTH, BOTH_DAGS, BOTH_SMOKE, Inputs, Shape, credentials_secret, from_secret, pod_user, requests,
    split_image,
};
use crate::cluster::workload::Workload;
use crate::profile::Executor;

/// What the containers below ask for, with one worker and the database.
pub(super) const MEMORY_REQUEST: u64 = 1600 * 1024 * 1024;

/// Everything that must be ready; what the user's values leave out is not waited for.
pub(super) fn workloads(shape: Shape<'_>) -> Vec<Workload> {
    let deployment = |part| Workload::deployment(shape.part(part));
    let mut workloads = shape.data_workloads();
    workloads.extend([
        // Migrations are a Deployment that stays, and so are the users: the chart has no Job that Helm would wait for.
        deployment("db-migrations").optional(),
        deployment("pgbouncer").optional(),
        deployment("web"),
        deployment("scheduler"),
        deployment("triggerer").optional(),
        deployment("sync-users").optional(),
        deployment("sync-connections").optional(),
        deployment("sync-pools").optional(),
        deployment("sync-variables").optional(),
        deployment("flower").optional(),
    ]);
    if shape.executor == Executor::Celery {
        workloads.push(Workload::stateful_set(shape.part("worker")).optional());
    }
    workloads
}

/// The values, without those of the profile.
pub(super) fn values(inputs: &Inputs<'_>, shape: Shape<'_>) -> Map<String, Value> {
    let (repository, tag) = split_image(inputs.airflow_image);
    let secret = credentials_secret(shape.name);
    let celery = shape.executor == Executor::Celery;
    // Worker pods have no owner: by these they are known as the environment's.
    let labels = shape.marks();
    let mut values = json!({
        "airflow": {
            "executor": shape.executor.airflow_name(),
            "image": {"repository": repository, "tag": tag, "pullPolicy": "IfNotPresent", "uid": pod_user(inputs.user), "gid": 0},
            "config": config(),
            // Empty, so that the public keys of the chart do not stand beside those that come from the Secret.
            "fernetKey": "",
            "webserverSecretKey": "",
            "extraEnv": [
                from_secret("AIRFLOW__CORE__FERNET_KEY", &secret, "fernet-key"),
                from_secret("AIRFLOW__WEBSERVER__SECRET_KEY", &secret, "webserver-secret-key"),
                {"name": "PYTHONPATH", "value": BOTH_DAGS},
            ],
            "users": [{
                "username": crate::state::USER,
                "password": "${WINDTUNNEL_ADMIN_PASSWORD}",
                "role": "Admin",
                "email": "admin@example.com",
                "firstName": "Air",
                "lastName": "Flow",
            }],
            "usersTemplates": {"WINDTUNNEL_ADMIN_PASSWORD": {"kind": "secret", "name": secret, "key": "admin-password"}},
            "extraVolumes": [
                inputs.dags_volume("windtunnel-dags"),
                inputs.smoke_volume("windtunnel-smoke"),
                {"name": "windtunnel-logs", "persistentVolumeClaim": {"claimName": shape.logs()}},
            ],
            "extraVolumeMounts": [
                {"name": "windtunnel-dags", "mountPath": BOTH_DAGS, "readOnly": true},
                {"name": "windtunnel-smoke", "mountPath": BOTH_SMOKE, "readOnly": true},
                {"name": "windtunnel-logs", "mountPath": "/opt/airflow/logs"},
            ],
            "kubernetesPodTemplate": {"podLabels": labels, "resources": requests(50, 256)},
            "dbMigrations": {"podLabels": labels, "resources": requests(50, 64)},
            "sync": {"podLabels": labels, "resources": requests(50, 64)},
        },
        "dags": {"path": BOTH},
        "web": {
            "podLabels": labels,
            "service": {"type": "NodePort"},
            "resources": requests(150, 512),
            "readinessProbe": {"enabled": true, "initialDelaySeconds": 5, "periodSeconds": 5, "timeoutSeconds": 20, "failureThreshold": 60},
            "livenessProbe": {"enabled": true, "initialDelaySeconds": 120, "periodSeconds": 20, "timeoutSeconds": 20, "failureThreshold": 10},
        },
        "scheduler": {
            // It may not run beside a volume for the logs, by the chart's own rule.
            "logCleanup": {"enabled": false},
            "livenessProbe": {"enabled": true, "initialDelaySeconds": 60, "periodSeconds": 120, "timeoutSeconds": 60, "failureThreshold": 5},
            "podLabels": labels,
            "resources": requests(100, 320),
        },
        "triggerer": {
            "livenessProbe": {"enabled": true, "initialDelaySeconds": 60, "periodSeconds": 120, "timeoutSeconds": 60, "failureThreshold": 5},
            "podLabels": labels,
            "resources": requests(50, 256),
        },
        "workers": {"enabled": celery},
        "flower": {"enabled": false},
        "redis": {"enabled": false},
        "pgbouncer": {"enabled": false},
        "postgresql": {"enabled": false},
        "externalDatabase": {
            "type": "postgres",
            "host": shape.database(),
            "port": DATABASE_PORT,
            "database": "airflow",
            "user": "airflow",
            "passwordSecret": secret,
            "passwordSecretKey": "database-password",
        },
    });
    if celery {
        values["workers"] = json!({"enabled": true, "replicas": 1, "podLabels": labels, "logCleanup": {"enabled": false}, "resources": requests(50, 256)});
        // Airflow's own 16 are as many processes, each with all of Airflow in it, before there is a task.
        values["airflow"]["config"]["AIRFLOW__CELERY__WORKER_CONCURRENCY"] =
            values["airflow"]["config"]["AIRFLOW__CORE__PARALLELISM"].clone();
        values["externalRedis"] = json!({
            "host": shape.redis(), "port": REDIS_PORT, "databaseNumber": 1, "passwordSecret": secret, "passwordSecretKey": "database-password",
        });
    }
    match values {
        Value::Object(values) => values,
        _ => Map::new(),
    }
}

fn config() -> Value {
    json!({
        "AIRFLOW__API__AUTH_BACKENDS": BASIC_AUTH,
        // The name of the one before it, until Airflow 2.2.
        "AIRFLOW__API__AUTH_BACKEND": "airflow.api.auth.backend.basic_auth",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__KUBERNETES__WORKER_PODS_CREATION_BATCH_SIZE": "4",
        "AIRFLOW__LOGGING__COLORED_CONSOLE_LOG": "False",
        "AIRFLOW__SCHEDULER__DAG_DIR_LIST_INTERVAL": "5",
        "AIRFLOW__WEBSERVER__EXPOSE_CONFIG": "False",
    })
}
