//! Questions as data, and the two ways to ask them: with the cursor keys, or in plain numbered lines.

use std::io::Write;

use console::Style;

use super::{Ui, prompt};
use crate::error::{Failure, Kind};

/// A question.
pub struct Question {
    /// What is known that helps to answer it: lines shown before it.
    pub notes: Vec<String>,
    /// The question itself.
    pub title: String,
    /// What kind of answer it takes.
    pub ask: Ask,
}

/// Judges an answer: why it cannot be.
pub type Check = Box<dyn Fn(&str) -> Result<(), String>>;

/// What kind of answer a question takes.
pub enum Ask {
    /// One of several.
    Choice {
        /// The answers there are.
        options: Vec<Choice>,
        /// The one that Enter takes; without it one has to be chosen.
        default: Option<usize>,
    },
    /// A line of text.
    Text {
        /// What Enter takes.
        default: String,
        /// What a valid answer is.
        check: Check,
    },
    /// Yes or no; and what Enter takes.
    YesNo(bool),
}

/// One of several answers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Choice {
    /// What it stands for.
    pub value: String,
    /// What is read.
    pub label: String,
}

/// An answer, valid.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Answer {
    /// The value of a choice, or a text.
    Text(String),
    /// Yes or no.
    YesNo(bool),
}

/// Asks on a terminal that can move its cursor, and leaves question and answer as one line.
pub(super) fn moving(question: &Question, ui: &Ui) -> Result<Answer, Failure> {
    say_notes(question, ui);
    let sign = ui.style(Style::new().cyan()).apply_to("?").to_string();
    match &question.ask {
        Ask::Choice { options, default } => {
            let labels: Vec<String> = options.iter().map(|option| option.label.clone()).collect();
            let chosen = prompt::select(&question.title, &labels, *default)?.ok_or_else(left)?;
            // The same way as after any other question, and without what the list explained.
            ui.talk(&format!("{sign} {}: {}", question.title, options[chosen].value));
            Ok(Answer::Text(options[chosen].value.clone()))
        }
        Ask::Text { default, check } => loop {
            let line = prompt::line(&format!("{sign} {} [{default}]: ", question.title), default)?.ok_or_else(left)?;
            match taken(&line, default, check) {
                Ok(text) => return Ok(Answer::Text(text)),
                Err(why) => complain(&why, ui),
            }
        },
        Ask::YesNo(default) => prompt::confirm(&question.title, *default)?.map(Answer::YesNo).ok_or_else(left),
    }
}

/// Asks in lines, each written once: nothing that a screen reader would have to follow.
pub(super) async fn plain(question: &Question, ui: &Ui) -> Result<Answer, Failure> {
    say_notes(question, ui);
    if let Ask::Choice { options, .. } = &question.ask {
        ui.talk(&question.title);
        for (number, option) in (1..).zip(options) {
            ui.talk(&format!("  {number}. {}", option.label));
        }
    }
    let prompt = match &question.ask {
        Ask::Choice { options, default: Some(default) } => {
            format!("Number from 1 to {} [{}]: ", options.len(), default + 1)
        }
        Ask::Choice { options, default: None } => format!("Number from 1 to {}: ", options.len()),
        Ask::Text { default, .. } => format!("{} [{default}]: ", question.title),
        Ask::YesNo(default) => format!("{} [{}]: ", question.title, if *default { "yes" } else { "no" }),
    };
    loop {
        let line = typed(&prompt, ui).await?;
        match understood(&question.ask, line.trim()) {
            Ok(answer) => return Ok(answer),
            Err(why) => complain(&why, ui),
        }
    }
}

/// What a typed line means.
fn understood(ask: &Ask, line: &str) -> Result<Answer, String> {
    match ask {
        Ask::Choice { options, default } => {
            let number = if line.is_empty() { default.map(|default| default + 1) } else { line.parse().ok() };
            let chosen = number.and_then(|number| options.get(number.checked_sub(1)?));
            let chosen = chosen.or_else(|| options.iter().find(|option| option.value == line));
            let wrong = || format!("type a number from 1 to {}", options.len());
            chosen.map(|option| Answer::Text(option.value.clone())).ok_or_else(wrong)
        }
        Ask::Text { default, check } => taken(line, default, check).map(Answer::Text),
        Ask::YesNo(default) => match line.to_lowercase().as_str() {
            "" => Ok(Answer::YesNo(*default)),
            "y" | "yes" => Ok(Answer::YesNo(true)),
            "n" | "no" => Ok(Answer::YesNo(false)),
            _ => Err("type yes or no".to_owned()),
        },
    }
}

fn taken(line: &str, default: &str, check: &Check) -> Result<String, String> {
    let text = if line.trim().is_empty() { default } else { line.trim() };
    check(text).map(|()| text.to_owned())
}

fn say_notes(question: &Question, ui: &Ui) {
    ui.talk("");
    for note in &question.notes {
        ui.talk(&format!("  {note}"));
    }
}

fn complain(why: &str, ui: &Ui) {
    ui.talk(&format!("  {} {why}", ui.style(Style::new().yellow()).apply_to("not valid:")));
}

/// Reads a line without keeping anything else from going on, Ctrl-C above all.
async fn typed(prompt: &str, ui: &Ui) -> Result<String, Failure> {
    {
        let _guard = ui.output.lock();
        let mut stderr = std::io::stderr().lock();
        // Where stderr is gone there is nobody left who could be told.
        let _ = write!(stderr, "{prompt}").and_then(|()| stderr.flush());
    }
    let read = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).map(|length| (length, line))
    });
    match read.await {
        Ok(Ok((1.., line))) if !line.contains('\u{1b}') => Ok(line),
        _ => Err(left()),
    }
}

fn left() -> Failure {
    Failure::new(Kind::Interrupted, "left without an answer: nothing was changed")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(answer: &str) -> Answer {
        Answer::Text(answer.to_owned())
    }

    #[test]
    fn a_choice_is_a_number_or_its_value() {
        let options = ["kind", "existing"].map(|value| Choice { value: value.to_owned(), label: value.to_owned() });
        let ask = |default| Ask::Choice { options: options.to_vec(), default };
        assert_eq!(understood(&ask(Some(0)), ""), Ok(text("kind")));
        assert_eq!(understood(&ask(Some(0)), "2"), Ok(text("existing")));
        assert_eq!(understood(&ask(None), "existing"), Ok(text("existing")));
        for line in ["", "0", "3", "k3s", "-1"] {
            assert_eq!(understood(&ask(None), line), Err("type a number from 1 to 2".to_owned()));
        }
    }

    #[test]
    fn yes_and_no_are_words_or_letters() {
        for (line, answer) in [("", true), ("y", true), ("YES", true), ("n", false), ("No", false)] {
            assert_eq!(understood(&Ask::YesNo(true), line), Ok(Answer::YesNo(answer)));
        }
        assert!(understood(&Ask::YesNo(true), "maybe").is_err());
    }

    #[test]
    fn a_text_is_checked_and_its_default_as_well() {
        let check = || -> Check { Box::new(|text| if text == "good" { Ok(()) } else { Err("bad".to_owned()) }) };
        let ask = |default: &str| Ask::Text { default: default.to_owned(), check: check() };
        assert_eq!(understood(&ask("good"), ""), Ok(text("good")));
        assert_eq!(understood(&ask("evil"), " good "), Ok(text("good")));
        assert!(understood(&ask("evil"), "").is_err());
    }
}
