//! Copies bytes between two sockets until both have said all they have to say.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{Error, ErrorKind, Result};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::time::timeout;

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
pub(super) async fn splice(client: &mut TcpStream, node: &mut TcpStream, answer: Duration) -> Result<()> {
    let (client_reader, client_writer) = client.split();
    let (node_reader, node_writer) = node.split();
    let down = async {
        timeout(answer, node_reader.readable()).await.map_err(|_| Error::from(ErrorKind::TimedOut))??;
        pump(node_reader, client_writer).await
    };
    tokio::try_join!(pump(client_reader, node_writer), down)?;
    Ok(())
}

async fn pump(mut from: ReadHalf<'_>, mut to: WriteHalf<'_>) -> Result<()> {
    loop {
        match poll_fn(|context| BUFFER.with_borrow_mut(|buffer| step(context, &mut from, &to, buffer))).await? {
            Step::Moved => {}
            Step::Full => to.writable().await?,
            Step::Ended => return to.shutdown().await,
        }
    }
}

enum Step {
    /// All or some of what had come is handed on.
    Moved,
    /// Nothing can be handed on right now.
    Full,
    /// The reader has nothing more, ever.
    Ended,
}

/// Hands on what has come. What cannot be handed on stays in the kernel, where TCP tells the sender to wait: a client that
/// never reads costs no memory here.
fn step(
    context: &mut Context<'_>,
    from: &mut ReadHalf<'_>,
    to: &WriteHalf<'_>,
    buffer: &mut [u8],
) -> Poll<Result<Step>> {
    let count = ready!(from.poll_peek(context, &mut ReadBuf::new(buffer)))?;
    if count == 0 {
        return Poll::Ready(Ok(Step::Ended));
    }
    match to.try_write(&buffer[..count]) {
        Ok(0) => Poll::Ready(Err(Error::from(ErrorKind::WriteZero))),
        // It is the same bytes: nobody else reads here.
        Ok(written) => Poll::Ready(from.try_read(&mut buffer[..written]).map(|_| Step::Moved)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Poll::Ready(Ok(Step::Full)),
        Err(error) => Poll::Ready(Err(error)),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;
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
        let (mut client, mut inner) = pair().await;
        let (mut outer, mut server) = pair().await;
        let copying = tokio::spawn(async move { splice(&mut inner, &mut outer, ANSWER).await });
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

    #[tokio::test(flavor = "current_thread")]
    async fn a_slow_reader_gets_every_byte_in_order() {
        let (mut client, mut inner) = pair().await;
        let (mut outer, mut server) = pair().await;
        tokio::spawn(async move { splice(&mut inner, &mut outer, ANSWER).await });
        let sent: Vec<u8> = (0..8_000_000_u32).map(|number| number.to_le_bytes()[number as usize % 3]).collect();
        let expected = sent.clone();
        let sending = tokio::spawn(async move { server.write_all(&sent).await });
        let mut received = Vec::new();
        client.read_to_end(&mut received).await.unwrap();
        sending.await.unwrap().unwrap();
        assert!(received == expected, "{} bytes of {}", received.len(), expected.len());
    }
}
