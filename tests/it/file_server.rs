//! A web server on loopback that gives files, and gives them wrongly where a test wants that; with TLS, or without.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What is answered.
#[derive(Clone)]
pub(crate) enum Reply {
    /// The whole file.
    File(Vec<u8>),
    /// The file's length, and half of it.
    Half(Vec<u8>),
    /// The file is elsewhere.
    Redirect(String),
    /// There is no such file.
    Absent,
}

/// A server that gives every request the same answer, until the tests end.
pub(crate) struct FileServer {
    /// Its address, without a slash at the end.
    pub(crate) url: String,
    /// What has to be trusted, as PEM; empty without TLS.
    pub(crate) certificate: String,
}

impl FileServer {
    /// Without TLS.
    pub(crate) fn start(reply: Reply) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                answer(stream, &reply);
            }
        });
        Self { url, certificate: String::new() }
    }

    /// With TLS, by a certificate that nobody knows.
    pub(crate) fn start_with_tls(reply: Reply) -> Self {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
        let chain = vec![CertificateDer::from(cert.der().to_vec())];
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                answer(StreamOwned::new(connection, stream), &reply);
            }
        });
        Self { url, certificate: cert.pem() }
    }
}

fn answer(stream: impl Read + Write + Close, reply: &Reply) {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    // A client that does not trust us leaves in the middle of the handshake.
    while reader.read_line(&mut line).is_ok_and(|count| count > 2) {
        line.clear();
    }
    let mut stream = reader.into_inner();
    let ok = |body: &[u8]| format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
    let (head, body) = match reply {
        Reply::File(body) => (ok(body), body.as_slice()),
        Reply::Half(body) => (ok(body), &body[..body.len() / 2]),
        Reply::Redirect(to) => {
            (format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"), &[][..])
        }
        Reply::Absent => {
            ("HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".to_owned(), &[][..])
        }
    };
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body)).and_then(|()| stream.flush());
    stream.close();
}

/// Says goodbye as the protocol wants it.
trait Close {
    fn close(&mut self);
}

impl Close for TcpStream {
    fn close(&mut self) {}
}

impl Close for StreamOwned<ServerConnection, TcpStream> {
    fn close(&mut self) {
        self.conn.send_close_notify();
        let _ = self.flush();
    }
}
