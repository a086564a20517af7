//! The log of a workload's container: the end of one run for a verdict, or line by line for a person, across restarts and replaced pods.

use std::pin::pin;
use std::time::Duration;

use futures_util::{AsyncBufReadExt, Stream, StreamExt, TryStreamExt};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::api::{ListParams, LogParams};
use kube::runtime::reflector::{Store, store};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, ResourceExt};
use tokio::time::timeout;

use super::Cluster;
use super::observe::Pause;
use super::verdict::{LogSource, containers};
use super::workload::{Expected, Workload, WorkloadKind};
use crate::error::{During, Failure, Kind, sentence};

/// How long a verdict waits for the log that proves it.
const TAIL_PATIENCE: Duration = Duration::from_secs(3);
/// After the end of a stream: how long the kubelet may take to say that the container has ended.
const END_PATIENCE: Duration = Duration::from_secs(3);
/// Failures in a row, of the watch or of the streams, until following is given up; at half a second each.
const FAILURES: u32 = 60;

/// Whose log is wanted, and how much of it.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The workload; its newest pod is taken.
    pub workload: &'a Workload,
    /// The container, also one that runs before the others.
    pub container: &'a str,
    /// How many lines from the end.
    pub tail: u32,
    /// Go on as lines come, also with the next run and the next pod, until the future is dropped.
    pub follow: bool,
}

/// One run of the container.
struct Run {
    pod: String,
    /// The pod's identity and the run's number: the same run is not shown twice.
    identity: (String, i32),
    /// It has ended and waits for its next run.
    previous: bool,
    running: bool,
}

/// Hands each line of the log to `on_line`. While a container waits in a crash loop the log is that of its last run.
///
/// # Errors
/// There is no such workload, pod or container, it has not started yet (unless followed), or the API server does not answer.
pub async fn stream(
    cluster: &Cluster,
    expected: Expected<'_>,
    wanted: Wanted<'_>,
    mut on_line: impl FnMut(&str),
) -> Result<(), Failure> {
    let labels = labels(cluster, expected, wanted.workload).await?;
    let pods: Api<Pod> = Api::namespaced(cluster.client.clone(), expected.namespace);
    if wanted.follow {
        return follow(&pods, &labels, wanted, &mut on_line).await;
    }
    let listed =
        pods.list(&ListParams::default().labels(&labels)).await.during(Kind::Cluster, "cannot list the pods")?;
    let Some(pod) = newest(listed.iter()) else {
        return Err(Failure::new(Kind::Unhealthy, format!("{} has no pod", wanted.workload)));
    };
    let Some(run) = run(pod, wanted.container)? else {
        let name = format!("container `{}` of pod `{}`", wanted.container, pod.name_any());
        return Err(Failure::new(Kind::Unhealthy, format!("{name} has not started yet"))
            .hint(format!("see why: {}", expected.command("status"))));
    };
    let parameters = LogParams { tail_lines: Some(i64::from(wanted.tail)), ..parameters(&run, wanted.container) };
    print(&pods, &run.pod, &parameters, &mut on_line).await?;
    Ok(())
}

/// Waits until the container has started, in the workload's newest pod; at once where it has.
///
/// # Errors
/// There is no such workload or container, or the API server does not answer any more.
pub async fn until_started(cluster: &Cluster, expected: Expected<'_>, wanted: Wanted<'_>) -> Result<(), Failure> {
    let labels = labels(cluster, expected, wanted.workload).await?;
    let pods: Api<Pod> = Api::namespaced(cluster.client.clone(), expected.namespace);
    let (reader, writer) = store();
    let mut changes = pin!(watched(&pods, &labels).reflect(writer));
    let mut failures = 0;
    while newest_run(&reader, wanted.container)?.is_none() {
        note_failure(changes.next().await, &mut failures)?;
    }
    Ok(())
}

/// The last lines of one run's log.
///
/// # Errors
/// A line that says why it cannot be read.
pub(super) async fn tail(
    cluster: &Cluster,
    namespace: &str,
    source: &LogSource,
    lines: u32,
) -> Result<Vec<String>, String> {
    let pods: Api<Pod> = Api::namespaced(cluster.client.clone(), namespace);
    let parameters = LogParams {
        container: Some(source.container.clone()),
        previous: source.previous,
        tail_lines: Some(i64::from(lines)),
        ..LogParams::default()
    };
    match timeout(TAIL_PATIENCE, pods.logs(&source.pod, &parameters)).await {
        Ok(Ok(text)) if text.trim().is_empty() => Ok(vec!["its log is empty".to_owned()]),
        Ok(Ok(text)) => Ok(text.lines().map(str::to_owned).collect()),
        Ok(Err(error)) => Err(format!("its log cannot be read: {}", sentence(error.to_string()))),
        Err(_) => Err("its log cannot be read: the node does not answer".to_owned()),
    }
}

async fn follow(
    pods: &Api<Pod>,
    labels: &str,
    wanted: Wanted<'_>,
    on_line: &mut impl FnMut(&str),
) -> Result<(), Failure> {
    let (reader, writer) = store();
    let mut changes = pin!(watched(pods, labels).reflect(writer));
    let mut shown: Option<((String, i32), Timestamp)> = None;
    let mut failures = 0;
    loop {
        let newest_run = newest_run(&reader, wanted.container)?;
        let until =
            shown.as_ref().filter(|(identity, _)| newest_run.as_ref().is_some_and(|run| run.identity == *identity));
        let resumes_at = until.map(|(_, time)| *time);
        if let Some(run) = newest_run.as_ref().filter(|run| resumes_at.is_none() || run.running) {
            let tail_lines = shown.is_none().then_some(i64::from(wanted.tail));
            let parameters = LogParams {
                tail_lines,
                follow: run.running,
                since_time: resumes_at,
                ..parameters(run, wanted.container)
            };
            match print(pods, &run.pod, &parameters, on_line).await {
                Ok(lines) if lines > 0 || resumes_at.is_none() => failures = 0,
                Err(error) if failures >= FAILURES => return Err(error),
                Ok(_) | Err(_) => failures += 1,
            }
            shown = Some((run.identity.clone(), Timestamp::now()));
        }
        // A stream that ended while its container runs on is taken up again; otherwise only a change leads further.
        let runs_on = newest_run.is_some_and(|run| run.running);
        let change =
            if runs_on { timeout(END_PATIENCE, changes.next()).await.ok().flatten() } else { changes.next().await };
        note_failure(change, &mut failures)?;
    }
}

/// The changes of a workload's pods, with a pause before each new try where the watch fails.
fn watched(pods: &Api<Pod>, labels: &str) -> impl Stream<Item = watcher::Result<watcher::Event<Pod>>> + use<> {
    watcher(pods.clone(), watcher::Config::default().labels(labels)).backoff(Pause)
}

/// Counts a failure of the watch.
///
/// # Errors
/// There were too many in a row.
fn note_failure<T>(change: Option<watcher::Result<T>>, failures: &mut u32) -> Result<(), Failure> {
    match change {
        Some(Err(error)) if *failures >= FAILURES => {
            return Err(error).during(Kind::Cluster, "cannot watch the pods any longer");
        }
        Some(Err(_)) => *failures += 1,
        Some(Ok(_)) | None => {}
    }
    Ok(())
}

/// The run of the container in the newest pod.
fn newest_run(pods: &Store<Pod>, container: &str) -> Result<Option<Run>, Failure> {
    let known = pods.state();
    Ok(newest(known.iter().map(AsRef::as_ref)).map(|pod| run(pod, container)).transpose()?.flatten())
}

/// Prints one stream to its end and counts its lines.
async fn print(
    pods: &Api<Pod>,
    pod: &str,
    parameters: &LogParams,
    on_line: &mut impl FnMut(&str),
) -> Result<usize, Failure> {
    let doing = || format!("cannot read the log of pod `{pod}`");
    let mut lines = match pods.log_stream(pod, parameters).await {
        // Its next run has begun since it was looked at: the kubelet then has none before this one, or another one.
        Err(kube::Error::Api(status)) if status.code == 400 && parameters.previous => {
            pods.log_stream(pod, &LogParams { previous: false, ..parameters.clone() }).await
        }
        opened => opened,
    }
    .during(Kind::Cluster, doing())?
    .lines();
    let mut count = 0;
    while let Some(line) = lines.try_next().await.during(Kind::Cluster, doing())? {
        on_line(&line);
        count += 1;
    }
    Ok(count)
}

fn parameters(run: &Run, container: &str) -> LogParams {
    LogParams { container: Some(container.to_owned()), previous: run.previous, ..LogParams::default() }
}

/// The run of a container whose log there is to show; none while it has not started for the first time.
fn run(pod: &Pod, name: &str) -> Result<Option<Run>, Failure> {
    let containers = containers(pod);
    let Some(container) = containers.iter().find(|container| container.spec.name == name) else {
        let names: Vec<&str> = containers.iter().map(|container| container.spec.name.as_str()).collect();
        let message = format!("pod `{}` has no container `{name}`", pod.name_any());
        return Err(Failure::usage(message).hint(format!("it has {}", names.join(", "))));
    };
    let Some(status) = container.status else { return Ok(None) };
    let Some(state) = &status.state else { return Ok(None) };
    let ended_before = status.last_state.as_ref().is_some_and(|state| state.terminated.is_some());
    let (running, ended) = (state.running.is_some(), state.terminated.is_some());
    Ok((running || ended || ended_before).then(|| Run {
        pod: pod.name_any(),
        identity: (pod.uid().unwrap_or_default(), status.restart_count),
        previous: !running && !ended,
        running,
    }))
}

/// The newest pod, rather one that is not going away.
fn newest<'a>(pods: impl Iterator<Item = &'a Pod>) -> Option<&'a Pod> {
    pods.max_by_key(|pod| (pod.metadata.deletion_timestamp.is_none(), pod.creation_timestamp().map(|time| time.0)))
}

/// The label selector of a workload's pods.
async fn labels(cluster: &Cluster, expected: Expected<'_>, workload: &Workload) -> Result<String, Failure> {
    let name = workload.name.as_str();
    let doing = || format!("cannot read {workload}");
    let client = cluster.client.clone();
    let selector: Option<LabelSelector> = match workload.kind {
        WorkloadKind::Deployment => {
            let found = Api::<Deployment>::namespaced(client, expected.namespace).get_opt(name).await;
            found.during(Kind::Cluster, doing())?.map(|found| found.spec.selector)
        }
        WorkloadKind::Job => return Ok(format!("batch.kubernetes.io/job-name={name}")),
        WorkloadKind::StatefulSet => {
            let found = Api::<StatefulSet>::namespaced(client, expected.namespace).get_opt(name).await;
            found.during(Kind::Cluster, doing())?.map(|found| found.spec.selector)
        }
    };
    let Some(selector) = selector else {
        return Err(Failure::new(Kind::Unhealthy, format!("there is no {workload}"))
            .hint(format!("see what is there: {}", expected.command("status"))));
    };
    let labels = selector.match_labels.unwrap_or_default();
    Ok(labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use http::{Request, Response};
    use kube::client::Body;
    use serde_json::json;
    use tower_test::mock;

    use super::*;

    fn pod(name: &str, created: &str, status: &serde_json::Value) -> Pod {
        serde_json::from_value(json!({
            "metadata": {"name": name, "uid": name, "creationTimestamp": created},
            "spec": {"containers": [{"name": "scheduler"}]},
            "status": {"containerStatuses": [status]},
        }))
        .unwrap()
    }

    fn status(state: &serde_json::Value, last: &serde_json::Value) -> serde_json::Value {
        json!({"name": "scheduler", "image": "", "imageID": "", "ready": false, "restartCount": 2, "state": state, "lastState": last})
    }

    #[test]
    fn a_container_in_a_crash_loop_shows_its_last_run() {
        let ended = json!({"terminated": {"exitCode": 1}});
        let waiting = status(&json!({"waiting": {"reason": "CrashLoopBackOff"}}), &ended);
        let waiting = run(&pod("a", "2026-11-22T22:00:00Z", &waiting), "scheduler").unwrap().unwrap();
        assert!(waiting.previous && !waiting.running);
        // The same run, seen a second before: it is not shown twice.
        let just_ended =
            run(&pod("a", "2026-11-22T22:00:00Z", &status(&ended, &json!({}))), "scheduler").unwrap().unwrap();
        assert!(!just_ended.previous && just_ended.identity == waiting.identity);
    }

    #[test]
    fn a_container_that_has_not_started_has_no_run_and_a_wrong_name_is_a_usage_error() {
        let creating = status(&json!({"waiting": {"reason": "ContainerCreating"}}), &json!({}));
        let pod = pod("a", "2026-11-22T22:00:00Z", &creating);
        assert!(run(&pod, "scheduler").unwrap().is_none());
        let Err(failure) = run(&pod, "nope") else { panic!("there is no such container") };
        assert_eq!((failure.kind, failure.hints[0].as_str()), (Kind::Usage, "it has scheduler"));
    }

    #[test]
    fn the_newest_pod_that_stays_is_taken() {
        let old = pod("old", "2026-11-22T22:00:00Z", &json!({"name": "scheduler"}));
        let mut leaving = pod("leaving", "2026-11-22T22:05:00Z", &json!({"name": "scheduler"}));
        leaving.metadata.deletion_timestamp = leaving.metadata.creation_timestamp.clone();
        assert_eq!(newest([&old, &leaving].into_iter()).unwrap().name_any(), "old");
    }

    /// A pod in a crash loop, which runs again as soon as it has been looked at.
    async fn serve(mut handle: mock::Handle<Request<Body>, Response<Body>>) {
        let selector = json!({"matchLabels": {"app": "a"}});
        let waiting = json!({"waiting": {"reason": "CrashLoopBackOff"}});
        let ended = json!({"terminated": {"exitCode": 1}});
        let pod = pod("a-1", "2026-11-22T22:00:00Z", &status(&waiting, &ended));
        while let Some((request, send)) = handle.next_request().await {
            let (path, query) = (request.uri().path(), request.uri().query().unwrap_or_default());
            let (code, text) = match path.rsplit('/').next() {
                Some("log") if query.contains("previous=true") => {
                    let message = "previous terminated container \"scheduler\" in pod \"a-1\" not found";
                    (
                        400,
                        json!({"status": "Failure", "code": 400, "message": message, "reason": "BadRequest"})
                            .to_string(),
                    )
                }
                Some("log") => (200, "a new run\n".to_owned()),
                Some("pods") => (200, json!({"metadata": {}, "items": [&pod]}).to_string()),
                _ => (
                    200,
                    json!({"metadata": {"name": "a"}, "spec": {"selector": selector, "template": {}}}).to_string(),
                ),
            };
            send.send_response(Response::builder().status(code).body(Body::from(text.into_bytes())).unwrap());
        }
    }

    #[tokio::test]
    async fn a_run_that_begins_after_the_look_is_read() {
        let (service, handle) = mock::pair();
        tokio::spawn(serve(handle));
        let config = kube::Config::new("http://localhost".parse().unwrap());
        let cluster = Cluster { client: kube::Client::new(service, "a"), config };
        let workloads = [Workload::deployment("a")];
        let expected = Expected { environment: "a", namespace: "a", workloads: &workloads };
        let wanted = Wanted { workload: &workloads[0], container: "scheduler", tail: 10, follow: false };
        let mut lines = Vec::new();
        stream(&cluster, expected, wanted, |line| lines.push(line.to_owned())).await.unwrap();
        assert_eq!(lines, ["a new run"]);
    }
}
