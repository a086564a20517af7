//! Carries one client through a tunnel, from its first byte to its last.

use std::io::{ErrorKind, Result};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::spdy::{self, Frame};
use super::tunnel::{Pair, Reader, Tunnel, Writer, next, reset, send, skip};

/// How much of what the client says is sent at once, in bytes: with its head it fits into one TLS record.
const CHUNK: usize = 16 * 1024 - spdy::HEAD;
/// How much of the node's explanation is kept, in bytes.
const EXPLANATION: usize = 2000;
/// How long a client that ended its sending may wait for the answer to what it sent last.
const ANSWER: Duration = Duration::from_secs(60);
/// Silence that shows that an answer has been given, once it began and the client ended its sending.
const PAUSE: Duration = Duration::from_secs(1);
/// The same where the pod spoke last when the client ended its sending: most often the client has all it wanted.
const BREATH: Duration = Duration::from_millis(20);
/// How long the node may take to end a stream: containerd gives the other direction one second
/// (containerd, `internal/cri/server/sandbox_portforward_linux.go`).
const ENDING: Duration = Duration::from_secs(3);

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
    /// The client spoke last.
    asked: AtomicBool,
    /// The client has ended its sending.
    ended: AtomicBool,
    /// The pod spoke after that.
    answered: Notify,
}

/// Carries the client to its end.
pub(super) async fn carry(tunnel: &mut Tunnel, pair: Pair, client: &mut TcpStream) -> End {
    let (client_reader, client_writer) = client.split();
    let (reader, writer) = (&mut tunnel.reader, &tunnel.writer);
    let talk = Talk::default();
    let mut down = std::pin::pin!(down(reader, writer, pair, client_writer, &talk));
    let last = spdy::data_head(pair.data, 0, true);
    tokio::select! {
        // The pod has ended: nobody would hear what the client still says.
        end = &mut down => return finish(end, send(writer, &last).await),
        ended = up(client_reader, writer, pair, &talk) => if ended.is_err() { return End::Broken },
    }
    // There is no half-open connection into a pod: a second after our end containerd cuts the answer off.
    talk.ended.store(true, Ordering::Relaxed);
    let mut patience = if talk.asked.load(Ordering::Relaxed) { ANSWER } else { BREATH };
    loop {
        tokio::select! {
            end = &mut down => return finish(end, send(writer, &last).await),
            () = talk.answered.notified() => patience = PAUSE,
            () = sleep(patience) => break,
        }
    }
    let sent = send(writer, &last).await;
    match timeout(ENDING, down).await {
        Ok(end) => finish(end, sent),
        Err(_) => End::Broken,
    }
}

fn finish(end: Result<End>, sent: Result<()>) -> End {
    match (end, sent) {
        (Ok(End::Clean), Err(_)) | (Err(_), _) => End::Broken,
        (Ok(end), _) => end,
    }
}

async fn up(client: ReadHalf<'_>, writer: &Writer, pair: Pair, talk: &Talk) -> Result<()> {
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
        send(writer, &chunk).await?;
    }
}

async fn down(reader: &mut Reader, writer: &Writer, pair: Pair, mut client: WriteHalf<'_>, talk: &Talk) -> Result<End> {
    let mut explanation = Vec::new();
    loop {
        let (frame, length) = next(reader).await?;
        match frame {
            Frame::Data { stream, last } if stream == pair.data => {
                if length > 0 {
                    talk.asked.store(false, Ordering::Relaxed);
                    pass(reader, &mut client, length).await?;
                    if talk.ended.load(Ordering::Relaxed) {
                        talk.answered.notify_one();
                    }
                }
                if last {
                    break;
                }
            }
            Frame::Data { stream, .. } if stream == pair.error && length <= EXPLANATION => {
                let begin = explanation.len();
                explanation.resize(begin + length, 0);
                reader.read_exact(&mut explanation[begin..]).await?;
            }
            Frame::Reset => {
                if skip(reader, length).await? == pair.data {
                    return Err(reset());
                }
            }
            Frame::Ping if length == 4 => {
                let mut id = [0; 4];
                reader.read_exact(&mut id).await?;
                send(writer, &spdy::ping(id)).await?;
            }
            Frame::GoAway => return Err(reset()),
            _ => {
                skip(reader, length).await?;
            }
        }
    }
    client.shutdown().await?;
    Ok(if explanation.is_empty() { End::Clean } else { End::Refused(said(&explanation)) })
}

/// Hands on exactly `length` bytes, as they come.
async fn pass(reader: &mut Reader, client: &mut WriteHalf<'_>, mut length: usize) -> Result<()> {
    while length > 0 {
        let here = reader.fill_buf().await?;
        if here.is_empty() {
            return Err(reset());
        }
        let count = here.len().min(length);
        client.write_all(&here[..count]).await?;
        reader.consume(count);
        length -= count;
    }
    Ok(())
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
