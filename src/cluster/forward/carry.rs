//! Carries one client through a tunnel, from its first byte to its last.

use std::future::pending;
use std::io::{ErrorKind, Result};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::Notify;
use tokio::time::sleep;

use super::frames::{FrameReader, FrameWriter};
use super::spdy::{self, Frame};
use super::tunnel::{Pair, Tunnel, reset};

/// How much of what the client says is sent at once, in bytes: with its head it fits into one TLS record.
const CHUNK: usize = 16 * 1024 - spdy::HEAD;
/// How much of the node's explanation is kept, in bytes.
const EXPLANATION: usize = 2000;
/// How long a client that ended its sending may wait for the answer to what it sent last.
const ANSWER: Duration = Duration::from_mins(1);
/// Silence that shows that an answer has been given, once it began and the client ended its sending.
const PAUSE: Duration = Duration::from_secs(1);
/// The same where the pod spoke last when the client ended its sending: most often the client has all it wanted.
const BREATH: Duration = Duration::from_millis(20);
/// How a client's connection ended.
#[derive(Debug)]
pub(super) enum End {
    /// All was said on both sides; the tunnel can take the next client.
    Clean,
    /// The client or the tunnel broke off; the tunnel is of no further use.
    Broken,
    /// The node could not connect to the pod, or lost it.
    Refused(String),
}

/// What the two directions know of each other.
#[derive(Default)]
struct Talk {
    /// The pod has spoken.
    heard: AtomicBool,
    /// The client spoke last.
    asked: AtomicBool,
    /// The client has ended its sending.
    ended: AtomicBool,
    /// The pod spoke after that.
    answered: Notify,
}

/// Carries the client to its end. The pod has to begin to answer within `limit`; after that, silence may last.
pub(super) async fn carry(tunnel: &mut Tunnel, pair: Pair, client: &mut TcpStream, limit: Duration) -> End {
    let (client_reader, client_writer) = client.split();
    let (reader, writer) = (&mut tunnel.reader, &tunnel.writer);
    let talk = Talk::default();
    let mut down = std::pin::pin!(down(reader, writer, pair, client_writer, &talk));
    let last = spdy::data_head(pair.data, 0, true);
    tokio::select! {
        // The pod has ended: nobody would hear what the client still says.
        end = &mut down => return finish(end, writer.send(&last).await),
        ended = up(client_reader, writer, pair, &talk) => if ended.is_err() { return End::Broken },
        () = unanswered(limit, &talk) => return End::Broken,
    }
    // There is no half-open connection into a pod: a second after our end containerd cuts the answer off
    // (containerd, `internal/cri/server/sandbox_portforward_linux.go`).
    talk.ended.store(true, Ordering::Relaxed);
    let mut patience = if talk.asked.load(Ordering::Relaxed) { ANSWER } else { BREATH };
    loop {
        tokio::select! {
            end = &mut down => return finish(end, writer.send(&last).await),
            () = talk.answered.notified() => patience = PAUSE,
            () = sleep(patience) => break,
        }
    }
    // The client is gone. What the pod may still say, for the second that containerd gives it, is skipped by the next one.
    finish(Ok(End::Clean), writer.send(&last).await)
}

async fn unanswered(limit: Duration, talk: &Talk) {
    sleep(limit).await;
    if talk.heard.load(Ordering::Relaxed) {
        pending::<()>().await;
    }
}

fn finish(end: Result<End>, sent: Result<()>) -> End {
    match (end, sent) {
        (Ok(End::Clean), Err(_)) | (Err(_), _) => End::Broken,
        (Ok(end), _) => end,
    }
}

async fn up(client: ReadHalf<'_>, writer: &FrameWriter, pair: Pair, talk: &Talk) -> Result<()> {
    loop {
        client.readable().await?;
        // Made for what there is, and gone when it is sent: a client that says nothing costs no buffer.
        let mut chunk = vec![0; spdy::HEAD + CHUNK];
        let count = match client.try_read(&mut chunk[spdy::HEAD..]) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error),
        };
        talk.asked.store(true, Ordering::Relaxed);
        chunk.truncate(spdy::HEAD + count);
        chunk[..spdy::HEAD].copy_from_slice(&spdy::data_head(pair.data, count, false));
        writer.send(&chunk).await?;
    }
}

async fn down(
    reader: &mut FrameReader,
    writer: &FrameWriter,
    pair: Pair,
    mut client: WriteHalf<'_>,
    talk: &Talk,
) -> Result<End> {
    let mut explanation = Vec::new();
    loop {
        let (frame, length) = reader.next().await?;
        match frame {
            Frame::Data { stream, last } if stream == pair.data => {
                if length > 0 {
                    talk.heard.store(true, Ordering::Relaxed);
                    talk.asked.store(false, Ordering::Relaxed);
                    pass(reader, &mut client).await?;
                    if talk.ended.load(Ordering::Relaxed) {
                        talk.answered.notify_one();
                    }
                }
                if last {
                    break;
                }
            }
            Frame::Data { stream, .. } if stream == pair.error && length <= EXPLANATION => {
                explanation.extend(reader.whole().await?);
            }
            Frame::Reset if reader.stream().await? == Some(pair.data) => return Err(reset()),
            Frame::Ping => {
                if let Some(id) = reader.stream().await? {
                    writer.send(&spdy::ping(id)).await?;
                }
            }
            Frame::GoAway => return Err(reset()),
            _ => {}
        }
    }
    client.shutdown().await?;
    Ok(if explanation.is_empty() { End::Clean } else { End::Refused(said(&explanation)) })
}

/// Hands on the rest of the frame, as it comes.
async fn pass(reader: &mut FrameReader, client: &mut WriteHalf<'_>) -> Result<()> {
    loop {
        let part = reader.part().await?;
        let count = part.len();
        if count == 0 {
            return Ok(());
        }
        client.write_all(part).await?;
        reader.used(count);
    }
}

/// The node's explanation: JSON with a message since Kubernetes 1.32, plain text before.
fn said(explanation: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Explanation {
        message: String,
    }
    serde_json::from_slice::<Explanation>(explanation)
        .map_or_else(|_| String::from_utf8_lossy(explanation).trim().to_owned(), |explanation| explanation.message)
}
