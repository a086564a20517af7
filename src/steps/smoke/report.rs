//! What a smoke run took, part by part.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::moments::Moments;

/// A smoke run that ended well. All times in milliseconds, each from the end of the part before.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct SmokeReport {
    /// The DAG that ran; it is deleted by now.
    pub dag: String,
    /// The pod that its task ran in.
    pub worker_pod: String,
    /// From writing the file to Airflow knowing the DAG.
    pub dag_seen_milliseconds: u64,
    /// From the trigger to the worker pod.
    pub pod_seen_milliseconds: u64,
    /// From the pod to its container running.
    pub running_milliseconds: u64,
    /// From there to the task's success.
    pub success_milliseconds: u64,
    /// From there to the pod's deletion.
    pub pod_gone_milliseconds: u64,
    /// From there to the marker in the task log.
    pub log_read_milliseconds: u64,
    /// From writing the file to the marker.
    pub milliseconds: u64,
}

/// The instants that the step itself saw.
#[derive(Clone, Copy, Debug)]
pub(super) struct Course {
    pub(super) written: Instant,
    pub(super) dag_seen: Instant,
    pub(super) triggered: Instant,
    pub(super) followed: Instant,
    pub(super) log_read: Instant,
}

impl SmokeReport {
    pub(super) fn new(dag: &str, course: Course, moments: &Moments) -> Self {
        let pod_seen = moments.pod_seen.unwrap_or(course.triggered);
        let running = moments.running.unwrap_or(pod_seen);
        let success = moments.success.unwrap_or(running);
        let gone = moments.gone.unwrap_or(success);
        Self {
            dag: dag.to_owned(),
            worker_pod: moments.pod.clone().unwrap_or_default(),
            dag_seen_milliseconds: between(course.written, course.dag_seen),
            pod_seen_milliseconds: between(course.triggered, pod_seen),
            running_milliseconds: between(pod_seen, running),
            success_milliseconds: between(running, success),
            pod_gone_milliseconds: between(success, gone),
            log_read_milliseconds: between(course.followed, course.log_read),
            milliseconds: between(course.written, course.log_read),
        }
    }

    /// The parts in seconds, on one line.
    #[must_use]
    pub fn summary(&self) -> String {
        if self.worker_pod.is_empty() {
            let parts = [
                ("DAG seen", self.dag_seen_milliseconds),
                ("success", self.success_milliseconds),
                ("log read", self.log_read_milliseconds),
            ];
            return line(&parts);
        }
        let parts = [
            ("DAG seen", self.dag_seen_milliseconds),
            ("pod seen", self.pod_seen_milliseconds),
            ("running", self.running_milliseconds),
            ("success", self.success_milliseconds),
            ("pod gone", self.pod_gone_milliseconds),
            ("log read", self.log_read_milliseconds),
        ];
        line(&parts)
    }
}

fn line(parts: &[(&str, u64)]) -> String {
    let parts = parts.iter().map(|(name, time)| format!("{name} {:.1}s", Duration::from_millis(*time).as_secs_f64()));
    parts.collect::<Vec<_>>().join(" · ")
}

/// Nothing where the later one was seen first: a pod may be gone before Airflow was asked for the task's state.
fn between(from: Instant, to: Instant) -> u64 {
    u64::try_from(to.saturating_duration_since(from).as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_are_shown_in_seconds() {
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let course =
            Course { written: start, dag_seen: at(2600), triggered: at(2700), followed: at(9000), log_read: at(9050) };
        let moments = Moments {
            pod: Some("w".to_owned()),
            pod_seen: Some(at(3600)),
            running: Some(at(4600)),
            success: Some(at(8600)),
            gone: Some(at(8100)),
            ..Moments::default()
        };
        let report = SmokeReport::new("windtunnel_smoke_00112233", course, &moments);
        assert_eq!(
            report.summary(),
            "DAG seen 2.6s · pod seen 0.9s · running 1.0s · success 4.0s · pod gone 0.0s · log read 0.1s"
        );
        assert_eq!(report.milliseconds, 9050);
    }
}
