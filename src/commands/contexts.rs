//! The contexts of the user's kubeconfig, to choose from. None is ever guessed.

use crate::cluster::kubeconfig::{self, Context};
use crate::error::Failure;
use crate::plan::Wishes;
use crate::surroundings::Surroundings;
use crate::ui::{Answer, Ask, Choice, Question, Ui};

/// The contexts as answers, each with its server and namespace.
pub(super) fn choices(contexts: &[Context]) -> Vec<Choice> {
    let width = contexts.iter().map(|context| context.name.chars().count()).max().unwrap_or(0);
    let label = |context: &Context| {
        let current = if context.current { ", current" } else { "" };
        let Context { name, server, namespace, .. } = context;
        format!("{name:width$}  {server}  (namespace {namespace}{current})")
    };
    contexts.iter().map(|context| Choice { value: context.name.clone(), label: label(context) }).collect()
}

/// Has the user choose; `None` where there is nothing to choose from.
///
/// # Errors
/// The kubeconfig cannot be read, or there is no answer.
pub(super) async fn choose(wishes: &Wishes, ui: &Ui, surroundings: &Surroundings) -> Result<Option<String>, Failure> {
    let files = match &wishes.kubeconfig {
        Some(file) => vec![surroundings.folder.join(file)],
        None => surroundings.kubeconfig.clone(),
    };
    let options = choices(&kubeconfig::contexts(&files)?);
    if options.is_empty() {
        return Ok(None);
    }
    let question =
        Question { notes: Vec::new(), title: "Which context".to_owned(), ask: Ask::Choice { options, default: None } };
    Ok(match ui.ask(&question).await? {
        Answer::Text(context) => Some(context),
        Answer::YesNo(_) => None,
    })
}
