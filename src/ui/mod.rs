//! What the person sees: step lines, progress, questions, failures, and the same as JSON events.
//!
//! Talk goes to stderr, data to stdout. Everything printed anywhere goes through [`Ui`], which is handed in. Colour
//! and motion come only where the terminal takes them and never carry meaning alone.

pub mod event;
mod prompt;
mod question;
mod report;
mod step;

use std::io::{IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use console::Style;
use indicatif::{MultiProgress, ProgressDrawTarget};
use secrecy::SecretString;
use serde::Serialize;

use crate::error::{During, Failure, Kind};
use event::Event;
pub use question::{Answer, Ask, Check, Choice, Question};
pub use step::Step;

/// How results leave: for a person or for a program.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Format {
    /// Lines for a person.
    #[default]
    Text,
    /// One JSON document, or one JSON event a line where a command works for a while.
    Json,
}

/// How much talk there is.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub enum Level {
    /// Only results and failures.
    Quiet,
    /// The step lines.
    #[default]
    Normal,
    /// Also every command that is run.
    Verbose,
}

/// When to colour.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Color {
    /// Where stderr is a terminal and `NO_COLOR` is not set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How the user wants to be talked to and asked.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a wish of its own")]
pub struct Manner {
    /// For a person or for a program.
    pub format: Format,
    /// How much talk there is.
    pub level: Level,
    /// When to colour.
    pub color: Color,
    /// Every question is answered with yes.
    pub yes: bool,
    /// No question is asked; one that would be needed is a usage error.
    pub no_input: bool,
    /// Nothing moves even on a terminal: set in CI.
    pub still: bool,
    /// Nothing moves, and questions are lines: for screen readers.
    pub plain: bool,
}

/// The one way to the terminal.
pub struct Ui {
    manner: Manner,
    colored: bool,
    progress: MultiProgress,
    /// Lines from tasks that run side by side must not mix.
    output: Mutex<()>,
    /// A document has been written, which is all that belongs on stdout then.
    documented: AtomicBool,
    /// Where events are kept as well, whether the user wants to see them or not.
    journal: Mutex<Option<std::fs::File>>,
    /// What is told of where it is cut short.
    work: Mutex<Work>,
}

/// What a command is at.
#[derive(Clone, Debug, Default)]
pub struct Work {
    /// The environment that is changed; `None` before anything may be.
    pub environment: Option<String>,
    /// The names of the steps that had begun and did not come to their end.
    pub cut_short: Vec<&'static str>,
}

impl Ui {
    /// Looks once at what stderr is, then keeps to it.
    #[must_use]
    pub fn new(manner: Manner) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let colored = match manner.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && console::colors_enabled_stderr(),
        };
        console::set_colors_enabled_stderr(colored);
        console::set_colors_enabled(colored);
        let moving = terminal
            && !manner.still
            && !manner.plain
            && manner.format == Format::Text
            && manner.level == Level::Normal;
        let target = if moving { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Self {
            manner,
            colored,
            progress: MultiProgress::with_draw_target(target),
            output: Mutex::new(()),
            documented: AtomicBool::new(false),
            journal: Mutex::new(None),
            work: Mutex::default(),
        }
    }

    /// Whether results leave as JSON.
    #[must_use]
    pub const fn is_json(&self) -> bool {
        matches!(self.manner.format, Format::Json)
    }

    /// Begins a line of the bootstrap; see [`Step`]. `name` is its name in events, `title` what the person reads.
    pub fn step(&self, name: &'static str, title: impl Into<String>) -> Step<'_> {
        Step::begin(self, name, title.into())
    }

    /// One line of talk, for a person only.
    pub fn say(&self, line: &str) {
        if !self.is_json() && self.manner.level >= Level::Normal {
            self.talk(line);
        }
    }

    /// One line that the person must see: shown even with `-q`.
    pub fn warn(&self, line: &str) {
        if self.is_json() {
            self.event(&Event::Warning { message: line.to_owned() });
        } else {
            self.talk(&format!("{} {line}", self.style(Style::new().yellow()).apply_to("warning:")));
        }
    }

    /// A command that is about to run, pasteable; only with `-v`.
    pub fn command(&self, line: &str) {
        if self.manner.level >= Level::Verbose {
            self.talk(&self.style(Style::new().dim()).apply_to(format!("$ {line}")).to_string());
        }
    }

    /// What a running command prints; only with `-v`.
    pub fn tool_output(&self, line: &str) {
        if self.manner.level >= Level::Verbose {
            self.talk(&format!("  {line}"));
        }
    }

    /// Data for stdout, as it is.
    ///
    /// A reader that has gone away (`| head`) is no failure.
    pub fn data(&self, text: &str) {
        let _guard = self.output.lock();
        self.progress.suspend(|| {
            let mut stdout = std::io::stdout().lock();
            // The only error that a terminal program can do anything about is none: the reader left.
            let _ = stdout.write_all(text.as_bytes());
            let _ = stdout.flush();
        });
    }

    /// One JSON document on stdout.
    pub fn document(&self, document: &impl Serialize) {
        self.documented.store(true, Ordering::Relaxed);
        self.data(&format!("{}\n", json(document, true)));
    }

    /// From now on keeps every event in this file too, a line each, which only this user can read. What was in it goes.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn keep_events(&self, path: &Path) -> Result<(), Failure> {
        let mut options = std::fs::OpenOptions::new();
        let file = options.write(true).create(true).truncate(true).mode(0o600).open(path);
        let file = file.during(Kind::Usage, format!("cannot write {}", path.display()))?;
        if let Ok(mut journal) = self.journal.lock() {
            *journal = Some(file);
        }
        Ok(())
    }

    /// From now on this environment is changed.
    pub fn works_on(&self, environment: &str) {
        if let Ok(mut work) = self.work.lock() {
            work.environment = Some(environment.to_owned());
        }
    }

    /// What the command was at so far.
    #[must_use]
    pub fn work(&self) -> Work {
        self.work.lock().map(|work| work.clone()).unwrap_or_default()
    }

    /// One JSON event, on a line of its own, if the user asked for JSON.
    pub fn event(&self, event: &Event) {
        if let Some(file) = self.journal.lock().ok().as_mut().and_then(|journal| journal.as_mut()) {
            // A disk that has become full is told of by what it keeps from working, not by this.
            let _ = writeln!(file, "{}", json(event, false));
        }
        if self.is_json() {
            self.data(&format!("{}\n", json(event, false)));
        }
    }

    /// Shows why it ended. The last thing printed: on stdout as JSON, unless a document that tells it is there already.
    pub fn failure(&self, failure: &Failure) {
        self.restore();
        let shows_event = self.is_json() && !self.documented.load(Ordering::Relaxed);
        if shows_event || !self.is_json() {
            self.event(&Event::Failure { failure: failure.clone() });
        }
        if !shows_event {
            self.talk(&report::render(failure, self));
        }
    }

    /// Asks before something is removed. Yes by `--yes`.
    ///
    /// # Errors
    /// Usage when there is nobody to ask, interrupted when the answer is no.
    pub fn confirm(&self, question: &str) -> Result<(), Failure> {
        if self.manner.yes {
            return Ok(());
        }
        if !self.can_ask() {
            return Err(Failure::usage("this needs a yes, and there is nobody to ask").hint("to agree: add `--yes`"));
        }
        if prompt::confirm(question, false)?.unwrap_or(false) {
            Ok(())
        } else {
            Err(Failure::new(Kind::Interrupted, "not confirmed: nothing was changed"))
        }
    }

    /// Asks whether to do one of several things; no is an answer, and not the end. Yes by `--yes`.
    ///
    /// # Errors
    /// Usage when there is nobody to ask, interrupted by Esc or Ctrl-C.
    pub fn agrees(&self, question: &str) -> Result<bool, Failure> {
        if self.manner.yes {
            return Ok(true);
        }
        if !self.can_ask() {
            return Err(Failure::usage("this needs a yes, and there is nobody to ask").hint("to agree: add `--yes`"));
        }
        prompt::confirm(question, false)?
            .ok_or_else(|| Failure::new(Kind::Interrupted, "left without an answer: nothing more was changed"))
    }

    /// Whether there is somebody to ask.
    #[must_use]
    pub fn can_ask(&self) -> bool {
        let terminals = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        terminals && !self.manner.no_input && !self.is_json()
    }

    /// Asks a question until the answer is a valid one. Whoever calls has looked whether there is somebody: [`Ui::can_ask`].
    ///
    /// # Errors
    /// Interrupted, by Esc, Ctrl-C, or the end of the input.
    pub async fn ask(&self, question: &Question) -> Result<Answer, Failure> {
        // A Ctrl-C that came between two questions is seen here.
        tokio::task::yield_now().await;
        if self.manner.plain { question::plain(question, self).await } else { question::moving(question, self) }
    }

    /// Asks for a secret, which is not shown. Whoever calls has looked whether there is somebody: [`Ui::can_ask`].
    ///
    /// # Errors
    /// Interrupted, by Esc or Ctrl-C.
    pub fn ask_secret(&self, question: &str) -> Result<SecretString, Failure> {
        prompt::secret(&format!("{question}: "))?
            .ok_or_else(|| Failure::new(Kind::Interrupted, "left without an answer: nothing was changed"))
    }

    /// Whether what asks for a yes is answered with it beforehand.
    #[must_use]
    pub const fn says_yes(&self) -> bool {
        self.manner.yes
    }

    /// Leaves the terminal as it was found: no half-drawn line, the cursor visible.
    pub fn restore(&self) {
        let _ = self.progress.clear();
        let terminal = console::Term::stderr();
        // In plain lines nothing was drawn and nothing hidden.
        if terminal.is_term() && !self.manner.plain {
            let _ = terminal.show_cursor();
        }
    }

    fn talk(&self, text: &str) {
        let _guard = self.output.lock();
        self.progress.suspend(|| {
            let _ = writeln!(std::io::stderr().lock(), "{text}");
        });
    }

    fn style(&self, style: Style) -> Style {
        style.for_stderr().force_styling(self.colored)
    }
}

fn json(document: &impl Serialize, pretty: bool) -> String {
    let written = if pretty { serde_json::to_string_pretty(document) } else { serde_json::to_string(document) };
    written.expect("documents are plain data with text keys")
}
