//! A port of 127.0.0.1: whether it is free, and who holds it.

use std::net::{Ipv4Addr, TcpListener};

use crate::codes::Code;
use crate::error::{Failure, Kind};

/// How far another port is looked for.
const NEAR: u16 = 100;

/// Whether a program could listen on this port of 127.0.0.1 right now.
#[must_use]
pub fn port_is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// Who listens on this port of 127.0.0.1, as far as this user may know: `python3 (process 4711)`.
///
/// `None` where nobody does, or where the system does not tell, as on macOS.
#[must_use]
pub fn port_holder(port: u16) -> Option<String> {
    let socket = ["/proc/net/tcp", "/proc/net/tcp6"].into_iter().find_map(|table| {
        let table = std::fs::read_to_string(table).ok()?;
        table.lines().find_map(|line| listening_on(line, port))
    })?;
    let processes = std::fs::read_dir("/proc").ok()?.filter_map(Result::ok);
    let mut numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    // Only of one's own processes the open files may be seen.
    let Some(process) = numbers.find(|process| holds(*process, &socket.inode)) else {
        return Some(format!("a program of user {}", socket.user));
    };
    let name = std::fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default();
    Some(format!("{} (process {process})", name.trim()))
}

/// The failure that a stranger on the port of the web interface is.
pub(super) fn port_is_taken(port: u16) -> Failure {
    let another = next_free(port).map_or_else(|| "PORT".to_owned(), |free| free.to_string());
    taken(port).hint(format!("to use another port: `windtunnel up --port {another}`"))
}

/// The next one that a program could listen on now.
fn next_free(port: u16) -> Option<u16> {
    (port..=port.saturating_add(NEAR)).skip(1).find(|near| port_is_free(*near))
}

/// The failure that a stranger on a port beside it is.
pub(super) fn extra_port_is_taken(port: u16, component: &str, component_port: u16) -> Failure {
    taken(port)
        .hint(format!("to use another port: `windtunnel forward start --also PORT:{component}:{component_port}`"))
        .hint("to do without: `windtunnel forward start --only-web`")
}

fn taken(port: u16) -> Failure {
    let holder = port_holder(port).unwrap_or_else(|| "another program".to_owned());
    Failure::new(Kind::Foreign, format!("port {port} on 127.0.0.1 is taken by {holder}")).code(Code::PortTaken)
}

#[derive(Debug, Eq, PartialEq)]
struct Socket {
    user: String,
    inode: String,
}

/// Reads a line of the kernel's table of TCP sockets (Linux, `Documentation/networking/proc_net_tcp.rst`):
/// number, local address, remote address, state, queues, timer, retransmits, user, timeout, inode.
fn listening_on(line: &str, port: u16) -> Option<Socket> {
    const LISTEN: &str = "0A";
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (address, local) = fields.get(1)?.rsplit_once(':')?;
    let listens = *fields.get(3)? == LISTEN && u16::from_str_radix(local, 16) == Ok(port);
    // 127.0.0.1 in the machine's byte order, every address, or one of both within IPv6.
    let loopback = format!("{:08X}", u32::from_ne_bytes(Ipv4Addr::LOCALHOST.octets()));
    let ours = address.ends_with(&loopback) || address.bytes().all(|digit| digit == b'0');
    (listens && ours)
        .then(|| Some(Socket { user: (*fields.get(7)?).to_owned(), inode: (*fields.get(9)?).to_owned() }))?
}

fn holds(process: u32, inode: &str) -> bool {
    let wanted = format!("socket:[{inode}]");
    std::fs::read_dir(format!("/proc/{process}/fd")).is_ok_and(|files| {
        files
            .filter_map(Result::ok)
            .any(|file| std::fs::read_link(file.path()).is_ok_and(|target| target.as_os_str() == wanted.as_str()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listening_socket_is_found_by_its_port() {
        let line = "  2: 0100007F:1B9E 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 52341 1";
        let socket = Socket { user: "1000".to_owned(), inode: "52341".to_owned() };
        assert_eq!(listening_on(line, 7070), Some(socket));
        assert_eq!(listening_on(line, 7071), None);
        assert_eq!(listening_on(&line.replace(" 0A ", " 01 "), 7070), None);
        assert_eq!(listening_on(&line.replace("0100007F", "0212A8C0"), 7070), None);
        assert!(listening_on(&line.replace("0100007F", "00000000"), 7070).is_some());
    }

    #[test]
    fn another_port_is_offered_that_is_free() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let free = next_free(port).unwrap();
        assert!(free > port && port_is_free(free));
        assert_eq!(next_free(u16::MAX), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn we_find_ourselves() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(!port_is_free(port));
        let holder = port_holder(port).unwrap();
        assert!(holder.ends_with(&format!("(process {})", std::process::id())), "{holder}");
        drop(listener);
        assert!(port_is_free(port));
        assert_eq!(port_holder(port), None);
    }
}
