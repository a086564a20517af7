//! "Creating namespace": ours, or nobody's, or taken over with consent; with the Secret that the stack reads, and what else it mounts.

use super::Context;
use crate::cluster::Cluster;
use crate::cluster::namespace::Found;
use crate::error::{Failure, Kind};
use crate::plan::Plan;
use crate::profile::StackName;
use crate::stacks;
use crate::state::{self, Credentials};

/// How many objects of a foreign namespace are named.
const NAMED: usize = 10;

/// Makes the namespace and its Secret be there.
///
/// # Errors
/// Foreign, where somebody else made the namespace and it holds something; cluster, where the API server refuses.
pub async fn ensure(context: Context<'_>, cluster: &Cluster) -> Result<Credentials, Failure> {
    let Context { plan, ui, .. } = context;
    let step = ui.step("create_namespace", "Creating namespace");
    if check(plan, cluster).await? == Found::Absent {
        cluster.create_namespace(&plan.namespace, &plan.name).await?;
    }
    let credentials = ensure_credentials(context, cluster).await?;
    if !plan.cluster.provider().sees_smoke_folder() {
        let smoke = stacks::smoke_config_map(&plan.name);
        cluster.write_smoke_files(&plan.namespace, &smoke, &plan.name, &[]).await?;
    }
    step.done(&plan.namespace);
    Ok(credentials)
}

/// Looks whether the namespace may be used.
///
/// # Errors
/// Foreign, where somebody else made it and it holds something; cluster, where it is being deleted.
pub(super) async fn check(plan: &Plan, cluster: &Cluster) -> Result<Found, Failure> {
    let found = cluster.namespace(&plan.namespace, &plan.name).await?;
    match &found {
        Found::Terminating => {
            Err(Failure::new(Kind::Cluster, format!("the namespace `{}` is being deleted", plan.namespace))
                .hint("run this again when it is gone, or use another one: `--namespace NAME`"))
        }
        Found::Foreign(objects) if !objects.is_empty() && !plan.adopt_namespace => {
            // Where an earlier `up` was let in, it left its Secret.
            let secret = stacks::credentials_secret(&plan.name);
            match cluster.credentials(&plan.namespace, &secret).await? {
                Some(_) => Ok(found),
                None => Err(in_use(&plan.namespace, objects)),
            }
        }
        Found::Absent | Found::Foreign(_) | Found::Ours => Ok(found),
    }
}

fn in_use(namespace: &str, objects: &[String]) -> Failure {
    let more = objects.len().saturating_sub(NAMED);
    let failure =
        Failure::new(Kind::Foreign, format!("the namespace `{namespace}` is in use and was not made by windtunnel"))
            .evidence_lines(objects.iter().take(NAMED).cloned());
    let failure = if more > 0 { failure.evidence(format!("and {more} more")) } else { failure };
    failure.hint("use another one: `--namespace NAME`").hint("or install beside these objects: `--adopt-namespace`")
}

/// What the cluster has counts: the database was made with it. Else what was kept on this machine, else new ones.
async fn ensure_credentials(context: Context<'_>, cluster: &Cluster) -> Result<Credentials, Failure> {
    let Context { plan, paths, .. } = context;
    let secret = stacks::credentials_secret(&plan.name);
    let found = cluster.credentials(&plan.namespace, &secret).await?;
    let is_there = found.is_some();
    let credentials = match found {
        Some(credentials) => credentials,
        None => match state::read_json(&paths.credentials())? {
            Some(credentials) => credentials,
            None => Credentials::random()?,
        },
    };
    state::write_json(&paths.credentials(), &credentials)?;
    for (secret, entries) in stacks::secrets(plan.into(), &credentials) {
        // The first one is known to be complete as far as the lite stack goes; others have more in it, which an earlier stack did not need.
        let is_plain = is_there && plan.profile.stack == StackName::Lite;
        if is_plain || has_all(cluster, &plan.namespace, &secret, &entries).await? {
            continue;
        }
        cluster.put_secret(&plan.namespace, &secret, &plan.name, &entries).await?;
    }
    Ok(credentials)
}

async fn has_all(
    cluster: &Cluster,
    namespace: &str,
    secret: &str,
    entries: &[(&'static str, String)],
) -> Result<bool, Failure> {
    let keys = cluster.secret_keys(namespace, secret).await?;
    Ok(entries.iter().all(|(key, _)| keys.contains(*key)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_of_a_namespace_in_use_are_named_up_to_a_point() {
        let objects: Vec<String> = (0..13).map(|number| format!("pod/p{number}")).collect();
        let failure = in_use("default", &objects);
        assert_eq!(failure.evidence.len(), NAMED + 1);
        assert_eq!(failure.evidence[NAMED], "and 3 more");
        assert!(failure.hints[1].contains("--adopt-namespace"));
    }
}
