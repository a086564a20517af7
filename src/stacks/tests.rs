//! The mapping of a plan to values, held against the keys that the charts document.

use std::path::Path;

use serde_json::{Value, json};

use super::*;
use crate::plan::{self, Wishes};
use crate::profile::{Profile, shipped};

fn plan_of(profile: Profile, executor: Executor) -> Plan {
    let wishes = Wishes { executor: Some(executor), ..Wishes::default() };
    let folder = Path::new("/project");
    plan::resolve(&wishes, None, "official".to_owned(), profile, folder, &[]).unwrap()
}

fn plan(profile: &str, executor: Executor) -> Plan {
    plan_of(shipped(profile).unwrap(), executor)
}

fn released(plan: &Plan) -> Release {
    release(&Inputs {
        plan,
        airflow_image: &plan.profile.images.airflow,
        database_image: &plan.profile.images.database,
        redis_image: plan.profile.images.redis.as_deref(),
        user: 0,
        dags: Some("/windtunnel/dags"),
        smoke: Some("/windtunnel/smoke"),
    })
}

fn values(plan: &Plan) -> Value {
    released(plan).parts.pop().unwrap().values
}

/// The value at a path of keys; null where there is none.
fn at<'a>(values: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(values, |at, key| at.get(key).unwrap_or(&Value::Null))
}

#[test]
fn official_runs_the_version_and_the_image_of_the_plan() {
    let values = values(&plan("official", Executor::Kubernetes));
    for (path, expected) in [
        ("airflowVersion", json!("3.3.2")),
        ("defaultAirflowRepository", json!("apache/airflow")),
        ("defaultAirflowTag", json!("3.3.2")),
        ("images.airflow", json!({"repository": "apache/airflow", "tag": "3.3.2", "pullPolicy": "IfNotPresent"})),
        ("images.pod_template.tag", json!("3.3.2")),
        ("executor", json!("KubernetesExecutor")),
        ("uid", json!(50_000)),
        ("gid", json!(0)),
    ] {
        assert_eq!(*at(&values, path), expected, "{path}");
    }
}

#[test]
fn official_has_no_hooks_no_subcharts_and_no_key_of_its_own() {
    let values = values(&plan("official", Executor::Kubernetes));
    for path in [
        "migrateDatabaseJob.useHelmHooks",
        "createUserJob.useHelmHooks",
        "postgresql.enabled",
        "redis.enabled",
        "statsd.enabled",
        "triggerer.persistence.enabled",
    ] {
        assert_eq!(*at(&values, path), json!(false), "{path}");
    }
    for path in [
        "fernetKeySecretName",
        "apiSecretKeySecretName",
        "jwtSecretName",
        "webserverSecretKeySecretName",
        "data.metadataSecretName",
    ] {
        assert_eq!(*at(&values, path), json!("airflow-cluster-credentials"), "{path}");
    }
    for path in ["fernetKey", "apiSecretKey", "jwtSecret", "webserverSecretKey", "createUserJob.defaultUser"] {
        assert!(at(&values, path).is_null(), "{path}");
    }
}

#[test]
fn official_mounts_dags_and_logs_in_every_container() {
    let values = values(&plan("official", Executor::Kubernetes));
    assert_eq!(at(&values, "volumes")[0]["hostPath"]["path"], "/windtunnel/dags");
    assert_eq!(at(&values, "volumeMounts")[0]["mountPath"], "/opt/airflow/dags");
    assert_eq!(at(&values, "volumeMounts")[1]["mountPath"], "/opt/airflow/windtunnel");
    assert_eq!(*at(&values, "logs.persistence.existingClaim"), json!("airflow-cluster-data-logs"));
    let bundles = at(&values, "dagProcessor.dagBundleConfigList").as_array().unwrap();
    let names: Vec<_> = bundles.iter().map(|bundle| bundle["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["dags-folder", "windtunnel"]);
}

#[test]
fn airflow_2_reads_one_folder_that_has_both_in_it() {
    let values = values(&plan("official-2", Executor::Kubernetes));
    assert_eq!(*at(&values, "config.core.dags_folder"), json!("/opt/airflow/folders"));
    assert_eq!(at(&values, "volumeMounts")[0]["mountPath"], "/opt/airflow/folders/dags");
    assert_eq!(at(&values, "env")[0], json!({"name": "PYTHONPATH", "value": "/opt/airflow/folders/dags"}));
    assert!(at(&values, "dagProcessor.dagBundleConfigList").is_null());
    assert!(at(&values, "config.api.auth_backends").as_str().unwrap().contains("basic_auth"));
}

#[test]
fn community_is_the_sample_without_its_public_keys() {
    let values = values(&plan("community", Executor::Kubernetes));
    for (path, expected) in [
        ("airflow.executor", json!("KubernetesExecutor")),
        ("airflow.image.repository", json!("apache/airflow")),
        ("airflow.image.tag", json!("2.8.4-python3.9")),
        ("airflow.fernetKey", json!("")),
        ("airflow.webserverSecretKey", json!("")),
        ("workers.enabled", json!(false)),
        ("flower.enabled", json!(false)),
        ("redis.enabled", json!(false)),
        ("postgresql.enabled", json!(false)),
        ("scheduler.logCleanup.enabled", json!(false)),
        ("externalDatabase.host", json!("airflow-cluster-data-database")),
        ("externalDatabase.passwordSecret", json!("airflow-cluster-credentials")),
        ("externalDatabase.passwordSecretKey", json!("database-password")),
    ] {
        assert_eq!(*at(&values, path), expected, "{path}");
    }
    let variables = at(&values, "airflow.extraEnv").as_array().unwrap();
    let named = |name: &str| variables.iter().find(|variable| variable["name"] == name).unwrap();
    assert_eq!(named("AIRFLOW__CORE__FERNET_KEY")["valueFrom"]["secretKeyRef"]["key"], "fernet-key");
    assert_eq!(named("AIRFLOW__WEBSERVER__SECRET_KEY")["valueFrom"]["secretKeyRef"]["key"], "webserver-secret-key");
    // The chart refuses these three in `airflow.config` (`templates/_helpers/validate-values.tpl`).
    for forbidden in ["AIRFLOW__CORE__EXECUTOR", "AIRFLOW__CORE__DAGS_FOLDER", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] {
        assert!(at(&values, "airflow.config").get(forbidden).is_none(), "{forbidden}");
    }
}

#[test]
fn no_secret_is_in_any_value_and_every_secret_that_is_named_is_made() {
    for profile in ["official", "official-2", "community"] {
        for executor in [Executor::Kubernetes, Executor::Celery] {
            let plan = plan(profile, executor);
            let credentials = Credentials::random().unwrap();
            let secrets = secrets((&plan).into(), &credentials);
            for part in released(&plan).parts {
                let text = part.values.to_string();
                let values = secrets.iter().flat_map(|(_, entries)| entries);
                assert!(values.into_iter().all(|(_, value)| !text.contains(value)), "{profile}");
                for word in text.split('"').filter(|word| word.ends_with("-credentials") || word.ends_with("-broker")) {
                    assert!(secrets.iter().any(|(name, _)| name == word), "{profile}: {word}");
                }
            }
        }
    }
}

#[test]
fn the_service_and_the_pods_are_those_of_the_stack() {
    let names = |plan: &Plan| {
        let release = released(plan);
        let required = release.workloads.iter().filter(|workload| !workload.optional);
        (release.service.clone(), required.map(|workload| workload.name.clone()).collect::<Vec<_>>())
    };
    let (service, required) = names(&plan("official", Executor::Kubernetes));
    assert_eq!(service, "airflow-cluster-api-server");
    assert_eq!(required, ["airflow-cluster-data-database", "airflow-cluster-api-server", "airflow-cluster-scheduler"]);
    assert_eq!(names(&plan("official-2", Executor::Kubernetes)).0, "airflow-cluster-webserver");
    let (service, required) = names(&plan("community", Executor::Kubernetes));
    assert_eq!(service, "airflow-cluster-web");
    assert_eq!(required, ["airflow-cluster-data-database", "airflow-cluster-web", "airflow-cluster-scheduler"]);
}

#[test]
fn the_jobs_go_before_an_upgrade() {
    let release = released(&plan("official", Executor::Kubernetes));
    let names: Vec<_> = release.parts.iter().map(|part| part.name.as_str()).collect();
    assert_eq!(names, ["airflow-cluster-data", "airflow-cluster"]);
    assert_eq!(release.parts[1].replaced, ["airflow-cluster-run-airflow-migrations", "airflow-cluster-create-user"]);
    assert_eq!(release_names((&plan("official", Executor::Kubernetes)).into()), names);
}

#[test]
fn celery_brings_a_redis_its_address_and_few_processes() {
    let official = plan("official", Executor::Celery);
    assert_eq!(*at(&values(&official), "data.brokerUrlSecretName"), json!("airflow-cluster-broker"));
    assert_eq!(released(&official).parts[0].values["images"]["redis"], "redis:7.2-bookworm");
    let community = values(&plan("community", Executor::Celery));
    assert_eq!(*at(&community, "externalRedis.host"), json!("airflow-cluster-data-redis"));
    assert_eq!(*at(&community, "workers.enabled"), json!(true));
    assert_eq!(*at(&values(&official), "config.celery.worker_concurrency"), json!(4));
    assert_eq!(*at(&community, "airflow.config.AIRFLOW__CELERY__WORKER_CONCURRENCY"), json!("4"));
}

#[test]
fn a_profiles_values_win() {
    let mut profile = shipped("official").unwrap();
    profile.values = json!({"images": {"airflow": {"tag": "mine"}}, "config": {"core": {"parallelism": 16}}})
        .as_object()
        .unwrap()
        .clone();
    let values = values(&plan_of(profile, Executor::Kubernetes));
    assert_eq!(*at(&values, "images.airflow.repository"), json!("apache/airflow"));
    assert_eq!(*at(&values, "images.airflow.tag"), json!("mine"));
    assert_eq!(*at(&values, "config.core.parallelism"), json!(16));
}

#[test]
fn astronomers_chart_has_the_values_of_apaches_under_a_key() {
    let profile = profile::parse(include_str!("../../profiles/examples/astronomer.yaml"), "astronomer.yaml").unwrap();
    let plan = plan_of(profile, Executor::Kubernetes);
    let values = values(&plan);
    assert_eq!(*at(&values, "airflow.createUserJob.useHelmHooks"), json!(false));
    assert_eq!(*at(&values, "airflow.data.metadataSecretName"), json!("airflow-cluster-credentials"));
    assert!(values.get("executor").is_none(), "{values}");
    check(&plan).unwrap();
}

#[test]
fn what_cannot_be_is_refused_with_the_reason() {
    let versioned = |name: &str, version: &str| {
        let mut profile = shipped(name).unwrap();
        profile.airflow.version = version.parse().unwrap();
        plan_of(profile, Executor::Kubernetes)
    };
    for (plan, reason) in [
        (versioned("official", "2.10.5"), "Apache's chart from 1.20.0 on runs Airflow 2.11 and later, not 2.10.5"),
        (versioned("community", "3.3.2"), "the community's chart does not run Airflow 3.3.2"),
        (versioned("lite", "2.11.2"), "the stack `lite` runs Airflow 3, not 2.11.2"),
        (plan("community", Executor::Local), "the community's chart does not have LocalExecutor"),
        (plan("lite", Executor::Celery), "the stack `lite` does not run CeleryExecutor"),
    ] {
        let failure = check(&plan).unwrap_err();
        assert_eq!(failure.message, reason);
        assert!(!failure.hints.is_empty(), "{reason}");
    }
    for (name, executor) in [
        ("official", Executor::Kubernetes),
        ("official-2", Executor::Celery),
        ("official", Executor::Local),
        ("community", Executor::Celery),
        ("lite", Executor::Local),
    ] {
        check(&plan(name, executor)).unwrap();
    }
    let mut profile = shipped("community").unwrap();
    profile.images.airflow = "apache/airflow:3.0.1".to_owned();
    let failure = check(&plan_of(profile, Executor::Kubernetes)).unwrap_err();
    assert_eq!(failure.message, "the community's chart does not run Airflow 3.0.1");
    let values = merged([], &["airflow.image.tag=3.1.0".to_owned()]);
    let failure = check_values(&plan("community", Executor::Kubernetes), None, &values).unwrap_err();
    assert!(failure.message.ends_with("Airflow 3.1.0"), "{}", failure.message);
}

#[test]
fn another_kind_of_data_is_refused_with_what_to_do() {
    let before = |stack, airflow: &str| crate::state::Record {
        name: "airflow-cluster".to_owned(),
        id: None,
        cluster: plan::ClusterPlan::Kind,
        context: "kind-airflow-cluster".to_owned(),
        namespace: "airflow-cluster".to_owned(),
        port: 7070,
        dags: "/project/dags".into(),
        made_dags: false,
        dags_claim: None,
        profile: "official".to_owned(),
        stack,
        airflow: airflow.parse().unwrap(),
        bundle: None,
        executor: Executor::Kubernetes,
        values: Vec::new(),
        set: Vec::new(),
        left_out: Vec::new(),
        also: Vec::new(),
        made: None,
        images: Vec::new(),
    };
    let plan = plan("official", Executor::Kubernetes);
    check_change(&plan, &before(StackName::Official, "3.1.0")).unwrap();
    for (stack, airflow, what) in [
        (StackName::Lite, "3.3.2", "the environment was made with the stack `lite`, not `official`"),
        (StackName::Official, "2.11.2", "the environment was made with Airflow 2.11.2, not 3.3.2"),
        (StackName::Official, "3.4.0", "the environment's database is that of Airflow 3.4.0, which 3.3.2 cannot read"),
    ] {
        let failure = check_change(&plan, &before(stack, airflow)).unwrap_err();
        assert_eq!(failure.message, what);
        assert!(failure.hints[0].contains("`windtunnel reset data`"), "{:?}", failure.hints);
    }
}

#[test]
fn parts_that_are_switched_off_are_not_waited_for() {
    let plan = plan("official", Executor::Kubernetes);
    let values = merged([], &["triggerer.enabled=false,dagProcessor.enabled=true".to_owned()]);
    assert_eq!(left_out((&plan).into(), None, &values), ["triggerer"]);
}

#[test]
fn a_value_that_breaks_a_promise_is_named() {
    let plan = plan("official", Executor::Kubernetes);
    let file = json!({"createUserJob": {"useHelmHooks": true}, "fernetKey": "mine", "scheduler": {"replicas": 2}});
    let set = ["migrateDatabaseJob.useHelmHooks=false".to_owned(), "volumes[0].name=x,statsd.enabled=true".to_owned()];
    let values = merged([file.as_object().unwrap().clone()], &set);
    let warnings = warnings((&plan).into(), None, &values);
    let named: Vec<_> = warnings.iter().map(|warning| warning.split('`').nth(1).unwrap()).collect();
    assert_eq!(named, ["createUserJob.useHelmHooks", "fernetKey", "volumes"]);
}

#[test]
fn a_value_under_a_key_is_named_in_full() {
    let plan = plan("official", Executor::Kubernetes);
    let values = merged([], &["airflow.postgresql.enabled=true".to_owned(), "postgresql.enabled=true".to_owned()]);
    let warnings = warnings((&plan).into(), Some("airflow"), &values);
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].starts_with("your value `airflow.postgresql.enabled`: "), "{}", warnings[0]);
}

#[test]
fn maps_are_merged_and_all_else_is_replaced() {
    let mut values = json!({"env": {"A": "1", "B": "2"}, "list": [1, 2], "uid": 7}).as_object().unwrap().clone();
    let over = json!({"env": {"B": "3"}, "list": [4], "uid": {"is": "odd"}, "new": null});
    lay_over(&mut values, over.as_object().unwrap());
    let expected = json!({"env": {"A": "1", "B": "3"}, "list": [4], "uid": {"is": "odd"}, "new": null});
    assert_eq!(Value::Object(values), expected);
}

#[test]
fn airflow_never_runs_as_root() {
    assert_eq!((pod_user(0), pod_user(1000)), (IMAGE_USER, 1000));
}

#[test]
fn an_unknown_component_is_answered_with_the_known_ones() {
    let shape = Shape {
        name: "airflow-cluster",
        id: Some("1"),
        stack: StackName::Lite,
        generation: Generation::Three,
        executor: Executor::Kubernetes,
    };
    let failure = component(shape, "webserver").unwrap_err();
    assert_eq!(failure.message, "there is no component `webserver`");
    assert_eq!(
        failure.hints,
        ["components: migrate, api-server, scheduler, dag-processor, triggerer, database, forward"]
    );
}
