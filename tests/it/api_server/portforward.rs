//! `portforward` as the kubelet speaks it, SPDY/3.1: each client is a pair of streams, one for errors and one for data. Headers are
//! not looked into: of a pair, the stream that begins with its end (FIN) is the one for errors.

use std::io::Result;
use std::net::SocketAddr;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::{CONNECTION, UPGRADE};
use hyper::upgrade::Upgraded;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, WriteHalf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::Mutex;

use super::{Body, empty, failure};

/// Marks a control frame.
const CONTROL: u32 = 0x8000_0000;
/// SPDY 3, kind 1.
const SYN_STREAM: u32 = CONTROL | 3 << 16 | 1;
/// SPDY 3, kind 2.
const SYN_REPLY: u32 = CONTROL | 3 << 16 | 2;
/// The flag of a stream's last frame.
const FIN: u32 = 1;
/// Where the length of a frame stands.
const LENGTH: u32 = 0x00ff_ffff;

/// Upgrades the connection and joins it to `target`, whatever port of the pod was asked for.
pub(crate) fn answer(mut request: Request<Incoming>, target: SocketAddr) -> Response<Body> {
    if request.headers().get(UPGRADE).is_none_or(|protocol| protocol != "SPDY/3.1") {
        return failure(StatusCode::BAD_REQUEST, "BadRequest", "Upgrade request required");
    }
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        if let Ok(upgraded) = upgrade.await {
            // Either end may leave at any time, which is the end of it.
            let _ = serve(TokioIo::new(upgraded), target).await;
        }
    });
    Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(UPGRADE, "SPDY/3.1")
        .header(CONNECTION, "Upgrade")
        .header("X-Stream-Protocol-Version", "portforward.k8s.io")
        .body(empty())
        .unwrap()
}

type Writer = Arc<Mutex<WriteHalf<TokioIo<Upgraded>>>>;

/// Serves a tunnel, which carries one client after the other.
async fn serve(connection: TokioIo<Upgraded>, target: SocketAddr) -> Result<()> {
    let (mut reader, writer) = tokio::io::split(connection);
    let writer: Writer = Arc::new(Mutex::new(writer));
    let mut errors = 0;
    let mut client: Option<(u32, OwnedWriteHalf)> = None;
    loop {
        // A stream, or the version and kind of a control frame; then flags and the length of what follows.
        let (subject, rest) = (reader.read_u32().await?, reader.read_u32().await?);
        let ends = rest >> 24 & FIN != 0;
        let mut payload = vec![0; usize::try_from(rest & LENGTH).unwrap()];
        reader.read_exact(&mut payload).await?;
        if subject & CONTROL == 0 {
            if let Some((_, airflow)) = client.as_mut().filter(|(data, _)| *data == subject) {
                airflow.write_all(&payload).await?;
                if ends {
                    airflow.shutdown().await?;
                }
            }
        } else if subject == SYN_STREAM {
            let stream = payload[..4].iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte));
            writer.lock().await.write_all(&frame(SYN_REPLY, 0, &stream.to_be_bytes())).await?;
            if ends {
                errors = stream;
            } else {
                let (airflow, to_airflow) = TcpStream::connect(target).await?.into_split();
                tokio::spawn(answers(airflow, Arc::clone(&writer), errors, stream));
                client = Some((stream, to_airflow));
            }
        }
    }
}

/// Hands back what Airflow says, and at its end ends both streams.
async fn answers(mut airflow: OwnedReadHalf, writer: Writer, errors: u32, data: u32) -> Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let count = airflow.read(&mut buffer).await?;
        let mut writer = writer.lock().await;
        if count == 0 {
            writer.write_all(&[frame(errors, FIN, &[]), frame(data, FIN, &[])].concat()).await?;
            return Ok(());
        }
        writer.write_all(&frame(data, 0, &buffer[..count])).await?;
    }
}

fn frame(subject: u32, flags: u32, payload: &[u8]) -> Vec<u8> {
    let rest = flags << 24 | u32::try_from(payload.len()).unwrap();
    [&subject.to_be_bytes()[..], &rest.to_be_bytes(), payload].concat()
}
