//! What this machine remembers of an environment; where that is lost, the copy in the cluster, else the one beside it.

use std::time::Duration;

use secrecy::ExposeSecret;
use tokio::time::timeout;

use crate::cluster::record::Extent;
use crate::cluster::{Cluster, kubeconfig};
use crate::error::{Failure, Kind};
use crate::plan::ClusterPlan;
use crate::providers::minikube;
use crate::stacks;
use crate::state::document::{self, Kept};
use crate::state::{Credentials, EnvironmentPaths, Lock, Record};
use crate::surroundings::Surroundings;
use crate::ui::Ui;

/// How long the cluster may take to tell.
const PATIENCE: Duration = Duration::from_secs(3);

/// What is known of an environment.
pub(super) enum Remembered {
    /// What it was brought up with.
    Record(Box<Record>),
    /// Nothing, and there is nothing but perhaps a kind cluster, which is known by itself.
    Nothing,
    /// Nothing, though it has a cluster that is not known by itself. It must not be forgotten.
    Lost(Failure),
}

/// Looks what is known. Where the record is gone or damaged and there is a copy, it is written anew.
///
/// # Errors
/// The record is damaged and there is no copy, with the reason why the cluster has not helped; a newer windtunnel wrote it or a copy.
pub(super) async fn look(name: &str, ui: &Ui, surroundings: &Surroundings) -> Result<Remembered, Failure> {
    let paths = surroundings.paths.environment(name);
    let damaged = match Record::kept(&paths) {
        Kept::There(record) => return Ok(Remembered::Record(Box::new(record))),
        Kept::Newer(failure) => return Err(failure),
        Kept::Damaged(failure) => Some(failure),
        Kept::Absent => None,
    };
    let context = context(&paths);
    let told = match &context {
        Some(context) => from_cluster(&paths, name, context).await,
        None => Ok(None),
    };
    let silent = match told {
        Ok(Some(record)) => return regain(record, "the cluster", &paths, ui),
        Ok(None) => None,
        Err(failure) if failure.kind == Kind::Usage => return Err(failure),
        Err(failure) => Some(failure),
    };
    match Record::copy(&paths) {
        Kept::There(record) => return regain(record, "its copy", &paths, ui),
        Kept::Newer(failure) => return Err(failure),
        Kept::Absent | Kept::Damaged(_) => {}
    }
    let why = silent.map(|why| {
        let reason: Vec<String> = std::iter::once(why.message).chain(why.evidence.into_iter().take(1)).collect();
        format!("nor does the cluster tell: {}", reason.join(": "))
    });
    if let Some(damaged) = damaged {
        return Err(damaged.evidence(why.unwrap_or_default()));
    }
    let dags = minikube::dag_folder(&surroundings.minikube, name)?;
    Ok(match (context, dags) {
        (Some(context), _) if context == ClusterPlan::Kind.context(name) => Remembered::Nothing,
        (Some(context), None) => Remembered::Lost(
            lost(name, &paths)
                .evidence(why.unwrap_or_else(|| "nor does its cluster know of it".to_owned()))
                .evidence(format!("its cluster is that of the context `{context}`"))
                .hint("let the cluster run, which keeps a copy, then run the same command again")
                .hint(format!("or say where it is: `windtunnel up --context {context}`, then `windtunnel down`")),
        ),
        (_, Some(dags)) => Remembered::Lost(
            lost(name, &paths)
                .evidence(why.unwrap_or_default())
                .evidence(format!(
                    "there is a minikube profile `{name}` that a windtunnel made; its DAG folder is {}",
                    dags.display()
                ))
                .hint(format!(
                    "to have it again: `windtunnel up --provider minikube --dags {}`, then `windtunnel down`",
                    dags.display()
                ))
                .hint(format!("or, if nobody needs it: `minikube delete --profile {name}`")),
        ),
        (None, None) => Remembered::Nothing,
    })
}

fn lost(name: &str, paths: &EnvironmentPaths) -> Failure {
    Failure::new(
        Kind::NoEnvironment,
        format!("what this machine knew of `{name}` is lost, and its cluster is left as it is"),
    )
    .evidence(format!("{} is not there", paths.record().display()))
}

/// The record of an environment, if there is one.
///
/// # Errors
/// As [`look`]; no environment, where it has a cluster and what was known of it is lost.
pub(super) async fn record(name: &str, ui: &Ui, surroundings: &Surroundings) -> Result<Option<Record>, Failure> {
    match look(name, ui, surroundings).await? {
        Remembered::Record(record) => Ok(Some(*record)),
        Remembered::Nothing => Ok(None),
        Remembered::Lost(failure) => Err(failure),
    }
}

/// The record of an environment that must be there.
///
/// # Errors
/// As [`record`]; no environment where there is none.
pub(super) async fn require(name: &str, ui: &Ui, surroundings: &Surroundings) -> Result<Record, Failure> {
    record(name, ui, surroundings).await?.ok_or_else(|| Record::missing(name))
}

/// Keeps what a copy has told. Whoever calls holds the environment's lock.
///
/// # Errors
/// The file cannot be written.
pub(super) fn keep(record: &Record, from: &str, paths: &EnvironmentPaths, ui: &Ui) -> Result<(), Failure> {
    record.save(paths)?;
    ui.say(&format!("What this machine knew of {} was lost: it was taken from {from} again.", record.name));
    Ok(())
}

/// Keeps it, unless a command is at work on the environment: that one will write its own.
fn regain(record: Record, from: &str, paths: &EnvironmentPaths, ui: &Ui) -> Result<Remembered, Failure> {
    if let Some(_lock) = Lock::attempt(&paths.lock())? {
        if let Kept::There(record) = Record::kept(paths) {
            return Ok(Remembered::Record(Box::new(record)));
        }
        keep(&record, from, paths, ui)?;
    }
    Ok(Remembered::Record(Box::new(record)))
}

/// The context that the private kubeconfig leads to: this environment's cluster and no other.
fn context(paths: &EnvironmentPaths) -> Option<String> {
    let contexts = kubeconfig::contexts(&[paths.kubeconfig()]).ok()?;
    contexts.iter().find(|context| context.current).or(contexts.first()).map(|context| context.name.clone())
}

async fn from_cluster(paths: &EnvironmentPaths, name: &str, context: &str) -> Result<Option<Record>, Failure> {
    let cluster = Cluster::open(&paths.kubeconfig(), context).await?;
    // Others may use that cluster too, and an environment of that name: ours is the one whose keys are here.
    let Some(ours) = document::read::<Credentials>(&paths.credentials()).into_result()? else { return Ok(None) };
    let told = async {
        // Where an environment is unless it was told otherwise.
        for record in cluster.kept_records(name, name, Extent::Cluster).await? {
            let secret = stacks::credentials_secret(&record.name);
            let found = cluster.credentials(&record.namespace, &secret, (&record).into()).await?;
            if found
                .is_some_and(|found| found.database_password.expose_secret() == ours.database_password.expose_secret())
            {
                return Ok(Some(record));
            }
        }
        Ok(None)
    };
    timeout(PATIENCE, told).await.unwrap_or_else(|_| {
        Err(Failure::new(Kind::Timeout, format!("it does not answer within {} s", PATIENCE.as_secs())))
    })
}
