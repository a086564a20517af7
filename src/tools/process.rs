//! Runs a child: logs the command, never waits without a deadline, judges its status, keeps its last words.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::error::{Failure, Kind};
use crate::ui::Ui;

mod ending;
mod terminal;

use ending::Running;
pub use ending::{await_told, hold, kill_told};

/// How many of a failed child's last lines are kept as evidence.
const TAIL: usize = 15;

/// A child that has not been started yet.
#[derive(Clone, Debug)]
pub struct Command {
    program: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(String, OsString)>,
    /// Variables of ours that the child does not get.
    withheld: &'static [&'static str],
    input: Input,
    deadline: Duration,
}

/// What a child reads on stdin.
#[derive(Clone, Debug)]
enum Input {
    Nothing,
    Bytes(Vec<u8>),
    Child(Box<Command>),
}

/// Which of a child's outputs is read line by line.
#[derive(Clone, Copy, Debug)]
enum Watched {
    Stdout,
    Stderr,
}

/// What a child left behind. A status other than 0 is here only after [`Command::outcome`].
#[derive(Clone, Debug)]
pub struct Output {
    /// The exit code; `None` where a signal ended it.
    pub code: Option<i32>,
    /// All of its stdout.
    pub stdout: String,
    /// The last lines of its stderr.
    pub stderr: Vec<String>,
}

impl Command {
    /// A child with no arguments yet, and two minutes to end.
    #[must_use]
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            arguments: Vec::new(),
            // Machine output is read, so: the C locale and no colour.
            environment: vec![("LC_ALL".to_owned(), "C".into()), ("NO_COLOR".to_owned(), "1".into())],
            withheld: &[],
            input: Input::Nothing,
            deadline: Duration::from_mins(2),
        }
    }

    /// Adds an argument. Never a secret: everybody on the machine can read a command line.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Adds arguments, in order.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(self, arguments: impl IntoIterator<Item = A>) -> Self {
        arguments.into_iter().fold(self, Self::arg)
    }

    /// Sets one variable of the child's environment, which otherwise is ours.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl AsRef<OsStr>) -> Self {
        self.environment.push((name.into(), value.as_ref().to_owned()));
        self
    }

    /// Keeps these variables of our environment from the child.
    #[must_use]
    pub const fn without_env(mut self, names: &'static [&'static str]) -> Self {
        self.withheld = names;
        self
    }

    /// What the child reads on stdin; nothing otherwise.
    #[must_use]
    pub fn input(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = Input::Bytes(bytes.into());
        self
    }

    /// The child reads on stdin what another child writes on stdout. Both must succeed.
    #[must_use]
    pub fn input_from(mut self, source: Self) -> Self {
        self.input = Input::Child(Box::new(source));
        self
    }

    /// How long the child may take before it is killed and a timeout is reported.
    #[must_use]
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// The command as one could paste it into a shell.
    #[must_use]
    pub fn line(&self) -> String {
        let words = std::iter::once(self.program.as_os_str()).chain(self.arguments.iter().map(OsString::as_os_str));
        let line = shell_words::join(words.map(|word| word.to_string_lossy().into_owned()));
        match &self.input {
            Input::Nothing | Input::Bytes(_) => line,
            Input::Child(source) => format!("{} | {line}", source.line()),
        }
    }

    /// Runs it to its end; any status but 0 is a failure of `kind` with the child's last lines.
    ///
    /// # Errors
    /// The child cannot be started, takes too long, or fails.
    pub async fn run(&self, kind: Kind, ui: &Ui) -> Result<Output, Failure> {
        self.run_watched(kind, ui, |_| {}).await
    }

    /// Like [`Command::run`], and hands over every line of stderr as it comes.
    ///
    /// # Errors
    /// As [`Command::run`].
    pub async fn run_watched(&self, kind: Kind, ui: &Ui, on_line: impl FnMut(&str)) -> Result<Output, Failure> {
        let output = self.outcome_watched(kind, ui, on_line).await?;
        if output.code == Some(0) {
            return Ok(output);
        }
        Err(self.failed(kind, &output))
    }

    /// Runs it to its end, leaves the judgement of its status to the caller, and hands over every line of stdout and stderr as it comes.
    /// All lines of both are then in the output's `stdout`.
    ///
    /// # Errors
    /// As [`Command::outcome`].
    pub async fn outcome_of_both(&self, kind: Kind, ui: &Ui, mut on_line: impl FnMut(&str)) -> Result<Output, Failure> {
        let mut both = String::new();
        let joined = self.expression()?.stderr_to_stdout();
        let output = self
            .watch(joined, Watched::Stdout, kind, ui, |line| {
                on_line(line);
                both.push_str(line);
                both.push('\n');
            })
            .await?;
        Ok(Output { stdout: both, ..output })
    }

    /// Runs it to its end and leaves the judgement of its status to the caller.
    ///
    /// # Errors
    /// The child cannot be started or takes too long.
    pub async fn outcome(&self, kind: Kind, ui: &Ui) -> Result<Output, Failure> {
        self.outcome_watched(kind, ui, |_| {}).await
    }

    /// The failure that a status other than 0 means where the caller expected success.
    #[must_use]
    pub fn failed(&self, kind: Kind, output: &Output) -> Failure {
        let ending = output
            .code
            .map_or_else(|| "was ended by a signal".to_owned(), |code| format!("failed with exit code {code}"));
        let mut lines = output.stderr.clone();
        if lines.is_empty() {
            lines = output.stdout.lines().rev().take(TAIL).map(str::to_owned).collect();
            lines.reverse();
        }
        Failure::new(kind, format!("`{}` {ending}", self.line())).evidence_lines(lines)
    }

    async fn outcome_watched(&self, kind: Kind, ui: &Ui, on_line: impl FnMut(&str)) -> Result<Output, Failure> {
        self.watch(self.expression()?.stdout_capture(), Watched::Stderr, kind, ui, on_line).await
    }

    async fn watch(
        &self,
        expression: duct::Expression,
        watched: Watched,
        kind: Kind,
        ui: &Ui,
        mut on_line: impl FnMut(&str),
    ) -> Result<Output, Failure> {
        ui.command(&self.line());
        let (reader_end, writer_end) = std::io::pipe().map_err(|error| self.not_started(&error))?;
        let expression = match watched {
            Watched::Stdout => expression.stdout_file(writer_end).unchecked(),
            Watched::Stderr => expression.stderr_file(writer_end).unchecked(),
        };
        let handle = Arc::new(expression.start().map_err(|error| self.not_started(&error))?);
        let mut running = Running::begin(self.programs(), &handle);
        // The expression holds our end of the pipe, which would keep the reader below from ever seeing its end.
        drop(expression);

        let (sender, mut lines) = mpsc::unbounded_channel();
        let reader = tokio::task::spawn_blocking(move || read_lines(reader_end, &sender));
        let waiting = {
            let handle = Arc::clone(&handle);
            tokio::task::spawn_blocking(move || handle.wait().cloned())
        };
        let mut tail: Vec<String> = Vec::new();
        let collected = tokio::time::timeout(self.deadline, async {
            while let Some(line) = lines.recv().await {
                ui.tool_output(&line);
                on_line(&line);
                if tail.len() == TAIL {
                    tail.remove(0);
                }
                tail.push(line);
            }
            let _ = reader.await;
            waiting.await
        })
        .await;
        let Ok(joined) = collected else {
            let _ = handle.kill();
            running.has_ended = true;
            return Err(Failure::new(
                Kind::Timeout,
                format!("`{}` did not end within {} s", self.line(), self.deadline.as_secs()),
            )
            .evidence_lines(tail));
        };
        running.has_ended = true;
        let output = joined.map_err(|error| Failure::bug(format!("waiting for `{}`: {error}", self.line())))?.map_err(
            |error| Failure::new(kind, format!("waiting for `{}`", self.line())).evidence(error.to_string()),
        )?;
        Ok(Output {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: tail,
        })
    }

    /// Starts a child that outlives us, its log in `log`, and returns its id and the pipe that it says on stdout when it is ready.
    ///
    /// # Errors
    /// The child cannot be started.
    pub fn start_detached(&self, log: File, ui: &Ui) -> Result<(u32, std::io::PipeReader), Failure> {
        ui.command(&self.line());
        let (reader, writer) = std::io::pipe().map_err(|error| self.not_started(&error))?;
        let expression = self.without_lock().stdin_null().stdout_file(writer).stderr_file(log).unchecked();
        let handle = expression.start().map_err(|error| self.not_started(&error))?;
        let process = handle.pids().first().copied().ok_or_else(|| Failure::bug("a started child has no id"))?;
        Ok((process, reader))
    }

    /// The child with its environment and input; what becomes of its output is the caller's choice. It holds the lock of the environment
    /// that is worked on: should this process be killed, the next one sees that its child still is at work.
    fn expression(&self) -> Result<duct::Expression, Failure> {
        let expression = self.without_lock();
        Ok(match &self.input {
            Input::Nothing => match ending::stdin().map_err(|error| self.not_started(&error))? {
                Some(lock) => expression.stdin_file(lock),
                None => expression.stdin_null(),
            },
            Input::Bytes(bytes) => expression.stdin_bytes(bytes.clone()),
            Input::Child(source) => source.expression()?.pipe(expression),
        })
    }

    /// The child with its environment alone.
    fn without_lock(&self) -> duct::Expression {
        // As a path, a bare name would be looked for in the working folder and not on PATH.
        let mut expression = duct::cmd(self.program.as_os_str(), &self.arguments);
        // It opens backups, and no child makes any: the forward would keep it for days.
        expression = expression.env_remove("WINDTUNNEL_PASSPHRASE");
        for (name, value) in &self.environment {
            expression = expression.env(name, value);
        }
        for name in self.withheld {
            expression = expression.env_remove(name);
        }
        expression
    }

    /// The programs that are run, from left to right.
    fn programs(&self) -> Vec<String> {
        let mut programs = if let Input::Child(source) = &self.input { source.programs() } else { Vec::new() };
        programs.push(name(&self.program));
        programs
    }

    fn not_started(&self, error: &std::io::Error) -> Failure {
        Failure::new(Kind::Prerequisite, format!("`{}` cannot be started", name(&self.program)))
            .evidence(error.to_string())
    }
}

/// A program's name as the user knows it.
fn name(program: &Path) -> String {
    program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned()
}

/// Hands over each line as text, whatever bytes it is made of, until the child and its children close their end.
fn read_lines(reader: impl Read, lines: &mpsc::UnboundedSender<String>) {
    let mut reader = BufReader::new(reader);
    let mut bytes = Vec::new();
    while reader.read_until(b'\n', &mut bytes).is_ok_and(|count| count > 0) {
        let line = String::from_utf8_lossy(&bytes).trim_end().to_owned();
        bytes.clear();
        if lines.send(line).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::Manner;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    fn shell(script: &str) -> Command {
        Command::new("/bin/sh").args(["-c", script])
    }

    #[test]
    fn a_failed_child_shows_its_command_status_and_last_lines() {
        let ui = Ui::new(Manner::default());
        let failure =
            block_on(shell("echo out; echo 'no space left' >&2; exit 3").run(Kind::Cluster, &ui)).unwrap_err();
        assert_eq!(
            failure.message,
            "`/bin/sh -c 'echo out; echo '\\''no space left'\\'' >&2; exit 3'` failed with exit code 3"
        );
        assert_eq!(failure.evidence, ["no space left"]);
        assert_eq!(failure.kind, Kind::Cluster);
    }

    #[test]
    fn input_and_output_that_are_not_text_are_survived() {
        let ui = Ui::new(Manner::default());
        let output =
            block_on(shell("cat; printf 'a\\377b\\n' >&2").input([0xff, b'x']).run(Kind::Cluster, &ui)).unwrap();
        assert_eq!(output.stdout, "\u{fffd}x");
        assert_eq!(output.stderr, ["a\u{fffd}b"]);
    }

    #[test]
    fn a_pipe_fails_where_its_first_child_fails() {
        let ui = Ui::new(Manner::default());
        let piped = |source: &str| shell("cat").input_from(shell(source));
        assert_eq!(block_on(piped("echo hello").run(Kind::Image, &ui)).unwrap().stdout, "hello\n");
        let failure = block_on(piped("echo half; echo broken >&2; exit 4").run(Kind::Image, &ui)).unwrap_err();
        assert_eq!(failure.evidence, ["broken"]);
        assert!(failure.message.contains("| /bin/sh -c cat"), "{}", failure.message);
    }

    #[test]
    fn a_child_that_hangs_is_ended_at_its_deadline() {
        let ui = Ui::new(Manner::default());
        let command = shell("echo starting >&2; exec sleep 60").deadline(Duration::from_millis(300));
        let failure = block_on(command.run(Kind::Cluster, &ui)).unwrap_err();
        assert_eq!(failure.kind, Kind::Timeout);
        assert_eq!(failure.evidence, ["starting"]);
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let ui = Ui::new(Manner::default());
        let failure = block_on(Command::new("/nowhere/kind").run(Kind::Cluster, &ui)).unwrap_err();
        assert_eq!(failure.message, "`kind` cannot be started");
    }
}
