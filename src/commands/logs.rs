//! `windtunnel logs`: a component's log, the forward's, or one task's.

use std::pin::pin;
use std::time::Duration;

use tokio::time::timeout;

use crate::airflow::{Client, task_log};
use crate::cli::LogsArgs;
use crate::cluster::wait::beside::{Beside, Judged};
use crate::cluster::workload::Expected;
use crate::cluster::{Cluster, logs, survey};
use crate::error::{During, Failure, Kind};
use crate::profile::Generation;
use crate::stacks;
use crate::state::{Record, USER};
use crate::surroundings::Surroundings;
use crate::ui::Ui;

/// How long a wait for the container's start is not worth a line.
const UNSAID: Duration = Duration::from_secs(1);

/// Prints the log, as it is, on stdout.
///
/// # Errors
/// There is no such environment, component, pod or task.
pub async fn logs(arguments: &LogsArgs, name: &str, ui: &Ui, surroundings: &Surroundings) -> Result<(), Failure> {
    let paths = surroundings.paths.environment(name);
    let record = Record::require(&paths, name)?;
    if let Some(task) = &arguments.task {
        let credentials = super::credentials::read(&paths, name)?;
        let client = Client::new(record.port)
            .of(Generation::of(&record.airflow))
            .sign_in(USER, &credentials.admin_password)
            .await?;
        ui.data(&task_log(&client, task).await?);
        return Ok(());
    }
    if arguments.component == "forward" {
        let log = paths.forward_log();
        if arguments.follow {
            return Err(Failure::usage("`--follow` is for the components; the forward's log is a file")
                .hint(format!("follow it: `tail -F {}`", log.display())));
        }
        let text = std::fs::read_to_string(&log)
            .during(Kind::NoEnvironment, format!("the forward has no log at {}", log.display()))?;
        let skipped = text.lines().count().saturating_sub(arguments.tail as usize);
        text.lines().skip(skipped).for_each(|line| ui.data(&format!("{line}\n")));
        return Ok(());
    }
    let component = stacks::component((&record).into(), &arguments.component)?;
    let cluster = Cluster::open(&paths.kubeconfig(), &record.context).await?;
    let wanted = logs::Wanted {
        workload: &component.workload,
        container: component.container,
        tail: arguments.tail,
        follow: arguments.follow,
    };
    let workloads = stacks::workloads((&record).into());
    let expected = Expected { environment: &record.name, namespace: &record.namespace, workloads: &workloads };
    if arguments.follow {
        await_start(&cluster, expected, wanted, ui).await?;
    }
    let streamed = logs::stream(&cluster, expected, wanted, |line| ui.data(&format!("{line}\n"))).await;
    match streamed {
        // There is no log yet: what keeps the container from its start is what there is to know.
        Err(failure) if failure.kind == Kind::Unhealthy => Err(explained(failure, &cluster, expected).await),
        ended => ended,
    }
}

/// Waits for the container's first start: with its reason on the screen when it takes a moment, and ended by the verdict of the release.
async fn await_start(
    cluster: &Cluster,
    expected: Expected<'_>,
    wanted: logs::Wanted<'_>,
    ui: &Ui,
) -> Result<(), Failure> {
    let mut started = pin!(logs::until_started(cluster, expected, wanted));
    if let Ok(ended) = timeout(UNSAID, &mut started).await {
        return ended;
    }
    let step = ui.step("await_start", format!("Waiting for `{}`", wanted.container));
    let (beside, judged) = (Beside::begin(), Judged { cluster, expected, dag_id: None });
    tokio::select! {
        ended = started => ended?,
        failure = beside.judge(judged, &step, async || Ok(()), async || None) => return Err(failure),
    }
    step.done("started");
    Ok(())
}

/// The failure with the verdict of the release: its code, what shows it and its hints, as `up` and `status` tell it.
async fn explained(failure: Failure, cluster: &Cluster, expected: Expected<'_>) -> Failure {
    let cause = match Box::pin(survey::take(cluster, expected)).await {
        Ok(survey) => survey.cause(),
        Err(unanswered) => return failure.evidence(unanswered.message).evidence_lines(unanswered.evidence),
    };
    let Some(cause) = cause else { return failure };
    let told = Failure { kind: cause.kind, code: cause.code, hints: cause.hints, ..failure };
    told.evidence(cause.message).evidence_lines(cause.evidence)
}
