//! The checks: from facts to findings, without a look at anything else. One file for each subject.

mod bundle;
mod engine;
mod kernel;
mod leftovers;
mod network;
mod platform;
mod port;
mod proxy;
mod resources;
mod tools;

use super::facts::Facts;
use super::finding::Check;

/// Judges all that was seen, in the order in which a person would repair it.
#[must_use]
pub(super) fn judge(facts: &Facts<'_>) -> Vec<Check> {
    let mut checks = engine::judge(facts);
    checks.extend(tools::judge(facts));
    checks.extend(bundle::judge(facts));
    checks.extend(kernel::judge(facts));
    checks.extend(resources::judge(facts));
    checks.extend(port::judge(facts));
    checks.extend(proxy::judge(facts));
    checks.extend(network::judge(facts));
    checks.extend(platform::judge(facts));
    checks.extend(leftovers::judge(facts));
    checks
}

/// Facts for tests: a healthy machine that wants the default environment.
#[cfg(test)]
pub(super) mod samples {
    use semver::Version;

    use super::super::facts::{Facts, Machine, Network};
    use super::super::resources::{GIB, Room};
    use crate::cluster::requests::{Amount, Pods};
    use crate::plan::{Plan, Wishes};
    use crate::profile;
    use crate::providers::Found;
    use crate::surroundings::Proxies;
    use crate::tools::docker::Info;
    use crate::tools::find::Tool;
    use crate::tools::helm::Helm;
    use crate::tools::kind::Kind;

    /// What the lite chart asks for, with one worker.
    const ASKED: Amount = Amount { millicores: 600, memory: 1664 << 20 };

    pub(in super::super) fn plan() -> Plan {
        let profile = profile::shipped("lite").unwrap();
        let folder = std::path::Path::new("/project");
        crate::plan::resolve(&Wishes::default(), None, "lite".to_owned(), profile, folder, &[]).unwrap()
    }

    fn tool(name: &str, version: Version) -> Tool {
        Tool { path: format!("/usr/local/bin/{name}").into(), version }
    }

    pub(in super::super) fn info() -> Info {
        Info {
            server_version: "28.2.2".to_owned(),
            mem_total: 16 * GIB,
            processors: 8,
            system: "linux".to_owned(),
            architecture: "x86_64".to_owned(),
            operating_system: "Ubuntu 24.04.2 LTS".to_owned(),
            name: "laptop".to_owned(),
            driver: "overlay2".to_owned(),
            cgroup_version: "2".to_owned(),
            memory_limit: true,
            pids_limit: true,
            ..Info::default()
        }
    }

    pub(in super::super) fn facts(plan: &Plan) -> Facts<'_> {
        Facts {
            plan,
            kubernetes: Some(Version::new(1, 34, 3)),
            docker: None,
            engine: Some(Ok(info())),
            components: Vec::new(),
            others: Vec::new(),
            kind: Some(Ok(Kind { tool: tool("kind", Version::new(0, 30, 0)) })),
            minikube: None,
            helm: Ok(Helm { tool: tool("helm", Version::new(3, 19, 0)), proxies: Proxies::default() }),
            found: Some(Ok(Found::Absent)),
            existing: None,
            capacity: Err("not looked at"),
            pods: Some(Ok(vec![Pods { of: "Deployment airflow".to_owned(), count: 1, each: ASKED }])),
            bundle: None,
            dags: None,
            room: Some(Room { processors: 8, memory: 8 * GIB, disk: Some(50 * GIB), is_here: true }),
            port: Ok(()),
            machine: Machine {
                system: "linux".to_owned(),
                kernel: "Linux version 6.8.0-60-generic".to_owned(),
                filesystems: Some("nodev\toverlay\n\text4\n".to_owned()),
                inotify_watches: Some(65_536),
                inotify_instances: Some(128),
                open_files: Some(1024),
                all_files: Some((12_000, 9_000_000)),
                dags_on: Some("ext4".to_owned()),
                has_engine: true,
                ..Machine::default()
            },
            network: Network { clock: Some(0), ..Network::default() },
            leftovers: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_healthy_laptop_sees_no_finding() {
        let plan = samples::plan();
        let checks = judge(&samples::facts(&plan));
        let findings: Vec<_> = checks.iter().flat_map(|check| &check.findings).collect();
        assert!(findings.is_empty(), "{findings:#?}");
        assert!(checks.len() > 12 && checks.iter().all(|check| !check.detail.is_empty()), "{checks:#?}");
    }

    #[test]
    fn without_an_engine_all_the_rest_is_still_told() {
        let plan = samples::plan();
        let mut facts = samples::facts(&plan);
        let failure = crate::error::Failure::new(crate::error::Kind::Prerequisite, "the Docker Engine is not running");
        facts.engine = Some(Err(failure));
        (facts.found, facts.room) = (None, None);
        let checks = judge(&facts);
        assert_eq!(checks.iter().filter(|check| !check.findings.is_empty()).count(), 1);
        assert!(checks.iter().any(|check| check.check == "kind" && !check.skipped));
        assert!(checks.iter().any(|check| check.check == "memory" && check.skipped));
    }
}
