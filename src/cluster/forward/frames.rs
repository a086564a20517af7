//! Frames to and from a tunnel. Every call may be given up half-way: what was read is not lost, what was cut is known.

use std::io::{Error, ErrorKind, Result};
use std::sync::atomic::{AtomicBool, Ordering};

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, ReadHalf, WriteHalf};
use tokio::sync::Mutex;

use super::spdy::{self, Frame};

/// How much is read at once, in bytes: a TLS record.
const CHUNK: usize = 16 * 1024;

/// The reading side: one frame after the other, each in parts.
pub(super) struct FrameReader {
    bytes: BufReader<ReadHalf<TokioIo<Upgraded>>>,
    head: [u8; spdy::HEAD],
    /// How much of the head is read.
    known: usize,
    /// How much of the frame after its head is not read yet, in bytes.
    left: usize,
}

/// The writing side, shared by both directions of a client.
pub(super) struct FrameWriter {
    bytes: Mutex<WriteHalf<TokioIo<Upgraded>>>,
    /// A frame is begun and not ended: if nobody is writing, it never will be.
    cut: AtomicBool,
}

/// Both sides of an upgraded connection.
pub(super) fn frames(upgraded: Upgraded) -> (FrameReader, FrameWriter) {
    let (reader, writer) = tokio::io::split(TokioIo::new(upgraded));
    let bytes = BufReader::with_capacity(CHUNK, reader);
    let reader = FrameReader { bytes, head: [0; spdy::HEAD], known: 0, left: 0 };
    (reader, FrameWriter { bytes: Mutex::new(writer), cut: AtomicBool::new(false) })
}

impl FrameReader {
    /// The next frame and the length of what follows its head, in bytes. What is left of the one before is skipped.
    pub(super) async fn next(&mut self) -> Result<(Frame, usize)> {
        while !self.part().await?.is_empty() {
            self.used(self.left);
        }
        while self.known < spdy::HEAD {
            let here = self.bytes.fill_buf().await?;
            if here.is_empty() {
                return Err(Error::from(ErrorKind::UnexpectedEof));
            }
            let count = here.len().min(spdy::HEAD - self.known);
            self.head[self.known..self.known + count].copy_from_slice(&here[..count]);
            self.bytes.consume(count);
            self.known += count;
        }
        self.known = 0;
        let (frame, length) = spdy::read_head(self.head);
        self.left = length;
        Ok((frame, length))
    }

    /// The next bytes of the frame; none where it has ended.
    pub(super) async fn part(&mut self) -> Result<&[u8]> {
        if self.left == 0 {
            return Ok(&[]);
        }
        let here = self.bytes.fill_buf().await?;
        if here.is_empty() {
            return Err(Error::from(ErrorKind::UnexpectedEof));
        }
        Ok(&here[..here.len().min(self.left)])
    }

    /// So many bytes of the last part were used; more than it had are all of it.
    pub(super) fn used(&mut self, count: usize) {
        let count = count.min(self.left).min(self.bytes.buffer().len());
        self.bytes.consume(count);
        self.left -= count;
    }

    /// All of a short frame.
    pub(super) async fn whole(&mut self) -> Result<Vec<u8>> {
        let mut whole = Vec::with_capacity(self.left);
        loop {
            let part = self.part().await?;
            if part.is_empty() {
                return Ok(whole);
            }
            whole.extend_from_slice(part);
            self.used(usize::MAX);
        }
    }

    /// The stream that a control frame is about: its first four bytes.
    pub(super) async fn stream(&mut self) -> Result<Option<u32>> {
        Ok(self.whole().await?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes)))
    }
}

impl FrameWriter {
    /// Sends frames at once.
    pub(super) async fn send(&self, frames: &[u8]) -> Result<()> {
        let mut bytes = self.bytes.lock().await;
        if self.cut.swap(true, Ordering::Relaxed) {
            return Err(Error::from(ErrorKind::BrokenPipe));
        }
        bytes.write_all(frames).await?;
        bytes.flush().await?;
        self.cut.store(false, Ordering::Relaxed);
        Ok(())
    }
}
