//! A child that draws its progress, which most do on a terminal only: it gets one of its own, that nobody sees.

use std::fs::File;
use std::io::Read;

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use tokio::sync::mpsc;

use super::{Command, Output, Watched};
use crate::error::{Failure, Kind};
use crate::ui::Ui;

impl Command {
    /// Runs it to its end with a terminal as its stdout, hands over every piece of text that it draws there, without colours and the
    /// movements of the cursor, and leaves the judgement of its status to the caller.
    ///
    /// # Errors
    /// The child cannot be started or takes too long.
    pub async fn outcome_on_terminal(
        &self,
        kind: Kind,
        ui: &Ui,
        mut on_piece: impl FnMut(&str),
    ) -> Result<Output, Failure> {
        let (screen, terminal) = open().map_err(|error| self.not_started(&error.into()))?;
        let expression = self.expression()?.stdout_file(terminal);
        let (sender, mut pieces) = mpsc::unbounded_channel();
        tokio::task::spawn_blocking(move || read(screen, &sender));
        let ended = self.watch(expression, Watched::Stderr, kind, ui, |_| {});
        let drawn = async {
            while let Some(piece) = pieces.recv().await {
                on_piece(&piece);
            }
        };
        // The terminal is closed when the child and its children have ended.
        let (output, ()) = tokio::join!(ended, drawn);
        output
    }
}

/// The side that is read, and the side that is written by the child.
fn open() -> rustix::io::Result<(File, File)> {
    let screen = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
    grantpt(&screen)?;
    unlockpt(&screen)?;
    let path = ptsname(&screen, Vec::new())?;
    let terminal = rustix::fs::open(&path, OFlags::RDWR | OFlags::NOCTTY, Mode::empty())?;
    Ok((screen.into(), terminal.into()))
}

/// Cuts what is drawn into pieces, one for each place on the screen. Where the other side is closed, Linux reports an error.
fn read(mut screen: File, pieces: &mpsc::UnboundedSender<String>) {
    let mut buffer = [0; 4096];
    let mut pending = Vec::new();
    while let Ok(count) = screen.read(&mut buffer) {
        if count == 0 {
            break;
        }
        pending.extend_from_slice(&buffer[..count]);
        while let Some(end) = pending.iter().position(|byte| b"\r\n\x1b".contains(byte)) {
            let Some(length) = control(&pending[end..]) else { break };
            let piece = String::from_utf8_lossy(&pending[..end]).into_owned();
            pending.drain(..end + length);
            if !piece.trim().is_empty() && pieces.send(piece).is_err() {
                return;
            }
        }
    }
}

/// How long the control sequence is that the bytes begin with; `None` where its end has not come yet.
fn control(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [0x1b, b'[', rest @ ..] => rest.iter().position(u8::is_ascii_alphabetic).map(|last| last + 3),
        [0x1b] | [] => None,
        [0x1b, ..] => Some(2),
        _ => Some(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::Manner;

    #[tokio::test]
    async fn what_is_drawn_comes_in_pieces_without_the_movements() {
        let script = r"[ -t 1 ] || exit 9; printf 'one\n\033[1A\033[2K\rtwo: 1/2\033[1B'; echo wrong >&2; exit 3";
        let mut pieces = Vec::new();
        let command = Command::new("/bin/sh").args(["-c", script]);
        let ui = Ui::new(Manner::default());
        let output =
            command.outcome_on_terminal(Kind::Image, &ui, |piece| pieces.push(piece.to_owned())).await.unwrap();
        assert_eq!((output.code, output.stderr), (Some(3), vec!["wrong".to_owned()]));
        assert_eq!(pieces, ["one", "two: 1/2"]);
    }
}
