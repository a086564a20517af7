//! Finds a program once: in the bundle if it carries one, else on `PATH`; and judges its version.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use semver::{Version, VersionReq};

use super::process::Command;
use crate::error::{Failure, Kind};
use crate::ui::Ui;

/// How long a tool may take to tell its version.
const VERSION: Duration = Duration::from_secs(20);

/// A program that is there and new enough.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tool {
    /// Where it is.
    pub path: PathBuf,
    /// What it says of itself.
    pub version: Version,
}

/// Where `name` is on `search_path`.
///
/// # Errors
/// Prerequisite, with `install` as the hint.
pub fn on_path(name: &str, search_path: &OsStr, folder: &Path, install: &str) -> Result<PathBuf, Failure> {
    which::which_in(name, Some(search_path), folder)
        .map_err(|_| Failure::new(Kind::Prerequisite, format!("`{name}` is not on PATH")).hint(install))
}

/// Where `name` is: the one that the environment's bundle carries, else the one on `search_path`.
///
/// # Errors
/// As [`on_path`].
pub fn bundled_or_on_path(
    bundled: Option<PathBuf>,
    name: &str,
    search_path: &OsStr,
    folder: &Path,
    install: &str,
) -> Result<PathBuf, Failure> {
    bundled.map_or_else(|| on_path(name, search_path, folder, install), Ok)
}

/// Asks the program at `path` for its version by `words`, and checks it against the oldest that works.
///
/// # Errors
/// Prerequisite, with `install` as the hint: it cannot be run, is something else, or too old.
pub(super) async fn tool(
    name: &str,
    path: PathBuf,
    words: &[&str],
    oldest: &Version,
    install: &str,
    ui: &Ui,
) -> Result<Tool, Failure> {
    let command = Command::new(&path).args(words).deadline(VERSION);
    let with_hint = |failure: Failure| failure.hint(install);
    let output = command.run(Kind::Prerequisite, ui).await.map_err(with_hint)?;
    let version = version_in(name, &path, &output.stdout).map_err(with_hint)?;
    let tool = Tool { path, version };
    require(name, &tool, oldest, install)?;
    Ok(tool)
}

/// Reads a version out of what a tool printed: the first word that is one, with or without `v`.
///
/// # Errors
/// Prerequisite, quoting the output, where there is none: something else may have the tool's name.
fn version_in(name: &str, path: &Path, output: &str) -> Result<Version, Failure> {
    output.split_whitespace().find_map(|word| Version::parse(word.trim_start_matches('v')).ok()).ok_or_else(|| {
        Failure::new(Kind::Prerequisite, format!("{} does not tell a version: is it {name}?", path.display()))
            .evidence(output.lines().next().unwrap_or("it printed nothing"))
    })
}

/// Checks a version against the oldest that works.
///
/// # Errors
/// Prerequisite, naming both, with `install` as the hint.
fn require(name: &str, tool: &Tool, oldest: &Version, install: &str) -> Result<(), Failure> {
    // Release candidates and builds of a new enough version are new enough.
    let plain = Version::new(tool.version.major, tool.version.minor, tool.version.patch);
    let requirement = VersionReq::parse(&format!(">={oldest}")).map_err(|error| Failure::bug(error.to_string()))?;
    if requirement.matches(&plain) {
        return Ok(());
    }
    Err(Failure::new(Kind::Prerequisite, format!("{name} {} is too old: {oldest} or newer is needed", tool.version))
        .evidence(tool.path.display().to_string())
        .hint(install))
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
        require("helm", &tool("4.0.0-rc.1"), &oldest, "").unwrap();
        require("helm", &tool("3.14.0"), &oldest, "").unwrap();
        let failure = require("helm", &tool("3.13.9"), &oldest, "get a newer one").unwrap_err();
        assert_eq!(failure.message, "helm 3.13.9 is too old: 3.14.0 or newer is needed");
    }
}
