//! "Rolling back": after an upgrade that failed, what ran before runs again, unless it cannot any more.

use super::database::Database;
use super::install::{Installation, Upgraded};
use super::{Context, check_web, forward, wait_for_pods};
use crate::cluster::Cluster;
use crate::error::{Failure, Kind};
use crate::state::Record;
use crate::tools::helm::Target;

/// What an environment was before it was upgraded.
pub struct Before {
    /// How it was brought up.
    record: Record,
    /// The newest migration of its database, where the upgrade may make another: one to another Airflow.
    schema: Option<String>,
}

impl Before {
    /// Looks, before anything is changed.
    pub async fn look(record: Record, context: Context<'_>, cluster: &Cluster) -> Self {
        let stays = record.airflow == context.plan.profile.airflow.version;
        let schema = if stays { None } else { schema(&record, cluster).await };
        Self { record, schema }
    }
}

/// The newest migration; none where the database does not tell.
async fn schema(record: &Record, cluster: &Cluster) -> Option<String> {
    Database::of(record, cluster).ok()?.schema().await.ok()
}

/// How far the upgrade came.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reached {
    /// Not all of its pods were ready.
    Begun,
    /// All of its pods were, of which the migration is one.
    Ready,
}

/// Whether going back is an answer: something was upgraded, and it is the upgrade that failed.
#[must_use]
pub fn can_follow(failure: &Failure, upgraded: &[Upgraded]) -> bool {
    !upgraded.is_empty() && matches!(failure.kind, Kind::Chart | Kind::Timeout | Kind::Unhealthy | Kind::Verdict)
}

/// Goes back, and returns the failure with what came of that; where an older Airflow would meet a database that the newer one has migrated,
/// which it cannot read, the new release is left as it is.
pub async fn after(
    failure: Failure,
    installation: Installation<'_>,
    upgraded: &[Upgraded],
    before: &Before,
    reached: Reached,
) -> Failure {
    let (old, new) = (&before.record.airflow, &installation.context.plan.profile.airflow.version);
    if old != new {
        let now = schema(&before.record, installation.cluster).await;
        if is_migrated(before.schema.as_deref(), now.as_deref(), reached) {
            return failure
                .evidence(format!("Airflow {new} has migrated the database, and Airflow {old} does not run on that"))
                .evidence("so what ran before was not brought back: the new release is left as it is")
                .hint("when the cause is gone: `windtunnel up` with the same options")
                .hint(format!(
                    "or Airflow {old} without the data: `windtunnel reset data` with the profile of before"
                ));
        }
    }
    match go_back(installation, upgraded, &before.record).await {
        Ok(()) => {
            let look = "to have a failed upgrade left as it is and look at it: `windtunnel up --no-rollback` with the same options";
            failure.evidence("what ran before was brought back, and is healthy").hint(look)
        }
        Err(second) => failure
            .evidence(format!("what ran before could not be brought back: {}", second.message))
            .evidence_lines(second.evidence)
            .hint("see what is there now: `windtunnel status`"),
    }
}

/// Whether another Airflow's migration has changed the database. Where one of the two does not tell: every pod of the new release waits for the
/// migration, and one that did not come so far has most likely not reached the database either.
fn is_migrated(before: Option<&str>, now: Option<&str>, reached: Reached) -> bool {
    match (before, now) {
        (Some(before), Some(now)) => before != now,
        _ => reached == Reached::Ready,
    }
}

async fn go_back(installation: Installation<'_>, upgraded: &[Upgraded], before: &Record) -> Result<(), Failure> {
    let Installation { context, ready, cluster, release, .. } = installation;
    let Context { plan, paths, ui, .. } = context;
    let step = ui.step("roll_back", "Rolling back");
    let (kubeconfig, context_name) = (paths.kubeconfig(), plan.context());
    for Upgraded { release, from } in upgraded.iter().rev() {
        let target = Target { release, namespace: &plan.namespace, kubeconfig: &kubeconfig, context: &context_name };
        cluster.own_release(&plan.namespace, release, plan.into()).await?;
        for part in installation.release.parts.iter().filter(|part| part.name == *release) {
            cluster.delete_jobs(&plan.namespace, &part.replaced, release, plan.into()).await?;
        }
        ready.helm.rollback(target, *from, ui).await?;
    }
    let starts = wait_for_pods::until_ready(context, ready, cluster, &release.workloads, &step).await?.starts;
    before.save(paths)?;
    cluster.keep_record(before).await?;
    step.done(format!("Airflow {} as it was", before.airflow));
    forward::ensure(context, before, release).await?;
    check_web::ensure(context, ready, cluster, before, release, starts).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_migrated_where_it_says_so_or_the_new_airflow_was_ready() {
        for (before, now, reached, migrated) in [
            (Some("a"), Some("a"), Reached::Ready, false),
            (Some("a"), Some("b"), Reached::Begun, true),
            (Some("a"), None, Reached::Begun, false),
            (None, Some("b"), Reached::Ready, true),
            (None, None, Reached::Begun, false),
        ] {
            assert_eq!(is_migrated(before, now, reached), migrated, "{before:?} {now:?} {reached:?}");
        }
    }
}
