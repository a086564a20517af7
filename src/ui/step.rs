//! One visible line of the bootstrap: begins with a title, moves while it works, ends with ✓ or ✗ and its time.

use std::time::{Duration, Instant};

use console::{Alignment, Style, pad_str};
use indicatif::{ProgressBar, ProgressStyle};

use super::event::Event;
use super::{Level, Ui};
use crate::codes::Code;

/// Where the marks stand: the longest title, and two spaces.
const TITLE_WIDTH: usize = 30;
/// Where the times stand, unless a detail is longer.
const DETAIL_WIDTH: usize = 58;

/// A step that has begun. Dropped without [`Step::done`], as an early `?` does, the line ends with ✗.
#[must_use = "a step ends when it is dropped"]
pub struct Step<'ui> {
    ui: &'ui Ui,
    name: &'static str,
    title: String,
    started: Instant,
    bar: ProgressBar,
    finished: bool,
}

impl<'ui> Step<'ui> {
    pub(super) fn begin(ui: &'ui Ui, name: &'static str, title: String) -> Self {
        let bar = ui.progress.add(ProgressBar::new_spinner());
        let template = format!("  {{prefix:{TITLE_WIDTH}}}{{spinner}} {{msg}}  {{elapsed}}");
        let style = ProgressStyle::with_template(&template).expect("the template is a constant");
        bar.set_style(style.tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ "));
        bar.set_prefix(title.clone());
        if !bar.is_hidden() {
            bar.enable_steady_tick(Duration::from_millis(100));
        }
        ui.event(&Event::StepStarted { step: name, title: title.clone() });
        Self { ui, name, title, started: Instant::now(), bar, finished: false }
    }

    /// What is being done or waited for right now. Shown on a terminal only; [`Step::note`] is for what must not be lost.
    pub fn doing(&self, what: impl Into<String>) {
        self.bar.set_message(what.into());
    }

    /// A line below the steps that stays, where nothing moves: the reason of a long wait.
    pub fn note(&self, line: &str) {
        if self.bar.is_hidden() {
            self.ui.say(&format!("    {line}"));
        } else {
            self.bar.set_message(line.to_owned());
        }
    }

    /// What a pod is doing; an event for programs, part of the moving line for a person.
    pub fn pod(&self, pod: &str, state: &str) {
        self.ui.event(&Event::Pod { pod: pod.to_owned(), state: state.to_owned() });
    }

    /// What may be the cause why it takes so long, while it may pass yet.
    pub fn suspicion(&self, code: Code, object: &str, message: &str, evidence: &[String]) {
        let quoted = evidence.first().map(|line| format!(" ({line})")).unwrap_or_default();
        self.note(&format!("{}? {object}: {message}{quoted}", code.id()));
        self.ui.event(&Event::Suspicion {
            code,
            object: object.to_owned(),
            message: message.to_owned(),
            evidence: evidence.to_vec(),
            milliseconds: self.milliseconds(),
        });
    }

    /// Since it began.
    fn milliseconds(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Ends the line with ✓ and what is now there.
    pub fn done(mut self, detail: impl Into<String>) {
        self.end(true, &detail.into());
    }

    fn end(&mut self, ok: bool, detail: &str) {
        self.finished = true;
        self.bar.finish_and_clear();
        self.ui.progress.remove(&self.bar);
        let (elapsed, milliseconds) = (self.started.elapsed(), self.milliseconds());
        self.ui.event(&Event::StepFinished { step: self.name, ok, detail: detail.to_owned(), milliseconds });
        // A step that failed is named even with `-q`: the failure itself does not repeat the title.
        if self.ui.is_json() || (ok && self.ui.manner.level == Level::Quiet) {
            return;
        }
        // A screen reader has no word for the marks, or a long one.
        let (mark, color) = match (ok, self.ui.manner.plain) {
            (true, false) => ("✓", Style::new().green()),
            (false, false) => ("✗", Style::new().red()),
            (true, true) => ("done:", Style::new()),
            (false, true) => ("failed", Style::new()),
        };
        let title = pad_str(&self.title, TITLE_WIDTH, Alignment::Left, None);
        let mark = self.ui.style(color).apply_to(mark);
        let line = format!("{title}{mark} {detail}");
        let line = pad_str(&line, TITLE_WIDTH + 2 + DETAIL_WIDTH, Alignment::Left, None);
        self.ui.talk(format!("  {line} {}", seconds(elapsed)).trim_end());
    }
}

impl Drop for Step<'_> {
    fn drop(&mut self) {
        if !self.finished {
            if let Ok(mut work) = self.ui.work.lock() {
                work.cut_short.push(self.name);
            }
            self.end(false, "");
        }
    }
}

/// Seconds with one digit; nothing for a step that took no time that a person would notice.
fn seconds(elapsed: Duration) -> String {
    if elapsed < Duration::from_millis(100) { String::new() } else { format!("{:>6.1}s", elapsed.as_secs_f64()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_from_a_tenth_of_a_second() {
        assert_eq!(seconds(Duration::from_millis(40)), "");
        assert_eq!(seconds(Duration::from_millis(240)), "   0.2s");
        assert_eq!(seconds(Duration::from_secs(75)), "  75.0s");
    }
}
