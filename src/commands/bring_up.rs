//! The bootstrap itself, as `up` shows it: each step looks, acts if needed, and the next one goes on from there.

use jiff::Timestamp;
use tokio::sync::oneshot;

use super::work::Work;
use super::{announce, remembered};
use crate::cluster::Cluster;
use crate::cluster::workload::Expected;
use crate::error::Failure;
use crate::plan::Plan;
use crate::state::{EnvironmentPaths, Record, RecordedImage, new_id};
use crate::steps::claim::{self, Claim};
use crate::steps::install::{Installation, Upgraded};
use crate::steps::prerequisites::{Prerequisites, Provider, Rendering};
use crate::steps::roll_back::{Before, Reached};
use crate::steps::{self, Context, roll_back};
use crate::surroundings::Surroundings;
use crate::ui::Ui;

/// What is brought up.
pub(super) struct Wanted {
    /// The environment as it is to be.
    pub(super) plan: Plan,
    /// The parts of Airflow that the user's values leave out.
    pub(super) left_out: Vec<String>,
    /// Whether a DAG is run at the end.
    pub(super) smoke: bool,
    /// Whether an upgrade that fails is left as it is.
    pub(super) keep_failed: bool,
}

/// How a bootstrap came to its end.
pub(super) enum Ended {
    /// The environment is there.
    Ready,
    /// Nothing was installed: the cluster told what this machine had forgotten, and what is wanted is to be resolved anew.
    Remembered,
}

/// Makes it be there, proven and reachable. `held` is the environment's lock, where the caller has it already.
///
/// # Errors
/// As [`super::up::up`].
pub(super) async fn bring_up(
    mut wanted: Wanted,
    held: Option<Work>,
    ui: &Ui,
    surroundings: &Surroundings,
) -> Result<Ended, Failure> {
    if wanted.plan.id.is_none() {
        wanted.plan.id = Some(new_id()?);
    }
    let Wanted { plan, left_out, smoke, keep_failed } = &wanted;
    let paths = surroundings.paths.environment(&plan.name);
    let context = Context { plan, paths: &paths, surroundings, ui };
    let is_new = !paths.root().exists();
    paths.create()?;
    let work = match held {
        Some(work) => work,
        None => Work::begin(&plan.name, &paths, ui).await?,
    };
    ui.keep_events(&paths.events())?;

    let looked = async {
        let before = Record::load(&paths)?;
        let ready = steps::prerequisites::check(context).await?;
        // That all images can be had is known before anything is made.
        let images = steps::find_images::ensure(context, &ready).await?;
        let claim = match &ready.provider {
            Provider::Existing(source) => claim::look(plan, &paths, before.as_ref(), &source.cluster().await?).await?,
            Provider::Kind { .. } | Provider::Minikube { .. } => Claim::Known,
        };
        claim::confirm(context, before.as_ref(), &claim)?;
        Ok::<_, Failure>((before, ready, images, claim))
    };
    let (before, ready, images, claim) = match looked.await {
        Ok(looked) => looked,
        Err(failure) => {
            // What was refused before anything was made leaves nothing behind.
            if is_new {
                paths.remove()?;
            }
            return Err(failure);
        }
    };
    let record = record(plan, &ready, left_out.clone(), before.as_ref());
    if let Some(again) = taken(claim, &record, &paths, ui)? {
        return again.go_on(wanted, work, ui, surroundings).await;
    }
    // In a cluster of its own, what was installed before tells the id; until it has, one that was drawn just now is not kept.
    let is_unsure = before.as_ref().is_none_or(|before| before.id.is_none()) && paths.credentials().exists();
    Record { id: record.id.clone().filter(|_| !is_unsure), ..record.clone() }.save(&paths)?;

    let (node_runs, node) = oneshot::channel();
    let (cluster, loaded) = tokio::join!(
        steps::start_cluster::ensure(context, &ready, &images, node_runs),
        steps::load_images::ensure(context, &ready, &images, node),
    );
    // Where both fail, the cluster's failure is the cause of the other.
    let cluster = cluster?;
    loaded?;
    let claim = claim_in_its_own(context, &ready, before.as_ref(), &cluster).await?;
    if let Some(again) = taken(claim, &record, &paths, ui)? {
        return again.go_on(wanted, work, ui, surroundings).await;
    }
    if is_unsure {
        record.save(&paths)?;
    }
    steps::find_images::show(&images, ui);
    let Rendering { release, charts, .. } = &ready.rendering;
    let installation = Installation { context, ready: &ready, cluster: &cluster, release, charts };
    let before = match before.filter(|_| !keep_failed) {
        Some(before) => Some(Before::look(before, context, &cluster).await),
        None => None,
    };
    let mut upgraded = Vec::new();
    let installed = async {
        steps::replace_database::finish(context, &ready, &cluster, &record).await?;
        let credentials = steps::create_namespace::ensure(context, &cluster).await?;
        cluster.keep_record(&record).await?;
        steps::install::ensure(installation, &mut upgraded).await?;
        let starts = steps::wait_for_pods::ensure(context, &ready, &cluster, release).await?;
        cluster.mark_kept(&plan.namespace, plan.into()).await?;
        Ok((credentials, starts))
    };
    let (credentials, starts) = match Box::pin(installed).await {
        Ok(installed) => installed,
        Err(failure) => return Err(take_back(failure, installation, &upgraded, before.as_ref(), Reached::Begun).await),
    };
    steps::forward::ensure(context, &record, release).await?;
    let checked = steps::check_web::ensure(context, &ready, &cluster, &record, release, starts);
    if let Err(failure) = Box::pin(checked).await {
        return Err(take_back(failure, installation, &upgraded, before.as_ref(), Reached::Ready).await);
    }
    if *smoke {
        let folder = paths.smoke_dags();
        let inputs = steps::smoke::Inputs {
            port: plan.port,
            shape: plan.into(),
            expected: Expected { environment: &plan.name, namespace: &plan.namespace, workloads: &release.workloads },
            credentials: &credentials,
            place: steps::smoke::Place::of(plan.cluster.provider(), &folder, plan.into(), &plan.namespace),
            cluster: &cluster,
            owner: plan.into(),
        };
        let look = async || steps::node::look(context, &ready).await;
        let held = async || steps::node::held(context, &ready).await;
        Box::pin(steps::smoke::run(&inputs, look, held, ui)).await?;
    }
    announce::ready(context);
    Ok(Ended::Ready)
}

/// Whose the environment is in a cluster that was made for it; one of others was asked before anything was made.
async fn claim_in_its_own(
    context: Context<'_>,
    ready: &Prerequisites,
    before: Option<&Record>,
    cluster: &Cluster,
) -> Result<Claim, Failure> {
    let Context { plan, paths, .. } = context;
    if matches!(ready.provider, Provider::Existing(_)) {
        return Ok(Claim::Known);
    }
    let claim = claim::look(plan, paths, before, cluster).await;
    if claim.is_err() && before.is_none() {
        // What was written above would stand in for what the cluster has not told.
        Record::forget(paths)?;
    }
    claim
}

/// What the cluster told that this machine did not know.
enum Again {
    /// The id alone.
    Id(String),
    /// What the environment is: what is wanted is to be resolved anew.
    Record,
}

/// Keeps what the cluster told.
fn taken(claim: Claim, record: &Record, paths: &EnvironmentPaths, ui: &Ui) -> Result<Option<Again>, Failure> {
    match claim {
        Claim::Known => Ok(None),
        Claim::Id(id) => {
            Record { id: Some(id.clone()), ..record.clone() }.save(paths)?;
            Ok(Some(Again::Id(id)))
        }
        Claim::Kept(kept) => {
            remembered::keep(&kept, "the cluster", paths, ui)?;
            Ok(Some(Again::Record))
        }
    }
}

impl Again {
    async fn go_on(self, wanted: Wanted, work: Work, ui: &Ui, surroundings: &Surroundings) -> Result<Ended, Failure> {
        match self {
            Self::Record => Ok(Ended::Remembered),
            Self::Id(id) => {
                let plan = Plan { id: Some(id), ..wanted.plan };
                Box::pin(bring_up(Wanted { plan, ..wanted }, Some(work), ui, surroundings)).await
            }
        }
    }
}

/// The failure of what was installed, with what came of going back to what ran before, where there is anything to go back to.
async fn take_back(
    failure: Failure,
    installation: Installation<'_>,
    upgraded: &[Upgraded],
    before: Option<&Before>,
    reached: Reached,
) -> Failure {
    let failure = steps::node::instead_of(failure, installation.context, installation.ready).await;
    match before.filter(|_| roll_back::can_follow(&failure, upgraded)) {
        Some(before) => Box::pin(roll_back::after(failure, installation, upgraded, before, reached)).await,
        None => failure,
    }
}

fn record(plan: &Plan, ready: &Prerequisites, left_out: Vec<String>, before: Option<&Record>) -> Record {
    Record {
        name: plan.name.clone(),
        id: plan.id.clone(),
        cluster: plan.cluster.clone(),
        context: plan.context(),
        namespace: plan.namespace.clone(),
        port: plan.port,
        dags: plan.dags.clone(),
        dags_claim: plan.dags_claim.clone(),
        made_dags: plan.cluster.provider().sees_dag_folder()
            && (before.is_some_and(|record| record.made_dags && record.dags == plan.dags) || !plan.dags.exists()),
        profile: plan.profile_origin.clone(),
        stack: plan.profile.stack,
        airflow: plan.profile.airflow.version.clone(),
        bundle: plan.bundle.clone(),
        executor: plan.executor,
        values: plan.values.clone(),
        set: plan.set.clone(),
        left_out,
        also: before.map_or_else(Vec::new, |record| record.also.clone()),
        made: before.map_or_else(|| Some(Timestamp::now()), |record| record.made),
        images: (ready.images.all().into_iter())
            .map(|image| RecordedImage { role: image.role.clone(), reference: image.reference.clone() })
            .collect(),
    }
}
