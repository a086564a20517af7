//! One way into a pod through the API server: an upgraded HTTPS connection that carries one client after the other.
//!
//! kube's own `portforward` makes one WebSocket for one connection: TLS, an upgrade through API server and kubelet, and
//! at once a connection into the pod, so that one opened in advance would occupy a worker of the web server. Here the
//! costly part, the tunnel, is opened in advance and used again; the connection into the pod is made when a client comes.
//! `kubectl port-forward` does it alike but sends all clients through one tunnel, where one slow reader stops them all.

use std::io::{Error, ErrorKind, Result};
use std::time::Duration;

use hyper::upgrade::Upgraded;
use hyper::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use kube::client::Body;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader, ReadHalf, WriteHalf};
use tokio::sync::{Mutex, OwnedSemaphorePermit};
use tokio::time::timeout;

use super::backends::PodPort;
use super::spdy::{self, Frame};
use crate::cluster::Cluster;
use crate::error::chain;

/// How much is read at once, in bytes: a TLS record.
const CHUNK: usize = 16 * 1024;
/// How long the node may take to take a new stream.
const REPLY: Duration = Duration::from_secs(5);
/// A tunnel retires after this many clients, so that nothing can pile up in it without end.
const CLIENTS: u32 = 1000;

pub(super) type Reader = BufReader<ReadHalf<TokioIo<Upgraded>>>;
pub(super) type Writer = Mutex<WriteHalf<TokioIo<Upgraded>>>;

/// A tunnel to one pod.
pub(super) struct Tunnel {
    pub(super) pod: PodPort,
    pub(super) reader: Reader,
    pub(super) writer: Writer,
    clients: u32,
    /// Its place among the tunnels that are used again; one of a rush has none.
    place: Option<OwnedSemaphorePermit>,
}

/// The two streams of one client.
#[derive(Clone, Copy)]
pub(super) struct Pair {
    pub(super) error: u32,
    pub(super) data: u32,
}

impl Tunnel {
    /// Opens a tunnel. No connection is made into the pod yet.
    ///
    /// It asks for SPDY/3.1 as every `kubectl` before 1.31 does and every API server since then understands; the newer
    /// way (Kubernetes enhancement 4006) wraps the very same frames into WebSocket messages.
    pub(super) async fn open(
        cluster: &Cluster,
        namespace: &str,
        pod: PodPort,
        place: Option<OwnedSemaphorePermit>,
    ) -> std::result::Result<Self, String> {
        let request = Request::post(format!("/api/v1/namespaces/{namespace}/pods/{}/portforward", pod.pod))
            .header(header::CONNECTION, "Upgrade")
            .header(header::UPGRADE, "SPDY/3.1")
            .header("X-Stream-Protocol-Version", "portforward.k8s.io")
            .body(Body::empty())
            .map_err(|error| one_line(&error))?;
        let response = cluster.client.send(request).await.map_err(|error| one_line(&error))?;
        let status = response.status();
        if status != StatusCode::SWITCHING_PROTOCOLS {
            return Err(format!("the API server answers {status} to a port-forward to pod {}", pod.pod));
        }
        let upgraded = hyper::upgrade::on(response).await.map_err(|error| one_line(&error))?;
        let (reader, writer) = tokio::io::split(TokioIo::new(upgraded));
        Ok(Self { pod, reader: BufReader::with_capacity(CHUNK, reader), writer: Mutex::new(writer), clients: 0, place })
    }

    /// Whether another client may be sent through.
    pub(super) const fn reusable(&self) -> bool {
        self.place.is_some() && self.clients < CLIENTS
    }

    /// Opens the streams of a client. Nothing of the client's is touched, so that after a failure another tunnel can be
    /// tried.
    pub(super) async fn begin(&mut self) -> std::result::Result<Pair, String> {
        // The side that opened the connection counts its streams in odd numbers.
        let pair = Pair { error: self.clients * 4 + 1, data: self.clients * 4 + 3 };
        let frames = spdy::open_pair(self.clients == 0, pair.error, pair.data, self.pod.port);
        self.clients += 1;
        let replied = timeout(REPLY, async {
            send(&self.writer, &frames).await?;
            // Data that came before the reply would be dropped (moby/spdystream, `connection.go`, `handleDataFrame`).
            loop {
                let (frame, length) = next(&mut self.reader).await?;
                let stream = skip(&mut self.reader, length).await?;
                match frame {
                    Frame::Reply if stream == pair.data => return Ok(()),
                    Frame::Reset if stream == pair.data || stream == pair.error => return Err(reset()),
                    Frame::GoAway => return Err(reset()),
                    _ => {}
                }
            }
        });
        match replied.await {
            Ok(Ok(())) => Ok(pair),
            Ok(Err(error)) => Err(format!("the tunnel to pod {} broke: {error}", self.pod.pod)),
            Err(_) => Err(format!("the node did not take a stream to pod {} within {REPLY:?}", self.pod.pod)),
        }
    }
}

/// Reads the head of the next frame; the number is the length of the rest, in bytes.
pub(super) async fn next(reader: &mut Reader) -> Result<(Frame, usize)> {
    let mut head = [0; spdy::HEAD];
    reader.read_exact(&mut head).await?;
    Ok(spdy::read_head(head))
}

/// Reads over the rest of a frame and returns its first four bytes, the stream that a control frame is about.
pub(super) async fn skip(reader: &mut Reader, length: usize) -> Result<u32> {
    let mut first = [0; 4];
    let known = length.min(first.len());
    reader.read_exact(&mut first[..known]).await?;
    let rest = u64::try_from(length - known).expect("a frame is shorter than 16 MiB");
    tokio::io::copy_buf(&mut reader.take(rest), &mut tokio::io::sink()).await?;
    Ok(u32::from_be_bytes(first))
}

/// Sends frames, whole and at once.
pub(super) async fn send(writer: &Writer, frames: &[u8]) -> Result<()> {
    let mut writer = writer.lock().await;
    writer.write_all(frames).await?;
    writer.flush().await
}

pub(super) fn reset() -> Error {
    Error::from(ErrorKind::ConnectionReset)
}

fn one_line(error: &dyn std::error::Error) -> String {
    chain(error).join(": ")
}
