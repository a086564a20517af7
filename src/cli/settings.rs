//! The options that say what an environment is to be.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::plan::{ContainerRuntime, Provider, Wishes};
use crate::profile::Executor;

/// What an environment is to be: each but the consents is a key of windtunnel.yaml too.
#[derive(Args, Debug, Default)]
pub struct Settings {
    /// What provides the cluster [default: kind, or the one used before].
    #[arg(long, value_name = "PROVIDER", env = "WINDTUNNEL_PROVIDER", value_enum)]
    pub provider: Option<ProviderChoice>,
    /// The processors of a new minikube profile [default: all that its driver has].
    #[arg(long, value_name = "NUMBER", env = "WINDTUNNEL_CPUS")]
    pub cpus: Option<NonZeroU32>,
    /// The memory of a new minikube profile: `6g`, `6144m` [default: all that its driver has].
    #[arg(long, value_name = "SIZE", env = "WINDTUNNEL_MEMORY")]
    pub memory: Option<String>,
    /// The driver of a new minikube profile [default: docker].
    #[arg(long, value_name = "DRIVER", env = "WINDTUNNEL_DRIVER")]
    pub driver: Option<String>,
    /// What runs the containers of a new minikube profile [default: containerd].
    #[arg(long, value_name = "RUNTIME", env = "WINDTUNNEL_CONTAINER_RUNTIME", value_enum)]
    pub container_runtime: Option<RuntimeChoice>,
    /// The kubeconfig context of a cluster that exists; none is ever guessed.
    #[arg(long, value_name = "NAME", env = "WINDTUNNEL_CONTEXT")]
    pub context: Option<String>,
    /// The kubeconfig that names the context [default: $KUBECONFIG, or ~/.kube/config].
    #[arg(long, value_name = "FILE", env = "WINDTUNNEL_KUBECONFIG")]
    pub kubeconfig: Option<PathBuf>,
    /// Use a cluster that exists even if it does not look like one of this machine.
    #[arg(long)]
    pub allow_remote: bool,
    /// The local port of the web interface, on 127.0.0.1 [default: 7070, or the port used before].
    #[arg(long, value_name = "PORT", env = "WINDTUNNEL_PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Option<u16>,
    /// The folder with your DAGs, seen live by Airflow [default: ./dags, or the folder used before].
    #[arg(long, value_name = "FOLDER", env = "WINDTUNNEL_DAGS")]
    pub dags: Option<PathBuf>,
    /// The PersistentVolumeClaim with your DAGs, on a cluster that exists, which sees no folder of this machine.
    #[arg(long, value_name = "NAME", env = "WINDTUNNEL_DAGS_CLAIM")]
    pub dags_claim: Option<String>,
    /// A shipped profile's name, or a file of your own [default: lite, or the one used before].
    #[arg(long, value_name = "NAME|FILE", env = "WINDTUNNEL_PROFILE")]
    pub profile: Option<String>,
    /// Take images and tools from this bundle, and nothing from any registry.
    #[arg(long, value_name = "FOLDER", env = "WINDTUNNEL_BUNDLE")]
    pub bundle: Option<PathBuf>,
    /// What runs the tasks [default: kubernetes, or the one used before].
    #[arg(long, value_name = "EXECUTOR", env = "WINDTUNNEL_EXECUTOR", value_enum)]
    pub executor: Option<ExecutorChoice>,
    /// A values file for Helm, which wins over the profile; may be given again.
    #[arg(long, value_name = "FILE")]
    pub values: Vec<PathBuf>,
    /// A single value for Helm, which wins over the files; may be given again.
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// The namespace of the release [default: the environment's name].
    #[arg(long, value_name = "NAME", env = "WINDTUNNEL_NAMESPACE")]
    pub namespace: Option<String>,
    /// Use the namespace even if somebody else made it and it holds something; an environment in it that this machine does not know is taken over
    /// after a yes.
    #[arg(long)]
    pub adopt_namespace: bool,
    /// Give up when nothing has moved for this many seconds, and when Airflow does not call itself healthy within them.
    #[arg(long, value_name = "SECONDS", env = "WINDTUNNEL_TIMEOUT", value_parser = clap::value_parser!(u64).range(1..))]
    pub timeout: Option<u64>,
}

impl Settings {
    /// What was asked for, free of the command line.
    #[must_use]
    pub fn wishes(&self, name: &str) -> Wishes {
        Wishes {
            name: Some(name.to_owned()),
            provider: self.provider.map(Provider::from),
            driver: self.driver.clone(),
            container_runtime: self.container_runtime.map(ContainerRuntime::from),
            cpus: self.cpus,
            memory: self.memory.clone(),
            context: self.context.clone(),
            kubeconfig: self.kubeconfig.clone(),
            allow_remote: self.allow_remote,
            executor: self.executor.map(Executor::from),
            values: self.values.clone(),
            set: self.set.clone(),
            namespace: self.namespace.clone(),
            port: self.port,
            dags: self.dags.clone(),
            dags_claim: self.dags_claim.clone(),
            profile: self.profile.clone(),
            bundle: self.bundle.clone(),
            adopt_namespace: self.adopt_namespace,
            timeout: self.timeout.map(Duration::from_secs),
        }
    }
}

/// What provides a cluster.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum ProviderChoice {
    /// A cluster of one kind node, in Docker.
    Kind,
    /// A minikube profile.
    Minikube,
    /// A cluster that is there already: name it by --context.
    Existing,
}

impl From<ProviderChoice> for Provider {
    fn from(choice: ProviderChoice) -> Self {
        match choice {
            ProviderChoice::Kind => Self::Kind,
            ProviderChoice::Minikube => Self::Minikube,
            ProviderChoice::Existing => Self::Existing,
        }
    }
}

/// What runs the tasks.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum ExecutorChoice {
    /// A pod for each task.
    Kubernetes,
    /// Processes beside the scheduler.
    Local,
    /// Workers that stay, behind a Redis.
    Celery,
}

impl From<ExecutorChoice> for Executor {
    fn from(choice: ExecutorChoice) -> Self {
        match choice {
            ExecutorChoice::Kubernetes => Self::Kubernetes,
            ExecutorChoice::Local => Self::Local,
            ExecutorChoice::Celery => Self::Celery,
        }
    }
}

/// `--container-runtime`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum RuntimeChoice {
    /// As in kind's nodes.
    Containerd,
    /// A Docker Engine of the node's own.
    Docker,
}

impl From<RuntimeChoice> for ContainerRuntime {
    fn from(choice: RuntimeChoice) -> Self {
        match choice {
            RuntimeChoice::Containerd => Self::Containerd,
            RuntimeChoice::Docker => Self::Docker,
        }
    }
}
