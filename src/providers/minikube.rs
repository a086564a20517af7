//! Minikube profiles. With the docker driver, which is the default, a profile's node is a container of the same name.
//!
//! minikube mounts one folder of this machine and no more, so that is the DAG folder; its mount marks profile and node as windtunnel's.

mod owner;

use std::num::NonZeroU32;
use std::path::Path;

use jiff::Timestamp;

use super::{DAGS, Found, Node};
use crate::codes::Code;
use crate::error::{Failure, Kind};
use crate::images::Image;
use crate::images::bundle::places_of;
use crate::plan::{ClusterPlan, ContainerRuntime, Plan};
use crate::state::{EnvironmentPaths, Record};
use crate::surroundings::Surroundings;
use crate::tools::docker::{Container, Docker};
use crate::tools::minikube::{Minikube, Profile, State};
use crate::ui::Ui;
use owner::Owner;
pub use owner::{dag_folder, file, made_by_windtunnel};

/// The driver whose nodes are containers of the Docker Engine.
pub const DOCKER: &str = "docker";
/// The label that minikube puts on the containers of a profile.
const PROFILE_LABEL: &str = "name.minikube.sigs.k8s.io";

/// The mark of a profile: where minikube keeps what it knows of it, and the DAG folder that ours has.
#[derive(Clone, Copy)]
pub struct Mark<'a> {
    /// minikube's own folder.
    pub home: &'a Path,
    /// The environment's DAG folder. Where this machine has forgotten the environment, the one that is asked for now.
    pub dags: &'a Path,
}

/// Looks what there is, after `minikube status` told `state`.
///
/// # Errors
/// Foreign, where a profile or container of that name was not made by this environment; it is left as it is. minikube's file of the
/// profile cannot be read.
pub async fn find(
    docker: Option<&Docker>,
    profile: &str,
    state: State,
    mark: Mark<'_>,
    paths: &EnvironmentPaths,
    ui: &Ui,
) -> Result<Found, Failure> {
    let record = Record::load(paths)?;
    let owner = owner::of(mark.home, profile, record.as_ref().map_or(mark.dags, |record| &record.dags))?;
    if let Owner::Another(evidence) = &owner {
        return Err(foreign(profile, evidence));
    }
    let container = match docker {
        Some(docker) => docker.container(profile, ui).await?,
        None => None,
    };
    if let Some(container) = container {
        return judge(profile, state, &container, record.is_some() || owner == Owner::Us);
    }
    if state == State::Absent {
        return Ok(Found::Absent);
    }
    if owner == Owner::Nobody {
        return Err(foreign(profile, "not a container of this Docker Engine"));
    }
    // A profile whose container is gone is made again by `minikube start`; in a virtual machine there never was one.
    let node = Node { container: profile.to_owned(), image: String::new(), dags: None, images: None, ended: None };
    Ok(if state == State::Running { Found::Running(node) } else { Found::Stopped(node) })
}

/// What there is of an environment that was brought up before.
pub struct Looked {
    /// The engine, where the driver makes containers.
    pub docker: Option<Docker>,
    /// minikube itself.
    pub minikube: Minikube,
    /// The profile.
    pub found: Found,
}

/// Looks what there is of an environment that was brought up before.
///
/// # Errors
/// As [`find()`]; minikube or the engine are not there.
pub async fn look(
    record: &Record,
    driver: &str,
    paths: &EnvironmentPaths,
    surroundings: &Surroundings,
    ui: &Ui,
) -> Result<Looked, Failure> {
    let Surroundings { search_path, folder, minikube: home, .. } = surroundings;
    let docker = if driver == DOCKER { Some(Docker::find(search_path, folder)?) } else { None };
    if let Some(docker) = &docker {
        docker.info(ui).await?;
    }
    let minikube = Minikube::find(&places_of(record.bundle.as_deref(), "minikube", surroundings), ui).await?;
    let kubeconfig = paths.kubeconfig();
    let state = minikube.state(Profile { name: &record.name, kubeconfig: &kubeconfig }, ui).await?;
    let mark = Mark { home, dags: &record.dags };
    let found = find(docker.as_ref(), &record.name, state, mark, paths, ui).await?;
    Ok(Looked { docker, minikube, found })
}

/// What it is that the engine has under the name of a profile of a known environment. Whether Kubernetes answers in it is not asked.
///
/// # Errors
/// Foreign, as [`find()`].
pub fn of_container(profile: &str, container: Option<&Container>) -> Result<Found, Failure> {
    let Some(container) = container else { return Ok(Found::Absent) };
    let state = if container.state.status == "running" { State::Running } else { State::Stopped };
    judge(profile, state, container, true)
}

fn judge(profile: &str, state: State, found: &Container, is_known: bool) -> Result<Found, Failure> {
    if found.config.labels.get(PROFILE_LABEL).map(String::as_str) != Some(profile) {
        return Err(Failure::new(Kind::Foreign, format!("the container `{profile}` is not a minikube node"))
            .code(Code::ClusterForeign)
            .hint("choose another name: `--name NAME`"));
    }
    let dags = found.mounts.iter().find(|mount| mount.destination == Path::new(DAGS));
    let Some(dags) = dags.filter(|_| is_known) else {
        return Err(foreign(profile, &format!("container {profile}, image {}", found.config.image)));
    };
    let node = Node {
        container: profile.to_owned(),
        image: found.config.image.clone(),
        dags: Some(dags.source.clone()),
        images: None,
        ended: Some(found.state.finished_at).filter(|ended| *ended > Timestamp::UNIX_EPOCH),
    };
    Ok(if state == State::Running { Found::Running(node) } else { Found::Stopped(node) })
}

fn foreign(profile: &str, evidence: &str) -> Failure {
    Failure::new(Kind::Foreign, format!("a minikube profile `{profile}` exists and was not made by this windtunnel"))
        .code(Code::ClusterForeign)
        .evidence(evidence)
        .hint("choose another name: `--name NAME`")
        .hint(format!("or, if nobody needs it: `minikube delete --profile {profile}`"))
}

/// What a profile is made with.
#[derive(Clone, Copy, Debug)]
pub struct Making<'a> {
    /// `docker`, or whatever minikube takes.
    pub driver: &'a str,
    /// What runs the node's containers.
    pub runtime: ContainerRuntime,
    /// How many processors; `None` for all that the driver has.
    pub cpus: Option<NonZeroU32>,
    /// How much memory, as `6g`; `None` for all that the driver has.
    pub memory: Option<&'a str>,
    /// The host folder that the node sees at [`DAGS`].
    pub dags: &'a Path,
    /// The node image: what it is, and which Kubernetes it is for.
    pub image: &'a Image,
    /// The name of the image that a container is made of in its place: that one, with more in it. Only with a bundle.
    pub base: &'a str,
    /// This machine's user, as a number.
    pub user: u32,
}

impl<'a> Making<'a> {
    /// What the profile of a plan is made with; `None` where the plan is not for minikube.
    #[must_use]
    pub fn of(plan: &'a Plan, image: &'a Image, base: &'a str, user: u32) -> Option<Self> {
        let ClusterPlan::Minikube { driver, container_runtime, cpus, memory } = &plan.cluster else { return None };
        let runtime = *container_runtime;
        Some(Self { driver, runtime, cpus: *cpus, memory: memory.as_deref(), dags: &plan.dags, image, base, user })
    }
}

/// The options of `minikube start` for a new profile.
///
/// # Errors
/// Usage, where minikube cannot mount the DAG folder or the bundle's node is not for the driver.
pub fn making(making: Making<'_>) -> Result<Vec<String>, Failure> {
    let Making { driver, runtime, cpus, memory, dags, image, base, user } = making;
    let folder = dags.display().to_string();
    if folder.contains(':') {
        return Err(Failure::usage(format!("minikube cannot mount the DAG folder {folder}: its path has a colon"))
            .hint("name another one: `--dags FOLDER`"));
    }
    let mut options = vec![
        format!("--driver={driver}"),
        format!("--container-runtime={}", runtime.name()),
        // Healthy is what windtunnel itself finds to be so.
        "--wait=none".to_owned(),
        "--embed-certs".to_owned(),
        "--mount".to_owned(),
        format!("--mount-string={folder}:{DAGS}{}", if driver == DOCKER { ":ro" } else { "" }),
    ];
    if let Some((_, version)) = image.reference.rsplit_once(":v") {
        options.push(format!("--kubernetes-version=v{version}"));
    }
    // In a container, as in kind's nodes: no limit but the engine's own. A virtual machine has to have some: minikube's.
    let usual = (driver == DOCKER).then_some("no-limit");
    let cpus = cpus.map(|cpus| cpus.to_string());
    options.extend(cpus.as_deref().or(usual).map(|cpus| format!("--cpus={cpus}")));
    options.extend(memory.or(usual).map(|memory| format!("--memory={memory}")));
    if image.archive.is_some() {
        if driver != DOCKER {
            return Err(Failure::usage(format!(
                "the bundle's node is a container, which the driver {driver} cannot run"
            ))
            .hint("with a bundle: `--driver docker`"));
        }
        options.push(format!("--base-image={base}"));
        // The node brings its network and its storage class itself.
        options.push("--cni=false".to_owned());
        options.extend(again(user, true));
    } else {
        options.extend(again(user, false));
    }
    for component in ["controller-manager", "scheduler"] {
        let settings =
            super::kind::CONTROL_PLANE.map(|(key, value)| format!("--extra-config={component}.{key}={value}"));
        options.extend(settings);
    }
    Ok(options)
}

/// The options of every `minikube start`. `is_complete` is whether the node has all that it needs, so that nothing is downloaded.
#[must_use]
pub fn again(user: u32, is_complete: bool) -> Vec<String> {
    let mut options = Vec::new();
    if is_complete {
        options.extend(["--preload=false", "--cache-images=false", "--install-addons=false"].map(str::to_owned));
    }
    if user == 0 {
        // minikube refuses root otherwise, who has her reasons.
        options.push("--force".to_owned());
    }
    options
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::images::bundle::Role;

    fn container(labels: &serde_json::Value, mounts: &serde_json::Value) -> Container {
        serde_json::from_value(json!({
            "State": {"Status": "running", "FinishedAt": "0001-01-01T00:00:00Z"},
            "Mounts": mounts,
            "Config": {"Image": "windtunnel.local/node:v1.34.4", "Labels": labels},
        }))
        .unwrap()
    }

    fn image(archive: Option<&str>) -> Image {
        Image {
            role: Role::Node.name().to_owned(),
            reference: "windtunnel.local/node:v1.34.4".to_owned(),
            id: None,
            archive: archive.map(Into::into),
        }
    }

    #[test]
    fn our_node_is_known_by_its_mount_and_anybody_elses_is_foreign() {
        let label = json!({PROFILE_LABEL: "demo"});
        let mounts = json!([{"Source": "/home/me/dags", "Destination": DAGS}]);
        let found = judge("demo", State::Running, &container(&label, &mounts), true).unwrap();
        assert_eq!(found.node().unwrap().dags.as_deref(), Some(Path::new("/home/me/dags")));
        let paused = judge("demo", State::Paused, &container(&label, &mounts), true).unwrap();
        assert!(matches!(paused, Found::Stopped(_)));
        for (labels, mounts, is_known) in
            [(&label, &json!([]), true), (&label, &mounts, false), (&json!({}), &mounts, true)]
        {
            let failure = judge("demo", State::Running, &container(labels, mounts), is_known).unwrap_err();
            assert_eq!(failure.kind, Kind::Foreign);
        }
    }

    fn unlimited(image: &Image) -> Making<'_> {
        Making {
            driver: DOCKER,
            runtime: ContainerRuntime::Containerd,
            cpus: None,
            memory: None,
            dags: Path::new("/dags"),
            image,
            base: &image.reference,
            user: 0,
        }
    }

    #[test]
    fn a_limit_is_the_users_or_none() {
        let image = image(None);
        let of = |making| super::making(making).unwrap().join(" ");
        assert!(of(unlimited(&image)).contains("--cpus=no-limit --memory=no-limit"));
        let limited = Making { cpus: NonZeroU32::new(4), memory: Some("6g"), ..unlimited(&image) };
        assert!(of(limited).contains("--cpus=4 --memory=6g"));
        assert!(!of(Making { driver: "kvm2", ..unlimited(&image) }).contains("no-limit"));
    }

    #[test]
    fn with_a_bundle_nothing_is_downloaded() {
        let (bundled, pulled) = (image(Some("/bundle/node.tar")), image(None));
        let of = |image, user| {
            making(Making { dags: Path::new("/dags"), image, user, ..unlimited(image) }).unwrap().join(" ")
        };
        let options = of(&bundled, 0);
        for wanted in [
            "--base-image=windtunnel.local/node:v1.34.4",
            "--preload=false",
            "--force",
            "--kubernetes-version=v1.34.4",
            "--mount-string=/dags:/windtunnel/dags:ro",
        ] {
            assert!(options.contains(wanted), "{wanted}: {options}");
        }
        let options = of(&pulled, 1000);
        assert!(
            !options.contains("--base-image") && !options.contains("--force") && !options.contains("addons"),
            "{options}"
        );
    }

    #[test]
    fn what_minikube_cannot_do_is_said_before_it_tries() {
        let image = image(Some("/bundle/node.tar"));
        for (driver, dags) in [("kvm2", "/dags"), (DOCKER, "/a:b")] {
            let failure = making(Making { driver, dags: Path::new(dags), ..unlimited(&image) }).unwrap_err();
            assert_eq!(failure.kind, Kind::Usage);
        }
    }
}
