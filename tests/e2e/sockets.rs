//! Who listens where, as Linux tells it.

use std::path::Path;

/// A listening TCP socket.
#[derive(Debug)]
pub(crate) struct Listener {
    /// As `/proc/net/tcp` writes it, `0100007F` for 127.0.0.1.
    pub(crate) address: String,
    pub(crate) port: u16,
    inode: String,
}

/// The address 127.0.0.1 in the words of `/proc/net/tcp`.
pub(crate) const LOCALHOST: &str = "0100007F";
/// The state of a socket that listens.
const LISTEN: &str = "0A";

/// All listening sockets, of IPv4 and IPv6.
pub(crate) fn listeners() -> Vec<Listener> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|table| std::fs::read_to_string(table).unwrap_or_default());
    tables.iter().flat_map(|table| table.lines().skip(1)).filter_map(listener).collect()
}

/// The process that has a socket open: the first, where it was handed on.
pub(crate) fn owner(listener: &Listener) -> Option<u32> {
    let socket = format!("socket:[{}]", listener.inode);
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).find(|process| opened(*process, &socket))
}

/// The process that serves a port of 127.0.0.1, if any.
pub(crate) fn server(port: u16) -> Option<u32> {
    listeners().iter().find(|listener| listener.port == port).and_then(owner)
}

fn opened(process: u32, file: &str) -> bool {
    let Ok(files) = std::fs::read_dir(format!("/proc/{process}/fd")) else { return false };
    files
        .filter_map(Result::ok)
        .any(|entry| std::fs::read_link(entry.path()).is_ok_and(|target| target == Path::new(file)))
}

fn listener(line: &str) -> Option<Listener> {
    let columns: Vec<&str> = line.split_whitespace().collect();
    let (address, port) = columns.get(1)?.split_once(':')?;
    (*columns.get(3)? == LISTEN).then(|| Listener {
        address: address.to_owned(),
        port: u16::from_str_radix(port, 16).unwrap(),
        inode: columns[9].to_owned(),
    })
}
