//! Finds a program once: in the bundle if it carries one, else on `PATH`, else in windtunnel's own folder; and judges its version.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use semver::Version;

use super::process::Command;
use super::{binary, release};
use crate::codes::Code;
use crate::error::{Failure, Kind};
use crate::surroundings::Surroundings;
use crate::ui::Ui;

/// How long a tool may take to tell its version.
const VERSION: Duration = Duration::from_secs(20);
/// How to have a tool that windtunnel can download itself.
const FIX: &str = "have it downloaded into windtunnel's own folder: `windtunnel doctor --fix`";

/// A program that is there and new enough.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tool {
    /// Where it is.
    pub path: PathBuf,
    /// What it says of itself.
    pub version: Version,
}

/// What windtunnel needs to know of a tool to find it and to judge its version.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The program's name.
    pub name: &'static str,
    /// The words that ask it for its version.
    pub words: &'static [&'static str],
    /// The oldest that works.
    pub oldest: Version,
    /// The newest major version that windtunnel was tested with.
    pub newest_major: u64,
    /// How to get it.
    pub install: &'static str,
}

/// Where a tool is looked for.
#[derive(Clone, Debug)]
pub struct Places<'a> {
    /// The one of the bundle, which is the only one then.
    pub bundled: Option<PathBuf>,
    /// The process's surroundings.
    pub surroundings: &'a Surroundings,
}

/// Where `name` is on `search_path`.
///
/// # Errors
/// Prerequisite, with `install` as the hint.
pub fn on_path(name: &str, search_path: &OsStr, folder: &Path, install: &str) -> Result<PathBuf, Failure> {
    which::which_in(name, Some(search_path), folder).map_err(|_| missing(name).hint(install))
}

fn missing(name: &str) -> Failure {
    Failure::new(Kind::Prerequisite, format!("`{name}` is not on PATH")).code(Code::ToolMissing)
}

/// A tool that works: the bundle's, else the first one on `PATH`, else, where that is missing or unfit, the one in windtunnel's own folder.
///
/// # Errors
/// Prerequisite, saying what is wrong with the bundle's or with the one on `PATH`.
pub async fn usable(wanted: &Wanted, places: &Places<'_>, ui: &Ui) -> Result<Tool, Failure> {
    let Surroundings { search_path, folder, cache, .. } = places.surroundings;
    if let Some(bundled) = &places.bundled {
        return at(wanted, bundled.clone(), ui).await.map_err(|failure| failure.hint(wanted.install));
    }
    let on_path = match which::which_in(wanted.name, Some(search_path), folder) {
        Ok(path) => at(wanted, path, ui).await,
        Err(_) => Err(missing(wanted.name)),
    };
    let Err(failure) = on_path else { return on_path };
    let own = release::of(wanted.name).map(|release| release.own_path(cache)).filter(|path| path.exists());
    if let Some(own) = own {
        return at(wanted, own, ui).await.map_err(|failure| failure.hint(FIX));
    }
    let failure = match shadowed(wanted, places.surroundings, ui).await {
        Some(better) => failure.code(Code::ToolShadowed).evidence(format!(
            "a newer one comes later on PATH: {} {} at {}",
            wanted.name,
            better.version,
            better.path.display()
        )),
        None => failure,
    };
    let can_be_had = release::of(wanted.name).is_some_and(|release| release.here().is_some());
    let failure = if can_be_had { failure.hint(FIX) } else { failure };
    Err(failure.hint(wanted.install))
}

/// The others that work beside the one that is used: further back on `PATH`, or in windtunnel's own folder.
pub async fn others(wanted: &Wanted, used: &Tool, places: &Places<'_>, ui: &Ui) -> Vec<Tool> {
    let Surroundings { search_path, folder, cache, .. } = places.surroundings;
    let on_path = which::which_in_all(wanted.name, Some(search_path), folder).into_iter().flatten();
    let own = release::of(wanted.name).map(|release| release.own_path(cache)).filter(|path| path.exists());
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let mut seen = vec![real(&used.path)];
    let mut others = Vec::new();
    for path in on_path.chain(own) {
        // One program may be there by several names.
        if seen.contains(&real(&path)) {
            continue;
        }
        seen.push(real(&path));
        if let Ok(tool) = at(wanted, path, ui).await {
            others.push(tool);
        }
    }
    others
}

/// The first one behind the first one on `PATH` that works.
async fn shadowed(wanted: &Wanted, surroundings: &Surroundings, ui: &Ui) -> Option<Tool> {
    let Surroundings { search_path, folder, .. } = surroundings;
    for path in which::which_in_all(wanted.name, Some(search_path), folder).ok()?.skip(1) {
        if let Ok(tool) = at(wanted, path, ui).await {
            return Some(tool);
        }
    }
    None
}

/// Asks the program at `path` for its version, and checks it against the oldest that works.
///
/// # Errors
/// Prerequisite: it cannot be run, is something else, or too old.
async fn at(wanted: &Wanted, path: PathBuf, ui: &Ui) -> Result<Tool, Failure> {
    let command = Command::new(&path).args(wanted.words).deadline(VERSION);
    let output =
        command.run(Kind::Prerequisite, ui).await.map_err(|failure| does_not_run(wanted.name, &path, failure))?;
    let version = version_in(wanted.name, &path, &output.stdout)?;
    let tool = Tool { path, version };
    require(wanted.name, &tool, &wanted.oldest)?;
    Ok(tool)
}

/// A program for another processor is the one cause that can be named.
fn does_not_run(name: &str, path: &Path, failure: Failure) -> Failure {
    let platform = binary::platform_of_file(path);
    let here = binary::platform_here();
    match platform.filter(|platform| *platform != here) {
        Some(platform) => {
            Failure::new(Kind::Prerequisite, format!("`{name}` is built for {platform}, this machine is {here}"))
                .code(Code::ToolPlatform)
                .evidence_lines(failure.evidence)
                .evidence(path.display().to_string())
        }
        None => failure.code(Code::ToolBroken).evidence(path.display().to_string()),
    }
}

/// Reads a version out of what a tool printed: the first word that is one, with or without `v`.
///
/// # Errors
/// Prerequisite, quoting the output, where there is none: something else may have the tool's name.
fn version_in(name: &str, path: &Path, output: &str) -> Result<Version, Failure> {
    output.split_whitespace().find_map(|word| Version::parse(word.trim_start_matches('v')).ok()).ok_or_else(|| {
        Failure::new(Kind::Prerequisite, format!("{} does not tell a version: is it {name}?", path.display()))
            .code(Code::ToolBroken)
            .evidence(output.lines().next().unwrap_or("it printed nothing"))
    })
}

/// Checks a version against the oldest that works.
///
/// # Errors
/// Prerequisite, naming both.
fn require(name: &str, tool: &Tool, oldest: &Version) -> Result<(), Failure> {
    // Release candidates and builds of a new enough version are new enough.
    let plain = Version::new(tool.version.major, tool.version.minor, tool.version.patch);
    if plain >= *oldest {
        return Ok(());
    }
    Err(Failure::new(Kind::Prerequisite, format!("{name} {} is too old: {oldest} or newer is needed", tool.version))
        .code(Code::ToolTooOld)
        .evidence(tool.path.display().to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_as_the_tools_print_them() {
        let read = |text| version_in("tool", Path::new("/bin/tool"), text);
        assert_eq!(read("kind v0.30.0 go1.26.8 linux/amd64").unwrap(), Version::new(0, 30, 0));
        assert_eq!(read("v3.19.5").unwrap(), Version::new(3, 19, 5));
        assert_eq!(read("v4.1.4+g123abc\n").unwrap().major, 4);
        let failure = read("command not understood").unwrap_err();
        assert_eq!(failure.evidence, ["command not understood"]);
    }

    #[test]
    fn a_release_candidate_of_a_newer_version_is_new_enough() {
        let tool = |text: &str| Tool { path: "/bin/helm".into(), version: Version::parse(text).unwrap() };
        let oldest = Version::new(3, 14, 0);
        require("helm", &tool("4.0.0-rc.1"), &oldest).unwrap();
        require("helm", &tool("3.14.0"), &oldest).unwrap();
        let failure = require("helm", &tool("3.13.9"), &oldest).unwrap_err();
        assert_eq!(failure.message, "helm 3.13.9 is too old: 3.14.0 or newer is needed");
    }
}
