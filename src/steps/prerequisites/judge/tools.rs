//! kind, minikube and Helm.

use super::super::facts::Facts;
use super::super::finding::{Check, Finding, Repair};
use crate::error::Failure;
use crate::tools::find::{Tool, Wanted};
use crate::tools::{helm, kind, minikube, release};

pub(super) fn judge(facts: &Facts<'_>) -> Vec<Check> {
    let mut checks = Vec::new();
    if let Some(kind) = &facts.kind {
        checks.push(check(&kind::WANTED, kind.as_ref().map(|kind| &kind.tool), "it makes the cluster"));
    }
    if let Some(minikube) = &facts.minikube {
        checks.push(check(&minikube::WANTED, minikube.as_ref().map(|minikube| &minikube.tool), "it makes the cluster"));
    }
    checks.push(check(&helm::WANTED, facts.helm.as_ref().map(|helm| &helm.tool), "it installs Airflow's chart"));
    checks
}

fn check(wanted: &Wanted, tool: Result<&Tool, &Failure>, why: &str) -> Check {
    match tool {
        Ok(tool) => Check::passed(wanted.name, format!("{} at {}", tool.version, tool.path.display())),
        Err(failure) => {
            let finding = Finding::of(failure);
            let finding = finding.needed(format!("{} {} or newer", wanted.name, wanted.oldest), why);
            let can_be_had = release::of(wanted.name).is_some_and(|release| release.here().is_some());
            let finding = if can_be_had { finding.repair(Repair::Download(wanted.name)) } else { finding };
            Check::found(wanted.name, finding)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;
    use crate::codes::Code;
    use crate::error::Kind;

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
