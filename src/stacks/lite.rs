//! windtunnel's own chart, `profiles/lite`: its files, and what a plan means in its values.

use serde_json::{Value, json};

use super::{Chart, Component, HelmRelease, Inputs, Shape, credentials_secret, lay_over, pod_user, smoke_config_map};
use crate::cluster::workload::Workload;

/// What the containers of `values.yaml` ask for, with one worker.
pub(super) const MEMORY_REQUEST: u64 = 1664 * 1024 * 1024;

/// Each component's name, which its container has too, and the workload of its pod, without the release's name.
pub(super) const COMPONENTS: [(&str, &str); 6] = [
    ("migrate", "airflow"),
    ("api-server", "airflow"),
    ("scheduler", "airflow"),
    ("dag-processor", "airflow"),
    ("triggerer", "airflow"),
    ("database", "database"),
];

macro_rules! chart_files {
    ($($path:literal),* $(,)?) => {
        [$(($path, include_str!(concat!("../../profiles/lite/", $path)))),*]
    };
}

/// The chart's own values.
pub(super) const VALUES: &str = include_str!("../../profiles/lite/values.yaml");

const CHART: [(&str, &str); 14] = chart_files![
    "Chart.yaml",
    "files/alive.py",
    "files/start.py",
    "templates/NOTES.txt",
    "templates/_shared.tpl",
    "templates/access.yaml",
    "templates/airflow.yaml",
    "templates/database.yaml",
    "templates/files.yaml",
    "templates/logs.yaml",
    "templates/settings.yaml",
    "templates/web.yaml",
    "values.schema.json",
    "values.yaml",
];

pub(super) fn release(inputs: &Inputs<'_>, shape: Shape<'_>) -> HelmRelease {
    HelmRelease {
        name: shape.name.to_owned(),
        chart: Chart::Embedded(CHART.to_vec()),
        values: values(inputs),
        takes_user_values: true,
        replaced: Vec::new(),
    }
}

pub(super) fn workloads(release: &str) -> Vec<Workload> {
    vec![Workload::stateful_set(format!("{release}-database")), Workload::deployment(format!("{release}-airflow"))]
}

pub(super) fn components(release: &str) -> Vec<(&'static str, Component)> {
    let workloads = workloads(release);
    let component = |(container, label): (&'static str, &str)| {
        let workload = workloads.iter().find(|workload| workload.name == format!("{release}-{label}"))?;
        Some((container, Component { workload: workload.clone(), container }))
    };
    COMPONENTS.into_iter().filter_map(component).collect()
}

/// What only windtunnel knows; the rest are the chart's own defaults, and the profile's values win over both.
fn values(inputs: &Inputs<'_>) -> Value {
    let Inputs { plan, airflow_image, database_image, user, dags, smoke, .. } = *inputs;
    let mut values = serde_json::Map::from_iter([
        ("environment".to_owned(), json!(plan.name)),
        ("environmentId".to_owned(), json!(plan.id.as_deref().unwrap_or_default())),
        ("airflowVersion".to_owned(), json!(plan.profile.airflow.version)),
        ("executor".to_owned(), json!(plan.executor.airflow_name())),
        ("images".to_owned(), json!({"airflow": airflow_image, "database": database_image})),
        ("credentialsSecret".to_owned(), json!(credentials_secret(&plan.name))),
        ("uid".to_owned(), json!(pod_user(user))),
        (
            "dags".to_owned(),
            match (dags, &plan.dags_claim) {
                (Some(folder), _) => json!({"hostPath": folder}),
                (None, Some(claim)) => json!({"claim": claim}),
                (None, None) => json!({}),
            },
        ),
        (
            "smoke".to_owned(),
            match smoke {
                Some(folder) => json!({"hostPath": folder}),
                None => json!({"configMap": smoke_config_map(&plan.name)}),
            },
        ),
    ]);
    lay_over(&mut values, &plan.profile.values);
    Value::Object(values)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::*;
    use crate::plan::{self, Plan, Wishes};
    use crate::profile;

    fn plan(values: &Value) -> Plan {
        let mut profile = profile::shipped("lite").unwrap();
        profile.values = values.as_object().unwrap().clone();
        plan::resolve(&Wishes::default(), None, "lite".to_owned(), profile, Path::new("/project"), &[]).unwrap()
    }

    fn inputs(plan: &Plan) -> Inputs<'_> {
        Inputs {
            plan,
            airflow_image: "windtunnel.local/airflow:3.3.2",
            database_image: "windtunnel.local/postgres:17",
            redis_image: None,
            user: 0,
            dags: Some("/windtunnel/dags"),
            smoke: Some("/windtunnel/smoke"),
        }
    }

    fn files(folder: &Path, under: &str, found: &mut BTreeMap<String, String>) {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let name = format!("{under}{}", entry.file_name().into_string().unwrap());
            if entry.file_type().unwrap().is_dir() {
                files(&entry.path(), &format!("{name}/"), found);
            } else {
                found.insert(name, std::fs::read_to_string(entry.path()).unwrap());
            }
        }
    }

    #[test]
    fn the_binary_has_every_file_of_the_chart() {
        let mut found = BTreeMap::new();
        files(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/profiles/lite")), "", &mut found);
        let embedded = CHART.map(|(path, text)| (path.to_owned(), text.to_owned()));
        assert_eq!(BTreeMap::from(embedded), found);
    }

    #[test]
    fn a_plan_says_where_everything_is_and_no_secret() {
        let plan = plan(&json!({}));
        let release = super::super::release(&inputs(&plan));
        let expected = json!({
            "environment": "airflow-cluster",
            "environmentId": "",
            "airflowVersion": "3.3.2",
            "executor": "KubernetesExecutor",
            "images": {"airflow": "windtunnel.local/airflow:3.3.2", "database": "windtunnel.local/postgres:17"},
            "credentialsSecret": "airflow-cluster-credentials",
            "uid": 50000,
            "dags": {"hostPath": "/windtunnel/dags"},
            "smoke": {"hostPath": "/windtunnel/smoke"},
        });
        assert_eq!(release.parts[0].values, expected);
        assert_eq!((release.service.as_str(), release.service_port), ("airflow-cluster-web", 8080));
    }

    #[test]
    fn the_profile_wins_without_taking_away_what_it_does_not_name() {
        let plan = plan(&json!({"uid": 4711, "images": {"airflow": "mine:1"}, "env": {"AIRFLOW__API__WORKERS": "2"}}));
        let values = values(&inputs(&plan));
        assert_eq!(values["uid"], 4711);
        assert_eq!(values["images"], json!({"airflow": "mine:1", "database": "windtunnel.local/postgres:17"}));
        assert_eq!(values["env"]["AIRFLOW__API__WORKERS"], "2");
    }

    #[test]
    fn the_values_that_are_set_are_values_of_the_chart() {
        let chart: Value = serde_yaml::from_str(include_str!("../../profiles/lite/values.yaml")).unwrap();
        let schema: Value = serde_json::from_str(include_str!("../../profiles/lite/values.schema.json")).unwrap();
        let plan = plan(&json!({}));
        for key in values(&inputs(&plan)).as_object().unwrap().keys().chain(chart.as_object().unwrap().keys()) {
            assert!(chart.get(key).is_some(), "{key} is not in values.yaml");
            assert!(schema["properties"].get(key).is_some(), "{key} is not in values.schema.json");
        }
    }

    #[test]
    fn the_memory_request_is_the_sum_of_the_containers() {
        let chart: Value = serde_yaml::from_str(include_str!("../../profiles/lite/values.yaml")).unwrap();
        let requests = chart["resources"].as_object().unwrap().values().map(|resources| {
            let memory = resources["requests"]["memory"].as_str().unwrap();
            memory.strip_suffix("Mi").unwrap().parse::<u64>().unwrap()
        });
        assert_eq!(requests.sum::<u64>() * 1024 * 1024, MEMORY_REQUEST);
    }

    #[test]
    fn every_component_is_a_container_of_the_chart() {
        let text = CHART.map(|(_, text)| text).concat();
        for (name, label) in COMPONENTS {
            assert!(
                text.contains(&format!("name: {name}\n")) || text.contains(&format!(r#""name" "{name}""#)),
                "{name}"
            );
            assert!(text.contains(&format!(r#"(list . "{label}")"#)), "{label}");
        }
        let (_, database) = components("mine").pop().unwrap();
        assert_eq!(database.container, "database");
        assert_eq!(database.workload, Workload::stateful_set("mine-database"));
    }
}
