//! Apache's chart and the user community's, the real ones where their archives are at hand, and a stand-in where they are not.
//!
//! Archives are looked for in the folder that `WINDTUNNEL_E2E_CHARTS` names and in windtunnel's own cache, and known by their `Chart.yaml`.
//! Airflow 2 comes from the bundles beside `WINDTUNNEL_E2E_BUNDLE` with the names that `scripts/images/build.sh` gives them:
//! `bundle-official-2`, `bundle-community`. What is not there makes its cases be skipped, visibly.

use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::artefacts::{say, stage};
use crate::backup::Kept;
use crate::docker::{helm_revisions, objects};
use crate::environment::{Environment, bundle, reference};
use crate::outcome::Outcome;
use crate::{leftovers, lifecycle};

/// What is done with one chart.
struct Case {
    test: &'static str,
    /// Of the environment's name.
    label: &'static str,
    profile: PathBuf,
    bundle: PathBuf,
    /// Options of `up` beside the profile.
    options: &'static [&'static str],
    /// What `up` says of what it installs.
    installs: String,
    /// A value whose change restarts Airflow.
    change: &'static str,
}

#[test]
fn stand_in_for_the_official_chart() {
    proven(&Case {
        test: "stand-in chart",
        label: "standin",
        profile: stand_in(),
        bundle: bundle(),
        options: &[],
        installs: "official (Airflow 3.3.2, KubernetesExecutor)".to_owned(),
        change: "config.core.parallelism=3",
    });
}

#[test]
fn official_chart() {
    official("official chart", "official", &[], "KubernetesExecutor");
}

#[test]
fn official_chart_with_celery() {
    if !has_redis(&bundle()) {
        return say("official chart, Celery: SKIPPED, the bundle has no Redis: `scripts/images/build.sh redis`");
    }
    official("official chart, Celery", "celery", &["--executor", "celery"], "CeleryExecutor");
}

#[test]
fn official_chart_with_local_executor() {
    official("official chart, local", "local", &["--executor", "local"], "LocalExecutor");
}

#[test]
fn official_chart_with_airflow_two() {
    let test = "official chart, Airflow 2";
    let Some(bundle) = bundle_of_airflow_two(test, "official-2") else { return };
    let Some(profile) = profile(test, "official-2") else { return };
    let installs = "official (Airflow 2.11".to_owned();
    proven(&Case {
        test,
        label: "official-2",
        profile,
        bundle,
        options: &[],
        installs,
        change: "config.core.parallelism=3",
    });
}

#[test]
fn community_chart() {
    let test = "community chart";
    let Some(bundle) = bundle_of_airflow_two(test, "community") else { return };
    let Some(profile) = profile(test, "community") else { return };
    let installs = "community (Airflow 2.".to_owned();
    let change = "airflow.config.AIRFLOW__CORE__PARALLELISM=3";
    proven(&Case { test, label: "community", profile, bundle, options: &[], installs, change });
}

fn official(test: &'static str, label: &'static str, options: &'static [&'static str], executor: &str) {
    let Some(profile) = profile(test, "official") else { return };
    let installs = format!("official (Airflow 3.3.2, {executor})");
    proven(&Case { test, label, profile, bundle: bundle(), options, installs, change: "config.core.parallelism=3" });
}

/// From nothing to smoke, the same again, through an upgrade, and back to nothing.
fn proven(case: &Case) {
    let environment = Environment::claim(case.label);
    let up = |more: &[&str]| -> Outcome {
        let own = ["--profile", case.profile.to_str().unwrap()];
        environment.up_from(&case.bundle, &[&own, case.options, more].concat())
    };
    stage(case.test, "up, with smoke", || up(&["--smoke"]).succeeded().says(&[&case.installs, "log read back"]));
    let credentials = environment.windtunnel(&["credentials", "-o", "json"]).succeeded().stdout;
    stage(case.test, "status", || drop(environment.windtunnel(&["status"]).succeeded()));
    stage(case.test, "up again changes nothing", || {
        let again = up(&[]).succeeded();
        assert!(again.took.as_secs() < 10, "{again}");
    });
    stage(case.test, "an upgrade keeps the keys and runs the Jobs anew", || {
        up(&["--set", case.change]).succeeded();
        assert_eq!(environment.windtunnel(&["credentials", "-o", "json"]).succeeded().stdout, credentials);
        environment.windtunnel(&["smoke"]).succeeded().says(&["log read back"]);
    });
    let kept = Kept::new();
    stage(case.test, "backup", || drop(kept.run(&environment, "backup").succeeded()));
    stage(case.test, "restore", || {
        kept.run(&environment, "restore").succeeded();
        assert_eq!(environment.windtunnel(&["credentials", "-o", "json"]).succeeded().stdout, credentials);
        environment.windtunnel(&["smoke"]).succeeded().says(&["log read back"]);
    });
    stage(case.test, "another stack is refused", || {
        let other = environment.up(&["--profile", "lite", "--executor", "kubernetes"]);
        other.ended_with(2).says(&["was made with the stack", "windtunnel reset data"]);
    });
    if case.label == "standin" {
        stage(case.test, "a newer version of the chart, and one that fails", || chart_versions(&environment));
        stage(case.test, "reset data", || lifecycle::reset_data(&environment));
        stage(case.test, "a migration Job that fails is named", || crate::faults::migration_job_fails(&environment));
    }
    stage(case.test, "down", || drop(environment.windtunnel(&["down", "--yes"]).succeeded()));
}

/// The next version of a chart is told object by object and is there then; one whose pods crash is taken back to that.
fn chart_versions(environment: &Environment) {
    let name = environment.name.as_str();
    let up = |version: &str, changed: &str, to: &str| {
        let marks = format!("\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: chart-{version}}}\n");
        environment.up(&["--profile", stand_in_changed(version, changed, to, &marks).to_str().unwrap()])
    };
    let is_there = |version: &str| {
        let names = objects(name, name, "configmaps").into_iter();
        names.map(|object| object["metadata"]["name"].clone()).any(|name| name == format!("chart-{version}"))
    };
    let variables = "{{- define \"env\" -}}\n";
    let more = format!("{variables}- {{name: CHART, value: newer}}\n");
    up("1.22.1", variables, &more).succeeded().says(&["chart-1.22.1", "CHART", "is new"]);
    assert!(is_there("1.22.1"));
    environment.windtunnel(&["smoke"]).succeeded().says(&["log read back"]);
    let failed = up("1.22.2", "args: [airflow, {{ $part }}]", "args: [airflow, no-such-command]").ended_with(7);
    failed.says(&["no-such-command", "Rolling back", "brought back, and is healthy"]);
    assert!(is_there("1.22.1") && !is_there("1.22.2"));
    let revisions = helm_revisions(name, name);
    environment.windtunnel(&["up"]).succeeded();
    assert_eq!(helm_revisions(name, name), revisions, "the environment is not the one of before");
    environment.windtunnel(&["status"]).succeeded();
}

/// A profile for the stand-in, with the bundle's images. It has no triggerer: nothing may wait for one.
pub(crate) fn stand_in() -> PathBuf {
    stand_in_at(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/chart"), "1.22.0")
}

/// The same with another version of the chart, in which a text has become another and more is added.
fn stand_in_changed(version: &str, changed: &str, to: &str, more: &str) -> PathBuf {
    let (chart, own) = (Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/chart"), leftovers::root().join(version));
    std::fs::create_dir_all(own.join("templates")).unwrap();
    let mut found = false;
    for file in ["Chart.yaml", "templates/_shared.tpl", "templates/airflow.yaml"] {
        let mut text = std::fs::read_to_string(chart.join(file)).unwrap();
        text = text.replace("version: 1.22.0", &format!("version: {version}"));
        if file.ends_with("airflow.yaml") {
            text.push_str(more);
        }
        found |= text.contains(changed);
        std::fs::write(own.join(file), text.replace(changed, to)).unwrap();
    }
    assert!(found, "the chart has no `{changed}`");
    stand_in_at(&own, version)
}

fn stand_in_at(chart: &Path, version: &str) -> PathBuf {
    let airflow = reference("airflow");
    let text = format!(
        "description: The stand-in.\nstack: official\nairflow: {{version: {}}}\n\
         images: {{node: '{}', airflow: '{airflow}', database: '{}'}}\n\
         chart: {{from: '{}', version: {version}}}\nvalues: {{triggerer: {{enabled: false}}}}\n",
        airflow.rsplit_once(':').unwrap().1,
        reference("node"),
        reference("database"),
        chart.display(),
    );
    keep(&format!("stand-in-{version}"), &text)
}

/// The shipped profile with the archive that is at hand; a person who waits is told where there is none.
fn profile(test: &str, name: &str) -> Option<PathBuf> {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("profiles/{name}.yaml"));
    let content = std::fs::read_to_string(shipped).unwrap();
    let document: Value = serde_yaml::from_str(&content).unwrap();
    let version = document["chart"]["version"].as_str().unwrap();
    let Some(archive) = archives().into_iter().find(|archive| is(archive, version)) else {
        say(&format!("{test}: SKIPPED, no archive of the chart airflow {version} in the folder WINDTUNNEL_E2E_CHARTS"));
        return None;
    };
    // Packaged by somebody else, the same chart has another digest.
    let sha256 = windtunnel::images::hexadecimal(&Sha256::digest(std::fs::read(&archive).unwrap()));
    let (head, _) = content.split_once("chart:").unwrap();
    let chart = format!("chart: {{from: '{}', version: {version}, sha256: {sha256}}}\n", archive.display());
    Some(keep(name, &format!("{head}{chart}")))
}

pub(crate) fn keep(name: &str, text: &str) -> PathBuf {
    std::fs::create_dir_all(leftovers::root()).unwrap();
    let file = leftovers::root().join(format!("{name}.yaml"));
    std::fs::write(&file, text).unwrap();
    file
}

/// Every archive in the folders that charts may be in.
fn archives() -> Vec<PathBuf> {
    let caches = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let caches = caches.or_else(|| Some(Path::new(&std::env::var_os("HOME")?).join(".cache")));
    let named = std::env::var_os("WINDTUNNEL_E2E_CHARTS").map(|folder| Path::new(&folder).canonicalize().unwrap());
    let folders = named.into_iter().chain(caches.map(|cache| cache.join("windtunnel/charts")));
    let entries = folders.filter_map(|folder| std::fs::read_dir(folder).ok()).flatten();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|ending| ending == "tgz")).collect()
}

/// Whether an archive is the chart `airflow` of this version, by what Helm reads in it. The two charts have no version in common.
fn is(archive: &Path, version: &str) -> bool {
    let mut helm = std::process::Command::new(bundle().join("bin/helm"));
    let shown = helm.args(["show", "chart"]).arg(archive).output().unwrap();
    let chart: Value = serde_yaml::from_slice(&shown.stdout).unwrap_or_default();
    shown.status.success() && chart["name"] == "airflow" && chart["version"] == version
}

/// The bundle with the Airflow of a profile, beside the one of all other cases.
fn bundle_of_airflow_two(test: &str, profile: &str) -> Option<PathBuf> {
    let first = bundle();
    let folder = first.with_file_name(format!("{}-{profile}", first.file_name().unwrap().to_str().unwrap()));
    if folder.join("bundle.json").exists() {
        return Some(folder);
    }
    let place = folder.display();
    say(&format!("{test}: SKIPPED, no bundle at {place}: `scripts/images/build.sh --bundle {place} {profile}`"));
    None
}

fn has_redis(bundle: &Path) -> bool {
    let manifest: Value = serde_json::from_slice(&std::fs::read(bundle.join("bundle.json")).unwrap()).unwrap();
    manifest["entries"].as_array().unwrap().iter().any(|entry| entry["role"] == "redis")
}
