//! For tests: an API server and node that speak port-forward, with a talkative pod behind them.
//!
//! The pod answers `question` with `answer` and ends, `hello` with `hello`, `poll` with `answer` a second later, and `flood` with as
//! much as can be sent, after which it ends; it takes all else in silence, and cannot be reached for `refuse`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use kube::Config;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use super::backends::{Backends, PodPort};
use super::spdy::{self, Frame};
use crate::cluster::Cluster;

pub(super) struct FakeNode {
    pub(super) address: SocketAddr,
    /// How many tunnels were opened.
    pub(super) tunnels: Arc<AtomicUsize>,
    /// With how many bytes a `flood` was answered, as soon as no more can be sent.
    pub(super) flood: Arc<AtomicUsize>,
}

/// How much a flood sends at once, and for how long nothing may move before it is over.
const BLOCK: usize = 100_000;
const QUIET: Duration = Duration::from_millis(500);

impl FakeNode {
    /// Each tunnel breaks after so many clients.
    pub(super) async fn start(clients: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let tunnels = Arc::new(AtomicUsize::new(0));
        let flood = Arc::new(AtomicUsize::new(0));
        let (count, flooded) = (Arc::clone(&tunnels), Arc::clone(&flood));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(tunnel(stream, clients, Arc::clone(&flooded)));
            }
        });
        Self { address, tunnels, flood }
    }

    /// Backends with one ready pod behind this node.
    pub(super) fn backends(&self) -> Backends {
        let cluster = Cluster::of(Config::new(format!("http://{}", self.address).parse().unwrap()));
        let pod = PodPort { pod: "web".to_owned(), uid: "u-1".to_owned(), port: 8080 };
        Backends {
            cluster: Some(Arc::new(cluster)),
            epoch: 1,
            node_port: Some(30080),
            exist: vec![pod.uid.clone()],
            pods: vec![pod],
            node_port_agrees: true,
            changed: None,
            reached_anew: None,
            stale: false,
            trouble: None,
        }
    }
}

async fn tunnel(mut stream: TcpStream, clients: usize, flood: Arc<AtomicUsize>) -> Option<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await.ok()?);
    }
    assert!(request.starts_with(b"POST /api/v1/namespaces/demo/pods/web/portforward "));
    stream
        .write_all(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n")
        .await
        .ok()?;
    let (mut error, mut ended) = (0, 0);
    while ended < clients {
        let mut head = [0; spdy::HEAD];
        stream.read_exact(&mut head).await.ok()?;
        let (frame, length) = spdy::read_head(head);
        let mut payload = vec![0; length];
        stream.read_exact(&mut payload).await.ok()?;
        match frame {
            Frame::Data { stream: data, .. } if payload == b"question" => {
                stream.write_all(&spdy::data_head(data, 6, false)).await.ok()?;
                stream.write_all(b"answer").await.ok()?;
                stream.write_all(&spdy::data_head(data, 0, true)).await.ok()?;
            }
            Frame::Data { stream: data, .. } if payload == b"hello" => {
                stream.write_all(&spdy::data_head(data, 5, false)).await.ok()?;
                stream.write_all(b"hello").await.ok()?;
            }
            Frame::Data { stream: data, .. } if payload == b"poll" => {
                sleep(Duration::from_secs(1)).await;
                stream.write_all(&spdy::data_head(data, 6, false)).await.ok()?;
                stream.write_all(b"answer").await.ok()?;
            }
            Frame::Data { stream: data, .. } if payload == b"flood" => {
                let block = [&spdy::data_head(data, BLOCK, false)[..], &vec![7; BLOCK]].concat();
                let (mut blocks, mut at) = (0, 0);
                while let Ok(written) = timeout(QUIET, stream.write(&block[at..])).await {
                    at += written.ok()?;
                    (blocks, at) = (blocks + at / block.len(), at % block.len());
                }
                // Whoever reads now gets the rest of the block that was begun, and the end.
                flood.store((blocks + usize::from(at > 0)) * BLOCK, Ordering::Relaxed);
                stream.write_all(if at > 0 { &block[at..] } else { &[] }).await.ok()?;
                stream.write_all(&spdy::data_head(data, 0, true)).await.ok()?;
            }
            Frame::Data { stream: data, .. } if payload == b"refuse" => {
                let reason = br#"{"closeConnection":true,"message":"connection refused"}"#;
                stream.write_all(&spdy::data_head(error, reason.len(), true)).await.ok()?;
                stream.write_all(reason).await.ok()?;
                stream.write_all(&spdy::data_head(data, 0, true)).await.ok()?;
            }
            Frame::Data { stream: data, last: true } => {
                ended += 1;
                stream.write_all(&spdy::data_head(data, 0, true)).await.ok()?;
            }
            Frame::Data { .. } => {}
            // The streams of a pair: first the one for errors, which is ended at once, then the one for data.
            _ => {
                let id = [payload[0], payload[1], payload[2], payload[3]];
                if head[4] == 1 {
                    error = u32::from_be_bytes(id);
                }
                stream.write_all(&[0x80, 3, 0, 2, 0, 0, 0, 4, id[0], id[1], id[2], id[3]]).await.ok()?;
            }
        }
    }
    Some(())
}
