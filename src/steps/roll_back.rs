//! "Rolling back": after an upgrade that failed, what ran before runs again.

use super::install::{Installation, Upgraded};
use super::{Context, check_web, forward, wait_for_pods};
use crate::airflow::Client;
use crate::error::{Failure, Kind};
use crate::state::Record;
use crate::tools::helm::Target;

/// Whether going back is an answer: something was upgraded, and it is the upgrade that failed.
#[must_use]
pub fn can_follow(failure: &Failure, upgraded: &[Upgraded]) -> bool {
    !upgraded.is_empty() && matches!(failure.kind, Kind::Chart | Kind::Timeout | Kind::Verdict)
}

/// Goes back, and returns the failure with what came of that. `before` is what the environment was, and is again.
pub async fn after(
    failure: Failure,
    installation: Installation<'_>,
    upgraded: &[Upgraded],
    before: &Record,
) -> Failure {
    match go_back(installation, upgraded, before).await {
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
    wait_for_pods::until_ready(context, ready, cluster, &release.workloads, &step).await?;
    before.save(paths)?;
    cluster.keep_record(before).await?;
    step.done(format!("Airflow {} as it was", before.airflow));
    forward::ensure(context, before, release).await?;
    let client = Client::to(before);
    check_web::check(&client, plan.timeout.min(check_web::PATIENCE), ui).await.map(drop)
}
