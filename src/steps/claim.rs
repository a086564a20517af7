//! Whose the environment is that a cluster has under the name of ours: looked at before anything in it is touched.

use super::Context;
use crate::cluster::Cluster;
use crate::cluster::owner::Owner;
use crate::cluster::record::{Extent, record_secret};
use crate::cluster::standing::Mark;
use crate::codes::Code;
use crate::error::{Failure, Kind};
use crate::plan::{Plan, Provider};
use crate::stacks;
use crate::state::{EnvironmentPaths, Record};

/// What is there of the environment.
#[derive(Clone, Debug)]
pub enum Claim {
    /// Nothing that this machine does not know.
    Known,
    /// An environment that is ours by this id: this machine has lost the id, or never had it.
    Id(String),
    /// The same, and the cluster has kept its record.
    Kept(Box<Record>),
}

/// Looks whose it is. Its own cluster, which is known by the engine to be this environment's, tells a machine what it has lost; in one
/// that others use too, an environment that this machine does not know is somebody else's, unless `--adopt-namespace` was said.
///
/// # Errors
/// The API server does not answer; foreign, where the environment, one of its Helm releases or one of its names is somebody else's.
pub async fn look(
    plan: &Plan,
    paths: &EnvironmentPaths,
    before: Option<&Record>,
    cluster: &Cluster,
) -> Result<Claim, Failure> {
    let is_own = plan.cluster.provider() != Provider::Existing;
    let (mut secrets, config_maps) = (stacks::secret_names(plan.into()), [stacks::smoke_config_map(&plan.name)]);
    secrets.push(record_secret(&plan.name));
    let marks = cluster.marks(&plan.namespace, &plan.name, &secrets, &config_maps).await?;
    let known = before.and_then(|record| record.id.as_deref());
    let is_known = |mark: &&Mark| match &mark.id {
        Some(id) => Some(id.as_str()) == known,
        None => before.is_some(),
    };
    let unknown = marks.iter().find(|mark| !is_known(mark));
    // What a record of before there were ids is about may have got one from another machine.
    let is_of_before = before.is_some_and(|record| record.id.is_none());
    // Keys are kept as soon as something is installed: before that, an id is only one that was drawn.
    let is_lost = is_own && (before.is_none() || !paths.credentials().exists());
    let may_take = is_of_before || is_lost || plan.adopt_namespace && !is_own;
    if let Some(mark) = unknown.filter(|_| !may_take) {
        let id = mark.id.as_ref().map_or_else(|| "it has no id".to_owned(), |id| format!("its id is {id}"));
        let made = mark.made.map(|made| format!(", its Secret `{}` was made {made}", mark.secret)).unwrap_or_default();
        return Err(another(plan, &format!("{id}{made}"), is_own));
    }
    let extent = if is_own { Extent::Cluster } else { Extent::Namespace };
    if before.is_none() && (is_own || unknown.is_some()) {
        let mut kept = cluster.kept_records(&plan.name, &plan.namespace, extent).await?;
        kept.sort_by_key(|record| record.namespace != plan.namespace);
        if let Some(record) = kept.into_iter().next() {
            return Ok(Claim::Kept(Box::new(record)));
        }
    }
    let id = unknown.and_then(|mark| mark.id.clone());
    let owner = Owner { id: id.as_deref().or(plan.id.as_deref()), ..plan.into() };
    let releases = cluster.own_releases(&plan.namespace, &stacks::release_names(plan.into()), owner).await?;
    // By the mark of before there were ids, which tells no one windtunnel from another.
    if let Some(release) = releases.first().filter(|_| before.is_none() && !may_take) {
        return Err(another(plan, &format!("it has the Helm release `{release}`, and no id"), is_own));
    }
    let is_taken = before.is_none() && !is_own && (unknown.is_some() || !releases.is_empty());
    Ok(id.or_else(|| plan.id.clone().filter(|_| is_taken)).map_or(Claim::Known, Claim::Id))
}

/// Asks whether an environment in a cluster of others is to be taken over.
///
/// # Errors
/// Nobody said yes.
pub fn confirm(context: Context<'_>, before: Option<&Record>, claim: &Claim) -> Result<(), Failure> {
    let Context { plan, ui, .. } = context;
    if before.is_some_and(|before| before.id.is_none()) {
        // It is known here; only its id is not.
        return Ok(());
    }
    let made = match claim {
        Claim::Known => return Ok(()),
        Claim::Id(_) => None,
        Claim::Kept(record) => record.made,
    };
    let made = made.map(|made| format!(", made {made:.0}")).unwrap_or_default();
    let Plan { name, namespace, .. } = plan;
    ui.say(&format!("The namespace {namespace} has an environment {name} that this machine does not know{made}."));
    ui.confirm("Take it over, with its database? Whoever made it has it no longer")
}

fn another(plan: &Plan, evidence: &str, is_own: bool) -> Failure {
    let Plan { name, namespace, .. } = plan;
    let message = format!("the namespace `{namespace}` has an environment `{name}` of another windtunnel");
    let failure = Failure::new(Kind::Foreign, message).code(Code::ObjectForeign).evidence(evidence).hint(
        "choose another name: `windtunnel up --name NAME`, or another namespace: `windtunnel up --namespace NAME`",
    );
    if is_own {
        return failure;
    }
    failure.hint("if it is yours, and this machine has lost what it knew of it: `windtunnel up --adopt-namespace`")
}
