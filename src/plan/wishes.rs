//! What was asked for, in layers: each says something, and where it says nothing the one below counts.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use super::{ContainerRuntime, Provider};
use crate::profile::Executor;

/// What was asked for on the command line, by `WINDTUNNEL_*` or in `windtunnel.yaml`; `None` where nothing was said.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Wishes {
    /// The environment's name.
    pub name: Option<String>,
    /// What provides the cluster.
    pub provider: Option<Provider>,
    /// minikube's driver.
    pub driver: Option<String>,
    /// What runs the containers of a new minikube profile.
    pub container_runtime: Option<ContainerRuntime>,
    /// The processors of a new minikube profile.
    pub cpus: Option<NonZeroU32>,
    /// The memory of a new minikube profile, as `6g` or `6144m`.
    pub memory: Option<String>,
    /// The kubeconfig context of a cluster that is there already.
    pub context: Option<String>,
    /// The kubeconfig file that names it, relative to the folder of the command.
    pub kubeconfig: Option<PathBuf>,
    /// Use a cluster that does not look like one of this machine.
    pub allow_remote: bool,
    /// The namespace of the release.
    pub namespace: Option<String>,
    /// The local port of the forward.
    pub port: Option<u16>,
    /// The DAG folder, relative to the folder of the command.
    pub dags: Option<PathBuf>,
    /// A PersistentVolumeClaim that holds the DAGs, where no folder of this machine is seen.
    pub dags_claim: Option<String>,
    /// A shipped profile's name or a file.
    pub profile: Option<String>,
    /// A bundle's folder, relative to the folder of the command.
    pub bundle: Option<PathBuf>,
    /// What runs the tasks.
    pub executor: Option<Executor>,
    /// Values files for Helm, in order, relative to the folder of the command.
    pub values: Vec<PathBuf>,
    /// Single values for Helm, in order, as `helm --set` takes them.
    pub set: Vec<String>,
    /// Use a namespace that somebody else made and that holds something.
    pub adopt_namespace: bool,
    /// How long to wait for the pods.
    pub timeout: Option<Duration>,
}

impl Wishes {
    /// These wishes, and where they say nothing, those of `below`.
    ///
    /// A cluster is wished for as a whole: below another provider, the driver or context of the one that was left says nothing.
    #[must_use]
    pub fn over(self, mut below: Self) -> Self {
        let meant = below.provider.or(below.context.as_ref().map(|_| Provider::Existing));
        let wanted = self.provider.or(self.context.as_ref().map(|_| Provider::Existing));
        if self.provider.is_some() && meant.is_some() && wanted != meant {
            (below.provider, below.driver, below.context, below.kubeconfig) = (None, None, None, None);
            (below.container_runtime, below.cpus, below.memory) = (None, None, None);
        }
        // The one kind of cluster sees folders of this machine, the other claims.
        match wanted {
            Some(Provider::Existing) if meant != Some(Provider::Existing) => below.dags = None,
            Some(Provider::Kind | Provider::Minikube) => below.dags_claim = None,
            _ => {}
        }
        Self {
            name: self.name.or(below.name),
            provider: self.provider.or(below.provider),
            driver: self.driver.or(below.driver),
            container_runtime: self.container_runtime.or(below.container_runtime),
            cpus: self.cpus.or(below.cpus),
            memory: self.memory.or(below.memory),
            context: self.context.or(below.context),
            kubeconfig: self.kubeconfig.or(below.kubeconfig),
            allow_remote: self.allow_remote || below.allow_remote,
            namespace: self.namespace.or(below.namespace),
            port: self.port.or(below.port),
            dags: self.dags.or(below.dags),
            dags_claim: self.dags_claim.or(below.dags_claim),
            profile: self.profile.or(below.profile),
            bundle: self.bundle.or(below.bundle),
            executor: self.executor.or(below.executor),
            values: if self.values.is_empty() { below.values } else { self.values },
            set: if self.set.is_empty() { below.set } else { self.set },
            adopt_namespace: self.adopt_namespace || below.adopt_namespace,
            timeout: self.timeout.or(below.timeout),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_that_says_nothing_lets_the_one_below_speak() {
        let file = Wishes { port: Some(7171), dags: Some("/project/flows".into()), ..Wishes::default() };
        let flags = Wishes { port: Some(8080), ..Wishes::default() };
        let both = flags.over(file);
        assert_eq!((both.port, both.dags), (Some(8080), Some("/project/flows".into())));
    }

    #[test]
    fn another_provider_leaves_the_details_of_the_former() {
        let file = Wishes { context: Some("work".to_owned()), port: Some(7171), ..Wishes::default() };
        let kind = Wishes { provider: Some(Provider::Kind), ..Wishes::default() }.over(file.clone());
        assert_eq!((kind.provider, kind.context, kind.port), (Some(Provider::Kind), None, Some(7171)));
        let existing = Wishes { provider: Some(Provider::Existing), ..Wishes::default() }.over(file);
        assert_eq!(existing.context.as_deref(), Some("work"));
    }

    #[test]
    fn dags_are_those_of_the_kind_of_cluster() {
        let existing = || Wishes { context: Some("work".to_owned()), ..Wishes::default() };
        let folder = Wishes { dags: Some("/project/dags".into()), ..Wishes::default() };
        assert_eq!(existing().over(folder).dags, None);
        let claim = Wishes { dags_claim: Some("flows".to_owned()), ..existing() };
        let kind = Wishes { provider: Some(Provider::Kind), ..Wishes::default() };
        assert_eq!(kind.over(claim.clone()).dags_claim, None);
        assert_eq!(existing().over(claim).dags_claim.as_deref(), Some("flows"));
    }
}
