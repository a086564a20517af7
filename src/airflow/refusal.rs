//! What `KubernetesExecutor` writes into the scheduler's log when the API server does not take a worker pod. Pure.
//!
//! It dumps the pod as JSON, then Python's traceback with the API server's answer, then what it makes of it: `Failing task`, or, where
//! `task_publish_max_retries` allows it, one line that repeats the message
//! (`run_pod_async` in `kubernetes_executor_utils.py` and `_handle_pod_publish_error` in `kubernetes_executor.py`, cncf-kubernetes 10.25).

use serde_json::Value;

/// Begins the dump of a pod that was refused.
const DUMP: &str = "Exception when attempting to create Namespaced Pod";
/// Stands before the API server's answer in the traceback.
const ANSWER: &str = "HTTP response body: ";
/// How many characters of a message are kept: a quota over many resources names each of them.
const LONGEST: usize = 300;
/// How much of a DAG's id surely stands in a pod's name of at most 63 characters.
const NAME_KEPT: usize = 50;

/// A worker pod that the API server did not take.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Refusal {
    /// The task that it was for, as far as the log still says.
    pub task: Task,
    /// The API server's own words: `pods "etl-load-x" is forbidden: exceeded quota: small, requested: pods=1, …`.
    pub message: String,
}

/// Which task a pod was for. What the log does not say is `None`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Task {
    /// The DAG's id.
    pub dag_id: Option<String>,
    /// The task's id.
    pub task_id: Option<String>,
    /// The run's id.
    pub run_id: Option<String>,
    /// Which try of it, from 1.
    pub try_number: Option<u32>,
}

/// Reads the scheduler's log, one line after the other.
#[derive(Clone, Debug, Default)]
pub struct Refusals {
    /// Of the pod whose dump was read last.
    task: Task,
}

impl Refusals {
    /// The refusal that ends with this line.
    pub fn read(&mut self, line: &str) -> Option<Refusal> {
        if line.contains(DUMP) {
            self.task = Task::default();
        }
        let Task { dag_id, task_id, run_id, try_number } = &mut self.task;
        // Annotations have the ids as they are, and come before the labels, which have them made safe: the first one counts.
        for (name, id) in [("dag_id", dag_id), ("task_id", task_id), ("run_id", run_id)] {
            if id.is_none() {
                *id = dumped(line, name);
            }
        }
        if try_number.is_none() {
            *try_number = dumped(line, "try_number").and_then(|number| number.parse().ok());
        }
        if let Some((_, answer)) = line.split_once(ANSWER) {
            return Some(Refusal { task: std::mem::take(&mut self.task), message: message(answer) });
        }
        retried(line)
    }
}

impl Refusal {
    /// Whether the pod was for a task of this DAG. One that the log does not tell of is known by its pod's name, which begins with the
    /// DAG's; words that name no pod, as those about missing rights, are about every pod.
    #[must_use]
    pub fn is_of(&self, dag_id: &str) -> bool {
        if let Some(known) = &self.task.dag_id {
            return known == dag_id;
        }
        let pod = self.message.strip_prefix("pods \"").or_else(|| self.message.strip_prefix("Pod \""));
        pod.is_none_or(|pod| pod.starts_with(&pod_prefix(dag_id)))
    }

    /// Whether it was for this task, as far as the log says.
    #[must_use]
    pub fn is_of_task(&self, dag_id: &str, run_id: &str, task_id: &str) -> bool {
        let fits = |known: &Option<String>, id: &str| known.as_deref().is_none_or(|known| known == id);
        self.is_of(dag_id) && fits(&self.task.run_id, run_id) && fits(&self.task.task_id, task_id)
    }
}

/// How the names of the pods of a DAG begin (`create_unique_id` in the provider's `kubernetes_helper_functions.py`).
fn pod_prefix(dag_id: &str) -> String {
    let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' };
    dag_id.chars().map(plain).take(NAME_KEPT).collect()
}

/// The value of a line of the dump, `      "dag_id": "etl_daily",`.
fn dumped(line: &str, name: &str) -> Option<String> {
    let value = line.trim().strip_prefix('"')?.strip_prefix(name)?.strip_prefix("\": ")?;
    serde_json::from_str(value.trim_end_matches(',')).ok()
}

/// The `message` of an answer; all of it where it is no document.
fn message(answer: &str) -> String {
    let document: Option<Value> = serde_json::from_str(answer.trim()).ok();
    let message = document.as_ref().and_then(|document| document["message"].as_str()).unwrap_or(answer);
    message.trim().chars().take(LONGEST).collect()
}

/// `[Try 1 of 5] Kube ApiException for Task: (TaskInstanceKey(dag_id='etl', …)). Reason: 'Forbidden'. Message: pods …`, as Airflow 3
/// ends it with the logger and its place; Airflow 2 until 2.7 began it with `ApiException when attempting to run task, re-queueing`.
fn retried(line: &str) -> Option<Refusal> {
    let (before, message) = line.split_once(". Message: ").filter(|(before, _)| before.contains("ApiException"))?;
    let message = message.rfind(" [airflow.").map_or(message, |end| &message[..end]);
    let id = |name: &str| Some(before.split_once(&format!("{name}='"))?.1.split('\'').next()?.to_owned());
    let number = before.split_once("try_number=").and_then(|(_, rest)| rest.split(',').next()?.parse().ok());
    let task = Task { dag_id: id("dag_id"), task_id: id("task_id"), run_id: id("run_id"), try_number: number };
    Some(Refusal { task, message: message.trim().chars().take(LONGEST).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Airflow 3.3.2 with cncf-kubernetes 10.25.0 wrote when the API server refused a pod, frames of the traceback left out; the same
    /// code made it, with `task_publish_max_retries` of 0 and of 5.
    const LOG: &str = r#"2026-11-28T04:54:59.359803Z [error    ] Exception when attempting to create Namespaced Pod: {
  "apiVersion": "v1",
  "kind": "Pod",
  "metadata": {
    "annotations": {
      "dag_id": "etl_Daily",
      "run_id": "manual__2026-11-22T21:58:05+00:00",
      "task_id": "load_rows",
      "try_number": "1"
    },
    "labels": {
      "dag_id": "etl_Daily",
      "run_id": "manual__2026-11-22T215805.0000-a1b2c3d4e"
    },
    "name": "etl-daily-load-rows-3yd6s5k1",
    "namespace": "airflow-cluster"
  },
  "spec": {
    "containers": [
      {
        "image": "windtunnel.local/airflow:3.3.2",
        "name": "base"
      }
    ]
  }
} [airflow.providers.cncf.kubernetes.executors.kubernetes_executor_utils.AirflowKubernetesScheduler] loc=kubernetes_executor_utils.py:555
Traceback (most recent call last):
  File "/usr/local/airflow/lib/python3.11/site-packages/kubernetes/client/rest.py", line 232, in request
    raise ForbiddenException(http_resp=r)
kubernetes.client.exceptions.ForbiddenException: (403)
Reason: Forbidden
HTTP response headers: HTTPHeaderDict({'Content-Type': 'application/json', 'Content-Length': '301'})
HTTP response body: {"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"pods \"etl-daily-load-rows-3yd6s5k1\" is forbidden: exceeded quota: small, requested: pods=1, used: pods=0, limited: pods=0","reason":"Forbidden","details":{"name":"etl-daily-load-rows-3yd6s5k1","kind":"pods"},"code":403}


2026-11-28T04:54:59.373268Z [error    ] Pod creation failed with reason 'Forbidden'. Failing task [airflow.providers.cncf.kubernetes.executors.kubernetes_executor.KubernetesExecutor] loc=kubernetes_executor.py:785
2026-11-28T04:54:59.420275Z [warning  ] [Try 1 of 5] Kube ApiException for Task: (TaskInstanceKey(dag_id='etl_Daily', task_id='load_rows', run_id='manual__2026-11-22T21:58:05+00:00', try_number=1, map_index=-1)). Reason: 'Forbidden'. Message: pods "etl-daily-load-rows-3yd6s5k1" is forbidden: exceeded quota: small, requested: pods=1, used: pods=0, limited: pods=0 [airflow.providers.cncf.kubernetes.executors.kubernetes_executor.KubernetesExecutor] loc=kubernetes_executor.py:761"#;

    const QUOTA: &str = "pods \"etl-daily-load-rows-3yd6s5k1\" is forbidden: exceeded quota: small, requested: pods=1, used: pods=0, \
                         limited: pods=0";

    fn read(log: &str) -> Vec<Refusal> {
        let mut refusals = Refusals::default();
        log.lines().filter_map(|line| refusals.read(line)).collect()
    }

    #[test]
    fn a_refused_pod_is_told_with_its_task_and_the_api_servers_words() {
        let found = read(LOG);
        assert_eq!(found.len(), 2, "{found:?}");
        for refusal in &found {
            assert_eq!((refusal.message.as_str(), refusal.task.try_number), (QUOTA, Some(1)));
            assert!(refusal.is_of_task("etl_Daily", "manual__2026-11-22T21:58:05+00:00", "load_rows"), "{refusal:?}");
            assert!(!refusal.is_of_task("etl_Daily", "manual__2026-11-22T21:58:05+00:00", "other"), "{refusal:?}");
            assert!(!refusal.is_of_task("etl_Daily", "other", "load_rows") && !refusal.is_of("etl"), "{refusal:?}");
        }
    }

    #[test]
    fn where_the_dump_was_cut_off_the_pods_name_tells_the_dag() {
        let (_, end) = LOG.split_once("Traceback").unwrap();
        let found = read(end);
        assert!(found[0].is_of("etl_Daily") && !found[0].is_of("load"), "{:?}", found[0]);
    }

    #[test]
    fn other_reasons_of_the_api_server_are_read_as_well() {
        // The same versions, and the messages of Kubernetes 1.34 for a LimitRange, a field, a webhook and a missing right.
        for (message, is_of_any) in [
            ("pods \"etl-x\" is forbidden: maximum memory usage per Container is 100Mi, but limit is 200Mi", false),
            (
                "Pod \"etl-x\" is invalid: spec.containers[0].resources.requests: Invalid value: \"2\": must be less",
                false,
            ),
            ("admission webhook \"policy.example.com\" denied the request: no \"latest\" images", true),
            (
                "pods is forbidden: User \"system:serviceaccount:a:b\" cannot create resource \"pods\" in API group \"\"",
                true,
            ),
        ] {
            let body = serde_json::json!({"kind": "Status", "message": message, "code": 403});
            let found = read(&format!("HTTP response body: {body}"));
            assert_eq!(found[0].message, message);
            assert!(found[0].is_of("etl"), "{message}");
            assert_eq!(found[0].is_of("other"), is_of_any, "{message}");
        }
    }

    #[test]
    fn airflow_2_is_read_too_and_other_lines_are_not() {
        let line = "[2023-01-20T11:57:44.383+0000] {kubernetes_executor.py:665} WARNING - ApiException when attempting to run task, \
                    re-queueing. Reason: 'Forbidden'. Message: pods \"etl-x\" is forbidden: exceeded quota: small";
        assert_eq!(read(line)[0].message, "pods \"etl-x\" is forbidden: exceeded quota: small");
        let others = "2026-11-28T04:54:59Z [info     ] Changing state of etl. Message: forbidden fruit [airflow.x] loc=a.py:1\n\
                      2026-11-28T04:54:59Z [error    ] Pod creation failed with reason 'Forbidden'. Failing task [airflow.x] loc=a.py:1";
        assert_eq!(read(others), []);
    }
}
