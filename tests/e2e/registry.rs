//! The reference registry server on loopback, and a proxy before it that makes faults. Both end with the test.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::environment::free_port;
use crate::until::until;

/// `me` with the password `s3cret`, as bcrypt, which is all that the registry takes.
const PASSWORDS: &str = "me:$2b$05$abcdefghijklmnopqrstuuLK7U1u6pVRmL7L1BBM2aS35PSZnDXlK\n";

/// The server, with its files in a folder of the test.
pub(crate) struct Registry {
    process: Child,
    port: u16,
}

impl Registry {
    /// Starts one that keeps its images in `folder`, which another one may do too; with `login` it wants a password.
    pub(crate) fn start(folder: &Path, login: bool) -> Self {
        let port = free_port();
        let passwords = folder.join("passwords");
        std::fs::create_dir_all(folder).unwrap();
        std::fs::write(&passwords, PASSWORDS).unwrap();
        let auth = format!("auth: {{htpasswd: {{realm: test, path: '{}'}}}}\n", passwords.display());
        let config = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: '{}'}}}}\nhttp: {{addr: '127.0.0.1:{port}'}}\n{}",
            folder.join("images").display(),
            if login { auth.as_str() } else { "" }
        );
        let file = folder.join(format!("registry-{port}.yml"));
        std::fs::write(&file, config).unwrap();
        let mut command = Command::new(program());
        command.arg("serve").arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().unwrap();
        until("the registry listens", Duration::from_secs(20), || TcpStream::connect((Ipv4Addr::LOCALHOST, port)));
        Self { process, port }
    }

    /// What an image of this name is called there.
    pub(crate) fn reference(&self, name: &str) -> String {
        format!("localhost:{}/{name}", self.port)
    }

    /// A proxy that breaks the first `cuts` downloads of blobs off after 2 MB, and answers the first `limits` questions for manifests with 429.
    pub(crate) fn behind_faults(&self, cuts: u32, limits: u32) -> Faults {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let left = Arc::new([AtomicU32::new(cuts), AtomicU32::new(limits)]);
        let (seen, server) = (Arc::clone(&left), self.port);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let left = Arc::clone(&seen);
                // A connection that breaks is what it is there for.
                std::thread::spawn(move || carry(client, SocketAddr::from((Ipv4Addr::LOCALHOST, server)), &left).ok());
            }
        });
        Faults { port, left }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The proxy; it ends with the program.
pub(crate) struct Faults {
    port: u16,
    left: Arc<[AtomicU32; 2]>,
}

impl Faults {
    /// What an image of this name is called there.
    pub(crate) fn reference(&self, name: &str) -> String {
        format!("localhost:{}/{name}", self.port)
    }

    /// Whether every fault has been made.
    pub(crate) fn are_over(&self) -> bool {
        self.left.iter().all(|left| left.load(Ordering::SeqCst) == 0)
    }
}

/// One request for each connection: the head with `Connection: close`, then whatever comes back.
fn carry(mut client: TcpStream, server: SocketAddr, left: &[AtomicU32; 2]) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let one_less =
        |left: &AtomicU32| left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
    if head.contains("/manifests/") && one_less(&left[1]) {
        let answer =
            "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        return client.write_all(answer.as_bytes());
    }
    let cuts = head.contains("GET") && head.contains("/blobs/");
    let mut server = TcpStream::connect(server)?;
    server.write_all(head.replacen("\r\n", "\r\nConnection: close\r\n", 1).as_bytes())?;
    let (mut buffer, mut sent) = (vec![0; 65536], 0);
    loop {
        let count = server.read(&mut buffer)?;
        if count == 0 {
            return client.shutdown(Shutdown::Both);
        }
        client.write_all(&buffer[..count])?;
        sent += count;
        if cuts && sent > 2_000_000 && one_less(&left[0]) {
            return client.shutdown(Shutdown::Both);
        }
    }
}

/// The server's program, which `scripts/images/build.sh registry` makes.
fn program() -> PathBuf {
    let named = std::env::var_os("WINDTUNNEL_E2E_REGISTRY").map(PathBuf::from);
    named.expect("WINDTUNNEL_E2E_REGISTRY must name the registry server: `scripts/images/build.sh registry` makes one")
}
