//! `windtunnel up`: the environment is there, proven, and reachable. Idempotent.

use super::bring_up::{Ended, Wanted};
use super::remembered::Remembered;
use super::{announce, bring_up, contexts, remembered};
use crate::cli::{Settings, UpArgs};
use crate::error::{During, Failure, Kind};
use crate::plan::{self, Plan, Provider, Wishes};
use crate::profile::{self, Profile};
use crate::stacks;
use crate::state::Record;
use crate::steps::{self, Context};
use crate::surroundings::{Project, Surroundings};
use crate::ui::Ui;

/// Brings the environment up.
///
/// # Errors
/// Whatever keeps a step from doing what it is for; what earlier steps made stays, and the next `up` goes on from there.
pub async fn up(arguments: &UpArgs, name: &str, ui: &Ui, surroundings: &Surroundings) -> Result<(), Failure> {
    plan::check_name("environment name", name)?;
    if let Remembered::Lost(failure) = remembered::look(name, ui, surroundings).await?
        && !gather(&arguments.settings, name, surroundings)?.names_cluster()
    {
        return Err(failure);
    }
    let wanted = wanted_by(arguments, name, ui, surroundings).await?;
    if arguments.dry_run {
        let paths = surroundings.paths.environment(&wanted.plan.name);
        let context = Context { plan: &wanted.plan, paths: &paths, surroundings, ui };
        let ready = steps::prerequisites::check(context).await?;
        let images = steps::find_images::ensure(context, &ready).await?;
        announce::plan(context, &ready, &images);
        return Ok(());
    }
    match bring_up::bring_up(wanted, None, ui, surroundings).await? {
        Ended::Ready => Ok(()),
        Ended::Remembered => {
            let wanted = wanted_by(arguments, name, ui, surroundings).await?;
            bring_up::bring_up(wanted, None, ui, surroundings).await.map(drop)
        }
    }
}

async fn wanted_by(arguments: &UpArgs, name: &str, ui: &Ui, surroundings: &Surroundings) -> Result<Wanted, Failure> {
    let mut gathered = gather(&arguments.settings, name, surroundings)?;
    if gathered.lacks_context() && ui.can_ask() {
        gathered.wishes.context = contexts::choose(&gathered.wishes, ui, surroundings).await?;
    }
    let wanted = wanted(settle(gathered, surroundings)?.plan, ui)?;
    Ok(Wanted { smoke: arguments.smoke, keep_failed: arguments.no_rollback, ..wanted })
}

/// What an environment was brought up with last.
pub(super) fn as_before(name: &str, ui: &Ui, surroundings: &Surroundings) -> Result<Wanted, Failure> {
    let before = Record::load(&surroundings.paths.environment(name))?;
    let wishes = Settings::default().wishes(name);
    wanted(settle(Gathered { wishes, project: None, before }, surroundings)?.plan, ui)
}

/// What an environment is to be after a reset that keeps its data, or does not: then it may be of another stack.
pub(super) fn wanted_after(
    settings: &Settings,
    name: &str,
    keeps_data: bool,
    ui: &Ui,
    surroundings: &Surroundings,
) -> Result<Wanted, Failure> {
    let gathered = gather(settings, name, surroundings)?;
    let plan = if keeps_data { settle(gathered, surroundings)? } else { settle_anew(gathered, surroundings)? }.plan;
    wanted(plan, ui)
}

fn wanted(plan: Plan, ui: &Ui) -> Result<Wanted, Failure> {
    let left_out = look_at_values(&plan, ui)?;
    Ok(Wanted { plan, left_out, smoke: false, keep_failed: false })
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
    /// Whether it was said where the cluster is that is not known by itself.
    fn names_cluster(&self) -> bool {
        self.wishes.context.is_some() || self.wishes.provider.is_some_and(|provider| provider != Provider::Kind)
    }

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
    let resolved = settle_anew(gathered, surroundings)?;
    resolved.before.as_ref().map_or(Ok(()), |before| stacks::check_change(&resolved.plan, before))?;
    Ok(resolved)
}

/// Where no data are there that must fit.
fn settle_anew(gathered: Gathered, surroundings: &Surroundings) -> Result<Resolved, Failure> {
    let Gathered { wishes, project, before } = gathered;
    let origin = plan::profile_origin(&wishes, before.as_ref(), &surroundings.folder);
    let profile = read_profile(&origin)?;
    let plan =
        plan::resolve(&wishes, before.as_ref(), origin, profile, &surroundings.folder, &surroundings.kubeconfig)?;
    stacks::check(&plan)?;
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
    profile::parse(&profile_text(origin)?, origin)
}

/// The text of a profile, a shipped one or one of the user's.
///
/// # Errors
/// There is none of that name, or the file cannot be read.
pub(super) fn profile_text(origin: &str) -> Result<String, Failure> {
    if !plan::is_path(origin) {
        return profile::shipped_text(origin).map(str::to_owned);
    }
    std::fs::read_to_string(origin)
        .during(Kind::Usage, format!("cannot read the profile {origin}"))
        .map_err(|failure| failure.hint("a shipped profile is named without a path: `windtunnel up --profile lite`"))
}
