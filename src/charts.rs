//! Getting the charts that are not in the binary: from a path, the bundle, the cache, or where the profile says that they are.

use std::path::{Path, PathBuf};

use crate::codes::Code;
use crate::error::{During, Failure, Kind};
use crate::images::bundle::Bundle;
use crate::images::digest_of;
use crate::profile::{Chart, Place};
use crate::tools::helm::Helm;
use crate::ui::Ui;

/// Where to look for charts.
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    /// The folder that a chart's path is relative to: the profile's.
    pub folder: &'a Path,
    /// The bundle, if there is one.
    pub bundle: Option<&'a Bundle>,
    /// Where files are kept that can be had again.
    pub cache: &'a Path,
}

/// A chart as Helm takes it: an archive or a folder, whose digest is right where one is known.
///
/// # Errors
/// Chart, where it is not there and cannot be downloaded, or is another one than the profile names.
pub async fn provide(chart: &Chart, sources: Sources<'_>, helm: &Helm, ui: &Ui) -> Result<PathBuf, Failure> {
    if let Some(path) = at_hand(chart, sources)? {
        return Ok(path);
    }
    let sha256 = chart.sha256.as_deref().unwrap_or_default().to_lowercase();
    let cached = cached(sources.cache, &sha256);
    if cached.exists() {
        // Cut short or damaged: it can be had again.
        std::fs::remove_file(&cached).during(Kind::Chart, format!("cannot remove {}", cached.display()))?;
    }
    download(chart, &sha256, &cached, sources.cache, helm, ui).await?;
    Ok(cached)
}

/// The same without a download; `None` where it takes one.
///
/// # Errors
/// Chart, where it is a path and not there, or is another one than the profile names.
pub fn at_hand(chart: &Chart, sources: Sources<'_>) -> Result<Option<PathBuf>, Failure> {
    let Some(sha256) = chart.sha256.as_deref().map(str::to_lowercase) else {
        return at_path(chart, sources.folder).map(Some);
    };
    if let Place::Path(_) = chart.place() {
        let path = at_path(chart, sources.folder)?;
        return match digest_of(&path).during(Kind::Chart, format!("cannot read the chart {}", path.display()))? {
            found if found == sha256 => Ok(Some(path)),
            found => Err(other_digest(&path.display().to_string(), &found, &sha256)),
        };
    }
    let bundled = sources.bundle.and_then(|bundle| bundle.chart(&sha256));
    let cached =
        || Some(cached(sources.cache, &sha256)).filter(|path| digest_of(path).is_ok_and(|found| found == sha256));
    Ok(bundled.or_else(cached))
}

/// Where a downloaded chart is kept, and where one can be put by hand.
#[must_use]
pub fn cached(cache: &Path, sha256: &str) -> PathBuf {
    cache.join("charts").join(format!("{sha256}.tgz"))
}

fn at_path(chart: &Chart, folder: &Path) -> Result<PathBuf, Failure> {
    let path: PathBuf = folder.join(&chart.from).components().collect();
    if path.exists() {
        return Ok(path);
    }
    Err(Failure::new(Kind::Chart, format!("there is no chart at {}", path.display()))
        .hint("`chart.from` in the profile is relative to the profile's folder"))
}

async fn download(
    chart: &Chart,
    sha256: &str,
    cached: &Path,
    cache: &Path,
    helm: &Helm,
    ui: &Ui,
) -> Result<(), Failure> {
    let step = ui.step("fetch_chart", "Downloading the chart");
    let folder = cache.join("charts");
    let doing = || format!("cannot write into {}", folder.display());
    std::fs::create_dir_all(&folder).during(Kind::Chart, doing())?;
    let place = tempfile::tempdir_in(&folder).during(Kind::Chart, doing())?;
    step.doing(format!("{} {} from {}", chart.name.as_deref().unwrap_or("airflow"), chart.version, chart.from));
    let pulled = helm.pull(chart.place(), &chart.version.to_string(), place.path(), &cache.join("helm"), ui).await;
    pulled.map_err(|failure| {
        Failure::new(Kind::Chart, format!("cannot download the chart from {}", chart.from))
            .code(Code::ChartUnavailable)
            .evidence_lines(failure.evidence)
            .hint(format!("without a network: put the archive, version {}, at {}", chart.version, cached.display()))
            .hint("or use the chart that needs no download: `windtunnel up --profile lite`")
    })?;
    let mut entries = std::fs::read_dir(place.path()).during(Kind::Chart, doing())?.filter_map(Result::ok);
    let archive = entries
        .find(|entry| entry.path().extension().is_some_and(|ending| ending == "tgz"))
        .ok_or_else(|| Failure::new(Kind::Chart, format!("Helm left no archive of the chart from {}", chart.from)))?
        .path();
    let found = digest_of(&archive).during(Kind::Chart, format!("cannot read {}", archive.display()))?;
    if found != sha256 {
        // With the folder goes the archive: nobody will take it for the right one.
        return Err(other_digest(&chart.from, &found, sha256));
    }
    std::fs::rename(&archive, cached).during(Kind::Chart, doing())?;
    step.done(format!("{} {}", chart.name.as_deref().unwrap_or("airflow"), chart.version));
    Ok(())
}

fn other_digest(from: &str, found: &str, expected: &str) -> Failure {
    Failure::new(Kind::Chart, format!("the chart from {from} has the wrong digest"))
        .code(Code::ChartDigest)
        .evidence(format!("found     sha256 {found}"))
        .evidence(format!("expected  sha256 {expected}"))
        .hint("it is another version, or not what its maker published; where that is meant: `chart.sha256` in the profile")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::surroundings::Proxies;
    use crate::tools::find::Tool;
    use crate::ui::{Level, Manner};

    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn chart(from: &str, sha256: Option<&str>) -> Chart {
        Chart {
            from: from.to_owned(),
            name: None,
            version: semver::Version::new(1, 22, 0),
            sha256: sha256.map(str::to_owned),
            values_under: None,
        }
    }

    /// Helm, as far as `pull` goes: a script that writes `text` where it is told to.
    fn helm(folder: &Path, text: &str) -> Helm {
        use std::os::unix::fs::PermissionsExt;
        let path = folder.join("helm");
        let script = format!("#!/bin/sh\nfor last; do :; done\nprintf '{text}' > \"$last/airflow-1.22.0.tgz\"\n");
        std::fs::write(&path, script).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        Helm { tool: Tool { path, version: semver::Version::new(3, 19, 0) }, proxies: Proxies::default() }
    }

    async fn provided(folder: &Path, chart: &Chart, helm: &Helm) -> Result<PathBuf, Failure> {
        let ui = Ui::new(Manner { level: Level::Quiet, ..Manner::default() });
        provide(chart, Sources { folder, bundle: None, cache: folder }, helm, &ui).await
    }

    #[tokio::test]
    async fn a_download_is_kept_and_not_had_twice() {
        let folder = tempfile::tempdir().unwrap();
        let chart = chart("https://a.org", Some(ABC));
        let first = provided(folder.path(), &chart, &helm(folder.path(), "abc")).await.unwrap();
        assert_eq!(first, cached(folder.path(), ABC));
        // This Helm would bring another one.
        let again = provided(folder.path(), &chart, &helm(folder.path(), "other")).await.unwrap();
        assert_eq!(std::fs::read_to_string(again).unwrap(), "abc");
    }

    #[tokio::test]
    async fn a_wrong_download_is_refused_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let chart = chart("oci://a.org/airflow", Some(ABC));
        let failure = provided(folder.path(), &chart, &helm(folder.path(), "abd")).await.unwrap_err();
        assert_eq!((failure.kind, failure.code), (Kind::Chart, Some(Code::ChartDigest)));
        assert_eq!(std::fs::read_dir(folder.path().join("charts")).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_damaged_archive_in_the_cache_is_had_anew() {
        let folder = tempfile::tempdir().unwrap();
        let cached = cached(folder.path(), ABC);
        std::fs::create_dir_all(cached.parent().unwrap()).unwrap();
        std::fs::write(&cached, "ab").unwrap();
        let helm = helm(folder.path(), "abc");
        provided(folder.path(), &chart("https://a.org", Some(ABC)), &helm).await.unwrap();
        assert_eq!(std::fs::read_to_string(cached).unwrap(), "abc");
    }

    #[tokio::test]
    async fn a_path_is_used_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("mine.tgz"), "abc").unwrap();
        let helm = helm(folder.path(), "");
        for digest in [None, Some(ABC)] {
            let path = provided(folder.path(), &chart("./mine.tgz", digest), &helm).await.unwrap();
            assert_eq!(path, folder.path().join("mine.tgz"));
        }
        let failure = provided(folder.path(), &chart("./absent.tgz", None), &helm).await.unwrap_err();
        assert!(failure.message.starts_with("there is no chart at"), "{}", failure.message);
    }
}
