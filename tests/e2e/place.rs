//! The folder of one environment under test: a home, a state folder and a project of its own, so that nothing of the user's is touched.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::outcome::Outcome;

/// How long any one command may take.
const DEADLINE: Duration = Duration::from_mins(8);
/// What tells the engine's clients where the engine is.
const ENGINE: [&str; 4] = ["DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"];

/// An environment's name and the folder that all of it is in.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
}

impl Place {
    /// Makes the folders, and a PATH that has docker alone: kind and helm must come from the bundle.
    pub(crate) fn create(&self) {
        for folder in [self.home().join(".kube"), self.state(), self.project(), self.folder.join("bin")] {
            std::fs::create_dir_all(folder).unwrap();
        }
        let docker = which::which("docker").expect("docker is not on PATH: scripts/engine.sh installs it");
        std::os::unix::fs::symlink(docker, self.folder.join("bin/docker")).unwrap();
    }

    /// A second environment in this place: with the same home and the same state.
    pub(crate) fn beside(&self) -> Self {
        Self { name: format!("{}-two", self.name), folder: self.folder.clone() }
    }

    /// The user's home.
    pub(crate) fn home(&self) -> PathBuf {
        self.folder.join("home")
    }

    /// windtunnel's state.
    pub(crate) fn state(&self) -> PathBuf {
        self.folder.join("state")
    }

    /// The folder that every command is given in.
    pub(crate) fn project(&self) -> PathBuf {
        self.folder.join("project")
    }

    /// Runs `windtunnel ARGUMENTS` for this environment, named by `WINDTUNNEL_NAME`.
    pub(crate) fn windtunnel(&self, arguments: &[&str]) -> Outcome {
        self.windtunnel_for(arguments, DEADLINE)
    }

    /// The same; it is killed when its time is over.
    pub(crate) fn windtunnel_for(&self, arguments: &[&str], deadline: Duration) -> Outcome {
        let mut command = self.command(Path::new(env!("CARGO_BIN_EXE_windtunnel")));
        command.args(arguments);
        Outcome::of(command, format!("windtunnel {}", shell_words::join(arguments)), deadline)
    }

    /// Runs the bundle's minikube in this place.
    pub(crate) fn minikube(&self, arguments: &[&str]) -> Outcome {
        let mut command = self.command(&crate::environment::bundle().join("bin/minikube"));
        command.args(arguments);
        Outcome::of(command, format!("minikube {}", shell_words::join(arguments)), DEADLINE)
    }

    /// Runs a line of shell, in which `windtunnel` is the binary under test.
    pub(crate) fn shell(&self, line: &str) -> Outcome {
        let binary = Path::new(env!("CARGO_BIN_EXE_windtunnel"));
        let mut path = std::env::var_os("PATH").unwrap_or_default();
        path = std::env::join_paths(
            std::iter::once(binary.parent().unwrap().to_owned()).chain(std::env::split_paths(&path)),
        )
        .unwrap();
        let mut command = self.command(Path::new("/bin/sh"));
        command.env("PATH", path).args(["-euc", line]);
        // What a shell's user keeps in her home is her own doing.
        let home = self.folder.join("shell-home");
        std::fs::create_dir_all(&home).unwrap();
        command.env("HOME", home);
        Outcome::of(command, line.to_owned(), DEADLINE)
    }

    /// A command with an environment of this place and nothing else.
    fn command(&self, program: &Path) -> assert_cmd::Command {
        let mut command = assert_cmd::Command::new(program);
        command.env_clear().current_dir(self.project());
        command.env("PATH", self.folder.join("bin")).env("HOME", self.home());
        command.env("WINDTUNNEL_NAME", &self.name).env("WINDTUNNEL_STATE", self.state());
        command.env("MINIKUBE_HOME", self.folder.join("minikube"));
        // Shared by all runs: which archives of the bundle have been found right.
        command.env("XDG_CACHE_HOME", crate::leftovers::root().join("cache"));
        for name in ENGINE {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        // The engine's context, if one is chosen there; it is only read.
        if let Some(home) = std::env::var_os("HOME") {
            let configuration =
                std::env::var_os("DOCKER_CONFIG").map_or(Path::new(&home).join(".docker"), PathBuf::from);
            command.env("DOCKER_CONFIG", configuration);
        }
        command
    }
}
