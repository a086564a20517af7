//! Apache's chart, the real one where its archive is at hand, and a stand-in of the same values where it is not.
//!
//! `WINDTUNNEL_E2E_REGISTRY`, if it is set, says that images can be pulled, without which there is no Airflow 2.
//! `WINDTUNNEL_E2E_CHARTS` is a folder with archives of charts. Those that a profile names, known by their digests, are put into the cache.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::artefacts::{say, stage};
use crate::environment::{Environment, bundle};
use crate::leftovers;

/// The digests that the shipped profiles name.
const OFFICIAL: &str = "1f7d1dfe3d58e2c54899950aba907a43625a18c8b6fb3c54760c21592129a5b6";

const COMMUNITY: &str = "f2a4c74727b084502a43b237333cb173b25aab722fe35d41b31c9d3871373103";

#[test]
fn official_chart() {
    if !provide(OFFICIAL) {
        return say("official chart: SKIPPED, its archive is not in the folder WINDTUNNEL_E2E_CHARTS");
    }
    installed_proven_and_upgraded("official chart", "official", &["--profile", "official"]);
}

#[test]
fn stand_in_for_the_official_chart() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let profile = std::fs::read_to_string(folder.join("profiles/official.yaml")).unwrap();
    let (head, _) = profile.split_once("chart:").unwrap();
    let chart = folder.join("tests/e2e/chart");
    let text = format!("{head}chart:\n  from: {}\n  version: 1.22.0\n", chart.display());
    // It has no triggerer: nothing may wait for one.
    let text = text + "values: {triggerer: {enabled: false}}\n";
    let file = leftovers::root().join("stand-in.yaml");
    std::fs::write(&file, text).unwrap();
    installed_proven_and_upgraded("stand-in chart", "standin", &["--profile", file.to_str().unwrap()]);
}

#[test]
fn community_chart() {
    of_airflow_two("community chart", "community", COMMUNITY);
}

#[test]
fn official_chart_with_airflow_two() {
    of_airflow_two("official chart, Airflow 2", "official-2", OFFICIAL);
}

/// No bundle has Airflow 2: its image has to be pulled.
fn of_airflow_two(test: &str, profile: &str, chart: &str) {
    if std::env::var_os("WINDTUNNEL_E2E_REGISTRY").is_none() {
        return say(&format!("{test}: SKIPPED, WINDTUNNEL_E2E_REGISTRY does not say that images can be pulled"));
    }
    if !provide(chart) {
        return say(&format!("{test}: SKIPPED, its archive is not in the folder WINDTUNNEL_E2E_CHARTS"));
    }
    let environment = Environment::claim(profile);
    for tool in ["kind", "helm"] {
        let link = environment.folder.join("bin").join(tool);
        std::os::unix::fs::symlink(bundle().join("bin").join(tool), link).unwrap();
    }
    let port = environment.port.to_string();
    stage(test, "up, with smoke", || {
        let up = environment.windtunnel(&["up", "--port", &port, "--profile", profile, "--smoke"]);
        up.succeeded().says(&["worker pod"]);
    });
    stage(test, "up again changes nothing", || drop(environment.windtunnel(&["up"]).succeeded()));
    stage(test, "an upgrade", || {
        environment.windtunnel(&["up", "--set", "scheduler.replicas=1", "--smoke"]).succeeded();
    });
    stage(test, "down", || drop(environment.windtunnel(&["down", "--yes"]).succeeded()));
}

fn installed_proven_and_upgraded(test: &str, label: &str, profile: &[&str]) {
    let environment = Environment::claim(label);
    stage(test, "up, with smoke", || {
        environment.up(&[profile, &["--smoke"]].concat()).succeeded().says(&["official (Airflow 3.3.2", "worker pod"]);
    });
    let credentials = environment.windtunnel(&["credentials", "-o", "json"]).succeeded().stdout;
    stage(test, "status", || drop(environment.windtunnel(&["status"]).succeeded()));
    stage(test, "up again changes nothing", || {
        let again = environment.up(&[]).succeeded();
        assert!(again.took.as_secs() < 10, "{again}");
    });
    stage(test, "an upgrade keeps the keys and runs the Jobs anew", || {
        environment.up(&["--set", "config.core.parallelism=3"]).succeeded();
        assert_eq!(environment.windtunnel(&["credentials", "-o", "json"]).succeeded().stdout, credentials);
        environment.windtunnel(&["smoke"]).succeeded().says(&["worker pod"]);
    });
    stage(test, "another stack is refused", || {
        environment
            .up(&["--profile", "lite"])
            .ended_with(2)
            .says(&["was made with the stack `official`", "windtunnel down"]);
    });
    stage(test, "down", || drop(environment.windtunnel(&["down", "--yes"]).succeeded()));
}

/// Puts the archive with this digest into the cache, if there is one.
fn provide(sha256: &str) -> bool {
    let cached = leftovers::root().join("cache/windtunnel/charts").join(format!("{sha256}.tgz"));
    if cached.exists() {
        return true;
    }
    let Some(folder) = std::env::var_os("WINDTUNNEL_E2E_CHARTS").map(PathBuf::from) else { return false };
    let archives = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let fits = |path: &PathBuf| {
        let digest = Sha256::digest(std::fs::read(path).unwrap());
        windtunnel::images::hexadecimal(&digest) == sha256
    };
    let Some(archive) = archives.filter(|path| path.is_file()).find(fits) else { return false };
    std::fs::create_dir_all(cached.parent().unwrap()).unwrap();
    std::fs::copy(archive, cached).unwrap();
    true
}
