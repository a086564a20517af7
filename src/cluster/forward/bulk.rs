//! Large answers, which the kernel moves from socket to socket by a pipe: their bytes never come into this process (Linux, `splice(2)`).

use std::io::{ErrorKind, Result};
use std::os::fd::OwnedFd;
use std::sync::{Arc, LazyLock};

use rustix::pipe::{PipeFlags, SpliceFlags, pipe_with, splice};
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many of them there may be at a time; the others are copied. A pipe takes two file descriptors, and the kernel
/// memory of what is in it: 16 pieces of a socket's memory, 32 KiB each at most.
const PIPES: usize = 32;
/// How much is asked for at once, in bytes: more than a pipe takes.
const MOST: usize = 1 << 20;

static FREE: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(PIPES)));

/// What is between two sockets.
struct Pipe {
    out: OwnedFd,
    into: OwnedFd,
    _place: OwnedSemaphorePermit,
}

/// Moves what there is, until nothing more is there at the moment; where there is no pipe to be had, nothing is moved.
///
/// # Errors
/// One of the two connections broke.
pub(super) async fn carry(from: &TcpStream, to: &TcpStream) -> Result<()> {
    let Some(pipe) = pipe() else { return Ok(()) };
    loop {
        let moved =
            from.try_io(Interest::READABLE, || Ok(splice(from, None, &pipe.into, None, MOST, SpliceFlags::NONBLOCK)?));
        match moved {
            // The end is seen again by whoever reads next.
            Ok(0) => return Ok(()),
            Ok(count) => hand_on(&pipe, count, to).await?,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

fn pipe() -> Option<Pipe> {
    let place = Arc::clone(&FREE).try_acquire_owned().ok()?;
    let (out, into) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).ok()?;
    Some(Pipe { out, into, _place: place })
}

async fn hand_on(pipe: &Pipe, mut left: usize, to: &TcpStream) -> Result<()> {
    while left > 0 {
        let moved =
            to.try_io(Interest::WRITABLE, || Ok(splice(&pipe.out, None, to, None, left, SpliceFlags::NONBLOCK)?));
        match moved {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(count) => left -= count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => to.writable().await?,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
