//! Copies bytes between two sockets until both have said all they have to say.

use std::cell::RefCell;
use std::io::{Error, ErrorKind, Result};

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};

/// How much is moved at once, in bytes. Also the most that is held for one direction of a connection whose reader is slow.
const CHUNK: usize = 64 * 1024;

thread_local! {
    /// One buffer for all connections of this thread: an idle connection costs nothing, and the buffer stays in the
    /// processor's cache. It is never borrowed across an await.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; CHUNK]);
}

/// Copies both ways. When one side ends its sending, the other is told so and may go on sending.
///
/// # Errors
/// One of the two connections broke; both are to be dropped.
pub(super) async fn splice(one: &mut TcpStream, two: &mut TcpStream) -> Result<()> {
    let (one_reader, one_writer) = one.split();
    let (two_reader, two_writer) = two.split();
    tokio::try_join!(pump(one_reader, two_writer), pump(two_reader, one_writer))?;
    Ok(())
}

async fn pump(from: ReadHalf<'_>, mut to: WriteHalf<'_>) -> Result<()> {
    loop {
        from.readable().await?;
        match BUFFER.with_borrow_mut(|buffer| step(&from, &to, buffer)) {
            Ok(Step::Moved) => {}
            Ok(Step::Ended) => break,
            Ok(Step::Left(rest)) => to.write_all(&rest).await?,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    to.shutdown().await
}

enum Step {
    /// All that was read is written.
    Moved,
    /// The reader has nothing more, ever.
    Ended,
    /// This could not be written yet.
    Left(Vec<u8>),
}

fn step(from: &ReadHalf<'_>, to: &WriteHalf<'_>, buffer: &mut [u8]) -> Result<Step> {
    let count = from.try_read(buffer)?;
    if count == 0 {
        return Ok(Step::Ended);
    }
    let written = match to.try_write(&buffer[..count]) {
        Ok(0) => return Err(Error::from(ErrorKind::WriteZero)),
        Ok(written) => written,
        Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
        Err(error) => return Err(error),
    };
    Ok(if written == count { Step::Moved } else { Step::Left(buffer[written..count].to_vec()) })
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    use super::*;

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (near, listener.accept().await.unwrap().0)
    }

    #[tokio::test(flavor = "current_thread")]
    async fn one_side_may_end_its_sending_and_still_be_answered() {
        let (mut client, mut inner) = pair().await;
        let (mut outer, mut server) = pair().await;
        let copying = tokio::spawn(async move { splice(&mut inner, &mut outer).await });
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
        tokio::spawn(async move { splice(&mut inner, &mut outer).await });
        let sent: Vec<u8> = (0..8_000_000_u32).map(|number| number.to_le_bytes()[number as usize % 3]).collect();
        let expected = sent.clone();
        let sending = tokio::spawn(async move { server.write_all(&sent).await });
        let mut received = Vec::new();
        client.read_to_end(&mut received).await.unwrap();
        sending.await.unwrap().unwrap();
        assert!(received == expected, "{} bytes of {}", received.len(), expected.len());
    }
}
