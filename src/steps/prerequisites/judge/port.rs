//! The port of the forward, and the name of the cluster: what somebody else may have already.

use super::super::facts::Facts;
use super::super::finding::{Check, Finding};

pub(super) fn judge(facts: &Facts<'_>) -> Vec<Check> {
    let number = facts.plan.port;
    let finding =
        facts.port.as_ref().err().map(|failure| {
            Finding::of(failure).needed(format!("port {number} of 127.0.0.1"), "the forward listens there")
        });
    let port = Check::of("port", finding, format!("{number} is free, or this environment's own"));
    let name = &facts.plan.name;
    let cluster = match (&facts.existing, &facts.found) {
        (Some(Ok((source, version))), _) => {
            Check::passed("cluster", format!("{}, Kubernetes {version}", source.context))
        }
        (Some(Err(failure)), _) => Check::found("cluster", Finding::of(failure)),
        (None, Some(Ok(found))) => Check::passed("cluster", format!("{name}: {}", found.state())),
        (None, Some(Err(failure))) => {
            let finding = Finding::of(failure);
            let why = "what windtunnel did not make, it neither uses nor removes";
            Check::found("cluster", finding.needed("a name that nobody else uses", why))
        }
        (None, None) => Check::skipped("cluster", "not known without an engine"),
    };
    vec![port, cluster]
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;
    use crate::codes::Code;
    use crate::error::{Failure, Kind};

    #[test]
    fn what_is_somebody_elses_keeps_its_kind() {
        let plan = samples::plan();
        let mut facts = samples::facts(&plan);
        facts.port = Err(Failure::new(Kind::Foreign, "port 7070 on 127.0.0.1 is taken by nc").code(Code::PortTaken));
        facts.found = Some(Err(Failure::new(Kind::Foreign, "not ours")));
        let checks = judge(&facts);
        let found: Vec<_> = checks.iter().map(|check| (check.findings[0].code, check.findings[0].kind)).collect();
        assert_eq!(found, [(Some(Code::PortTaken), Kind::Foreign), (None, Kind::Foreign)]);
    }
}
