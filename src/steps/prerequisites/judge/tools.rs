//! kind, minikube and Helm.

use std::fmt::Write;

use super::super::facts::Facts;
use super::super::finding::{Check, Finding, Repair};
use crate::codes::Code;
use crate::error::Failure;
use crate::tools::find::{Tool, Wanted};
use crate::tools::{helm, kind, minikube, release};

pub(super) fn judge(facts: &Facts<'_>) -> Vec<Check> {
    let mut checks = Vec::new();
    if let Some(kind) = &facts.kind {
        checks.push(check(facts, &kind::WANTED, kind.as_ref().map(|kind| &kind.tool), "it makes the cluster"));
    }
    if let Some(minikube) = &facts.minikube {
        checks.push(check(
            facts,
            &minikube::WANTED,
            minikube.as_ref().map(|minikube| &minikube.tool),
            "it makes the cluster",
        ));
    }
    checks.push(check(facts, &helm::WANTED, facts.helm.as_ref().map(|helm| &helm.tool), "it installs Airflow's chart"));
    checks
}

fn check(facts: &Facts<'_>, wanted: &Wanted, tool: Result<&Tool, &Failure>, why: &str) -> Check {
    match tool {
        Err(_) if facts.bundle.as_ref().is_some_and(|bundle| !bundle.is_readable) => {
            Check::skipped(wanted.name, "not known: the bundle may have it, and cannot be read")
        }
        Ok(tool) => {
            let others = facts.others.iter().filter(|(name, _)| *name == wanted.name).flat_map(|(_, others)| others);
            let others: Vec<&Tool> = others.collect();
            let mut detail = format!("{} at {}", tool.version, tool.path.display());
            for other in &others {
                write!(detail, "; not used: {} at {}", other.version, other.path.display()).unwrap_or_default();
            }
            let newer = others.iter().filter(|other| other.version > tool.version).max_by_key(|other| &other.version);
            let findings = untested(wanted, tool).into_iter().chain(newer.map(|newer| shadowed(wanted, tool, newer)));
            Check { findings: findings.collect(), ..Check::passed(wanted.name, detail) }
        }
        Err(failure) => {
            let finding = Finding::of(failure);
            let finding = finding.needed(format!("{} {} or newer", wanted.name, wanted.oldest), why);
            let can_be_had = release::of(wanted.name).is_some_and(|release| release.here().is_some());
            let finding = if can_be_had { finding.repair(Repair::Download(wanted.name)) } else { finding };
            Check::found(wanted.name, finding)
        }
    }
}

fn untested(wanted: &Wanted, tool: &Tool) -> Option<Finding> {
    let (name, newest) = (wanted.name, wanted.newest_major);
    (tool.version.major > newest).then(|| {
        Finding::warning(
            Code::ToolUntested,
            format!("{name} {} is newer than what windtunnel was tested with", tool.version),
        )
        .found(tool.path.display().to_string())
        .needed(
            format!("{name} {} or newer, of the major version {newest} at most", wanted.oldest),
            "a new major version may have other options",
        )
        .fix(format!("if it works, nothing; if not, install {name} {newest}"))
    })
}

fn shadowed(wanted: &Wanted, tool: &Tool, newer: &Tool) -> Finding {
    let (name, used) = (wanted.name, &tool.version);
    let folder = newer.path.parent().unwrap_or(&newer.path).display().to_string();
    Finding::warning(Code::ToolShadowed, format!("{name} {used} hides the newer {}", newer.version))
        .found(format!("used: {}", tool.path.display()))
        .found(format!("not used: {}", newer.path.display()))
        .needed("one of them", "programs are taken from the first folder of PATH that has one")
        .fix(format!("remove {}, or put {folder} before its folder on PATH", tool.path.display()))
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;
    use semver::Version;

    use crate::error::Kind;

    #[test]
    fn a_new_major_version_is_warned_of_and_so_is_one_that_hides_a_newer() {
        let plan = samples::plan();
        let mut facts = samples::facts(&plan);
        let helm = |path: &str, major| Tool { path: path.into(), version: Version::new(major, 1, 0) };
        let mut judged = |used: Tool, others: Vec<Tool>| -> (Vec<Option<Code>>, String) {
            facts.helm = Ok(helm::Helm { tool: used, proxies: crate::surroundings::Proxies::default() });
            facts.others = vec![("kind", vec![helm("/opt/kind", 0)]), ("helm", others)];
            let check = judge(&facts).remove(1);
            (check.findings.iter().map(|finding| finding.code).collect(), check.detail)
        };
        assert_eq!(judged(helm("/a/helm", 4), Vec::new()).0, []);
        assert_eq!(judged(helm("/a/helm", 5), Vec::new()).0, [Some(Code::ToolUntested)]);
        assert_eq!(judged(helm("/a/helm", 3), vec![helm("/b/helm", 4)]).0, [Some(Code::ToolShadowed)]);
        let (findings, detail) = judged(helm("/a/helm", 4), vec![helm("/b/helm", 3)]);
        assert_eq!((findings, detail.as_str()), (Vec::new(), "4.1.0 at /a/helm; not used: 3.1.0 at /b/helm"));
    }

    #[test]
    fn a_tool_that_is_missing_can_be_downloaded() {
        let plan = samples::plan();
        let mut facts = samples::facts(&plan);
        facts.helm = Err(Failure::new(Kind::Prerequisite, "`helm` is not on PATH").code(Code::ToolMissing));
        let checks = judge(&facts);
        assert_eq!(checks[0].detail, "0.30.0 at /usr/local/bin/kind");
        let finding = &checks[1].findings[0];
        assert_eq!((finding.code, &finding.repair), (Some(Code::ToolMissing), &Some(Repair::Download("helm"))));
        assert_eq!(finding.needed, "helm 3.14.0 or newer");
    }
}
