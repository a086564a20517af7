//! All that the checks judge, as it was seen: plain data.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use semver::Version;

use super::resources::Room;
use crate::cluster::capacity::Capacity;
use crate::cluster::requests::Pods;
use crate::error::Failure;
use crate::plan::Plan;
use crate::providers::Found;
use crate::providers::existing::Source;
use crate::surroundings::Proxies;
use crate::tools::docker::{Docker, Info};
use crate::tools::find::Tool;
use crate::tools::helm::Helm;
use crate::tools::host::Host;
use crate::tools::kind::Kind;
use crate::tools::minikube::Minikube;

/// All of it. `None` stands for what the plan does not need, or what cannot be seen on this system.
pub(super) struct Facts<'a> {
    /// The environment as it is to be.
    pub plan: &'a Plan,
    /// The Kubernetes of its node, where the node image's tag tells it.
    pub kubernetes: Option<Version>,
    /// The docker command, and its engine.
    pub docker: Option<Docker>,
    /// What the engine says of itself.
    pub engine: Option<Result<Info, Failure>>,
    /// What the engine's programs are: `Engine`, `Podman Engine`.
    pub components: Vec<String>,
    /// kind.
    pub kind: Option<Result<Kind, Failure>>,
    /// minikube.
    pub minikube: Option<Result<Minikube, Failure>>,
    /// Helm.
    pub helm: Result<Helm, Failure>,
    /// The tools that work beside those that are used, by name; seen by `doctor` only.
    pub others: Vec<(&'static str, Vec<Tool>)>,
    /// What there is under the environment's name; `None` where nobody could be asked.
    pub found: Option<Result<Found, Failure>>,
    /// A cluster that exists, and its Kubernetes.
    pub existing: Option<Result<(Source, String), Failure>>,
    /// What the engine has to give.
    pub room: Option<Room>,
    /// What the nodes of a cluster that exists have to give, or why that was not looked at.
    pub capacity: Result<Capacity, &'static str>,
    /// The pods of the charts; `None` where they could not be rendered for want of something else.
    pub pods: Option<Result<Vec<Pods>, Failure>>,
    /// The bundle, if one was named.
    pub bundle: Option<BundleSeen>,
    /// What keeps Airflow from the DAG folder.
    pub dags: Option<Failure>,
    /// Whether the forward can listen.
    pub port: Result<(), Failure>,
    /// This machine.
    pub machine: Machine,
    /// Its network.
    pub network: Network,
    /// What earlier environments left.
    pub leftovers: Option<Leftovers>,
}

impl Facts<'_> {
    /// The engine, if it answers.
    #[must_use]
    pub(super) fn info(&self) -> Option<&Info> {
        self.engine.as_ref()?.as_ref().ok()
    }

    /// Whether the environment runs already.
    #[must_use]
    pub(super) const fn is_running(&self) -> bool {
        matches!(self.found, Some(Ok(Found::Running(_))))
    }
}

/// A bundle, as it was found.
#[derive(Clone, Debug, Default)]
pub(super) struct BundleSeen {
    /// Its folder.
    pub folder: PathBuf,
    /// Whether its manifest could be read.
    pub is_readable: bool,
    /// What is wrong with it.
    pub faults: Vec<Failure>,
}

/// The machine that windtunnel runs on.
#[derive(Clone, Debug, Default)]
pub(super) struct Machine {
    /// `linux` or `macos`.
    pub system: String,
    /// How it starts its services.
    pub host: Host,
    /// What the kernel says of itself, `/proc/version`.
    pub kernel: String,
    /// The file systems that the kernel knows now, `/proc/filesystems`.
    pub filesystems: Option<String>,
    /// Those of the modules that a node needs which this kernel neither has nor can load; `None` where that cannot be told.
    pub missing_modules: Option<Vec<String>>,
    /// `fs.inotify.max_user_watches`.
    pub inotify_watches: Option<u64>,
    /// `fs.inotify.max_user_instances`.
    pub inotify_instances: Option<u64>,
    /// How many files this process may have open; `None` without a limit.
    pub open_files: Option<u64>,
    /// How many files are open on the whole machine, and how many may be: `/proc/sys/fs/file-nr`.
    pub all_files: Option<(u64, u64)>,
    /// Whether SELinux keeps its rules.
    pub selinux: bool,
    /// The file system that the DAG folder is on: `ext4`, `9p`.
    pub dags_on: Option<String>,
    /// Whether windtunnel sees the same kernel as the engine.
    pub has_engine: bool,
}

/// The machine's network.
#[derive(Clone, Debug, Default)]
pub(super) struct Network {
    /// The proxy variables.
    pub proxies: Proxies,
    /// The certificates that this user's programs trust beside the system's.
    pub certificates: Certificates,
    /// Where packets go: all routes but the default one.
    pub routes: Vec<Route>,
    /// The subnets of the engine's networks, by name.
    pub subnets: Vec<(String, Subnet)>,
    /// The interfaces that the engine's networks were told to use.
    pub bridges: Vec<String>,
    /// How many seconds the engine's clock is ahead of this machine's, less than zero where it is behind.
    pub clock: Option<i64>,
    /// The same of the node's clock; seen by `doctor` only.
    pub node_clock: Option<i64>,
    /// Whether a name is found inside the engine; seen by `doctor` only.
    pub names: Names,
}

/// `SSL_CERT_FILE` beside the system's store.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) enum Certificates {
    /// It is not set, or says what the system's store says.
    #[default]
    Usual,
    /// It names a file that cannot be read.
    Missing(PathBuf),
    /// It has so many certificates that the system's store lacks.
    Private(PathBuf, usize),
}

/// Whether the containers of the engine find a name.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) enum Names {
    /// Nobody was asked, and why not.
    NotAsked(&'static str),
    /// This name was found.
    Found(String),
    /// This name was not found, in these words.
    NotFound(String, Vec<String>),
    /// Nothing was looked at.
    #[default]
    Unknown,
}

/// A part of the addresses of IPv4.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Subnet {
    /// Its first address.
    pub address: Ipv4Addr,
    /// How many bits are the subnet's.
    pub bits: u8,
}

impl Subnet {
    /// Reads `10.96.0.0/16`.
    #[must_use]
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/')?;
        let subnet = Self { address: address.parse().ok()?, bits: bits.parse().ok().filter(|bits| *bits <= 32)? };
        Some(Self { address: Ipv4Addr::from_bits(subnet.address.to_bits() & subnet.mask()), ..subnet })
    }

    const fn mask(self) -> u32 {
        if self.bits == 0 { 0 } else { u32::MAX << (32 - self.bits) }
    }

    /// Whether every address of the other one is in this one.
    #[must_use]
    pub(super) const fn covers(self, other: Self) -> bool {
        self.bits <= other.bits && self.address.to_bits() == other.address.to_bits() & self.mask()
    }

    /// Whether they have an address in common.
    #[must_use]
    pub(super) const fn overlaps(self, other: Self) -> bool {
        self.covers(other) || other.covers(self)
    }
}

impl std::fmt::Display for Subnet {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}/{}", self.address, self.bits)
    }
}

/// A route of this machine.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Route {
    /// The interface: `tun0`.
    pub interface: String,
    /// What is reached through it.
    pub to: Subnet,
}

/// What earlier environments left.
#[derive(Clone, Debug, Default)]
pub(super) struct Leftovers {
    /// Environments with state and without a cluster, and whether Airflow was ever installed in it.
    pub without_cluster: Vec<(String, bool)>,
    /// Clusters that this windtunnel made, without state.
    pub without_state: Vec<String>,
    /// Environments whose forward runs without a cluster.
    pub forwards: Vec<String>,
    /// minikube profiles that mount a DAG folder as windtunnel has it done, without state: name, and the folder.
    pub profiles: Vec<(String, PathBuf)>,
    /// Node images that were kept for environments whose folder is gone for good: name, bytes, and the folder; seen by `doctor` only.
    pub images: Vec<(String, u64, PathBuf)>,
    /// All kind clusters, whoever made them.
    pub clusters: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subnets_are_read_and_compared() {
        let subnet = |text| Subnet::parse(text).unwrap();
        assert_eq!(subnet("10.96.3.4/16").to_string(), "10.96.0.0/16");
        assert!(subnet("10.0.0.0/8").covers(subnet("10.244.0.0/16")));
        assert!(!subnet("10.244.0.0/16").covers(subnet("10.0.0.0/8")));
        assert!(subnet("10.244.0.0/16").overlaps(subnet("10.0.0.0/8")));
        assert!(!subnet("10.244.0.0/16").overlaps(subnet("10.96.0.0/16")));
        assert!(subnet("0.0.0.0/0").covers(subnet("192.168.0.0/24")));
        for wrong in ["10.0.0.0", "10.0.0.0/33", "x/8"] {
            assert_eq!(Subnet::parse(wrong), None);
        }
    }
}
