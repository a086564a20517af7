//! Copies bytes between two sockets until both have said all they have to say.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{Error, ErrorKind, Result};
use std::pin::pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use rustix::net::{Shutdown, shutdown};
use tokio::io::ReadBuf;
use tokio::net::TcpStream;
use tokio::time::timeout;

#[cfg(target_os = "linux")]
use super::bulk;

/// How much is moved at once, in bytes.
const CHUNK: usize = 64 * 1024;

thread_local! {
    /// One buffer for all connections of this thread: a connection costs none of its own, idle or stuck, and the buffer
    /// stays in the processor's cache. It is never borrowed across an await.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; CHUNK]);
}

/// Copies both ways. When one side ends its sending, the other is told so and may go on sending. The node has to begin to
/// answer within `answer`; after that, silence on either side may last.
///
/// # Errors
/// One of the two connections broke, or there was no answer; both are to be dropped.
pub(super) async fn splice(client: &TcpStream, node: &TcpStream, answer: Duration) -> Result<()> {
    let mut up = pin!(pump(client, node));
    let mut down = pin!(async {
        timeout(answer, node.readable()).await.map_err(|_| Error::from(ErrorKind::TimedOut))??;
        pump(node, client).await
    });
    tokio::select! {
        client_ended = &mut up => {
            client_ended?;
            shutdown(node, Shutdown::Write)?;
            down.await?;
            shutdown(client, Shutdown::Write)?;
        }
        node_ended = &mut down => {
            node_ended?;
            let then = Instant::now();
            shutdown(client, Shutdown::Write)?;
            if up.await? < then {
                // All is said. Where the pod ended first, it would keep the connection's end in mind for a minute (TIME_WAIT), and
                // refuse the next one that comes to it by the same port: the client would wait a second for the kernel's second try.
                node.set_zero_linger()?;
            }
        }
    }
    Ok(())
}

/// Hands on until the reader has nothing more, and says when the last of it came.
async fn pump(from: &TcpStream, to: &TcpStream) -> Result<Instant> {
    let mut last = Instant::now();
    loop {
        match poll_fn(|context| BUFFER.with_borrow_mut(|buffer| step(context, from, to, buffer))).await? {
            Step::Ended => return Ok(last),
            Step::Full => to.writable().await?,
            #[cfg(target_os = "linux")]
            Step::Moved(CHUNK) => bulk::carry(from, to).await?,
            Step::Moved(_) => {}
        }
        last = Instant::now();
    }
}

enum Step {
    /// So many bytes of what had come are handed on. A whole [`CHUNK`] is the sign of more.
    Moved(usize),
    /// Nothing can be handed on right now.
    Full,
    /// The reader has nothing more, ever.
    Ended,
}

/// Hands on what has come. What cannot be handed on stays in the kernel, where TCP tells the sender to wait: a client that
/// never reads costs no memory here.
fn step(context: &mut Context<'_>, from: &TcpStream, to: &TcpStream, buffer: &mut [u8]) -> Poll<Result<Step>> {
    let count = ready!(from.poll_peek(context, &mut ReadBuf::new(buffer)))?;
    if count == 0 {
        return Poll::Ready(Ok(Step::Ended));
    }
    match to.try_write(&buffer[..count]) {
        Ok(0) => Poll::Ready(Err(Error::from(ErrorKind::WriteZero))),
        // It is the same bytes: nobody else reads here.
        Ok(written) => Poll::Ready(from.try_read(&mut buffer[..written]).map(Step::Moved)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Poll::Ready(Ok(Step::Full)),
        Err(error) => Poll::Ready(Err(error)),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    const ANSWER: Duration = Duration::from_mins(1);

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (near, listener.accept().await.unwrap().0)
    }

    #[tokio::test(flavor = "current_thread")]
    async fn one_side_may_end_its_sending_and_still_be_answered() {
        let (mut client, inner) = pair().await;
        let (outer, mut server) = pair().await;
        let copying = tokio::spawn(async move { splice(&inner, &outer, ANSWER).await });
        client.write_all(b"question").await.unwrap();
        client.shutdown().await.unwrap();
        let mut question = String::new();
        server.read_to_string(&mut question).await.unwrap();
        assert_eq!(question, "question");
        server.write_all(b"answer").await.unwrap();
        drop(server);
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "answer");
        copying.await.unwrap().unwrap();
    }

    /// The end of a pod's connection, where the pod ended first: reset, so that nothing of it stays there, or in order.
    async fn end_of_the_pod(last_words: &[u8]) -> Result<Vec<u8>> {
        let (mut client, inner) = pair().await;
        let (outer, mut server) = pair().await;
        let copying = tokio::spawn(async move { splice(&inner, &outer, ANSWER).await });
        client.write_all(b"question").await.unwrap();
        server.read_exact(&mut [0; 8]).await.unwrap();
        server.write_all(b"answer").await.unwrap();
        server.shutdown().await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "answer");
        client.write_all(last_words).await.unwrap();
        drop(client);
        copying.await.unwrap().unwrap();
        let mut rest = Vec::new();
        server.read_to_end(&mut rest).await.map(|_| rest)
    }

    #[tokio::test(flavor = "current_thread")]
    async fn nothing_stays_behind_in_a_pod_that_ended_first_and_was_told_nothing_more() {
        assert_eq!(end_of_the_pod(b"").await.unwrap_err().kind(), ErrorKind::ConnectionReset);
        assert_eq!(end_of_the_pod(b"and goodbye").await.unwrap(), b"and goodbye");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_slow_reader_gets_every_byte_in_order() {
        let (mut client, inner) = pair().await;
        let (outer, mut server) = pair().await;
        tokio::spawn(async move { splice(&inner, &outer, ANSWER).await });
        let sent: Vec<u8> = (0..8_000_000_u32).map(|number| number.to_le_bytes()[number as usize % 3]).collect();
        let expected = sent.clone();
        let sending = tokio::spawn(async move { server.write_all(&sent).await });
        let mut received = Vec::new();
        client.read_to_end(&mut received).await.unwrap();
        sending.await.unwrap().unwrap();
        assert!(received == expected, "{} bytes of {}", received.len(), expected.len());
    }
}
