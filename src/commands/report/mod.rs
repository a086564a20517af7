//! `windtunnel report`: one archive for a bug report, without secrets.

mod archive;
mod excerpt;

use std::fmt::Write;
use std::path::Path;

use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde::Deserialize;
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
use excerpt::{End, Excerpt};

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
    let (objects, secrets) = match &record {
        Ok(Some(record)) => in_namespace(record, &paths).await,
        Ok(None) => (Err(Record::missing(name)), Ok(Vec::new())),
        Err(failure) => (Err(failure.clone()), Ok(Vec::new())),
    };
    let found = record.as_ref().ok().and_then(Option::as_ref);
    let mut redactor = redactor(&paths, found, objects.as_ref().ok(), surroundings);
    secrets.iter().flatten().for_each(|secret| redactor.learn_from(secret));
    let mut archive = Archive::new(&folder, &redactor);
    archive.add_or_why("versions.json", Ok(text(&versions(surroundings, ui).await)));
    step.doing("looking at this machine");
    let examined = Box::pin(doctor::examined(name, ui, surroundings)).await;
    archive.add_or_why("doctor.json", examined.map(|document| text(&document)));
    archive.add_or_why("settings.json", settings(origins, name, surroundings));
    if let Err(failure) = secrets {
        // Whoever sends the report is to know that it was made without.
        archive.add_or_why("secrets-known", Err(failure));
    }
    archive.add_or_why("record.json", file(&paths.record(), End::First));
    archive.add_or_why("events.jsonl", file(&paths.events(), End::Last));
    archive.add_or_why("logs/forward.log", file(&paths.forward_log(), End::Last));
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

/// Learns every secret that can be known: the environment's own, those of its kubeconfig, of the user's values, profile and project, of the
/// pods, and of this shell's proxies.
fn redactor(
    paths: &EnvironmentPaths,
    record: Option<&Record>,
    objects: Option<&Value>,
    surroundings: &Surroundings,
) -> Redactor {
    let mut redactor = Redactor::default();
    if let Ok(Some(credentials)) = document::read::<Credentials>(&paths.credentials()).into_result() {
        credentials.entries().iter().for_each(|(_, secret)| redactor.learn(secret));
    }
    let proxies = [&surroundings.proxies.http, &surroundings.proxies.https];
    proxies.into_iter().flatten().for_each(|proxy| redactor.learn_addresses(proxy));
    if let Some(passphrase) = &surroundings.passphrase {
        redactor.learn(passphrase.expose_secret());
    }
    let mut files = vec![paths.kubeconfig()];
    if let Some(record) = record {
        files.extend(record.values.clone());
        files.extend(stacks::release_names(record.into()).iter().map(|release| paths.values(release)));
        // Where it is a shipped one, there is no such file.
        files.push(record.profile.clone().into());
        redactor.learn_assignments(&record.set);
    }
    if let Ok(Some(project)) = surroundings.project() {
        redactor.learn_assignments(&project.wishes().set);
        files.push(project.path);
    }
    // A file that cannot be read is told of where it would be packed.
    for excerpt in files.iter().filter_map(|file| Excerpt::read(file, End::First).ok()) {
        documents(&excerpt.text).into_iter().flatten().for_each(|document| redactor.learn_from(&document));
    }
    if let Some(objects) = objects {
        redactor.learn_from(objects);
    }
    redactor
}

/// The documents of a YAML file, up to the first that is none.
fn documents(text: &str) -> Vec<Result<Value, serde_yaml::Error>> {
    let mut documents = Vec::new();
    for document in serde_yaml::Deserializer::from_str(text) {
        documents.push(Value::deserialize(document));
        // It would give the same error again and again.
        if documents.last().is_some_and(Result::is_err) {
            break;
        }
    }
    documents
}

/// The objects of the namespace, and what its Secrets hold.
async fn in_namespace(
    record: &Record,
    paths: &EnvironmentPaths,
) -> (Result<Value, Failure>, Result<Vec<Value>, Failure>) {
    match Cluster::open(&paths.kubeconfig(), &record.context).await {
        Ok(cluster) => {
            let namespace = &record.namespace;
            let (objects, secrets) =
                tokio::join!(objects::of_namespace(&cluster, namespace), objects::secrets(&cluster, namespace));
            (Ok(objects), secrets)
        }
        Err(failure) => (Err(failure.clone()), Err(failure)),
    }
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
        archive.add_or_why(&format!("values/{release}.json"), file(&paths.values(&release), End::First));
    }
    for (number, values) in record.values.iter().enumerate() {
        archive.add_or_why(&format!("values/user-{}.yaml", number + 1), user_values(values));
    }
}

/// A values file of the user's, where all that is secret in it could be learned.
fn user_values(path: &Path) -> Result<String, Failure> {
    let excerpt = Excerpt::read(path, End::First)?;
    match documents(&excerpt.text).into_iter().find_map(Result::err) {
        None => Ok(excerpt.told()),
        Some(error) => {
            Err(Failure::usage(format!("{} is left out: it is not YAML, and may hold secrets", path.display()))
                .evidence(error.to_string()))
        }
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
            lines.push_str(&excerpt::line(line, |line| archive.clean(line)));
            lines.push('\n');
        });
        let read = read.await.map(|()| lines);
        archive.add_or_why(&format!("logs/{name}.log"), read);
    }
}

fn file(path: &Path, end: End) -> Result<String, Failure> {
    Excerpt::read(path, end).map(|excerpt| excerpt.told())
}

fn text(document: &Value) -> String {
    format!("{document:#}\n")
}
