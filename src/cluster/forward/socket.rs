//! What is done with sockets: listening, accepting, and noticing that the other end is gone.

use std::future::poll_fn;
use std::io::{ErrorKind, Result};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::task::Poll;
use std::time::Duration;

use rustix::net::sockopt;
use tokio::net::{TcpListener, TcpStream};

use crate::error::{During, Failure, Kind};

/// How long a connection may be silent before the kernel asks whether the other end still lives.
const IDLE: Duration = Duration::from_secs(20);
/// How long it waits for an answer before it asks again.
const INTERVAL: Duration = Duration::from_secs(5);
/// How often it asks before it takes the other end for gone.
const QUESTIONS: u32 = 3;

/// Listens on 127.0.0.1, and on `address` where that is another one. `taken` is the failure where somebody else does.
///
/// On 127.0.0.1 always, because there every other command looks for Airflow. All addresses (`0.0.0.0`, `::`) include it.
pub(super) async fn listen(
    address: IpAddr,
    port: u16,
    taken: impl Fn() -> Failure,
) -> std::result::Result<Vec<TcpListener>, Failure> {
    let localhost = IpAddr::from(Ipv4Addr::LOCALHOST);
    let mut addresses = vec![address];
    if address != localhost && !address.is_unspecified() {
        addresses.insert(0, localhost);
    }
    let mut listeners = Vec::new();
    for address in addresses {
        let address = SocketAddr::new(address, port);
        listeners.push(match TcpListener::bind(address).await {
            Err(error) if error.kind() == ErrorKind::AddrInUse => return Err(taken()),
            bound => bound.during(Kind::Prerequisite, format!("cannot listen on {address}"))?,
        });
    }
    Ok(listeners)
}

/// The next client of any of the listeners.
pub(super) async fn accept(listeners: &[TcpListener]) -> Result<TcpStream> {
    poll_fn(|context| {
        for listener in listeners {
            if let Poll::Ready(accepted) = listener.poll_accept(context) {
                return Poll::Ready(accepted.map(|(client, _)| client));
            }
        }
        Poll::Pending
    })
    .await
}

/// Small answers leave at once, and a peer that is gone without a word is noticed.
pub(super) fn prepare(stream: &TcpStream) -> Result<()> {
    stream.set_nodelay(true)?;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, IDLE)?;
    sockopt::set_tcp_keepintvl(stream, INTERVAL)?;
    sockopt::set_tcp_keepcnt(stream, QUESTIONS)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken() -> Failure {
        Failure::usage("taken")
    }

    #[tokio::test]
    async fn localhost_is_always_among_the_addresses() {
        for (address, expected) in [("127.0.0.1", 1), ("127.0.0.2", 2), ("0.0.0.0", 1)] {
            let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
            let listeners = listen(address.parse().unwrap(), port, taken).await.unwrap();
            assert_eq!(listeners.len(), expected);
            let client = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            let accepted = accept(&listeners).await.unwrap();
            assert_eq!(accepted.peer_addr().unwrap(), client.local_addr().unwrap());
            assert_eq!(listen(address.parse().unwrap(), port, taken).await.unwrap_err().message, "taken");
        }
    }

    #[tokio::test]
    async fn both_ends_of_a_connection_are_asked_whether_they_live() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        prepare(&stream).unwrap();
        assert!(sockopt::socket_keepalive(&stream).unwrap() && stream.nodelay().unwrap());
        let silence = sockopt::tcp_keepidle(&stream).unwrap()
            + sockopt::tcp_keepintvl(&stream).unwrap() * sockopt::tcp_keepcnt(&stream).unwrap();
        assert_eq!(silence, Duration::from_secs(35));
    }
}
