//! Clients that misbehave, and some that only look so, over both routes. Limits are short here, so that tests are too.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::Route;
use super::backends::Backends;
use super::connection::{LIMITS, Limits};
use super::connection_tests::{Forward, limited};
use super::direct::Direct;
use super::fake_node::FakeNode;
use super::pool::MOST;

/// What is short in a test.
const SHORT: Duration = Duration::from_millis(100);
/// Longer than any part of these tests takes.
const LONG: Duration = Duration::from_secs(30);

async fn by_tunnel(limits: Limits) -> (Forward, FakeNode) {
    let (forward, node) = (limited(Some(Route::ApiServer), limits), FakeNode::start(1000).await);
    forward.backends.send_replace(node.backends());
    (forward, node)
}

/// A forward whose direct route leads to this listener.
async fn straight(limits: Limits) -> (Forward, TcpListener) {
    let (forward, pod) = (limited(Some(Route::Direct), limits), TcpListener::bind("127.0.0.1:0").await.unwrap());
    forward.direct.send_replace(Direct { address: pod.local_addr().ok(), obstacle: None });
    forward.backends.send_replace(FakeNode::start(1).await.backends());
    (forward, pod)
}

async fn word(stream: &mut TcpStream, length: usize) -> String {
    let mut bytes = vec![0; length];
    timeout(LONG, stream.read_exact(&mut bytes)).await.unwrap().unwrap();
    String::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn a_client_that_says_nothing_takes_no_stream_and_is_closed() {
    let (forward, node) = by_tunnel(Limits { word: SHORT, ..LIMITS }).await;
    let (mut client, served) = forward.client().await;
    assert_eq!(timeout(LONG, client.read(&mut [0])).await.unwrap().unwrap(), 0);
    served.await.unwrap().unwrap();
    assert_eq!(node.tunnels.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn silent_and_slow_clients_block_no_other() {
    let (forward, node) = by_tunnel(LIMITS).await;
    let mut others = Vec::new();
    for number in 0..100 {
        let (mut client, _) = forward.client().await;
        if number % 10 == 0 {
            // The pod waits for the rest.
            client.write_all(b"G").await.unwrap();
        }
        others.push(client);
    }
    let (mut client, _) = forward.client().await;
    client.write_all(b"question").await.unwrap();
    assert_eq!(word(&mut client, 6).await, "answer");
    assert!(node.tunnels.load(Ordering::Relaxed) <= 11, "silent clients hold tunnels");
}

#[tokio::test]
async fn a_client_of_a_byte_at_a_time_holds_its_stream_for_a_bounded_time() {
    let limits = Limits { answer: SHORT * 3, ..LIMITS };
    let (tunnel, node) = by_tunnel(limits).await;
    let (direct, pod) = straight(limits).await;
    for forward in [&tunnel, &direct] {
        let (mut client, served) = forward.client().await;
        let dribbling = tokio::spawn(async move {
            while client.write_all(b"x").await.is_ok() {
                sleep(SHORT / 5).await;
            }
        });
        timeout(LONG, served).await.unwrap().unwrap().unwrap();
        timeout(LONG, dribbling).await.unwrap().unwrap();
    }
    assert_eq!(node.tunnels.load(Ordering::Relaxed), 1);
    drop(pod);
}

#[tokio::test]
async fn a_websocket_may_be_silent_once_it_is_open() {
    let limits = Limits { word: SHORT, pod: SHORT, ended: SHORT, answer: SHORT };
    let (tunnel, _node) = by_tunnel(limits).await;
    let (direct, pod) = straight(limits).await;
    tokio::spawn(async move {
        let (mut stream, _) = pod.accept().await.unwrap();
        while word(&mut stream, 5).await == "hello" {
            stream.write_all(b"hello").await.unwrap();
        }
    });
    for forward in [&tunnel, &direct] {
        let (mut client, _) = forward.client().await;
        for _ in 0..3 {
            client.write_all(b"hello").await.unwrap();
            assert_eq!(word(&mut client, 5).await, "hello");
            sleep(SHORT * 4).await;
        }
    }
}

#[tokio::test]
async fn a_long_poll_is_answered_when_the_pod_has_something_to_say() {
    // Far beyond the limits for a client's word and for a pod.
    let limits = Limits { word: SHORT, pod: SHORT, ended: SHORT, answer: LONG };
    let (tunnel, _node) = by_tunnel(limits).await;
    let (direct, pod) = straight(limits).await;
    tokio::spawn(async move {
        let (mut stream, _) = pod.accept().await.unwrap();
        assert_eq!(word(&mut stream, 4).await, "poll");
        sleep(SHORT * 10).await;
        stream.write_all(b"answer").await.unwrap();
    });
    for forward in [&tunnel, &direct] {
        let (mut client, _) = forward.client().await;
        client.write_all(b"poll").await.unwrap();
        assert_eq!(word(&mut client, 6).await, "answer");
    }
}

#[tokio::test]
async fn what_a_client_does_not_read_is_not_held_here() {
    let (forward, pod) = straight(LIMITS).await;
    let sent = tokio::spawn(async move {
        let (mut stream, _) = pod.accept().await.unwrap();
        assert_eq!(word(&mut stream, 8).await, "question");
        let (large, mut sent) = (vec![7; 100_000], 0);
        // Until nothing moves any more: all buffers of the kernel are full.
        while let Ok(written) = timeout(SHORT * 5, stream.write(&large)).await {
            sent += written.unwrap();
        }
        (sent, stream)
    });
    let (mut client, served) = forward.client().await;
    client.write_all(b"question").await.unwrap();
    let (sent, stream) = timeout(LONG, sent).await.unwrap().unwrap();
    assert!(sent > 100_000 && sent < 100_000_000, "{sent} bytes were taken");
    drop(stream);
    // All of it comes once the client does read, and then the end.
    let mut received = Vec::new();
    timeout(LONG, client.read_to_end(&mut received)).await.unwrap().unwrap();
    assert_eq!(received.len(), sent);
    drop(client);
    served.await.unwrap().unwrap();
}

#[tokio::test]
async fn what_a_client_does_not_read_is_held_by_its_own_tunnel_and_no_other() {
    let (forward, node) = by_tunnel(LIMITS).await;
    let (mut idle, served) = forward.client().await;
    idle.write_all(b"flood").await.unwrap();
    let begin = Instant::now();
    while node.flood.load(Ordering::Relaxed) == 0 {
        assert!(begin.elapsed() < LONG, "the pod can send without end");
        sleep(SHORT).await;
    }
    let sent = node.flood.load(Ordering::Relaxed);
    assert!(sent < 100_000_000, "{sent} bytes were taken");
    let (mut client, _) = forward.client().await;
    client.write_all(b"question").await.unwrap();
    assert_eq!(word(&mut client, 6).await, "answer");
    let mut received = Vec::new();
    timeout(LONG, idle.read_to_end(&mut received)).await.unwrap().unwrap();
    assert_eq!(received.len(), sent);
    served.await.unwrap().unwrap();
}

#[tokio::test]
async fn five_hundred_clients_at_once_are_served_by_few_tunnels() {
    let (forward, node) = by_tunnel(LIMITS).await;
    let mut clients = JoinSet::new();
    for _ in 0..500 {
        let (mut client, _) = forward.client().await;
        clients.spawn(async move {
            client.write_all(b"question").await.unwrap();
            assert_eq!(word(&mut client, 6).await, "answer");
        });
    }
    while let Some(ended) = clients.join_next().await {
        ended.unwrap();
    }
    let tunnels = node.tunnels.load(Ordering::Relaxed);
    assert!(tunnels <= 48, "{tunnels} tunnels");
}

#[tokio::test]
async fn who_finds_all_tunnels_held_waits_for_one() {
    let (forward, node) = by_tunnel(LIMITS).await;
    let mut holders = Vec::new();
    for _ in 0..MOST {
        let (mut client, _) = forward.client().await;
        client.write_all(b"hello").await.unwrap();
        holders.push(client);
    }
    for client in &mut holders {
        assert_eq!(word(client, 5).await, "hello");
    }
    let (mut late, _) = forward.client().await;
    late.write_all(b"question").await.unwrap();
    // Longer than it takes to become a crowd.
    assert!(timeout(SHORT * 20, late.read(&mut [0])).await.is_err());
    holders.pop();
    assert_eq!(word(&mut late, 6).await, "answer");
    assert_eq!(node.tunnels.load(Ordering::Relaxed), MOST);
}

#[tokio::test]
async fn a_pod_that_was_removed_ends_its_connections_at_once() {
    let (tunnel, _node) = by_tunnel(LIMITS).await;
    let (direct, pod) = straight(LIMITS).await;
    for forward in [&tunnel, &direct] {
        let (mut client, served) = forward.client().await;
        client.write_all(b"hello").await.unwrap();
        if forward.shared.only == Some(Route::Direct) {
            // Accepted and then silent.
            std::mem::forget(pod.accept().await.unwrap());
        } else {
            assert_eq!(word(&mut client, 5).await, "hello");
        }
        let begin = Instant::now();
        // It is going away, and may still answer: nothing is cut.
        forward.backends.send_modify(|now| now.pods.clear());
        assert!(timeout(SHORT, client.read(&mut [0])).await.is_err());
        forward.backends.send_modify(|now| now.exist.clear());
        let heard = timeout(LONG, client.read(&mut [0])).await.unwrap();
        assert!(matches!(heard, Ok(0) | Err(_)), "{heard:?}");
        served.await.unwrap().unwrap();
        assert!(begin.elapsed() < SHORT * 20);
    }
}

#[tokio::test]
async fn to_a_pod_that_is_new_a_tunnel_leads_until_the_node_port_does() {
    let (forward, node) = (limited(None, LIMITS), FakeNode::start(9).await);
    let pod = TcpListener::bind("127.0.0.1:0").await.unwrap();
    forward.direct.send_replace(Direct { address: pod.local_addr().ok(), obstacle: None });
    forward.backends.send_replace(Backends { changed: Some(Instant::now()), ..node.backends() });
    let (mut client, _) = forward.client().await;
    client.write_all(b"question").await.unwrap();
    assert_eq!(word(&mut client, 6).await, "answer");
    assert_eq!(node.tunnels.load(Ordering::Relaxed), 1);
    forward.backends.send_modify(|now| now.changed = Some(Instant::now() - LONG));
    let (mut client, _) = forward.client().await;
    client.write_all(b"question").await.unwrap();
    timeout(LONG, pod.accept()).await.unwrap().unwrap();
}

#[tokio::test]
async fn who_gives_up_while_there_is_no_pod_is_closed_soon() {
    let forward = limited(None, Limits { ended: SHORT, ..LIMITS });
    let (mut client, served) = forward.client().await;
    client.write_all(b"question").await.unwrap();
    drop(client);
    let reason = timeout(LONG, served).await.unwrap().unwrap().unwrap_err();
    assert!(reason.ends_with("the API server has not answered yet"), "{reason}");
}
