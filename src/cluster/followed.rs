//! The log of a run that goes on, taken in line by line as it comes: what it says is known at once, however busy the node is.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::stream::{self, BoxStream};
use futures_util::{AsyncBufRead, AsyncBufReadExt, FutureExt, Stream, StreamExt};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::LogParams;
use tokio::time::sleep;

use super::Cluster;
use super::verdict::{LOG_LINES, LogSource};
use crate::error::sentence;

/// From the end of a stream to the next: the run that it told of may go on all the same.
const PAUSE: Duration = Duration::from_secs(2);

/// A log that is followed until it is dropped.
pub(super) struct FollowedLog {
    heard: BoxStream<'static, Heard>,
    /// The last [`LOG_LINES`].
    lines: VecDeque<String>,
    /// The next line is the first of a new stream, which begins with what is known already.
    begins: bool,
}

/// What one stream after the other says.
enum Heard {
    Begins,
    Line(String),
    /// Why there is no more, where it did not just end.
    Lost(String),
}

impl FollowedLog {
    /// Prepares to follow it. Nothing is asked for before [`FollowedLog::changed`].
    pub(super) fn open(cluster: &Cluster, namespace: &str, source: &LogSource) -> Self {
        let pods: Api<Pod> = Api::namespaced(cluster.client.clone(), namespace);
        Self { heard: streams(pods, source.clone()).boxed(), lines: VecDeque::new(), begins: false }
    }

    /// Waits until there is something new, then takes in all that has come. Safe to be dropped half-way.
    pub(super) async fn changed(&mut self) {
        let mut heard = self.heard.next().await;
        while let Some(one) = heard {
            self.take_in(one);
            heard = self.heard.next().now_or_never().flatten();
        }
    }

    /// The last lines that are known; none while nothing has come.
    pub(super) fn lines(&self) -> Option<Vec<String>> {
        (!self.lines.is_empty()).then(|| self.lines.iter().cloned().collect())
    }

    fn take_in(&mut self, heard: Heard) {
        match heard {
            Heard::Begins => self.begins = true,
            Heard::Line(line) => {
                // Only now: until then what the stream before told is all that is known.
                if std::mem::take(&mut self.begins) {
                    self.lines.clear();
                }
                self.lines.push_back(line);
                while self.lines.len() > LOG_LINES as usize {
                    self.lines.pop_front();
                }
            }
            Heard::Lost(reason) if self.lines.is_empty() => self.lines.push_back(reason),
            Heard::Lost(_) => {}
        }
    }
}

/// One stream after the other, without end.
fn streams(pods: Api<Pod>, source: LogSource) -> impl Stream<Item = Heard> + Send {
    let parameters = LogParams {
        container: Some(source.container),
        follow: true,
        tail_lines: Some(i64::from(LOG_LINES)),
        ..LogParams::default()
    };
    let one = move |is_first: bool| {
        let (pods, pod, parameters) = (pods.clone(), source.pod.clone(), parameters.clone());
        async move {
            if !is_first {
                sleep(PAUSE).await;
            }
            Some((one_stream(&pods, &pod, &parameters).await, false))
        }
    };
    stream::unfold(true, one).flatten()
}

/// Without a limit of time: the kubelet answers with the first line, and a node that is gone is told of by its own conditions.
async fn one_stream(pods: &Api<Pod>, pod: &str, parameters: &LogParams) -> BoxStream<'static, Heard> {
    match pods.log_stream(pod, parameters).await {
        Ok(log) => stream::once(async { Heard::Begins }).chain(lines(Box::pin(log))).boxed(),
        Err(error) => stream::once(async move { lost(error.to_string()) }).boxed(),
    }
}

/// Each line, also where a program writes what is no UTF-8.
fn lines(log: impl AsyncBufRead + Send + Unpin) -> impl Stream<Item = Heard> + Send {
    stream::unfold(Some(log), async |log| {
        let (mut log, mut line) = (log?, Vec::new());
        match log.read_until(b'\n', &mut line).await {
            Ok(0) => None,
            Ok(_) => Some((Heard::Line(String::from_utf8_lossy(&line).trim_end().to_owned()), Some(log))),
            Err(error) => Some((lost(error.to_string()), None)),
        }
    })
}

fn lost(reason: String) -> Heard {
    Heard::Lost(format!("its log cannot be read: {}", sentence(reason)))
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::convert::Infallible;

    use http::{Request, Response};
    use http_body_util::StreamBody;
    use hyper::body::{Bytes, Frame};
    use kube::client::Body;
    use tower_test::mock;

    use super::*;

    /// What the API server answers: pieces of a log, after which it goes on silently or ends; or a refusal.
    enum Answer {
        Open(Vec<&'static [u8]>),
        Ended(Vec<&'static [u8]>),
        Refused,
    }

    /// A followed log, of which each request is answered with the next of these.
    fn followed(answers: impl IntoIterator<Item = Answer>) -> FollowedLog {
        let (service, mut handle) = mock::pair::<Request<Body>, _>();
        let mut answers: VecDeque<Answer> = answers.into_iter().collect();
        tokio::spawn(async move {
            while let Some((request, send)) = handle.next_request().await {
                let query = request.uri().query().unwrap_or_default();
                assert!(query.contains("follow=true") && query.contains("tailLines=120"), "{query}");
                let (code, pieces, ends) = match answers.pop_front().unwrap() {
                    Answer::Open(pieces) => (200, pieces, false),
                    Answer::Ended(pieces) => (200, pieces, true),
                    Answer::Refused => (500, vec![b"the node is gone".as_slice()], true),
                };
                let frames =
                    pieces.into_iter().map(|piece| Ok::<_, Infallible>(Frame::data(Bytes::from_static(piece))));
                let rest = if ends { stream::empty().boxed() } else { stream::pending().boxed() };
                let body = StreamBody::new(stream::iter(frames).chain(rest));
                send.send_response(Response::builder().status(code).body(body).unwrap());
            }
        });
        let config = kube::Config::new("http://localhost".parse().unwrap());
        let cluster = Cluster { client: kube::Client::new(service, "a"), config };
        let [pod, uid, container] = ["a-1", "1", "migrate"].map(str::to_owned);
        let source = LogSource { pod, uid, container, previous: false, restarts: 0, running: true };
        FollowedLog::open(&cluster, "a", &source)
    }

    /// Follows it until this is its last line.
    async fn until(log: &mut FollowedLog, last: &str) -> Vec<String> {
        while log.lines.back().is_none_or(|line| line != last) {
            log.changed().await;
        }
        log.lines().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn each_line_is_known_as_it_comes_whatever_its_bytes_are() {
        let mut log = followed([Answer::Open(vec![b"one\ntw", b"o \xff\r\n", b"three\n"])]);
        assert_eq!(log.lines(), None);
        assert_eq!(until(&mut log, "three").await, ["one", "two \u{fffd}", "three"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_ends_is_taken_up_again_and_nothing_is_there_twice() {
        let mut log = followed([Answer::Ended(vec![b"one\n"]), Answer::Refused, Answer::Open(vec![b"one\ntwo\n"])]);
        assert_eq!(until(&mut log, "one").await, ["one"]);
        assert_eq!(until(&mut log, "two").await, ["one", "two"]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_reason_stands_there_until_the_log_can_be_read() {
        let mut log = followed([Answer::Refused, Answer::Open(vec![b"one\n"])]);
        log.changed().await;
        let lines = log.lines().unwrap();
        assert!(lines.len() == 1 && lines[0].starts_with("its log cannot be read: "), "{lines:?}");
        assert_eq!(until(&mut log, "one").await, ["one"]);
    }

    #[tokio::test(start_paused = true)]
    async fn only_the_last_lines_are_kept() {
        let mut log = followed([Answer::Open(vec![b"line\n".repeat(500).leak(), b"last\n"])]);
        assert_eq!(until(&mut log, "last").await.len(), LOG_LINES as usize);
    }
}
