//! `windtunnel` alone on a terminal: shows what is there, asks what matters, and ends in a `windtunnel.yaml` and the one command that
//! does the same; then runs that command. Until the last yes nothing is changed.

mod answers;
mod example;
mod found;
mod questions;
mod summary;

use super::up::{Resolved, resolve};
use crate::cli;
use crate::cluster::namespace;
use crate::error::{Failure, Kind};
use crate::providers::existing::Source;
use crate::surroundings::Surroundings;
use crate::ui::{Answer, Ask, Question, Ui};
use answers::{Answers, Taken};
use questions::{Scene, Topic};

/// Asks, shows what comes of it, and on a yes does it. `named` is an environment's name that was given already.
///
/// # Errors
/// Something that cannot be done without is missing; somebody left a question; or as `up`.
pub async fn wizard(named: Option<&str>, ui: &Ui, surroundings: &Surroundings) -> Result<(), Failure> {
    ui.say("windtunnel brings up a real Airflow on a real Kubernetes on this machine.");
    ui.say("Enter takes what is marked or in brackets. Esc or Ctrl-C leaves all as it is.\n");
    let options = cli::of_words(&["windtunnel".to_owned(), "up".to_owned()])?.settings;
    let usual = named.map_or_else(|| surroundings.usual_name(), |name| Ok(name.to_owned()))?;
    let Resolved { plan, project, .. } = resolve(&options, &usual, surroundings)?;
    let found = found::look(&plan, ui, surroundings).await?;
    ui.say(&found.lines().join("\n"));
    if let Some(project) = &project {
        ui.say(&format!("\n{} is there: what it says is the default, and it stays as it is.", project.path.display()));
    }

    let name = match named {
        Some(name) => name.to_owned(),
        None => text(ui.ask(&questions::name(&found, &usual)).await?),
    };
    let Resolved { plan, before, .. } = resolve(&options, &name, surroundings)?;
    let scene = Scene { found: &found, plan: &plan, before: before.as_ref() };
    let answers = ask(scene, ui, surroundings).await?;
    let command = answers.command(scene, &surroundings.name_option(&name));
    let file = answers.file(scene);
    ui.say(&summary::render(&answers, scene, project.is_none().then_some(&file), &command));
    let title = if project.is_none() { "Write windtunnel.yaml and bring it up?" } else { "Bring it up?" };
    if !ui.says_yes() {
        let question = Question { notes: Vec::new(), title: title.to_owned(), ask: Ask::YesNo(true) };
        if ui.ask(&question).await? != Answer::YesNo(true) {
            return Err(Failure::new(Kind::Interrupted, "not confirmed: nothing was changed"));
        }
    }
    if project.is_none() {
        super::init::write(&surroundings.folder, &file)?;
    }
    if answers.example == Some(true) {
        example::write(&surroundings.folder.join(&answers.dags), &answers.profile)?;
    }
    ui.say("");
    super::up::up(&cli::of_words(&command)?, &name, ui, surroundings).await
}

/// Asks every question that the answers so far leave open.
async fn ask(scene: Scene<'_>, ui: &Ui, surroundings: &Surroundings) -> Result<Answers, Failure> {
    let mut answers = Answers::of(scene);
    while let Some((topic, question)) = questions::next(scene, &answers) {
        answers.take(topic, ui.ask(&question).await?);
        if topic == Topic::Namespace {
            answers.looked_at(look_into(&answers, scene, surroundings).await?);
        }
    }
    Ok(answers)
}

/// Whether the namespace of a cluster that exists is in use, and by what.
async fn look_into(answers: &Answers, scene: Scene<'_>, surroundings: &Surroundings) -> Result<Taken, Failure> {
    let context = answers.context.as_deref().unwrap_or_default();
    // Whether a cluster elsewhere may be used has been answered before.
    let cluster = Source::read(found::kubeconfig(scene.plan, surroundings), context, true)?.cluster().await?;
    Ok(match cluster.namespace(&answers.namespace, scene.plan.into()).await? {
        namespace::Found::Absent | namespace::Found::Ours => Taken::Free,
        namespace::Found::Terminating => Taken::Leaving,
        namespace::Found::Foreign(objects) if objects.is_empty() => Taken::Free,
        namespace::Found::Foreign(objects) => Taken::By(objects),
    })
}

fn text(answer: Answer) -> String {
    match answer {
        Answer::Text(text) => text,
        Answer::YesNo(_) => String::new(),
    }
}
