//! Whose a profile is, by minikube's own file of it: whatever the driver, and whatever windtunnel remembers.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::super::DAGS;
use crate::error::{During, Failure, Kind};

/// What minikube keeps of a profile (kubernetes/minikube, `pkg/minikube/config/types.go`), as far as it matters here.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Config {
    /// What runs the node.
    driver: String,
    /// The folder of this machine that the node sees, a colon, where it sees it, and perhaps a colon and `ro`.
    mount_string: String,
}

impl Config {
    /// The DAG folder that windtunnel made the profile with.
    fn dags(&self) -> Option<&Path> {
        let mount = self.mount_string.strip_suffix(":ro").unwrap_or(&self.mount_string);
        mount.rsplit_once(':').filter(|(_, inside)| *inside == DAGS).map(|(folder, _)| Path::new(folder))
    }
}

/// Who made a profile.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Owner {
    /// There is no profile of that name.
    Nobody,
    /// This environment.
    Us,
    /// Somebody else; by what it is known.
    Another(String),
}

/// Where minikube keeps what it knows of a profile; `home` is minikube's own folder.
#[must_use]
pub fn file(home: &Path, profile: &str) -> PathBuf {
    home.join("profiles").join(profile).join("config.json")
}

/// The profiles that mount a DAG folder as windtunnel has it done, by whatever state folder: name, and the DAG folder. What cannot be read is
/// nobody's.
#[must_use]
pub fn made_by_windtunnel(home: &Path) -> Vec<(String, PathBuf)> {
    let entries = std::fs::read_dir(home.join("profiles")).into_iter().flatten().filter_map(Result::ok);
    let mut profiles: Vec<(String, PathBuf)> = entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let config: Config = serde_json::from_str(&std::fs::read_to_string(file(home, &name)).ok()?).ok()?;
            Some((name, config.dags()?.to_owned()))
        })
        .collect();
    profiles.sort();
    profiles
}

/// Looks whose the profile is. `ours` is the DAG folder of the environment of that name.
///
/// # Errors
/// minikube's file is there and cannot be read.
pub(super) fn of(home: &Path, profile: &str, ours: &Path) -> Result<Owner, Failure> {
    Ok(read(home, profile)?.map_or(Owner::Nobody, |config| judge(&config, ours)))
}

/// The DAG folder of a profile that a windtunnel made, whichever.
///
/// # Errors
/// minikube's file is there and cannot be read.
pub fn dag_folder(home: &Path, profile: &str) -> Result<Option<PathBuf>, Failure> {
    Ok(read(home, profile)?.and_then(|config| config.dags().map(Path::to_owned)))
}

fn read(home: &Path, profile: &str) -> Result<Option<Config>, Failure> {
    let path = file(home, profile);
    let text = match std::fs::read_to_string(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        read => read.during(Kind::Cluster, format!("cannot read what minikube knows of `{profile}`"))?,
    };
    let config = serde_json::from_str(&text)
        .during(Kind::Cluster, format!("{} is damaged", path.display()))
        .map_err(|failure| failure.hint(format!("if nobody needs it: `minikube delete --profile {profile}`")))?;
    Ok(Some(config))
}

fn judge(config: &Config, ours: &Path) -> Owner {
    let real = |folder: &Path| folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let same = |one: &Path, other: &Path| one == other || real(one) == real(other);
    match config.dags() {
        Some(dags) if same(dags, ours) => Owner::Us,
        Some(dags) => Owner::Another(format!("its DAG folder is {}", dags.display())),
        None => Owner::Another(format!("its driver is {}", config.driver)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(mount: &str, ours: &str) -> Owner {
        let config = Config { driver: "kvm2".to_owned(), mount_string: mount.to_owned() };
        judge(&config, Path::new(ours))
    }

    #[test]
    fn profiles_that_windtunnel_made_are_found_whosoever_they_are() {
        let home = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("old", r#"{"Driver":"docker","MountString":"/a/dags:/windtunnel/dags:ro"}"#),
            ("mine", r#"{"Driver":"docker","MountString":"/home/me:/minikube-host"}"#),
            ("damaged", "{"),
        ] {
            std::fs::create_dir_all(home.path().join("profiles").join(name)).unwrap();
            std::fs::write(file(home.path(), name), text).unwrap();
        }
        assert_eq!(made_by_windtunnel(home.path()), [("old".to_owned(), PathBuf::from("/a/dags"))]);
        assert_eq!(made_by_windtunnel(&home.path().join("absent")), []);
    }

    #[test]
    fn a_profile_is_ours_by_the_folder_that_it_mounts() {
        for mount in ["/a b/dags:/windtunnel/dags:ro", "/a b/dags:/windtunnel/dags"] {
            assert_eq!(judged(mount, "/a b/dags"), Owner::Us);
        }
        let others =
            [("/a b/dags:/windtunnel/dags", "/other"), ("/home/me:/minikube-host", "/home/me"), ("", "/a b/dags")];
        for (mount, ours) in others {
            assert!(matches!(judged(mount, ours), Owner::Another(_)), "{mount}");
        }
    }
}
