//! Apache's chart: what a plan means in its values.
//!
//! The keys are those of chart 1.22.0's `values.yaml` and `values.schema.json`. Where an object must be named, the chart calls it
//! `<release>-<part>` (`airflow.fullname` in `templates/_helpers.yaml`).

use serde_json::{Map, Value, json};

use super::{
    BASIC_AUTH, BOTH, BOTH_DAGS, BOTH_SMOKE, Inputs, Shape, broker_secret, credentials_secret, from_secret, pod_user,
    requests, split_image,
};
use crate::cluster::workload::Workload;
use crate::profile::{Executor, Generation};

/// What the containers below ask for, with one worker and the database.
pub(super) const MEMORY_REQUEST: u64 = 1856 * 1024 * 1024;

const DAGS: &str = "/opt/airflow/dags";
const SMOKE: &str = "/opt/airflow/windtunnel";

/// Longer than the migration takes on a slow laptop: an init container that gives up is restarted, and looks broken.
const MIGRATION_SECONDS: u32 = 600;

/// The user is made by the chart's own Job. The password comes from the environment: in values it would be readable for whoever reads the release.
/// One word with its option, for a password of old may begin with a dash.
const CREATE_USER: &str = "airflow db check-migrations --migration-wait-timeout 600 \
    && exec airflow users create --role Admin --username admin --email admin@example.com \
    --firstname Air --lastname Flow --password=\"$WINDTUNNEL_ADMIN_PASSWORD\"";

pub(super) const fn web(generation: Generation) -> &'static str {
    match generation {
        Generation::Two => "webserver",
        Generation::Three => "api-server",
    }
}

/// Everything that must be ready; what the user's values leave out is not waited for.
pub(super) fn workloads(shape: Shape<'_>) -> Vec<Workload> {
    let deployment = |part| Workload::deployment(shape.part(part));
    let mut workloads = shape.data_workloads();
    workloads.extend([
        Workload::job(shape.part("run-airflow-migrations")),
        Workload::job(shape.part("create-user")),
        deployment(web(shape.generation)),
        deployment("scheduler"),
        deployment("dag-processor").optional(),
        deployment("triggerer").optional(),
    ]);
    if shape.executor == Executor::Celery {
        workloads.push(deployment("worker").optional());
    }
    workloads.extend([deployment("statsd").optional(), deployment("pgbouncer").optional()]);
    workloads
}

pub(super) fn replaced(shape: Shape<'_>) -> Vec<String> {
    vec![shape.part("run-airflow-migrations"), shape.part("create-user")]
}

/// The values, without those of the profile.
pub(super) fn values(inputs: &Inputs<'_>, shape: Shape<'_>) -> Map<String, Value> {
    let (repository, tag) = split_image(inputs.airflow_image);
    let secret = credentials_secret(shape.name);
    let image = json!({"repository": repository, "tag": tag, "pullPolicy": "IfNotPresent"});
    let mut values = json!({
        "airflowHome": "/opt/airflow",
        "airflowVersion": inputs.plan.profile.airflow.version,
        "defaultAirflowRepository": repository,
        "defaultAirflowTag": tag,
        "images": {"airflow": image, "pod_template": image, "migrationsWaitTimeout": MIGRATION_SECONDS},
        "executor": shape.executor.airflow_name(),
        "uid": pod_user(inputs.user),
        "gid": 0,
        // Worker pods have no owner: by this they are known as the environment's.
        "labels": shape.marks(),
        "enableServiceLinks": false,
        // Else the chart draws new keys in every upgrade: sessions end and running tasks are refused (apache/airflow#49871).
        "fernetKeySecretName": secret,
        "apiSecretKeySecretName": secret,
        "jwtSecretName": secret,
        "webserverSecretKeySecretName": secret,
        // Without a name for the broker's Secret the chart makes one in a hook, whatever the executor.
        "data": {"metadataSecretName": secret, "brokerUrlSecretName": secret},
        "postgresql": {"enabled": false},
        "redis": {"enabled": false},
        "statsd": {"enabled": false},
        // As hooks they would run only once the pods that wait for them are ready.
        "migrateDatabaseJob": {"useHelmHooks": false, "applyCustomEnv": false, "resources": requests(100, 64)},
        "createUserJob": {
            "useHelmHooks": false,
            "applyCustomEnv": false,
            "args": ["bash", "-c", CREATE_USER],
            "env": [from_secret("WINDTUNNEL_ADMIN_PASSWORD", &secret, "admin-password")],
            "resources": requests(50, 64),
        },
        "volumes": [
            inputs.dags_volume("windtunnel-dags"),
            inputs.smoke_volume("windtunnel-smoke"),
        ],
        "volumeMounts": [
            {"name": "windtunnel-dags", "mountPath": dags_path(shape.generation), "readOnly": true},
            {"name": "windtunnel-smoke", "mountPath": smoke_path(shape.generation), "readOnly": true},
        ],
        "logs": {"persistence": {"enabled": true, "existingClaim": shape.logs()}},
        "config": config(shape),
        "apiServer": web_values(384),
        "webserver": web_values(384),
        "scheduler": {
            "startupProbe": {"failureThreshold": 60},
            "livenessProbe": heartbeat(),
            "logGroomerSidecar": {"enabled": true},
            "resources": requests(100, 384),
        },
        // One groomer is enough for the one volume that all of them write to.
        "dagProcessor": {"livenessProbe": heartbeat(), "logGroomerSidecar": {"enabled": false}, "resources": requests(50, 256)},
        "triggerer": {
            "persistence": {"enabled": false},
            "livenessProbe": heartbeat(),
            "logGroomerSidecar": {"enabled": false},
            "resources": requests(50, 256),
        },
        "workers": workers(shape),
    });
    if shape.generation == Generation::Two {
        // The user's modules are beside the user's DAGs, one folder below the one that Airflow adds by itself.
        values["env"] = json!([{"name": "PYTHONPATH", "value": BOTH_DAGS}]);
    } else {
        values["dagProcessor"]["dagBundleConfigList"] =
            json!([bundle("dags-folder", DAGS), bundle("windtunnel", SMOKE)]);
    }
    if shape.executor == Executor::Celery {
        values["data"]["brokerUrlSecretName"] = json!(broker_secret(shape.name));
    }
    match values {
        Value::Object(values) => values,
        _ => Map::new(),
    }
}

/// Airflow 2 reads one folder, and so gets one that has both in it.
const fn dags_path(generation: Generation) -> &'static str {
    match generation {
        Generation::Two => BOTH_DAGS,
        Generation::Three => DAGS,
    }
}

const fn smoke_path(generation: Generation) -> &'static str {
    match generation {
        Generation::Two => BOTH_SMOKE,
        Generation::Three => SMOKE,
    }
}

fn config(shape: Shape<'_>) -> Value {
    let mut config = json!({
        "core": {"parallelism": 4, "load_examples": "False"},
        "kubernetes_executor": {"worker_pods_creation_batch_size": 4},
        "logging": {"colored_console_log": "False"},
        "scheduler": {"task_queued_timeout": 1800},
    });
    match shape.generation {
        Generation::Two => {
            config["core"]["dags_folder"] = json!(BOTH);
            config["api"] = json!({"auth_backends": BASIC_AUTH});
            config["scheduler"]["dag_dir_list_interval"] = json!(5);
        }
        Generation::Three => {
            config["dag_processor"] = json!({"bundle_refresh_check_interval": 1, "min_file_process_interval": 60});
            config["execution_api"] = json!({"jwt_expiration_time": 3600});
        }
    }
    if shape.executor == Executor::Celery {
        // The chart's own 16 are as many processes, each with all of Airflow in it, before there is a task.
        config["celery"] = json!({"worker_concurrency": config["core"]["parallelism"]});
    }
    config
}

fn bundle(name: &str, path: &str) -> Value {
    json!({
        "name": name,
        "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
        "kwargs": {"path": path, "refresh_interval": 4},
    })
}

/// `NodePort` lets the forward reach the node directly. The chart's own minute for the start is too short for a cold laptop.
fn web_values(memory: u32) -> Value {
    json!({
        "service": {"type": "NodePort"},
        "startupProbe": {"periodSeconds": 2, "timeoutSeconds": 20, "failureThreshold": 300},
        "readinessProbe": {"initialDelaySeconds": 0, "periodSeconds": 5},
        "livenessProbe": {"initialDelaySeconds": 30, "timeoutSeconds": 20, "failureThreshold": 10, "periodSeconds": 20},
        "resources": requests(150, memory),
    })
}

/// Each look imports all of Airflow, for seconds of a core.
fn heartbeat() -> Value {
    json!({"initialDelaySeconds": 60, "periodSeconds": 120, "timeoutSeconds": 60, "failureThreshold": 5})
}

fn workers(shape: Shape<'_>) -> Value {
    // `workers.celery` and `workers.kubernetes` are of 1.20; what they do not say is taken from here.
    let mut workers = json!({"persistence": {"enabled": false}, "logGroomerSidecar": {"enabled": false}, "resources": requests(50, 256)});
    if shape.executor == Executor::Celery {
        workers["replicas"] = json!(1);
        workers["livenessProbe"] = json!({"enabled": true, "periodSeconds": 120, "timeoutSeconds": 60});
    }
    workers
}
