//! From what is known of a run to the one thing that it waits for, or that it failed at. Pure.

use super::{Answer, Facts};
use crate::airflow::dags::{Dag, TaskInstance};
use crate::cluster::worker::{Phase, TaskPod};
use crate::codes::Code;
use crate::error::Failure;
use crate::profile::Executor;

/// How long the executor may take to make a pod.
const POD_SECONDS: i64 = 15;
/// States of a task, the one that most likely is the cause of all others first.
const PRIORITY: [&str; 9] = [
    "failed",
    "up_for_retry",
    "queued",
    "scheduled",
    "deferred",
    "up_for_reschedule",
    "restarting",
    "running",
    "upstream_failed",
];

/// Nobody has started the DAG.
pub(super) fn never_run(dag: &Dag) -> Answer {
    if dag.is_paused {
        return paused(dag, "it has not run yet, and is paused");
    }
    Answer::new("it has not run yet").hint("trigger it in the web interface, or wait for its schedule")
}

/// Finds the cause, of the task that was named or of the run as a whole.
///
/// # Errors
/// The run has no such task.
pub(super) fn judge(facts: &Facts, wanted: Option<&str>) -> Result<Answer, Failure> {
    let run = &facts.run.dag_run_id;
    if facts.run.state.as_deref() == Some("queued") {
        return Ok(queued_run(facts));
    }
    let Some(instance) = find(facts, wanted)? else {
        let state = facts.run.state.as_deref().unwrap_or("without a state");
        return Ok(Answer::new(format!("its run `{run}` is {state}, and none of its tasks waits")));
    };
    let task = name(instance);
    let state = instance.state.as_deref();
    Ok(match state {
        Some("success") => Answer::new(format!("{task} of run `{run}` succeeded")),
        Some("skipped") => Answer::new(format!("{task} of run `{run}` was skipped, as its DAG says")),
        Some("running") => running(facts, instance),
        Some("queued") => queued(facts, instance),
        Some("failed") => failed(facts, instance),
        Some("up_for_retry") if refused(facts, instance).is_some() => failed(facts, instance),
        Some("up_for_retry") => Answer {
            failed: Some(instance.clone()),
            ..Answer::of(
                Code::RetryWaits,
                format!("{task} failed at try {} and waits for its next one", instance.try_number),
            )
        },
        Some("deferred") => Answer::new(format!("{task} waits for its trigger"))
            .hint("to see what the triggerer does: `windtunnel logs triggerer`"),
        Some("upstream_failed") => upstream(facts, instance, true),
        _ => waiting(facts, instance),
    })
}

/// Airflow has the run and does not begin it.
fn queued_run(facts: &Facts) -> Answer {
    let run = &facts.run.dag_run_id;
    if facts.dag.is_paused {
        return paused(&facts.dag, &format!("its run `{run}` is queued, and the DAG is paused"));
    }
    let running: Vec<&str> = facts
        .runs
        .iter()
        .filter(|other| other.state.as_deref() == Some("running"))
        .map(|other| other.dag_run_id.as_str())
        .collect();
    match facts.dag.max_active_runs {
        Some(most) if running.len() >= most as usize => Answer::of(
            Code::RunsAtLimit,
            format!("its run `{run}` is queued: {} of at most {most} are running", running.len()),
        )
        .evidence([format!("running: {}", running.join(", "))])
        .hint("wait for one to end, or raise `max_active_runs` in the DAG"),
        _ => Answer::new(format!("its run `{run}` is queued, and the scheduler will begin it"))
            .hint("if that lasts: `windtunnel logs scheduler`"),
    }
}

/// Handed to the executor: for `KubernetesExecutor` a pod has to come of it.
fn queued(facts: &Facts, instance: &TaskInstance) -> Answer {
    let task = name(instance);
    let seconds = instance.queued_when.map(|since| facts.now.duration_since(since).as_secs());
    let since = seconds.map_or_else(String::new, |seconds| format!(" since {seconds} s"));
    if facts.executor != Executor::Kubernetes {
        return Answer::new(format!("{task} is queued{since}: every worker is busy, or none runs"))
            .hint("to see what the executor does: `windtunnel logs scheduler`");
    }
    let refusal = facts.refusals_of(instance).next();
    match (facts.pod(&instance.task_id), refusal) {
        (Some(pod), _) => queued_with_pod(pod, &format!("{task} is queued{since}")),
        (None, Some(refusal)) => Answer::of(
            Code::WorkerPodRefused,
            format!("{task} is queued{since}: the API server refuses its worker pod"),
        )
        .evidence([refusal.message.clone()])
        .hint("mend what it names, and the scheduler tries again"),
        (None, None) if seconds.is_some_and(|seconds| seconds > POD_SECONDS) => {
            Answer::of(Code::NoWorkerPod, format!("{task} is queued{since}, and no worker pod was made for it"))
                .hint("to see what the executor makes of it: `windtunnel logs scheduler`")
        }
        (None, None) => Answer::new(format!("{task} is queued{since}: its worker pod is about to be made")),
    }
}

fn queued_with_pod(pod: &TaskPod, what: &str) -> Answer {
    let name = &pod.worker.pod;
    match &pod.worker.phase {
        Phase::Pending { reason: Some(reason), .. } => {
            Answer::of(Code::WorkerPodPending, format!("{what}: its worker pod `{name}` does not start"))
                .evidence([reason.clone()])
                .hint(if reason.starts_with("Unschedulable") {
                    "ask for less in the task's `executor_config`, or give the cluster more; then clear the task"
                } else {
                    "mend what it names in the task's `executor_config` or the values, then clear the task"
                })
        }
        Phase::Failed { reason } => {
            Answer::of(Code::WorkerPodFailed, format!("{what}: its worker pod `{name}` failed"))
                .evidence([reason.clone()])
                .hint("to see what the executor makes of it: `windtunnel logs scheduler`")
        }
        Phase::Pending { reason: None, .. } => Answer::new(format!("{what}: its worker pod `{name}` is being started")),
        Phase::Running | Phase::Succeeded | Phase::Gone => {
            Answer::new(format!("{what}: its worker pod `{name}` runs and has not begun the task yet"))
        }
    }
}

fn running(facts: &Facts, instance: &TaskInstance) -> Answer {
    let since = instance.start_date.map(|since| facts.now.duration_since(since).as_secs());
    let since = since.map_or_else(String::new, |seconds| format!(" since {seconds} s"));
    let pod = facts.pod(&instance.task_id).map_or_else(String::new, |pod| format!(" in pod `{}`", pod.worker.pod));
    let task = format!("{}/{}/{}", facts.dag.dag_id, facts.run.dag_run_id, instance.task_id);
    Answer::new(format!("{} is running{since}{pod}", name(instance)))
        .hint(format!("to see what it does: `windtunnel logs --task {task}`"))
}

/// A pod that never ran the task is the cause; otherwise the task's log tells it.
fn failed(facts: &Facts, instance: &TaskInstance) -> Answer {
    let task = name(instance);
    if let Some(reason) = refused(facts, instance) {
        return Answer::of(Code::WorkerPodRefused, format!("{task} failed: the API server refused its worker pod"))
            .evidence([reason])
            .hint("mend what it names, then clear the task in the web interface");
    }
    let pod = facts.pod(&instance.task_id).map(|pod| (&pod.worker.pod, &pod.worker.phase));
    match pod {
        Some((pod, Phase::Pending { reason: Some(reason), .. } | Phase::Failed { reason })) => {
            Answer::of(Code::WorkerPodFailed, format!("{task} failed with its worker pod `{pod}`"))
                .evidence([reason.clone()])
                .hint("mend what it names, then clear the task in the web interface")
        }
        _ => Answer {
            failed: Some(instance.clone()),
            ..Answer::of(Code::TaskFailed, format!("{task} failed at try {}", instance.try_number))
        },
    }
}

/// Why this try of a task never had a pod.
fn refused(facts: &Facts, instance: &TaskInstance) -> Option<String> {
    let is_this_try = |number: Option<u32>| number.is_none_or(|number| number == instance.try_number);
    let mut refusals = facts.refusals_of(instance).filter(|refusal| is_this_try(refusal.task.try_number));
    refusals.next().filter(|_| facts.pod(&instance.task_id).is_none()).map(|refusal| refusal.message.clone())
}

/// Not handed to the executor: a pool, or the tasks before it.
fn waiting(facts: &Facts, instance: &TaskInstance) -> Answer {
    let task = name(instance);
    if instance.state.as_deref() == Some("scheduled") {
        let wanted = instance.pool.as_deref().unwrap_or("default_pool");
        return match facts.pools.iter().find(|pool| pool.name == wanted) {
            None => {
                let known: Vec<&str> = facts.pools.iter().map(|pool| pool.name.as_str()).collect();
                Answer::of(Code::PoolMissing, format!("{task} waits for the pool `{wanted}`, which does not exist"))
                    .evidence([format!("there is {}", known.join(", "))])
                    .hint("make it in the web interface (Admin, Pools), or correct its name in the DAG")
            }
            Some(pool) if pool.open_slots <= 0 => Answer::of(
                Code::PoolFull,
                format!("{task} waits for the pool `{wanted}`: all of its {} slots are taken", pool.slots),
            )
            .hint("wait for a task of that pool to end, or give it more slots (Admin, Pools)"),
            Some(_) => Answer::new(format!("{task} is scheduled, and the executor will get it"))
                .hint("if that lasts: `windtunnel logs scheduler`"),
        };
    }
    upstream(facts, instance, false)
}

/// The tasks before it that keep it from running: those that failed, or those that have not ended.
fn upstream(facts: &Facts, instance: &TaskInstance, failed: bool) -> Answer {
    let task = name(instance);
    let before = facts.tasks.iter().filter(|task| task.downstream_task_ids.contains(&instance.task_id));
    let states = before.flat_map(|task| facts.instances.iter().filter(|other| other.task_id == task.task_id));
    let is_cause = |other: &&TaskInstance| match other.state.as_deref() {
        Some("success" | "skipped" | "removed") => false,
        Some("failed" | "upstream_failed") => true,
        _ => !failed,
    };
    let mut causes: Vec<String> = states
        .filter(is_cause)
        .map(|other| format!("`{}` ({})", other.task_id, other.state.as_deref().unwrap_or("not scheduled yet")))
        .collect();
    causes.dedup();
    let Some(first) = causes.first() else {
        return Answer::new(format!("{task} is not scheduled yet")).hint("if that lasts: `windtunnel logs scheduler`");
    };
    let next = first.split('`').nth(1).unwrap_or_default();
    let hint = format!("to see why: `windtunnel why {} {next}`", facts.dag.dag_id);
    let list = causes.join(", ");
    if failed {
        Answer::of(Code::UpstreamFailed, format!("{task} was not run: {list} before it did not succeed")).hint(hint)
    } else {
        Answer::of(Code::UpstreamUnfinished, format!("{task} waits for {list}")).hint(hint)
    }
}

fn find<'a>(facts: &'a Facts, wanted: Option<&str>) -> Result<Option<&'a TaskInstance>, Failure> {
    let rank = |instance: &&TaskInstance| {
        let state = instance.state.as_deref();
        PRIORITY.iter().position(|known| state == Some(*known)).unwrap_or(PRIORITY.len())
    };
    let Some(wanted) = wanted else {
        let done =
            |instance: &&TaskInstance| !matches!(instance.state.as_deref(), Some("success" | "skipped" | "removed"));
        return Ok(facts.instances.iter().filter(done).min_by_key(rank));
    };
    let copies = facts.instances.iter().filter(|instance| instance.task_id == wanted);
    copies.min_by_key(rank).map(Some).ok_or_else(|| {
        let mut known: Vec<&str> = facts.instances.iter().map(|instance| instance.task_id.as_str()).collect();
        known.dedup();
        Failure::usage(format!("DAG `{}` has no task `{wanted}`", facts.dag.dag_id))
            .evidence(format!("it has {}", known.join(", ")))
    })
}

fn paused(dag: &Dag, message: &str) -> Answer {
    Answer::of(Code::DagPaused, message)
        .hint(format!("unpause it: the switch of `{}` in the web interface, `windtunnel open`", dag.dag_id))
}

fn name(instance: &TaskInstance) -> String {
    match instance.map_index {
        index @ 0.. => format!("task `{}` [{index}]", instance.task_id),
        _ => format!("task `{}`", instance.task_id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::airflow::dags::DagRun;
    use crate::airflow::refusal::{self, Refusal};
    use crate::airflow::tasks::{Pool, Task};
    use crate::cluster::worker::Worker;

    fn instance(task_id: &str, state: Option<&str>) -> TaskInstance {
        TaskInstance {
            task_id: task_id.to_owned(),
            state: state.map(str::to_owned),
            try_number: 1,
            map_index: -1,
            pool: Some("default_pool".to_owned()),
            queued_when: Some("2026-11-23T04:43:56Z".parse().unwrap()),
            start_date: None,
        }
    }

    /// `load`, and `after` that comes after it.
    fn facts(load: Option<&str>, after: Option<&str>) -> Facts {
        let run = DagRun { dag_run_id: "r1".to_owned(), state: Some("running".to_owned()) };
        let task = |id: &str, next: &[&str]| Task {
            task_id: id.to_owned(),
            downstream_task_ids: next.iter().map(|next| (*next).to_owned()).collect(),
        };
        Facts {
            dag: Dag { dag_id: "etl".to_owned(), max_active_runs: Some(1), ..Dag::default() },
            runs: vec![run.clone()],
            run,
            instances: vec![instance("load", load), instance("after", after)],
            tasks: vec![task("load", &["after"]), task("after", &[])],
            pools: vec![Pool { name: "default_pool".to_owned(), slots: 128, open_slots: 128 }],
            now: "2026-11-23T04:44:56Z".parse().unwrap(),
            ..Facts::default()
        }
    }

    fn pod(phase: Phase) -> TaskPod {
        TaskPod {
            worker: Worker { pod: "etl-load-x".to_owned(), phase },
            run_id: "r1".to_owned(),
            task_id: "load".to_owned(),
        }
    }

    fn refusal(try_number: u32) -> Refusal {
        let (dag_id, task_id) = (Some("etl".to_owned()), Some("load".to_owned()));
        let task = refusal::Task { dag_id, task_id, run_id: Some("r1".to_owned()), try_number: Some(try_number) };
        Refusal { task, message: "pods \"etl-load-x\" is forbidden: exceeded quota: small".to_owned() }
    }

    fn code(facts: &Facts, task: Option<&str>) -> Option<Code> {
        judge(facts, task).unwrap().code
    }

    #[test]
    fn a_task_that_waits_for_its_next_try_tells_of_the_one_that_failed() {
        let answer = judge(&facts(Some("up_for_retry"), None), None).unwrap();
        assert_eq!(answer.code, Some(Code::RetryWaits));
        assert_eq!(answer.message, "task `load` failed at try 1 and waits for its next one");
        assert_eq!(answer.failed.map(|instance| instance.task_id).as_deref(), Some("load"), "whose log is quoted");
    }

    #[test]
    fn a_queued_task_is_explained_by_its_pod() {
        let mut facts = facts(Some("queued"), None);
        assert_eq!(code(&facts, None), Some(Code::NoWorkerPod));
        facts.refusals = vec![refusal(1)];
        assert_eq!(code(&facts, None), Some(Code::WorkerPodRefused));
        let reason = "Unschedulable: 0/1 nodes are available: 1 Insufficient memory.".to_owned();
        facts.pods = vec![pod(Phase::Pending { reason: Some(reason.clone()) })];
        let answer = judge(&facts, None).unwrap();
        assert_eq!((answer.code, answer.evidence), (Some(Code::WorkerPodPending), vec![reason]));
        assert_eq!(answer.message, "task `load` is queued since 60 s: its worker pod `etl-load-x` does not start");
        facts.pods[0].run_id = "r0".to_owned();
        assert_eq!(code(&facts, None), Some(Code::WorkerPodRefused), "a pod of another run");
    }

    #[test]
    fn a_failed_task_is_explained_by_its_pod_or_its_log() {
        let mut facts = facts(Some("failed"), Some("upstream_failed"));
        let answer = judge(&facts, None).unwrap();
        assert_eq!((answer.code, answer.failed.unwrap().task_id.as_str()), (Some(Code::TaskFailed), "load"));
        assert_eq!(code(&facts, Some("after")), Some(Code::UpstreamFailed));
        facts.pods = vec![pod(Phase::Failed { reason: "OOMKilled, exit code 137".to_owned() })];
        assert_eq!(code(&facts, Some("load")), Some(Code::WorkerPodFailed));
    }

    #[test]
    fn a_task_whose_pod_was_refused_has_failed_for_that() {
        let mut facts = facts(Some("failed"), None);
        facts.refusals = vec![refusal(2)];
        assert_eq!(code(&facts, None), Some(Code::TaskFailed), "another try was refused");
        facts.refusals.push(refusal(1));
        let answer = judge(&facts, None).unwrap();
        assert_eq!(answer.code, Some(Code::WorkerPodRefused));
        assert_eq!(answer.message, "task `load` failed: the API server refused its worker pod");
        assert_eq!(answer.evidence, ["pods \"etl-load-x\" is forbidden: exceeded quota: small"]);
        facts.instances[0].state = Some("up_for_retry".to_owned());
        assert_eq!(code(&facts, None), Some(Code::WorkerPodRefused));
        facts.instances[0].task_id = "other".to_owned();
        assert_eq!(code(&facts, None), Some(Code::RetryWaits), "a pod of another task");
    }

    #[test]
    fn a_task_that_was_not_queued_waits_for_a_pool_or_for_others() {
        let mut facts = facts(Some("running"), None);
        let answer = judge(&facts, Some("after")).unwrap();
        assert_eq!(answer.code, Some(Code::UpstreamUnfinished));
        assert_eq!(answer.message, "task `after` waits for `load` (running)");
        facts.instances[0].state = Some("scheduled".to_owned());
        facts.pools[0].open_slots = 0;
        assert_eq!(code(&facts, None), Some(Code::PoolFull));
        facts.pools.clear();
        assert_eq!(code(&facts, None), Some(Code::PoolMissing));
    }

    #[test]
    fn a_run_that_was_not_begun_is_held_by_a_limit_or_a_switch() {
        let mut facts = facts(None, None);
        facts.run.state = Some("queued".to_owned());
        assert_eq!(code(&facts, None), Some(Code::RunsAtLimit));
        facts.dag.is_paused = true;
        assert_eq!(code(&facts, None), Some(Code::DagPaused));
        assert_eq!(never_run(&facts.dag).code, Some(Code::DagPaused));
    }

    #[test]
    fn a_task_that_is_not_there_is_a_usage_error_and_one_that_is_done_is_said_to_be() {
        let facts = facts(Some("success"), Some("success"));
        assert_eq!(judge(&facts, Some("nope")).unwrap_err().evidence, ["it has load, after"]);
        assert_eq!(code(&facts, Some("load")), None);
    }
}
