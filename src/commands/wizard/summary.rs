//! What comes of the answers, before the last yes.

use super::answers::{Answers, Taken};
use super::questions::Scene;
use crate::plan::{self, ProjectFile, Provider, url};
use crate::profile;

/// The summary, the file that will be written, if any, and the command.
pub(super) fn render(answers: &Answers, scene: Scene<'_>, file: Option<&ProjectFile>, command: &[String]) -> String {
    let cluster = match answers.provider {
        Provider::Existing => "the one that is there, and it stays".to_owned(),
        provider if scene.before.is_some() => format!("{}, brought up before", provider.name()),
        provider => format!("a new one, with {}", provider.name()),
    };
    let context = match (answers.provider, &answers.context) {
        (Provider::Existing, Some(context)) => context.clone(),
        (Provider::Minikube, _) => answers.name.clone(),
        _ => format!("kind-{}", answers.name),
    };
    let current = match scene.found.current() {
        Some(current) => format!("{}, and it stays that", current.name),
        None => "none, and it stays so".to_owned(),
    };
    let namespace = match &answers.taken {
        _ if scene.before.is_some() => "this environment's own",
        None => "new, nothing else is in it",
        Some(Taken::By(_)) => "in use, installed beside what is there",
        Some(_) => "free",
    };
    let airflow = match profile::shipped(&answers.profile) {
        Ok(profile) => format!("{} (profile {}, {} chart)", profile.airflow.version, answers.profile, profile.stack),
        Err(_) => answers.profile.clone(),
    };
    let example = if answers.example == Some(true) { " (new, with example.py)" } else { "" };
    let dags = match (answers.provider, &scene.plan.dags_claim) {
        (Provider::Existing, Some(claim)) => format!("claim {claim}"),
        (Provider::Existing, None) => "none yet: its nodes see no folder of yours, see --dags-claim".to_owned(),
        _ => format!("{}{example}", answers.dags),
    };
    let rows = [
        ("cluster", cluster),
        ("context", context),
        ("your current", current),
        ("namespace", format!("{} ({namespace})", answers.namespace)),
        ("Airflow", airflow),
        ("DAGs", dags),
        ("resources", scene.resources(answers)),
        ("address", url(answers.port)),
        ("smoke test", if answers.smoke { "yes" } else { "no" }.to_owned()),
    ];
    let mut lines = vec![String::new(), "This is what will be:".to_owned()];
    lines.extend(rows.map(|(what, value)| format!("  {what:12} {value}")));
    if let Some(file) = file {
        lines.push("\nwindtunnel.yaml, which is then the default in this folder:".to_owned());
        // The comments are for whoever edits the file.
        let said = plan::render(file);
        let keys = said.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines.extend(keys.map(|line| format!("  {line}")));
    }
    lines.push("\nThe same in one line:".to_owned());
    lines.push(format!("  {}", shell_words::join(command)));
    lines.join("\n")
}
