//! The wait against an API server made of a list of answers.

use std::convert::Infallible;
use std::sync::Mutex;
use std::time::Instant;

use futures_util::{StreamExt, stream};
use http::{Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame};
use kube::client::Body;
use serde_json::{Value, json};
use tower_test::mock;

use super::super::observe::Watch;
use super::beside::{Beside, Judged};
use super::*;
use crate::cluster::workload::Workload;
use crate::codes::Code;
use crate::ui::{Format, Manner, Ui};

type Answers = mock::Handle<Request<Body>, Response<BoxBody<Bytes, Infallible>>>;

/// A cluster whose API server answers each list with what `list` has for the plural; a watch stays open and silent.
fn cluster(list: impl Fn(&str) -> Result<Value, u16> + Send + 'static) -> Cluster {
    let (service, mut handle): (_, Answers) = mock::pair();
    tokio::spawn(async move {
        while let Some((request, send)) = handle.next_request().await {
            let plural = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
            let query = request.uri().query().unwrap_or_default();
            send.send_response(match list(&plural) {
                _ if plural == "log" && query.contains("follow=true") => Response::new(unended(WAITING)),
                _ if plural == "log" => Response::new(text("KeyError: 'AIRFLOW_HOME'\n")),
                _ if query.contains("watch=true") => Response::new(unended("")),
                Ok(items) => {
                    let answer = json!({"metadata": {"resourceVersion": "1"}, "items": items});
                    Response::new(text(&answer.to_string()))
                }
                Err(code) => {
                    let status = json!({"kind": "Status", "status": "Failure", "code": code, "message": "not yet", "reason": ""});
                    Response::builder().status(code).body(text(&status.to_string())).unwrap()
                }
            });
        }
    });
    let config = kube::Config::new("http://localhost".parse().unwrap());
    Cluster { client: kube::Client::new(service, "airflow-cluster"), config }
}

fn text(text: &str) -> BoxBody<Bytes, Infallible> {
    Full::new(Bytes::from(text.to_owned())).boxed()
}

/// What does not end with this text.
fn unended(text: &'static str) -> BoxBody<Bytes, Infallible> {
    let text = stream::iter((!text.is_empty()).then(|| Ok(Frame::data(Bytes::from_static(text.as_bytes())))));
    BodyExt::boxed(StreamBody::new(text.chain(stream::pending())))
}

async fn wait(cluster: &Cluster, stall: Duration) -> Result<Ready, Failure> {
    let workloads = [Workload::stateful_set("database"), Workload::deployment("airflow")];
    let expected = Expected { environment: "airflow-cluster", namespace: "airflow-cluster", workloads: &workloads };
    let ui = Ui::new(Manner { format: Format::Text, level: crate::ui::Level::Quiet, ..Manner::default() });
    let step = ui.step("await_pods", "Waiting for pods");
    let waited = until_ready(cluster, expected, stall, &step, async || Ok(()), async || None).await;
    step.done("");
    waited
}

/// The items of one kind in the verdict's test data.
fn items(texts: &[&str], plural: &str) -> Value {
    let mut items = Vec::new();
    for document in texts.iter().flat_map(|text| serde_yaml::Deserializer::from_str(text)) {
        let object: Value = serde::Deserialize::deserialize(document).unwrap();
        if format!("{}s", object["kind"].as_str().unwrap().to_lowercase()) == plural {
            items.push(object);
        }
    }
    Value::Array(items)
}

/// The log of a container that runs.
const WAITING: &str = "windtunnel: waiting for the database: [Errno 111] Connection refused\n";
const BASE: &str = include_str!("../verdict/testdata/base.yaml");

#[tokio::test]
async fn the_errors_of_a_young_api_server_do_not_end_the_wait() {
    let ready = BASE.replace(
        "updatedReplicas: 1, unavailableReplicas: 1",
        "updatedReplicas: 1, readyReplicas: 1, availableReplicas: 1",
    );
    let pod = include_str!("../verdict/testdata/starting.yaml")
        .replace("type: Ready, status: \"False\"", "type: Ready, status: \"True\"");
    let errors = Mutex::new(vec![403, 500, 500]);
    let cluster = cluster(move |plural| match errors.lock().unwrap().pop() {
        Some(code) if plural != "log" => Err(code),
        _ => Ok(items(&[&ready, &pod], plural)),
    });
    assert_eq!(wait(&cluster, Duration::from_secs(20)).await.unwrap().pods, 2);
}

#[tokio::test]
async fn a_terminal_cause_ends_the_wait_with_its_log() {
    let crash = include_str!("../verdict/testdata/crash_loop.yaml");
    let cluster = cluster(move |plural| Ok(items(&[BASE, crash], plural)));
    let began = Instant::now();
    let failure = wait(&cluster, Duration::from_mins(1)).await.unwrap_err();
    assert_eq!((failure.kind, failure.code), (Kind::Verdict, Some(Code::CrashLoop)));
    assert_eq!(failure.message, "container `scheduler` of pod `airflow-7c9d4b5f6-x2x7q`: it ends again and again");
    assert_eq!(failure.evidence, ["exit code 1 (Error), restarted 2 times", "KeyError: 'AIRFLOW_HOME'"]);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[tokio::test]
async fn the_log_of_what_runs_is_heard_as_it_goes_on() {
    let migrating = include_str!("../verdict/testdata/migrating.yaml");
    let cluster = cluster(move |plural| Ok(items(&[BASE, migrating], plural)));
    let failure = wait(&cluster, Duration::from_mins(1)).await.unwrap_err();
    assert_eq!((failure.kind, failure.code), (Kind::Verdict, Some(Code::DatabaseUnreachable)));
    assert_eq!(failure.evidence, [WAITING.trim_end()]);
}

#[tokio::test]
async fn where_nothing_moves_it_says_what_moved_last() {
    let cluster = cluster(|plural| Ok(items(&[BASE, include_str!("../verdict/testdata/pulling.yaml")], plural)));
    let failure = wait(&cluster, Duration::from_secs(2)).await.unwrap_err();
    assert_eq!((failure.kind, failure.code), (Kind::Timeout, Some(Code::NotReadyInTime)));
    assert_eq!(failure.evidence[0], "moved last, 2 s ago: scheduler: pulling image");
    assert_eq!(failure.evidence[1], "deployment `airflow`: 0 of 1 pods ready");
    assert!(failure.evidence[2].starts_with("  scheduler: pulling image "), "{:?}", failure.evidence);
    assert_eq!(failure.hints[1], "go on waiting: `windtunnel up --timeout 4`");
}

#[tokio::test]
async fn an_api_server_that_refuses_for_good_ends_the_wait_with_its_words() {
    let cluster = cluster(|_| Err(403));
    let mut watch = Watch::open(&cluster, "airflow-cluster", Duration::from_secs(1));
    let failure = loop {
        watch.changed().await;
        if let Some(failure) = watch.trouble() {
            break failure;
        }
    };
    assert_eq!((failure.kind, failure.code), (Kind::Cluster, Some(Code::ApiForbidden)));
    assert!(failure.evidence.iter().any(|line| line.contains("not yet")), "{:?}", failure.evidence);
}

/// What the judge beside another wait ends with.
async fn beside(texts: [&'static str; 2], dag_id: Option<&str>) -> Failure {
    let cluster = cluster(move |plural| Ok(items(&texts, plural)));
    let workloads = [Workload::deployment("airflow")];
    let expected = Expected { environment: "airflow-cluster", namespace: "airflow-cluster", workloads: &workloads };
    let ui = Ui::new(Manner { format: Format::Text, level: crate::ui::Level::Quiet, ..Manner::default() });
    let step = ui.step("check_web", "Checking the web server");
    let judged = Judged { cluster: &cluster, expected, dag_id };
    Beside::begin().judge(judged, &step, async || Ok(()), async || None).await
}

#[tokio::test]
async fn what_crashes_after_it_was_ready_ends_another_wait() {
    let failure = beside([BASE, include_str!("../verdict/testdata/crash_loop.yaml")], None).await;
    assert_eq!((failure.kind, failure.code), (Kind::Verdict, Some(Code::CrashLoop)));
    assert!(failure.evidence.iter().any(|line| line == "KeyError: 'AIRFLOW_HOME'"), "{:?}", failure.evidence);
}

#[tokio::test]
async fn a_worker_pod_that_cannot_start_ends_another_wait() {
    let worker = r#"
apiVersion: v1
kind: Pod
metadata: {name: w, uid: w, labels: {kubernetes_executor: "True", dag_id: d}}
spec: {containers: [{name: base, image: "airflow:none"}]}
status:
  phase: Pending
  containerStatuses:
  - {name: base, image: a, imageID: "", ready: false, restartCount: 0, state: {waiting: {reason: ErrImageNeverPull, message: not there}}}
"#;
    let failure = beside([BASE, worker], Some("d")).await;
    assert_eq!((failure.kind, failure.code), (Kind::Verdict, Some(Code::ImageNeverPull)));
    assert_eq!(
        failure.message,
        "container `base` of pod `w`: image `airflow:none` is not in the node, and must not be pulled"
    );
}
