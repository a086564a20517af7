//! One way into a pod through the API server: an upgraded HTTPS connection that carries one client after the other.
//!
//! kube's own `portforward` makes one WebSocket for one connection: TLS, an upgrade through API server and kubelet, and
//! at once a connection into the pod, so that one opened in advance would occupy a worker of the web server. Here the
//! costly part, the tunnel, is opened in advance and used again; the connection into the pod is made when a client comes.
//! `kubectl port-forward` does it alike but sends all clients through one tunnel, where one slow reader stops them all.

use std::io::{Error, ErrorKind};
use std::time::Duration;

use hyper::{Request, StatusCode, header};
use kube::client::Body;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::backends::PodPort;
use super::frames::{FrameReader, FrameWriter, frames};
use super::spdy::{self, Frame};
use crate::cluster::Cluster;
use crate::error::chain;

/// How long the node may take to take a new stream.
const REPLY: Duration = Duration::from_secs(5);
/// A tunnel retires after this many clients, so that nothing can pile up in it without end.
const CLIENTS: u32 = 1000;

/// A tunnel to one pod.
pub(super) struct Tunnel {
    pub(super) pod: PodPort,
    pub(super) reader: FrameReader,
    pub(super) writer: FrameWriter,
    clients: u32,
    /// Its place among all that there may be.
    _place: OwnedSemaphorePermit,
}

/// The two streams of one client.
#[derive(Clone, Copy)]
pub(super) struct Pair {
    pub(super) error: u32,
    pub(super) data: u32,
}

impl Pair {
    const fn has(self, stream: u32) -> bool {
        stream == self.data || stream == self.error
    }
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
        place: OwnedSemaphorePermit,
    ) -> Result<Self, String> {
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
        let (reader, writer) = frames(upgraded);
        Ok(Self { pod, reader, writer, clients: 0, _place: place })
    }

    /// Whether another client may be sent through.
    pub(super) const fn reusable(&self) -> bool {
        self.clients < CLIENTS
    }

    /// Opens the streams of a client. Nothing of the client's is touched, so that after a failure another tunnel can be
    /// tried.
    pub(super) async fn begin(&mut self) -> Result<Pair, String> {
        // The side that opened the connection counts its streams in odd numbers.
        let pair = Pair { error: self.clients * 4 + 1, data: self.clients * 4 + 3 };
        let frames = spdy::open_pair(self.clients == 0, pair.error, pair.data, self.pod.port);
        self.clients += 1;
        let replied = timeout(REPLY, async {
            self.writer.send(&frames).await?;
            // Data that came before the reply would be dropped (moby/spdystream, `connection.go`, `handleDataFrame`).
            loop {
                let (frame, _) = self.reader.next().await?;
                match frame {
                    Frame::Reply if self.reader.stream().await? == Some(pair.data) => return Ok(()),
                    Frame::Reset if self.reader.stream().await?.is_some_and(|id| pair.has(id)) => return Err(reset()),
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

pub(super) fn reset() -> Error {
    Error::from(ErrorKind::ConnectionReset)
}

fn one_line(error: &dyn std::error::Error) -> String {
    chain(error).join(": ")
}
