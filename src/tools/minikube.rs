//! The minikube command.

use std::path::Path;
use std::time::Duration;

use semver::Version;
use serde::Deserialize;

use super::find::{self, Places, Tool, Wanted};
use super::process::{Command, Output};
use crate::error::{Failure, Kind};
use crate::ui::Ui;

/// The first minikube whose containerd nodes run Kubernetes 1.33 and newer.
const OLDEST: Version = Version::new(1, 35, 0);
/// The minikube that windtunnel works with.
pub const WANTED: Wanted = Wanted {
    name: "minikube",
    words: &["version", "--short"],
    oldest: OLDEST,
    newest_major: 1,
    install: "install minikube: https://minikube.sigs.k8s.io/docs/start/",
};
/// The types of the events that begin a step and that tell of an error (kubernetes/minikube, `pkg/minikube/out/register`).
const STEP: &str = "io.k8s.sigs.minikube.step";
const ERROR: &str = "io.k8s.sigs.minikube.error";
/// The step of a first start from which on what runs the containers is left alone: kubeadm is at work, and minikube has set the runtime up,
/// unpacked Kubernetes' own images into it and restarted it (kubernetes/minikube, `pkg/minikube/node/start.go`,
/// `pkg/minikube/cruntime/docker.go`, `pkg/minikube/out/register`).
pub const RUNTIME_READY: &str = "Generating certificates";
/// The exit code of `minikube status` where there is no such profile (kubernetes/minikube, `pkg/minikube/reason/exitcodes.go`).
const NO_PROFILE: i32 = 85;

/// A minikube that is new enough, and one profile of it.
#[derive(Clone, Debug)]
pub struct Minikube {
    /// Path and version.
    pub tool: Tool,
}

/// One profile: its name and our kubeconfig, the only one that minikube gets to see.
#[derive(Clone, Copy, Debug)]
pub struct Profile<'a> {
    /// The profile's name, which is the context's and the container's too.
    pub name: &'a str,
    /// The private kubeconfig.
    pub kubeconfig: &'a Path,
}

/// How a profile is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum State {
    /// There is none of that name.
    Absent,
    /// Kubernetes answers.
    Running,
    /// `minikube pause` froze it.
    Paused,
    /// The node does not run, or Kubernetes in it does not: `minikube start` is for both.
    Stopped,
}

/// What `minikube status --output json` prints for one node.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Status {
    host: String,
    #[serde(rename = "APIServer")]
    api_server: String,
}

/// One line of `--output json`: a `CloudEvent` (kubernetes/minikube, `pkg/minikube/out/register`).
#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    kind: String,
    data: EventData,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct EventData {
    message: String,
    name: String,
    advice: String,
    #[serde(rename = "exitcode")]
    exit_code: String,
    url: String,
}

/// The step that a line of minikube's begins, in its own words.
#[must_use]
pub fn step(line: &str) -> Option<String> {
    let event: Event = serde_json::from_str(line).ok()?;
    (event.kind == STEP).then_some(event.data.name)
}

impl Minikube {
    /// Finds one that works.
    ///
    /// # Errors
    /// There is none, or it is something else, or too old.
    pub async fn find(places: &Places<'_>, ui: &Ui) -> Result<Self, Failure> {
        find::usable(&WANTED, places, ui).await.map(|tool| Self { tool })
    }

    /// Asks how a profile is.
    ///
    /// # Errors
    /// minikube says nothing that can be understood.
    pub async fn state(&self, profile: Profile<'_>, ui: &Ui) -> Result<State, Failure> {
        let command = self.command(profile, &["status", "--output", "json"]);
        let output = command.outcome(Kind::Cluster, ui).await?;
        if output.code == Some(NO_PROFILE) {
            return Ok(State::Absent);
        }
        // The code tells of anything that is not well; the document tells what.
        let status: Status =
            serde_json::from_str(output.stdout.trim()).map_err(|_| command.failed(Kind::Cluster, &output))?;
        Ok(match (status.host.as_str(), status.api_server.as_str()) {
            ("Running", "Running") => State::Running,
            ("Running", "Paused") => State::Paused,
            ("Nonexistent", _) => State::Absent,
            _ => State::Stopped,
        })
    }

    /// Makes or starts a profile. `on_step` sees minikube's steps by their names.
    ///
    /// # Errors
    /// What minikube's own error event says, with its advice.
    pub async fn start(
        &self,
        profile: Profile<'_>,
        options: &[String],
        ui: &Ui,
        mut on_step: impl FnMut(&str),
    ) -> Result<(), Failure> {
        let command = self
            .command(profile, &["start", "--output", "json", "--interactive=false"])
            .args(options)
            .deadline(Duration::from_mins(15));
        let output = command
            .outcome_of_both(Kind::Cluster, ui, |line| {
                if let Some(step) = step(line) {
                    on_step(&step);
                }
            })
            .await?;
        if output.code == Some(0) { Ok(()) } else { Err(failure(&command, &output)) }
    }

    /// Thaws a paused profile.
    ///
    /// # Errors
    /// minikube fails.
    pub async fn unpause(&self, profile: Profile<'_>, ui: &Ui) -> Result<(), Failure> {
        self.command(profile, &["unpause"]).run(Kind::Cluster, ui).await.map(drop)
    }

    /// Stops a profile's node.
    ///
    /// # Errors
    /// minikube fails.
    pub async fn stop(&self, profile: Profile<'_>, ui: &Ui) -> Result<(), Failure> {
        self.command(profile, &["stop"]).run(Kind::Cluster, ui).await.map(drop)
    }

    /// Writes the kubeconfig of a running profile anew.
    ///
    /// # Errors
    /// minikube fails.
    pub async fn update_context(&self, profile: Profile<'_>, ui: &Ui) -> Result<(), Failure> {
        self.command(profile, &["update-context"]).run(Kind::Cluster, ui).await.map(drop)
    }

    /// Removes a profile with its node.
    ///
    /// # Errors
    /// minikube fails.
    pub async fn delete(&self, profile: Profile<'_>, ui: &Ui) -> Result<(), Failure> {
        self.command(profile, &["delete"]).run(Kind::Cluster, ui).await.map(drop)
    }

    fn command(&self, profile: Profile<'_>, words: &[&str]) -> Command {
        // The current profile and the user's kubeconfig stay out of it. Certificates go into the kubeconfig, so that it is complete.
        Command::new(&self.tool.path)
            .args(words)
            .args(["--profile", profile.name])
            .without_env(&["MINIKUBE_PROFILE"])
            .env("KUBECONFIG", profile.kubeconfig)
            .env("MINIKUBE_IN_STYLE", "false")
            .env("MINIKUBE_WANTUPDATENOTIFICATION", "false")
    }
}

/// The failure that minikube's last error event tells of; before it come others that are only advice.
fn failure(command: &Command, output: &Output) -> Failure {
    let events = output.stdout.lines().filter_map(|line| serde_json::from_str::<Event>(line).ok());
    let fatal = events
        .filter(|event| event.kind == ERROR)
        .map(|event| event.data)
        .rfind(|data| !matches!(data.exit_code.as_str(), "" | "0"));
    let Some(data) = fatal else { return command.failed(Kind::Cluster, output) };
    let failure = Failure::new(Kind::Cluster, format!("minikube cannot start the cluster ({})", data.name))
        .evidence_lines(data.message.lines());
    let advice = [data.advice, data.url];
    advice.into_iter().filter(|text| !text.is_empty()).fold(failure, Failure::hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(stdout: &str) -> Output {
        Output { code: Some(14), stdout: stdout.to_owned(), stderr: Vec::new() }
    }

    #[test]
    fn steps_are_told_by_their_names() {
        let steps: Vec<String> =
            include_str!("../../tests/fakes/minikube/start.jsonl").lines().filter_map(step).collect();
        assert_eq!(steps.first().map(String::as_str), Some("Initial Minikube Setup"));
        assert!(steps.len() > 4, "{steps:?}");
        assert_eq!(step("E1123 klog speaks in between"), None);
    }

    #[test]
    fn a_failure_is_what_the_fatal_event_says_and_not_the_advice_before_it() {
        let failure =
            failure(&Command::new("minikube"), &output(include_str!("../../tests/fakes/minikube/start-memory.jsonl")));
        assert_eq!(failure.message, "minikube cannot start the cluster (MK_USAGE)");
        assert_eq!(failure.evidence, ["Docker has only 24105MB memory but you specified 999999MB"]);
    }

    #[test]
    fn advice_becomes_a_hint() {
        let text = include_str!("../../tests/fakes/minikube/start-unknown-image.jsonl");
        let failure = failure(&Command::new("minikube"), &output(text));
        assert!(failure.hints[0].contains("HTTP_PROXY"), "{:?}", failure.hints);
    }
}
