//! "Creating namespace": ours, or nobody's, or taken over with consent; with the Secret that the stack reads, and what else it mounts.

use std::time::Duration;

use secrecy::ExposeSecret;

use super::{Context, whole};
use crate::cluster::Cluster;
use crate::cluster::namespace::Found;
use crate::codes::Code;
use crate::error::{Failure, Kind};
use crate::plan::{Plan, Provider};
use crate::profile::StackName;
use crate::stacks;
use crate::state::{Credentials, document};

/// How many objects of a foreign namespace are named.
const NAMED: usize = 10;
/// How long a namespace may take to be gone in which nothing is held.
const TERMINATION: Duration = Duration::from_mins(1);

/// Makes the namespace and its Secret be there.
///
/// # Errors
/// Foreign, where somebody else made the namespace and it holds something; cluster, where the API server refuses.
pub async fn ensure(context: Context<'_>, cluster: &Cluster) -> Result<Credentials, Failure> {
    let Context { plan, paths, ui, .. } = context;
    let step = ui.step("create_namespace", "Creating namespace");
    if cluster.leaving_namespace(whole(plan)).await?.is_some_and(|leaving| !leaving.terminal) {
        step.note(&format!("waiting for the namespace `{}`, which is being deleted, to be gone", plan.namespace));
        cluster.await_termination(&plan.namespace, plan.timeout.min(TERMINATION)).await;
    }
    if check(plan, cluster).await? == Found::Absent {
        // Keys are kept as long as what they open.
        if paths.credentials().exists() {
            ui.warn(&format!(
                "the namespace `{}` of before is gone, with all that Airflow had: it begins with an empty database",
                plan.namespace
            ));
        }
        cluster.create_namespace(&plan.namespace, plan.into()).await?;
    } else {
        cluster.mark_namespace(&plan.namespace, plan.into()).await?;
    }
    let credentials = ensure_credentials(context, cluster).await?;
    if !plan.cluster.provider().sees_smoke_folder() {
        let smoke = stacks::smoke_config_map(&plan.name);
        cluster.write_smoke_files(&plan.namespace, &smoke, plan.into(), &[]).await?;
    }
    step.done(&plan.namespace);
    Ok(credentials)
}

/// Looks whether the namespace may be used.
///
/// # Errors
/// Foreign, where somebody else made it and it holds something; cluster, where it is being deleted.
pub(super) async fn check(plan: &Plan, cluster: &Cluster) -> Result<Found, Failure> {
    let found = cluster.namespace(&plan.namespace, plan.into()).await?;
    match &found {
        Found::Terminating => match cluster.leaving_namespace(whole(plan)).await? {
            Some(verdict) => Err(Failure { kind: Kind::Cluster, ..verdict.into() }),
            // It has gone since.
            None => Ok(Found::Absent),
        },
        Found::Foreign(objects) if !objects.is_empty() && !plan.adopt_namespace => {
            // Where an earlier `up` was let in, it left its Secret.
            let secret = stacks::credentials_secret(&plan.name);
            match cluster.credentials(&plan.namespace, &secret, plan.into()).await? {
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
    let found = cluster.credentials(&plan.namespace, &secret, plan.into()).await?;
    let is_there = found.is_some();
    let kept: Option<Credentials> = document::read(&paths.credentials()).into_result()?;
    let credentials = match found {
        Some(credentials) => {
            // Elsewhere somebody else may have made the environment anew, from another machine.
            if let Some(kept) = kept.filter(|_| plan.cluster.provider() != Provider::Existing) {
                unchanged(plan, &kept, &credentials)?;
            }
            credentials
        }
        None => match kept {
            Some(credentials) => credentials,
            None => Credentials::random()?,
        },
    };
    document::write(&paths.credentials(), &credentials)?;
    for (secret, entries) in stacks::secrets(plan.into(), &credentials) {
        // The first one is known to be complete as far as the lite stack goes; others have more in it, which an earlier stack did not need.
        let is_plain = is_there && plan.profile.stack == StackName::Lite;
        if is_plain || has_all(cluster, &plan.namespace, &secret, &entries).await? {
            continue;
        }
        cluster.put_secret(&plan.namespace, &secret, plan.into(), &entries).await?;
    }
    Ok(credentials)
}

/// What the data in the database hangs on must be what it was when the database was made.
fn unchanged(plan: &Plan, kept: &Credentials, found: &Credentials) -> Result<(), Failure> {
    let fields = [
        (&kept.database_password, &found.database_password, Code::DatabasePasswordWrong, "password", "made"),
        (&kept.fernet_key, &found.fernet_key, Code::FernetKeyChanged, "Fernet key", "written"),
    ];
    let secret = stacks::credentials_secret(&plan.name);
    for (kept, found, code, what, done) in fields {
        if kept.expose_secret() != found.expose_secret() {
            let delete = whole(plan).kubectl(&plan.namespace, &format!("delete secret {secret}"));
            let message =
                format!("the {what} in the Secret `{secret}` is not the one that the database was {done} with");
            return Err(Failure::new(Kind::Verdict, message)
                .code(code)
                .evidence("somebody changed the Secret since the last `windtunnel up`")
                .hint(format!("let windtunnel write it as it was: {delete}, then {}", whole(plan).command("up")))
                .hint("where it is meant: begin with fresh data: `windtunnel reset data`"));
        }
    }
    Ok(())
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
