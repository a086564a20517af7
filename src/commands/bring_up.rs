//! The bootstrap itself, as `up` shows it: each step looks, acts if needed, and the next one goes on from there.

use jiff::Timestamp;
use tokio::sync::oneshot;

use super::{announce, remembered};
use crate::cluster::workload::Expected;
use crate::error::Failure;
use crate::images::locate::Located;
use crate::plan::Plan;
use crate::providers;
use crate::stacks::{self, Release};
use crate::state::{FORMAT, Lock, Record, RecordedImage};
use crate::steps::install::{Installation, Upgraded};
use crate::steps::prerequisites::Prerequisites;
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
    wanted: Wanted,
    held: Option<Lock>,
    ui: &Ui,
    surroundings: &Surroundings,
) -> Result<Ended, Failure> {
    let Wanted { plan, left_out, smoke, keep_failed } = &wanted;
    let paths = surroundings.paths.environment(&plan.name);
    let context = Context { plan, paths: &paths, surroundings, ui };
    let is_new = !paths.root().exists();
    paths.create()?;
    let _lock = match held {
        Some(lock) => lock,
        None => Lock::take(&paths.lock())?,
    };
    ui.keep_events(&paths.events())?;

    let looked = async {
        let ready = steps::prerequisites::check(context).await?;
        let (release, charts, images) = look(context, &ready).await?;
        Ok::<_, Failure>((ready, release, charts, images))
    };
    let (ready, release, charts, images) = match looked.await {
        Ok(looked) => looked,
        Err(failure) => {
            // What was refused before anything was made leaves nothing behind.
            if is_new {
                paths.remove()?;
            }
            return Err(failure);
        }
    };
    let before = Record::load(&paths)?;
    let record = record(plan, &ready, left_out.clone(), before.as_ref());
    record.save(&paths)?;

    let (node_runs, node) = oneshot::channel();
    let (cluster, loaded) = tokio::join!(
        steps::start_cluster::ensure(context, &ready, &images, node_runs),
        steps::load_images::ensure(context, &ready, &images, node),
    );
    // Where both fail, the cluster's failure is the cause of the other.
    let cluster = cluster?;
    loaded?;
    if before.is_none()
        && let Some(kept) = cluster.kept_record(&plan.name, &plan.namespace).await?
    {
        remembered::keep(&kept, &paths, ui)?;
        return Ok(Ended::Remembered);
    }
    steps::find_images::show(&images, ui);
    let installation = Installation { context, ready: &ready, cluster: &cluster, release: &release, charts: &charts };
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
        steps::wait_for_pods::ensure(context, &ready, &cluster, &release).await?;
        Ok(credentials)
    };
    let credentials = match Box::pin(installed).await {
        Ok(credentials) => credentials,
        Err(failure) => return Err(take_back(failure, installation, &upgraded, before.as_ref(), Reached::Begun).await),
    };
    steps::forward::ensure(context, &record, &release).await?;
    if let Err(failure) = Box::pin(steps::check_web::ensure(context, &ready, &cluster, &record, &release)).await {
        return Err(take_back(failure, installation, &upgraded, before.as_ref(), Reached::Ready).await);
    }
    if *smoke {
        let folder = paths.smoke_dags();
        let inputs = steps::smoke::Inputs {
            port: plan.port,
            shape: plan.into(),
            expected: Expected { environment: &plan.name, namespace: &plan.namespace, workloads: &release.workloads },
            credentials: &credentials,
            place: steps::smoke::Place::of(plan.cluster.provider(), &folder, &plan.name, &plan.namespace),
            cluster: &cluster,
        };
        let look = async || steps::node::look(context, &ready).await;
        let held = async || steps::node::held(context, &ready).await;
        Box::pin(steps::smoke::run(&inputs, look, held, ui)).await?;
    }
    announce::ready(context);
    Ok(Ended::Ready)
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

/// Charts and images: that they can be had is known before anything is made.
pub(super) async fn look(
    context: Context<'_>,
    ready: &Prerequisites,
) -> Result<(Release, steps::install::Charts, Vec<Located>), Failure> {
    let Context { plan, surroundings, .. } = context;
    let release = stacks::release(&stacks::Inputs {
        plan,
        airflow_image: &ready.images.airflow.reference,
        database_image: &ready.images.database.reference,
        redis_image: ready.images.redis.as_ref().map(|image| image.reference.as_str()),
        user: surroundings.user,
        dags: plan.cluster.provider().sees_dag_folder().then_some(providers::DAGS),
        smoke: plan.cluster.provider().sees_smoke_folder().then_some(providers::SMOKE),
    });
    let charts = steps::install::provide_charts(context, ready, &release).await?;
    let images = steps::find_images::ensure(context, ready, &release, &charts).await?;
    Ok((release, charts, images))
}

fn record(plan: &Plan, ready: &Prerequisites, left_out: Vec<String>, before: Option<&Record>) -> Record {
    Record {
        format: FORMAT,
        name: plan.name.clone(),
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
