//! The pod of scripts/bench/forward.sh: answers `ok`, and /large with 300 MB. One answer for each connection.
//!
//! A program of its own, without dependencies: what answers has to be much quicker than what is measured.

use std::fs::File;
use std::io::{Read, Result, Write, copy};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::thread;

const LARGE: u64 = 300_000_000;
const PORT: u16 = 8080;
/// Each waits for a client of its own: as many as may be slow at a time without making others wait.
const THREADS: usize = 64;

fn head(length: u64) -> String {
    format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n")
}

fn answer(mut client: TcpStream, large: &Path) -> Result<()> {
    let mut request = [0; 4096];
    // It is whole in one piece; a probe that only connects says nothing.
    let count = client.read(&mut request)?;
    if request[..count].starts_with(b"GET /large") {
        client.write_all(head(LARGE).as_bytes())?;
        // The kernel's sendfile.
        copy(&mut File::open(large)?, &mut client)?;
    } else if count > 0 {
        client.write_all((head(2) + "ok").as_bytes())?;
    }
    Ok(())
}

fn main() -> Result<()> {
    let large = std::env::temp_dir().join("large");
    File::create(&large)?.set_len(LARGE)?;
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT))?;
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    // An error is the client's: it has gone.
                    let _ = listener.accept().and_then(|(client, _)| answer(client, &large));
                }
            });
        }
    });
    Ok(())
}
