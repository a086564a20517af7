//! `windtunnel report`: one archive for a bug report, without secrets.

mod archive;

use std::fmt::Write;
use std::path::Path;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{config, doctor, status};
use crate::cli::{Origins, ReportArgs, Settings};
use crate::cluster::workload::Expected;
use crate::cluster::{Cluster, logs, objects};
use crate::error::{During, Failure, Kind};
use crate::images::bundle::places_of;
use crate::redact::Redactor;
use crate::stacks;
use crate::state::{Credentials, EnvironmentPaths, Record, document};
use crate::surroundings::Surroundings;
use crate::tools::docker::Docker;
use crate::tools::helm::{Helm, Target};
use crate::ui::Ui;
use archive::Archive;

/// How many of the last lines of a log.
const LOG_LINES: u32 = 500;

/// Writes the archive and says what is in it.
///
/// # Errors
/// The archive cannot be written. Whatever else fails is told within it.
pub async fn report(
    arguments: &ReportArgs,
    origins: &Origins,
    name: &str,
    ui: &Ui,
    surroundings: &Surroundings,
) -> Result<(), Failure> {
    let paths = surroundings.paths.environment(name);
    let time = Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
    let folder = format!("windtunnel-report-{name}-{time}");
    let path = arguments.file.clone().unwrap_or_else(|| surroundings.folder.join(format!("{folder}.tar.gz")));
    let path = surroundings.folder.join(path);
    let step = ui.step("report", "Writing a report");
    let record = Record::load(&paths);
    let objects = match &record {
        Ok(Some(record)) => namespace_objects(record, &paths).await,
        Ok(None) => Err(Record::missing(name)),
        Err(failure) => Err(failure.clone()),
    };
    let redactor = redactor(&paths, record.as_ref().ok().and_then(Option::as_ref), objects.as_ref().ok());
    let mut archive = Archive::new(&folder, &redactor);
    archive.add_or_why("versions.json", Ok(text(&versions(surroundings, ui).await)));
    step.doing("looking at this machine");
    let examined = Box::pin(doctor::examined(name, ui, surroundings)).await;
    archive.add_or_why("doctor.json", examined.map(|document| text(&document)));
    archive.add_or_why("settings.json", settings(origins, name, surroundings));
    archive.add_or_why("record.json", file(&paths.record()));
    archive.add_or_why("events.jsonl", file(&paths.events()));
    archive.add_or_why("logs/forward.log", file(&paths.forward_log()));
    if let Ok(Some(record)) = &record {
        step.doing("asking the cluster");
        let status = status::document(record, &paths, surroundings, ui).await;
        archive.add_or_why("status.json", status.map(|status| text(&status)));
        archive.add_or_why("objects.json", objects.map(|objects| text(&objects)));
        archive.add_or_why("helm.txt", helm_history(record, &paths, surroundings, ui).await);
        add_values(&mut archive, record, &paths);
        add_logs(&mut archive, record, &paths).await;
    }
    archive.write(&path)?;
    step.done(path.display().to_string());
    if ui.is_json() {
        ui.document(&json!({"file": path, "content": archive.names()}));
    } else {
        ui.say("Look into it before you send it: secrets that windtunnel knows of or recognises are taken out.");
        ui.data(&format!("{}\n", path.display()));
    }
    Ok(())
}

/// Learns every secret that can be known: the environment's own, those of its kubeconfig, of the user's values, and of the pods.
fn redactor(paths: &EnvironmentPaths, record: Option<&Record>, objects: Option<&Value>) -> Redactor {
    let mut redactor = Redactor::default();
    if let Ok(Some(credentials)) = document::read::<Credentials>(&paths.credentials()).into_result() {
        credentials.entries().iter().for_each(|(_, secret)| redactor.learn(secret));
    }
    let files = std::iter::once(paths.kubeconfig()).chain(record.iter().flat_map(|record| record.values.clone()));
    for file in files {
        let document = std::fs::read_to_string(file).ok().and_then(|text| serde_yaml::from_str::<Value>(&text).ok());
        if let Some(document) = document {
            redactor.learn_from(&document);
        }
    }
    for assignment in record.iter().flat_map(|record| &record.set) {
        if let Some((key, value)) = assignment.split_once('=') {
            redactor.learn_from(&json!({ key: value }));
        }
    }
    if let Some(objects) = objects {
        redactor.learn_from(objects);
    }
    redactor
}

async fn namespace_objects(record: &Record, paths: &EnvironmentPaths) -> Result<Value, Failure> {
    let cluster = Cluster::open(&paths.kubeconfig(), &record.context).await?;
    Ok(objects::of_namespace(&cluster, &record.namespace).await)
}

/// What is used, in which version.
async fn versions(surroundings: &Surroundings, ui: &Ui) -> Value {
    let engine = async {
        let docker = Docker::find(&surroundings.search_path, &surroundings.folder)?;
        let info = docker.info(ui).await?;
        Ok::<_, Failure>(json!({
            "version": info.server_version, "platform": info.platform(), "memory": info.mem_total, "processors": info.processors,
        }))
    };
    let engine = engine.await.unwrap_or_else(|failure| json!({"missing": failure.message}));
    let system = std::fs::read_to_string("/proc/version").unwrap_or_else(|_| std::env::consts::OS.to_owned());
    json!({
        "windtunnel": env!("CARGO_PKG_VERSION"),
        "system": system.trim(),
        "architecture": std::env::consts::ARCH,
        "engine": engine,
    })
}

fn settings(origins: &Origins, name: &str, surroundings: &Surroundings) -> Result<String, Failure> {
    Ok(text(
        &serde_json::to_value(config::shown(&Settings::default(), origins, name, surroundings)?)
            .during(Kind::Bug, "cannot write the settings")?,
    ))
}

async fn helm_history(
    record: &Record,
    paths: &EnvironmentPaths,
    surroundings: &Surroundings,
    ui: &Ui,
) -> Result<String, Failure> {
    let helm = Helm::find(&places_of(record.bundle.as_deref(), "helm", surroundings), ui).await?;
    let mut told = format!("helm {}\n", helm.tool.version);
    for release in stacks::release_names(record.into()) {
        let (namespace, kubeconfig) = (&record.namespace, paths.kubeconfig());
        let target = Target { release: &release, namespace, kubeconfig: &kubeconfig, context: &record.context };
        let history = helm.history(target, ui).await?;
        write!(told, "\n{release}\n{history}").map_err(|error| Failure::bug(error.to_string()))?;
    }
    Ok(told)
}

/// windtunnel's values of each release, and the user's files.
fn add_values(archive: &mut Archive<'_>, record: &Record, paths: &EnvironmentPaths) {
    for release in stacks::release_names(record.into()) {
        archive.add_or_why(&format!("values/{release}.json"), file(&paths.values(&release)));
    }
    for (number, values) in record.values.iter().enumerate() {
        archive.add_or_why(&format!("values/user-{}.yaml", number + 1), file(values));
    }
}

async fn add_logs(archive: &mut Archive<'_>, record: &Record, paths: &EnvironmentPaths) {
    let cluster = match Cluster::open(&paths.kubeconfig(), &record.context).await {
        Ok(cluster) => cluster,
        Err(failure) => return archive.add_or_why("logs", Err(failure)),
    };
    let workloads = stacks::workloads(record.into());
    let expected = Expected { environment: &record.name, namespace: &record.namespace, workloads: &workloads };
    for (name, component) in stacks::components(record.into()) {
        let wanted = logs::Wanted {
            workload: &component.workload,
            container: component.container,
            tail: LOG_LINES,
            follow: false,
        };
        let mut lines = String::new();
        let read = logs::stream(&cluster, expected, wanted, |line| {
            lines.push_str(line);
            lines.push('\n');
        });
        let read = read.await.map(|()| lines);
        archive.add_or_why(&format!("logs/{name}.log"), read);
    }
}

fn file(path: &Path) -> Result<String, Failure> {
    let bytes = std::fs::read(path).during(Kind::NoEnvironment, format!("cannot read {}", path.display()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn text(document: &Value) -> String {
    format!("{document:#}\n")
}
