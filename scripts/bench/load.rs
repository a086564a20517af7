//! Asks a web server, each time by a new connection, and prints one line for each measurement.
//!
//!     load ADDRESS:PORT SECONDS CLIENTS...   throughput of a large answer, then small requests by each of these numbers of clients
//!                                            for so many seconds
//!     load ADDRESS:PORT recover              seconds until a request is answered
//!
//! Beside each stands who computed for it: the milliseconds of processor that each program of this machine took for one request, or
//! for a megabyte.
//!
//! A program of its own, without dependencies: what asks has to be much quicker than what is measured.

use std::collections::BTreeMap;
use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a forward may take to answer again.
const RECOVERY: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(100);
/// What Linux counts processor time in, in milliseconds (proc_pid_stat(5)).
const TICK: f64 = 10.0;
/// Who takes less of the whole is not named.
const SHARE: f64 = 0.04;

/// The number of bytes of the answer's body. It is whole by its length: some forwards hold the end of the connection back.
fn ask(server: SocketAddr, path: &str, patience: Duration, buffer: &mut [u8]) -> Result<usize> {
    let mut connection = TcpStream::connect(server)?;
    connection.set_read_timeout(Some(patience))?;
    connection.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut head = Vec::new();
    let (begin, length) = loop {
        let count = some(&mut connection, buffer)?;
        head.extend_from_slice(&buffer[..count]);
        if let Some(begin) = head.windows(4).position(|four| four == b"\r\n\r\n") {
            break (begin + 4, length(&head[..begin])?);
        }
    };
    let mut come = head.len() - begin;
    while come < length {
        come += some(&mut connection, buffer)?;
    }
    Ok(length)
}

fn some(connection: &mut TcpStream, buffer: &mut [u8]) -> Result<usize> {
    match connection.read(buffer)? {
        0 => Err(Error::from(ErrorKind::UnexpectedEof)),
        count => Ok(count),
    }
}

fn length(head: &[u8]) -> Result<usize> {
    let head = String::from_utf8_lossy(head).to_lowercase();
    let wrong = || Error::new(ErrorKind::InvalidData, head.clone());
    if !head.starts_with("http/1.1 200") {
        return Err(wrong());
    }
    let line = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    line.and_then(|length| length.trim().parse().ok()).ok_or_else(wrong)
}

/// Milliseconds of each answer, and how many failed.
fn client(server: SocketAddr, end: Instant) -> (Vec<f64>, usize) {
    let (mut times, mut failed, mut buffer) = (Vec::new(), 0, vec![0; 8192]);
    while Instant::now() < end {
        let begin = Instant::now();
        match ask(server, "/", PATIENCE, &mut buffer) {
            Ok(_) => times.push(begin.elapsed().as_secs_f64() * 1000.0),
            Err(_) => failed += 1,
        }
    }
    (times, failed)
}

/// The processor time of all processes so far, in milliseconds, by the program's name.
fn spent() -> BTreeMap<String, f64> {
    let mut spent = BTreeMap::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        // One that has just ended, or no process at all.
        let Ok(line) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
        let Some((name, fields)) = line.split_once('(').and_then(|(_, rest)| rest.rsplit_once(')')) else { continue };
        let ticks = fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok());
        *spent.entry(name.to_owned()).or_default() += ticks.sum::<f64>() * TICK;
    }
    spent
}

/// Who has computed since `before`, for one of `count` each.
fn computed(before: &BTreeMap<String, f64>, count: usize) -> String {
    let mut parts: Vec<(f64, String)> = spent()
        .into_iter()
        .map(|(name, now)| ((now - before.get(&name).unwrap_or(&0.0)) / count.max(1) as f64, name))
        .collect();
    parts.sort_by(|one, other| other.0.total_cmp(&one.0));
    let all: f64 = parts.iter().map(|(time, _)| time.max(0.0)).sum();
    let named = parts.iter().filter(|(time, _)| *time >= all * SHARE);
    named.map(|(time, name)| format!("{name} {time:.2}")).collect::<Vec<_>>().join(", ")
}

fn small(server: SocketAddr, clients: usize, seconds: f64) {
    let before = spent();
    let begin = Instant::now();
    let end = begin + Duration::from_secs_f64(seconds);
    let threads: Vec<_> = (0..clients).map(|_| thread::spawn(move || client(server, end))).collect();
    let (mut times, mut failed) = (Vec::new(), 0);
    for thread in threads {
        let (its_times, its_failed) = thread.join().expect("a client does not panic");
        times.extend(its_times);
        failed += its_failed;
    }
    let took = begin.elapsed().as_secs_f64();
    times.sort_by(f64::total_cmp);
    let at = |hundredth: usize| times.get(times.len() * hundredth / 100).copied().unwrap_or(f64::NAN);
    println!(
        "{clients:3} clients: {:7.0} requests/s   p50 {:7.2} ms   p99 {:7.1} ms   {failed} failed",
        times.len() as f64 / took,
        at(50),
        at(99)
    );
    println!("             processor ms for one: {}", computed(&before, times.len()));
}

/// The median of three.
fn large(server: SocketAddr) -> Result<()> {
    let mut buffer = vec![0; 1 << 20];
    let (mut rates, mut megabytes) = (Vec::new(), 0);
    let before = spent();
    for _ in 0..3 {
        let begin = Instant::now();
        let count = ask(server, "/large", PATIENCE, &mut buffer)?;
        rates.push(count as f64 / 1e6 / begin.elapsed().as_secs_f64());
        megabytes += count / 1_000_000;
    }
    rates.sort_by(f64::total_cmp);
    println!("large answer: {:.0} MB/s", rates[1]);
    println!("             processor ms for a megabyte: {}", computed(&before, megabytes));
    Ok(())
}

fn recover(server: SocketAddr) {
    let begin = Instant::now();
    let (mut failed, mut buffer) = (0, vec![0; 8192]);
    while begin.elapsed() < RECOVERY {
        if ask(server, "/", RECOVERY, &mut buffer).is_ok() {
            println!(
                "after the pod had gone: answered in {:.1} s, {failed} failed before",
                begin.elapsed().as_secs_f64()
            );
            return;
        }
        failed += 1;
        thread::sleep(PAUSE);
    }
    println!("after the pod had gone: no answer within {} s, {failed} failed", RECOVERY.as_secs());
}

fn main() -> Result<()> {
    let wrong = || Error::new(ErrorKind::InvalidInput, "usage: load ADDRESS:PORT SECONDS CLIENTS...|recover");
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [server, what, clients @ ..] = &arguments[..] else { return Err(wrong()) };
    let server = server.parse().map_err(|_| wrong())?;
    if what == "recover" {
        recover(server);
        return Ok(());
    }
    let seconds = what.parse().map_err(|_| wrong())?;
    large(server)?;
    for clients in clients {
        small(server, clients.parse().map_err(|_| wrong())?, seconds);
    }
    Ok(())
}
