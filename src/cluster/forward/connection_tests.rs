//! Connections as a client sees them, over both routes, against pods that are nothing but sockets.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use super::backends::Backends;
use super::connection::{LIMITS, Limits, Shared, serve};
use super::direct::Direct;
use super::fake_node::FakeNode;
use super::pool::Pool;
use super::{Route, Target};

pub(super) struct Forward {
    pub(super) shared: Arc<Shared>,
    pub(super) backends: watch::Sender<Backends>,
    pub(super) direct: watch::Sender<Direct>,
}

fn forward(only: Option<Route>) -> Forward {
    patient(only, Duration::from_secs(30))
}

fn patient(only: Option<Route>, pod: Duration) -> Forward {
    limited(only, Limits { pod, ended: pod, ..LIMITS })
}

pub(super) fn limited(only: Option<Route>, limits: Limits) -> Forward {
    let (backends, backends_receiver) = watch::channel(Backends::default());
    let (direct, direct_receiver) = watch::channel(Direct::default());
    let target = Target {
        kubeconfig: "/nowhere".into(),
        context: "kind-demo".to_owned(),
        namespace: "demo".to_owned(),
        service: "demo-web".to_owned(),
        service_port: 8080,
    };
    let shared = Shared {
        pool: Pool::new(target.namespace.clone()),
        target,
        only,
        limits,
        backends: backends_receiver,
        direct: direct_receiver,
        direct_failed: Notify::new(),
    };
    Forward { shared: Arc::new(shared), backends, direct }
}

impl Forward {
    /// A client, and the task that serves it.
    pub(super) async fn client(&self) -> (TcpStream, tokio::task::JoinHandle<Result<(), String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (accepted, _) = listener.accept().await.unwrap();
        let shared = Arc::clone(&self.shared);
        (client, tokio::spawn(async move { serve(accepted, &shared).await }))
    }
}

/// Says something, and hears all that comes back.
async fn say(client: &mut TcpStream, words: &str) -> String {
    client.write_all(words.as_bytes()).await.unwrap();
    hear(client).await
}

async fn hear(client: &mut TcpStream) -> String {
    let mut heard = String::new();
    client.read_to_string(&mut heard).await.unwrap();
    heard
}

/// A pod at the end of the direct route: says back what it hears, and ends.
async fn echo() -> Direct {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().ok();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let heard = hear(&mut stream).await;
                stream.write_all(heard.as_bytes()).await
            });
        }
    });
    Direct { address, obstacle: None }
}

async fn closed_port() -> Direct {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    Direct { address: listener.local_addr().ok(), obstacle: None }
}

#[tokio::test]
async fn a_connection_waits_for_a_ready_pod_and_is_then_served() {
    let forward = forward(None);
    let (mut client, served) = forward.client().await;
    client.write_all(b"early").await.unwrap();
    client.shutdown().await.unwrap();
    tokio::task::yield_now().await;
    assert!(!served.is_finished());
    forward.direct.send_replace(echo().await);
    forward.backends.send_replace(FakeNode::start(1).await.backends());
    assert_eq!(hear(&mut client).await, "early");
    served.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_connection_without_any_pod_is_closed_with_the_reason() {
    let forward = patient(None, Duration::from_millis(20));
    let (mut client, served) = forward.client().await;
    client.write_all(b"question").await.unwrap();
    let reason = served.await.unwrap().unwrap_err();
    assert_eq!(reason, "a connection was closed after 0 s: the API server has not answered yet");
    // What it said was never read, so that the close is a reset.
    assert!(client.read(&mut [0]).await.is_err());
}

#[tokio::test]
async fn two_hundred_clients_at_once_are_all_served() {
    let forward = forward(None);
    forward.direct.send_replace(echo().await);
    forward.backends.send_replace(FakeNode::start(1).await.backends());
    let mut clients = JoinSet::new();
    for number in 0..200 {
        let (mut client, _) = forward.client().await;
        clients.spawn(async move {
            let words = format!("client {number}");
            client.write_all(words.as_bytes()).await.unwrap();
            client.shutdown().await.unwrap();
            assert_eq!(hear(&mut client).await, words);
        });
    }
    while let Some(ended) = clients.join_next().await {
        ended.unwrap();
    }
}

#[tokio::test]
async fn when_the_node_refuses_the_tunnel_serves_and_the_route_is_proven_again() {
    let (forward, node) = (forward(None), FakeNode::start(9).await);
    forward.direct.send_replace(closed_port().await);
    forward.backends.send_replace(node.backends());
    let shared = Arc::clone(&forward.shared);
    let failed = tokio::spawn(async move { shared.direct_failed.notified().await });
    tokio::task::yield_now().await;
    let (mut client, _) = forward.client().await;
    assert_eq!(say(&mut client, "question").await, "answer");
    failed.await.unwrap();
}

#[tokio::test]
async fn one_tunnel_carries_one_client_after_the_other() {
    let (forward, node) = (forward(Some(Route::ApiServer)), FakeNode::start(9).await);
    forward.backends.send_replace(node.backends());
    for _ in 0..5 {
        let (mut client, served) = forward.client().await;
        assert_eq!(say(&mut client, "question").await, "answer");
        drop(client);
        served.await.unwrap().unwrap();
    }
    assert_eq!(node.tunnels.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_tunnel_that_died_while_idle_is_replaced() {
    let (forward, node) = (forward(Some(Route::ApiServer)), FakeNode::start(1).await);
    forward.backends.send_replace(node.backends());
    for _ in 0..3 {
        let (mut client, served) = forward.client().await;
        assert_eq!(say(&mut client, "question").await, "answer");
        drop(client);
        served.await.unwrap().unwrap();
    }
    assert_eq!(node.tunnels.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn through_a_tunnel_too_a_client_may_end_its_sending_and_still_be_answered() {
    let (forward, node) = (forward(Some(Route::ApiServer)), FakeNode::start(9).await);
    forward.backends.send_replace(node.backends());
    let (mut client, served) = forward.client().await;
    client.write_all(b"question").await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(hear(&mut client).await, "answer");
    served.await.unwrap().unwrap();
}

#[tokio::test]
async fn why_a_pod_was_not_reached_is_said() {
    let (forward, node) = (forward(Some(Route::ApiServer)), FakeNode::start(9).await);
    forward.backends.send_replace(node.backends());
    let (mut client, served) = forward.client().await;
    assert_eq!(say(&mut client, "refuse").await, "");
    assert_eq!(served.await.unwrap().unwrap_err(), "pod web was not reached: connection refused");
}

#[tokio::test]
async fn a_node_that_moved_ends_the_connections_to_its_old_address() {
    let forward = forward(None);
    let old = TcpListener::bind("127.0.0.1:0").await.unwrap();
    forward.direct.send_replace(Direct { address: old.local_addr().ok(), obstacle: None });
    forward.backends.send_replace(FakeNode::start(1).await.backends());
    let (mut client, served) = forward.client().await;
    client.write_all(b"question").await.unwrap();
    // Accepted and then silent, as the old address of a node is.
    let (mut accepted, _) = old.accept().await.unwrap();
    accepted.read_exact(&mut [0; 8]).await.unwrap();
    forward.direct.send_replace(echo().await);
    assert_eq!(hear(&mut client).await, "");
    served.await.unwrap().unwrap();
}
