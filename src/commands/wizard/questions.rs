//! The questions, as data: which one is next, what is known beforehand, what Enter takes, and which answers are valid.

use std::path::Path;

use super::answers::{Answers, Taken};
use super::found::Found;
use crate::cluster::forward::{port_holder, port_is_free};
use crate::cluster::kubeconfig::{self, Context};
use crate::commands::contexts::choices;
use crate::plan::{self, ClusterPlan, DEFAULT_PORT, Plan, Provider, check_name};
use crate::profile;
use crate::stacks;
use crate::state::Record;
use crate::ui::{Ask, Check, Choice, Question};

/// What a question is about, in the order of asking.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Topic {
    Provider,
    Context,
    Remote,
    Namespace,
    Adopt,
    Cpus,
    Memory,
    Profile,
    Dags,
    Example,
    Port,
    Smoke,
}

/// All of them.
const TOPICS: [Topic; 12] = [
    Topic::Provider,
    Topic::Context,
    Topic::Remote,
    Topic::Namespace,
    Topic::Adopt,
    Topic::Cpus,
    Topic::Memory,
    Topic::Profile,
    Topic::Dags,
    Topic::Example,
    Topic::Port,
    Topic::Smoke,
];

/// The answer that sets no limit.
pub(super) const ALL: &str = "all";
/// How many objects of a namespace in use are named.
const NAMED: usize = 5;

/// What is known beside the answers.
#[derive(Clone, Copy)]
pub(super) struct Scene<'a> {
    /// What was found on this machine.
    pub(super) found: &'a Found,
    /// What `up` would do without any option.
    pub(super) plan: &'a Plan,
    /// What the environment was brought up with before: its cluster, namespace and DAG folder are settled then.
    pub(super) before: Option<&'a Record>,
}

impl Scene<'_> {
    /// The usual DAG folder as a person would type it.
    pub(super) fn dags(&self) -> String {
        match self.plan.dags.strip_prefix(&self.found.folder) {
            Ok(inside) if inside.as_os_str().is_empty() => ".".to_owned(),
            Ok(inside) => inside.display().to_string(),
            Err(_) => self.plan.dags.display().to_string(),
        }
    }

    /// What there is for the cluster, and what Airflow asks for.
    pub(super) fn resources(&self, answers: &Answers) -> String {
        let stack = profile::shipped(&answers.profile).map_or(self.plan.profile.stack, |profile| profile.stack);
        let mebibytes = stacks::memory_request(stack) / (1 << 20);
        match self.found.room.filter(|_| answers.provider != Provider::Existing) {
            None => format!("{mebibytes} MiB of memory asked for"),
            Some(room) => format!("{mebibytes} MiB asked for of {room}"),
        }
    }

    fn context(&self, answers: &Answers) -> Option<&Context> {
        self.found.contexts.iter().find(|context| Some(&context.name) == answers.context.as_ref())
    }

    fn is_there(&self, dags: &str) -> bool {
        self.found.folder.join(dags).exists()
    }
}

/// Which environment: the first question, on which all else depends.
pub(super) fn name(found: &Found, usual: &str) -> Question {
    let is_taken = |name: &str| found.clusters.iter().any(|cluster| cluster == name);
    let is_ours = |name: &str| found.environments.iter().any(|environment| environment == name);
    let mut names = std::iter::once(usual.to_owned()).chain((2..).map(|number| format!("{usual}-{number}")));
    let default = names.find(|name| is_ours(name) || !is_taken(name)).unwrap_or_default();
    let taken: Vec<String> = found.clusters.iter().filter(|cluster| !is_ours(cluster)).cloned().collect();
    let mut notes = vec!["An environment is a cluster with an Airflow in it. Both get its name.".to_owned()];
    if is_ours(&default) {
        notes.push(format!("{default} is there already: it is continued or repaired."));
    }
    let check: Check = Box::new(move |name| {
        check_name("name", name).map_err(|failure| failure.message)?;
        if taken.iter().any(|cluster| cluster == name) {
            return Err(format!("a kind cluster `{name}` is there, and windtunnel did not make it"));
        }
        Ok(())
    });
    Question { notes, title: "Name of the environment".to_owned(), ask: Ask::Text { default, check } }
}

/// The next question, if one is left.
pub(super) fn next(scene: Scene<'_>, answers: &Answers) -> Option<(Topic, Question)> {
    let open = TOPICS.into_iter().filter(|topic| !answers.has(*topic));
    open.map(|topic| (topic, question(topic, scene, answers)))
        .find_map(|(topic, question)| question.map(|question| (topic, question)))
}

/// A question, unless the answer to it follows from what is known.
fn question(topic: Topic, scene: Scene<'_>, answers: &Answers) -> Option<Question> {
    let is_new = scene.before.is_none();
    let is_existing = answers.provider == Provider::Existing;
    let titled = |title: &str, notes: Vec<String>, ask| Some(Question { notes, title: title.to_owned(), ask });
    match topic {
        Topic::Provider if is_new => titled("Which cluster", current(scene.found), providers(scene, answers)),
        Topic::Context if is_new && is_existing => titled(
            "Which context",
            vec!["None is taken unasked: this is where Airflow will be installed.".to_owned()],
            contexts(scene),
        ),
        Topic::Remote if is_new && is_existing => {
            let context = scene.context(answers).filter(|context| !kubeconfig::is_near(&context.server))?;
            let place = format!("{} is at {}.", context.name, context.server);
            let notes = vec![place, "That does not look like a cluster of this machine.".to_owned()];
            titled("Use it all the same", notes, Ask::YesNo(false))
        }
        Topic::Namespace if is_new && is_existing => {
            let mut notes = vec!["Airflow gets a namespace; it is looked at before anything is done.".to_owned()];
            notes.extend(
                (answers.taken == Some(Taken::Leaving)).then(|| format!("`{}` is being deleted.", answers.namespace)),
            );
            let check: Check = Box::new(|name| check_name("namespace", name).map_err(|failure| failure.message));
            titled("Namespace", notes, Ask::Text { default: scene.plan.namespace.clone(), check })
        }
        Topic::Adopt => match &answers.taken {
            Some(Taken::By(objects)) => {
                titled("Install beside them", in_use(&answers.namespace, objects), Ask::YesNo(false))
            }
            _ => None,
        },
        Topic::Cpus if is_new && answers.provider == Provider::Minikube => {
            let notes = scene.found.room.map(|room| format!("There is: {room}.")).into_iter().collect();
            let check: Check = Box::new(check_cpus);
            titled("Processors of the cluster", notes, Ask::Text { default: ALL.to_owned(), check })
        }
        Topic::Memory if is_new && answers.provider == Provider::Minikube => {
            let check: Check = Box::new(|size| match size {
                ALL => Ok(()),
                size => plan::check_memory(size).map_err(|failure| failure.message),
            });
            let notes = vec![format!("{}; a limit is a number with `m` or `g`: 6g.", scene.resources(answers))];
            titled("Memory of the cluster", notes, Ask::Text { default: ALL.to_owned(), check })
        }
        Topic::Profile => titled("Which Airflow", Vec::new(), profiles(scene)),
        Topic::Dags if is_new && !is_existing => {
            let folder = scene.found.folder.clone();
            let note = "Airflow sees a change in this folder as soon as you save it.".to_owned();
            let check: Check = Box::new(move |dags| check_folder(&folder, dags));
            titled("Folder with your DAGs", vec![note], Ask::Text { default: scene.dags(), check })
        }
        Topic::Example if is_new && !is_existing && !scene.is_there(&answers.dags) => {
            titled("It is not there yet. Put an example DAG into it", Vec::new(), Ask::YesNo(true))
        }
        Topic::Port => titled("Port of the web interface", port_notes(scene), port(scene)),
        Topic::Smoke => {
            let note = "A smoke test runs a small DAG at the end and reads its log back.".to_owned();
            titled("Run the smoke test", vec![note], Ask::YesNo(true))
        }
        _ => None,
    }
}

fn current(found: &Found) -> Vec<String> {
    let current = found.current().map_or_else(
        || "You have no current kubeconfig context, and it stays so.".to_owned(),
        |current| format!("Your current kubeconfig context stays as it is: {}.", current.name),
    );
    vec![current, "windtunnel has a kubeconfig of its own.".to_owned()]
}

fn providers(scene: Scene<'_>, answers: &Answers) -> Ask {
    let name = &answers.name;
    let label = |provider: Provider| match provider {
        Provider::Kind => format!("kind      a new cluster in Docker, context kind-{name}"),
        Provider::Minikube => format!("minikube  a new cluster of minikube, context {name}"),
        Provider::Existing => {
            format!("existing  a cluster that is there; your contexts: {}", scene.found.contexts.len())
        }
    };
    let all = &scene.found.providers;
    let options = all.iter().map(|one| Choice { value: one.name().to_owned(), label: label(*one) }).collect();
    let usual = all.iter().position(|provider| *provider == answers.provider);
    // An existing cluster is nobody's default unless it was asked for, or nothing else is left.
    Ask::Choice { options, default: usual.or(Some(0)) }
}

fn contexts(scene: Scene<'_>) -> Ask {
    let options = choices(&scene.found.contexts);
    // None is proposed but one that was named before, in a file or a variable.
    let named = match &scene.plan.cluster {
        ClusterPlan::Existing { context, .. } => Some(context),
        _ => None,
    };
    let default = scene.found.contexts.iter().position(|context| Some(&context.name) == named);
    Ask::Choice { options, default }
}

fn in_use(namespace: &str, objects: &[String]) -> Vec<String> {
    let mut notes = vec![format!("The namespace {namespace} is in use, and windtunnel did not make it:")];
    notes.extend(objects.iter().take(NAMED).map(|object| format!("  {object}")));
    notes.extend((objects.len() > NAMED).then(|| format!("  and {} more", objects.len() - NAMED)));
    notes
}

fn profiles(scene: Scene<'_>) -> Ask {
    let mut options: Vec<Choice> = profile::SHIPPED
        .iter()
        .filter_map(|(name, _)| {
            let profile = profile::shipped(name).ok()?;
            let label = format!(
                "{name:10} Airflow {}, {} chart: {}",
                profile.airflow.version, profile.stack, profile.description
            );
            Some(Choice { value: (*name).to_owned(), label })
        })
        .collect();
    let usual = &scene.plan.profile_origin;
    if !options.iter().any(|option| option.value == *usual) {
        options.push(Choice { value: usual.clone(), label: usual.clone() });
    }
    let default = options.iter().position(|option| option.value == *usual);
    Ask::Choice { options, default }
}

fn check_cpus(number: &str) -> Result<(), String> {
    match number.parse() {
        _ if number == ALL => Ok(()),
        Ok(1..=1024_u32) => Ok(()),
        _ => Err(format!("a number of processors, or `{ALL}`")),
    }
}

fn check_folder(folder: &Path, dags: &str) -> Result<(), String> {
    if dags.starts_with('~') {
        return Err("only a shell knows what `~` stands for: write the path in full".to_owned());
    }
    let path = folder.join(dags);
    if path.exists() && !path.is_dir() { Err(format!("{dags} is not a folder")) } else { Ok(()) }
}

fn port_notes(scene: Scene<'_>) -> Vec<String> {
    let wanted = scene.plan.port;
    match why_not(scene.before.map(|record| record.port), wanted) {
        Ok(()) => Vec::new(),
        Err(why) => vec![format!("{why}, so another one is proposed.")],
    }
}

fn port(scene: Scene<'_>) -> Ask {
    let own = scene.before.map(|record| record.port);
    let mut ports = std::iter::once(scene.plan.port).chain(DEFAULT_PORT..).take(100);
    let default = ports.find(|port| why_not(own, *port).is_ok()).unwrap_or(scene.plan.port).to_string();
    let check: Check = Box::new(move |text| match text.parse() {
        Ok(0) | Err(_) => Err("a port is a number from 1 to 65535".to_owned()),
        Ok(port) => why_not(own, port),
    });
    Ask::Text { default, check }
}

/// Why a port cannot be had; the environment's own forward is no reason.
fn why_not(own: Option<u16>, port: u16) -> Result<(), String> {
    if own == Some(port) || port_is_free(port) {
        return Ok(());
    }
    let holder = port_holder(port).unwrap_or_else(|| "another program".to_owned());
    Err(format!("{} is taken by {holder}", plan::url(port).trim_start_matches("http://")))
}

#[cfg(test)]
mod tests;
