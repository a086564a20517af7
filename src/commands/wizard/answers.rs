//! The answers, and what they come to: a `windtunnel.yaml` and a command.

use std::num::{NonZeroU16, NonZeroU32};

use super::questions::{ALL, Scene, Topic};
use crate::plan::{ClusterPlan, ProjectFile, Provider};
use crate::ui::Answer;

/// What a namespace of a cluster that exists is to us.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Taken {
    /// Not there, empty, or this environment's own.
    Free,
    /// Being deleted.
    Leaving,
    /// In use, by these objects.
    By(Vec<String>),
}

/// What was answered so far; what was not asked has the value that it would have without the wizard.
#[derive(Clone, Debug)]
pub(super) struct Answers {
    /// Which questions were answered.
    answered: Vec<Topic>,
    pub(super) name: String,
    pub(super) provider: Provider,
    pub(super) context: Option<String>,
    /// Whether a cluster may be used that does not look like one of this machine.
    pub(super) remote: bool,
    pub(super) namespace: String,
    /// What the namespace is, where that was looked at.
    pub(super) taken: Option<Taken>,
    /// Whether it may be used though it is in use.
    pub(super) adopt: bool,
    /// The limits of a new minikube cluster; `None` for none.
    pub(super) cpus: Option<NonZeroU32>,
    pub(super) memory: Option<String>,
    pub(super) profile: String,
    /// As it was typed: relative to the folder of the command, or absolute.
    pub(super) dags: String,
    /// Whether an example is to be put into a new DAG folder.
    pub(super) example: Option<bool>,
    pub(super) port: u16,
    pub(super) smoke: bool,
}

impl Answers {
    /// Before anything was asked.
    pub(super) fn of(scene: Scene<'_>) -> Self {
        let plan = scene.plan;
        let context = match &plan.cluster {
            ClusterPlan::Existing { context, .. } => Some(context.clone()),
            _ => None,
        };
        let (cpus, memory) = match &plan.cluster {
            ClusterPlan::Minikube { cpus, memory, .. } => (*cpus, memory.clone()),
            _ => (None, None),
        };
        Self {
            answered: Vec::new(),
            name: plan.name.clone(),
            provider: plan.cluster.provider(),
            context,
            remote: false,
            namespace: plan.namespace.clone(),
            taken: None,
            adopt: false,
            cpus,
            memory,
            profile: plan.profile_origin.clone(),
            dags: scene.dags(),
            example: None,
            port: plan.port,
            smoke: false,
        }
    }

    /// Whether a question was answered.
    pub(super) fn has(&self, topic: Topic) -> bool {
        self.answered.contains(&topic)
    }

    /// Takes an answer. One that takes back another makes that be asked again.
    pub(super) fn take(&mut self, topic: Topic, answer: Answer) {
        self.answered.push(topic);
        match (topic, answer) {
            (Topic::Provider, Answer::Text(name)) => {
                let all = [Provider::Kind, Provider::Minikube, Provider::Existing];
                self.provider = all.into_iter().find(|provider| provider.name() == name).unwrap_or_default();
            }
            (Topic::Context, Answer::Text(name)) => self.context = Some(name),
            (Topic::Remote, Answer::YesNo(true)) => self.remote = true,
            (Topic::Remote, _) => self.forget(&[Topic::Context, Topic::Remote]),
            (Topic::Namespace, Answer::Text(name)) => self.namespace = name,
            (Topic::Adopt, Answer::YesNo(true)) => self.adopt = true,
            (Topic::Adopt, _) => self.forget(&[Topic::Namespace, Topic::Adopt]),
            (Topic::Cpus, Answer::Text(number)) => self.cpus = number.parse().ok(),
            (Topic::Memory, Answer::Text(size)) => self.memory = Some(size).filter(|size| size != ALL),
            (Topic::Profile, Answer::Text(name)) => self.profile = name,
            (Topic::Dags, Answer::Text(folder)) => self.dags = folder,
            (Topic::Example, Answer::YesNo(yes)) => self.example = Some(yes),
            (Topic::Port, Answer::Text(port)) => self.port = port.parse().unwrap_or(self.port),
            (Topic::Smoke, Answer::YesNo(yes)) => self.smoke = yes,
            _ => {}
        }
    }

    /// Takes what was found under the namespace's name. One that is going away cannot be had.
    pub(super) fn looked_at(&mut self, taken: Taken) {
        if taken == Taken::Leaving {
            self.forget(&[Topic::Namespace]);
        }
        self.taken = Some(taken);
    }

    fn forget(&mut self, topics: &[Topic]) {
        self.answered.retain(|topic| !topics.contains(topic));
    }

    /// The file that says the same.
    pub(super) fn file(&self, scene: Scene<'_>) -> ProjectFile {
        let is_existing = self.provider == Provider::Existing;
        let is_minikube = self.provider == Provider::Minikube;
        ProjectFile {
            name: Some(self.name.clone()),
            provider: Some(self.provider),
            context: self.context.clone().filter(|_| is_existing),
            cpus: self.cpus.filter(|_| is_minikube),
            memory: self.memory.clone().filter(|_| is_minikube),
            profile: Some(self.profile.clone()),
            dags: Some(self.dags.clone().into()).filter(|_| !is_existing),
            dags_claim: scene.plan.dags_claim.clone(),
            port: NonZeroU16::new(self.port),
            namespace: Some(self.namespace.clone()).filter(|namespace| is_existing || *namespace != self.name),
            // Where it came from may be gone tomorrow: a variable, or an environment that is removed.
            bundle: scene.plan.bundle.clone(),
            ..ProjectFile::default()
        }
    }

    /// The command that says the same, without the file: what differs from what would be without any option.
    pub(super) fn command(&self, scene: Scene<'_>, name_option: &str) -> Vec<String> {
        let usual = Self::of(scene);
        let mut words: Vec<String> = vec!["windtunnel".to_owned(), "up".to_owned()];
        words.extend(name_option.split_whitespace().map(str::to_owned));
        let mut option = |differs: bool, option: &str, value: &str| {
            if differs {
                words.extend([option.to_owned(), value.to_owned()]);
            }
        };
        let is_existing = self.provider == Provider::Existing;
        option(self.provider != usual.provider, "--provider", self.provider.name());
        option(is_existing && self.context != usual.context, "--context", self.context.as_deref().unwrap_or_default());
        let is_minikube = self.provider == Provider::Minikube;
        let cpus = self.cpus.map(|cpus| cpus.to_string());
        option(is_minikube && cpus.is_some() && self.cpus != usual.cpus, "--cpus", cpus.as_deref().unwrap_or_default());
        option(
            is_minikube && self.memory.is_some() && self.memory != usual.memory,
            "--memory",
            self.memory.as_deref().unwrap_or_default(),
        );
        option(self.namespace != usual.namespace, "--namespace", &self.namespace);
        option(self.profile != usual.profile, "--profile", &self.profile);
        option(self.dags != usual.dags, "--dags", &self.dags);
        option(self.port != usual.port, "--port", &self.port.to_string());
        for (given, switch) in
            [(self.remote, "--allow-remote"), (self.adopt, "--adopt-namespace"), (self.smoke, "--smoke")]
        {
            words.extend(given.then(|| switch.to_owned()));
        }
        words
    }
}
