//! A web server for tests: says what it was told to, one answer a connection, and keeps what it was asked.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// One answer.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    pause: Duration,
    bytes: String,
}

impl Script {
    pub(crate) fn json(status: u16, body: &str) -> Self {
        Self::of(status, "content-type: application/json\r\nserver: uvicorn", body)
    }

    pub(crate) fn of(status: u16, headers: &str, body: &str) -> Self {
        Self::raw(&format!("HTTP/1.1 {status} Said\r\n{headers}\r\ncontent-length: {}\r\n\r\n{body}", body.len()))
    }

    pub(crate) fn raw(bytes: &str) -> Self {
        Self { pause: Duration::ZERO, bytes: bytes.to_owned() }
    }

    pub(crate) fn slow(pause: Duration) -> Self {
        Self { pause, ..Self::json(200, "{}") }
    }
}

/// Serves the answers in turn, the last one again and again, on a port of 127.0.0.1; gives the port and the requests.
pub(crate) async fn serve(script: impl IntoIterator<Item = Script>) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let requests = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&requests);
    let script: Vec<Script> = script.into_iter().collect();
    tokio::spawn(async move {
        for turn in 0.. {
            let (mut stream, _) = listener.accept().await.unwrap();
            let asked = request(&mut stream).await;
            seen.lock().unwrap().push(asked);
            let answer = &script[turn.min(script.len() - 1)];
            tokio::time::sleep(answer.pause).await;
            // A client that has given up is what some tests are about.
            let _ = stream.write_all(answer.bytes.as_bytes()).await;
        }
    });
    (port, requests)
}

async fn request(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    let mut buffer = [0; 4096];
    loop {
        let read = stream.read(&mut buffer).await.unwrap();
        text.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
        if read == 0 || body.len() >= length.parse().unwrap() {
            return text;
        }
    }
}
