//! `windtunnel up`: the environment is there, proven, and reachable. Idempotent.

use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::oneshot;

use super::{announce, contexts};
use crate::airflow::Client;
use crate::cli::{Settings, UpArgs};
use crate::error::{During, Failure, Kind};
use crate::images::locate::Located;
use crate::plan::{self, Plan, Provider, Wishes};
use crate::profile::{self, Profile};
use crate::providers;
use crate::stacks::{self, Release};
use crate::state::{FORMAT, Lock, Record, RecordedImage};
use crate::steps::prerequisites::Prerequisites;
use crate::steps::{self, Context};
use crate::surroundings::{Project, Surroundings};
use crate::ui::Ui;

/// How long Airflow may take from ready pods to four healthy parts: the first heartbeats of a slow laptop.
const WEB_PATIENCE: Duration = Duration::from_mins(3);

/// Brings the environment up.
///
/// # Errors
/// Whatever keeps a step from doing what it is for; what earlier steps made stays, and the next `up` goes on from there.
pub async fn up(arguments: &UpArgs, name: &str, ui: &Ui, surroundings: &Surroundings) -> Result<(), Failure> {
    let mut gathered = gather(&arguments.settings, name, surroundings)?;
    if gathered.lacks_context() && ui.can_ask() {
        gathered.wishes.context = contexts::choose(&gathered.wishes, ui, surroundings).await?;
    }
    let Resolved { plan, .. } = settle(gathered, surroundings)?;
    let left_out = look_at_values(&plan, ui)?;
    let paths = surroundings.paths.environment(&plan.name);
    let context = Context { plan: &plan, paths: &paths, surroundings, ui };
    if arguments.dry_run {
        let ready = steps::prerequisites::check(context).await?;
        let (_, _, images) = look(context, &ready).await?;
        announce::plan(context, &ready, &images);
        return Ok(());
    }
    let is_new = !paths.root().exists();
    paths.create()?;
    let _lock = Lock::take(&paths.lock())?;
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
    let record = record(&plan, &ready, left_out, Record::load(&paths)?.as_ref());
    record.save(&paths)?;

    let (node_runs, node) = oneshot::channel();
    let (cluster, loaded) = tokio::join!(
        steps::start_cluster::ensure(context, &ready, &images, node_runs),
        steps::load_images::ensure(context, &ready, &images, node),
    );
    // Where both fail, the cluster's failure is the cause of the other.
    let cluster = cluster?;
    loaded?;
    steps::find_images::show(&images, ui);
    let installed = async {
        let credentials = steps::create_namespace::ensure(context, &cluster).await?;
        steps::install::ensure(context, &ready, &cluster, &release, &charts).await?;
        steps::wait_for_pods::ensure(context, &ready, &cluster, &release).await?;
        Ok(credentials)
    };
    let credentials = match Box::pin(installed).await {
        Ok(credentials) => credentials,
        Err(failure) => return Err(steps::node::instead_of(failure, context, &ready).await),
    };
    steps::forward::ensure(context, &record, &release).await?;
    let client = Client::new(plan.port).of(plan.profile.airflow.generation()).without(&record.left_out);
    steps::check_web::check(&client, plan.timeout.min(WEB_PATIENCE), ui).await?;
    if arguments.smoke {
        let folder = paths.smoke_dags();
        let inputs = steps::smoke::Inputs {
            port: plan.port,
            generation: plan.profile.airflow.generation(),
            executor: plan.executor,
            credentials: &credentials,
            place: steps::smoke::Place::of(plan.cluster.provider(), &folder, &plan.name, &plan.namespace),
            cluster: &cluster,
            namespace: &plan.namespace,
        };
        steps::smoke::run(&inputs, ui).await?;
    }
    announce::ready(context);
    Ok(())
}

/// Charts and images: that they can be had is known before anything is made.
async fn look(
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

/// A plan, and what it was made of beside what was given with the command.
pub(super) struct Resolved {
    /// The environment as it is to be.
    pub(super) plan: Plan,
    /// The project's file, where it counts.
    pub(super) project: Option<Project>,
    /// What the environment was brought up with before.
    pub(super) before: Option<Record>,
}

/// What was asked for, over the project's file, over what the environment was brought up with before, over the profile and the defaults.
pub(super) fn resolve(settings: &Settings, name: &str, surroundings: &Surroundings) -> Result<Resolved, Failure> {
    settle(gather(settings, name, surroundings)?, surroundings)
}

/// What was asked for, wherever, before anything is made of it.
struct Gathered {
    wishes: Wishes,
    project: Option<Project>,
    before: Option<Record>,
}

impl Gathered {
    /// Whether a cluster that exists is wanted, and nobody has said which.
    fn lacks_context(&self) -> bool {
        self.before.is_none() && self.wishes.provider == Some(Provider::Existing) && self.wishes.context.is_none()
    }
}

fn gather(settings: &Settings, name: &str, surroundings: &Surroundings) -> Result<Gathered, Failure> {
    plan::check_name("environment name", name)?;
    let before = Record::load(&surroundings.paths.environment(name))?;
    // The file is about one environment. Another that is there already keeps what it was brought up with.
    let project = surroundings.project()?.filter(|project| before.is_none() || project.name() == name);
    let below = project.as_ref().map(Project::wishes).unwrap_or_default();
    let mut wishes = settings.wishes(name).over(below);
    let has_folder = wishes.provider.map_or(wishes.context.is_none(), Provider::sees_dag_folder);
    if let (Some(project), None, true) = (&project, &before, has_folder) {
        // From wherever below it a command is given, a project has one DAG folder.
        wishes.dags.get_or_insert_with(|| project.folder().join(plan::DEFAULT_DAGS));
    }
    Ok(Gathered { wishes, project, before })
}

fn settle(gathered: Gathered, surroundings: &Surroundings) -> Result<Resolved, Failure> {
    let Gathered { wishes, project, before } = gathered;
    let origin = plan::profile_origin(&wishes, before.as_ref(), &surroundings.folder);
    let profile = read_profile(&origin)?;
    let plan =
        plan::resolve(&wishes, before.as_ref(), origin, profile, &surroundings.folder, &surroundings.kubeconfig)?;
    stacks::check(&plan, before.as_ref())?;
    Ok(Resolved { plan, project, before })
}

/// Warns of what the user's own values break, and tells which parts of Airflow they leave out.
fn look_at_values(plan: &Plan, ui: &Ui) -> Result<Vec<String>, Failure> {
    let mut files = vec![plan.profile.values.clone()];
    for path in &plan.values {
        let text = std::fs::read_to_string(path)
            .during(Kind::Usage, format!("cannot read the values file {}", path.display()))?;
        // A file of nothing but comments is no map, and says nothing.
        let values: Option<_> = serde_yaml::from_str(&text)
            .during(Kind::Usage, format!("the values file {} is not valid", path.display()))?;
        files.extend(values);
    }
    let values = stacks::merged(files, &plan.set);
    let under = plan.profile.chart.as_ref().and_then(|chart| chart.values_under.as_deref());
    stacks::check_values(plan, under, &values)?;
    for warning in stacks::warnings(plan.into(), under, &values) {
        ui.warn(&warning);
    }
    Ok(stacks::left_out(plan.into(), under, &values))
}

fn read_profile(origin: &str) -> Result<Profile, Failure> {
    if !plan::is_path(origin) {
        return profile::shipped(origin);
    }
    let text = std::fs::read_to_string(origin)
        .during(Kind::Usage, format!("cannot read the profile {origin}"))
        .map_err(|failure| failure.hint("a shipped profile is named without a path: `windtunnel up --profile lite`"))?;
    profile::parse(&text, origin)
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
        made: before.map_or_else(|| Some(Timestamp::now()), |record| record.made),
        images: (ready.images.all().into_iter())
            .map(|image| RecordedImage { role: image.role.clone(), reference: image.reference.clone() })
            .collect(),
    }
}
