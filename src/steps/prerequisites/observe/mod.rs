//! Looks at everything that the checks judge, side by side. Nothing is changed, and nothing judged here.

mod leftovers;
mod machine;
mod network;

use std::path::PathBuf;

use semver::Version;

use super::super::claim::{self, Claim};
use super::super::{Context, create_namespace};
use super::facts::Facts;
use super::resources::measure;
use crate::cluster::capacity::Capacity;
use crate::cluster::forward::supervise;
use crate::cluster::workload::WorkloadKind;
use crate::codes::Code;
use crate::error::{Failure, Kind as FailureKind};
use crate::images::Images;
use crate::images::bundle::Bundle;
use crate::plan::{ClusterPlan, Plan};
use crate::profile::Executor;
use crate::providers::existing::Source;
use crate::providers::{Found, kind as kind_provider, minikube as minikube_provider};
use crate::stacks;
use crate::state::Record;
use crate::tools::docker::{Docker, Info};
use crate::tools::find::{self, Places, Tool};
use crate::tools::helm::{self, Helm};
use crate::tools::kind::{self, Kind};
use crate::tools::minikube::{self, Minikube, Profile};
use crate::ui::Ui;

/// How many missing rights are named.
const NAMED: usize = 8;

/// How closely to look.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Depth {
    /// What costs no container and no long list: before every `up`.
    Quick,
    /// All of it.
    Full,
}

/// What the provider of the cluster told.
#[derive(Default)]
struct Seen {
    docker: Option<Docker>,
    engine: Option<Result<Info, Failure>>,
    kind: Option<Result<Kind, Failure>>,
    minikube: Option<Result<Minikube, Failure>>,
    found: Option<Result<Found, Failure>>,
    existing: Option<Result<(Source, String), Failure>>,
    capacity: Option<Capacity>,
    clock: Option<i64>,
    around: Around,
}

/// Looks.
pub(super) async fn observe<'a>(context: Context<'a>, bundle: Option<&Bundle>, depth: Depth) -> Facts<'a> {
    let Context { plan, paths, surroundings, ui } = context;
    let places = |name: &str| Places { bundled: bundle.and_then(|bundle| bundle.tool(name)), surroundings };
    let helm_places = places("helm");
    let (seen, helm, other_routes) = tokio::join!(
        async {
            match &plan.cluster {
                ClusterPlan::Kind => look_at_kind(context, &places("kind")).await,
                ClusterPlan::Minikube { driver, .. } => look_at_minikube(context, driver, &places("minikube")).await,
                ClusterPlan::Existing { kubeconfig, context: name } => {
                    look_at_existing(context, kubeconfig, name).await
                }
            }
        },
        Helm::find(&helm_places, ui),
        network::other_routes(surroundings, ui),
    );
    let info = seen.engine.as_ref().and_then(|engine| engine.as_ref().ok());
    let room = info.map(measure);
    let mut network = network::observe(surroundings);
    network.routes.extend(other_routes);
    network.clock = seen.clock;
    (network.subnets, network.bridges) = network::parse_subnets(&seen.around.subnets);
    let mut facts = Facts {
        plan,
        kubernetes: kubernetes(plan, bundle),
        machine: machine::observe(&plan.dags, room.as_ref()),
        room,
        docker: seen.docker,
        engine: seen.engine,
        components: seen.around.components,
        kind: seen.kind,
        minikube: seen.minikube,
        helm,
        others: Vec::new(),
        found: seen.found,
        existing: seen.existing,
        capacity: seen.capacity.ok_or(if paths.credentials().exists() {
            "the environment is there, and has its share"
        } else {
            "not known: the cluster does not tell this user"
        }),
        pods: None,
        bundle: None,
        dags: None,
        port: supervise::check_port(paths, plan.port),
        network,
        leftovers: None,
    };
    if let Some(clusters) = seen.around.clusters {
        facts.leftovers = leftovers::observe(context, facts.docker.as_ref(), &clusters, depth).await.ok();
    }
    if depth == Depth::Full {
        facts.others = other_tools(&facts, &places, ui).await;
        look_closely(context, bundle, &mut facts).await;
    }
    facts
}

/// The tools that are there and not used. A bundle's are the only ones that count.
async fn other_tools<'a>(
    facts: &Facts<'_>,
    places: &impl Fn(&str) -> Places<'a>,
    ui: &Ui,
) -> Vec<(&'static str, Vec<Tool>)> {
    let kind = facts.kind.as_ref().and_then(|kind| Some((kind::WANTED, &kind.as_ref().ok()?.tool)));
    let minikube = facts.minikube.as_ref().and_then(|tool| Some((minikube::WANTED, &tool.as_ref().ok()?.tool)));
    let helm = facts.helm.as_ref().ok().map(|helm| (helm::WANTED, &helm.tool));
    let mut others = Vec::new();
    for (wanted, used) in [kind, minikube, helm].into_iter().flatten() {
        let places = places(wanted.name);
        if places.bundled.is_none() {
            others.push((wanted.name, find::others(&wanted, used, &places, ui).await));
        }
    }
    others
}

/// What the engine has beside the cluster.
#[derive(Default)]
struct Around {
    components: Vec<String>,
    subnets: Vec<String>,
    /// The names of all kind clusters; `None` where the engine did not tell.
    clusters: Option<Vec<String>>,
}

/// Looks at it. An engine that does not answer has told so elsewhere.
async fn look_around(docker: &Docker, ui: &Ui) -> Around {
    let (components, subnets, clusters) =
        tokio::join!(docker.components(ui), docker.subnets(ui), docker.kind_clusters(ui));
    Around { components: components.unwrap_or_default(), subnets: subnets.unwrap_or_default(), clusters: clusters.ok() }
}

/// What `up` has no time for: what runs in a container. A node that is one has the engine's own clock, unless something is very wrong.
async fn look_closely(context: Context<'_>, bundle: Option<&Bundle>, facts: &mut Facts<'_>) {
    let Some(docker) = facts.docker.as_ref().filter(|_| facts.info().is_some()) else { return };
    let node = facts.found.as_ref().and_then(|found| match found {
        Ok(Found::Running(node)) => Some(node),
        _ => None,
    });
    let (node_clock, names) =
        tokio::join!(network::node_clock(docker, node, context.ui), network::names(context, docker, bundle),);
    facts.network.node_clock = node_clock;
    facts.network.names = names;
}

async fn look_at_kind(context: Context<'_>, places: &Places<'_>) -> Seen {
    let Context { plan, paths, surroundings, ui } = context;
    let engine = async {
        let docker = match Docker::find(&surroundings.search_path, &surroundings.folder) {
            Ok(docker) => docker,
            Err(failure) => return Seen { engine: Some(Err(failure)), ..Seen::default() },
        };
        let cluster = async {
            let (engine, clock) = network::ask(&docker, ui).await;
            // The second question would only repeat the first one's failure.
            let found = match &engine {
                Ok(_) => Some(kind_provider::find(&docker, &plan.name, paths, ui).await),
                Err(_) => None,
            };
            (engine, clock, found)
        };
        let ((engine, clock, found), around) = tokio::join!(cluster, look_around(&docker, ui));
        Seen { docker: Some(docker), engine: Some(engine), found, clock, around, ..Seen::default() }
    };
    let (seen, kind) = tokio::join!(engine, Kind::find(places, ui));
    Seen { kind: Some(kind), ..seen }
}

async fn look_at_minikube(context: Context<'_>, driver: &str, places: &Places<'_>) -> Seen {
    let Context { plan, paths, surroundings, ui } = context;
    let docker = (driver == minikube_provider::DOCKER)
        .then(|| Docker::find(&surroundings.search_path, &surroundings.folder))
        .transpose();
    let (docker, missing) = match docker {
        Ok(docker) => (docker, None),
        Err(failure) => (None, Some(failure)),
    };
    let kubeconfig = paths.kubeconfig();
    let tool = async {
        let tool = Minikube::find(places, ui).await?;
        let state = tool.state(Profile { name: &plan.name, kubeconfig: &kubeconfig }, ui).await;
        Ok::<_, Failure>((tool, state))
    };
    let engine = async {
        match &docker {
            Some(docker) => Some(tokio::join!(network::ask(docker, ui), look_around(docker, ui))),
            None => None,
        }
    };
    let (engine, tool) = tokio::join!(engine, tool);
    let (engine, clock, around) = match (engine, missing) {
        (Some(((engine, clock), around)), _) => (Some(engine), clock, around),
        (None, missing) => (missing.map(Err), None, Around::default()),
    };
    let (minikube, state) = match tool {
        Ok((minikube, state)) => (Ok(minikube), Some(state)),
        Err(failure) => (Err(failure), None),
    };
    let found = match (state, &engine) {
        (None, _) | (_, Some(Err(_))) => None,
        (Some(Err(failure)), _) => Some(Err(failure)),
        (Some(Ok(state)), _) => {
            let mark = minikube_provider::Mark { home: &surroundings.minikube, dags: &plan.dags };
            Some(minikube_provider::find(docker.as_ref(), &plan.name, state, mark, paths, ui).await)
        }
    };
    Seen { docker, engine, minikube: Some(minikube), found, clock, around, ..Seen::default() }
}

async fn look_at_existing(context: Context<'_>, kubeconfig: &[PathBuf], name: &str) -> Seen {
    let existing = examine_existing(context, kubeconfig, name).await;
    let capacity = match &existing {
        // Room is for guests that have not come yet.
        Ok((source, _)) if !context.paths.credentials().exists() => capacity(source, context.plan).await,
        _ => None,
    };
    Seen { existing: Some(existing), capacity, ..Seen::default() }
}

/// What cannot be seen of the nodes keeps nobody from going on.
async fn capacity(source: &Source, plan: &Plan) -> Option<Capacity> {
    source.cluster().await.ok()?.capacity(&plan.namespace).await.ok()?
}

async fn examine_existing(
    context: Context<'_>,
    kubeconfig: &[PathBuf],
    name: &str,
) -> Result<(Source, String), Failure> {
    let (plan, usual) = (context.plan, &context.surroundings.kubeconfig);
    let source = Source::read(kubeconfig, name, plan.allow_remote)?;
    let cluster = source.cluster().await?;
    let version = cluster.version().await.map_err(|failure| source.unreachable(usual, failure))?;
    let makes_namespace = !cluster.has_namespace(&plan.namespace).await?;
    let has_jobs = stacks::workloads(plan.into()).iter().any(|workload| workload.kind == WorkloadKind::Job);
    let missing = cluster.missing_rights(&plan.namespace, makes_namespace, has_jobs).await?;
    if !missing.is_empty() {
        let lacks_namespace = missing.iter().any(|right| right == "namespaces: create");
        let more = missing.len().saturating_sub(NAMED);
        let failure = Failure::new(
            FailureKind::Prerequisite,
            format!("the user of the context `{name}` lacks rights in the namespace `{}`", plan.namespace),
        )
        .code(Code::ApiForbidden)
        .evidence_lines(missing.into_iter().take(NAMED));
        let failure = if more > 0 { failure.evidence(format!("and {more} more")) } else { failure };
        let rights = source.kubectl(usual, &format!("auth can-i --list --namespace {}", plan.namespace));
        let failure = failure
            .hint("ask the cluster's administrator for the role `admin` in that namespace")
            .hint(format!("to see them: `{rights}`"));
        return Err(if lacks_namespace {
            failure.hint("it is not there yet, and this user may not make it: name one of yours, `--namespace NAME`")
        } else {
            failure
        });
    }
    if makes_namespace {
        return Ok((source, version));
    }
    let before = Record::load(context.paths)?;
    // What the cluster tells that this machine does not know is taken before the namespace is judged by it.
    if matches!(claim::look(plan, context.paths, before.as_ref(), &cluster).await?, Claim::Known) {
        create_namespace::check(plan, &cluster).await?;
    }
    Ok((source, version))
}

/// The Kubernetes of the node, where its image's tag tells it.
fn kubernetes(plan: &Plan, bundle: Option<&Bundle>) -> Option<Version> {
    let needs_redis = plan.executor == Executor::Celery;
    let node = Images::wanted(&plan.profile.images, bundle, needs_redis).ok()?.node.reference;
    let tag = node.split('@').next()?.rsplit(':').next()?;
    Version::parse(tag.trim_start_matches('v')).ok()
}
