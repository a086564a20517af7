//! What earlier environments left.

use super::super::facts::Facts;
use super::super::finding::{Check, Finding, Repair};
use crate::codes::Code;
use crate::images::size::size;

pub(super) fn judge(facts: &Facts<'_>) -> Vec<Check> {
    let Some(leftovers) = &facts.leftovers else { return Vec::new() };
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let mut findings = Vec::new();
    for name in &leftovers.without_state {
        let down = ["down", "--yes", "--name", name];
        findings.push(
            Finding::warning(
                Code::LeftoverCluster,
                format!("the cluster `{name}` was left by an environment that is gone"),
            )
            .found("windtunnel made its node, and remembers no such environment")
            .needed("no cluster without an environment", "it takes memory and disk, and nobody uses it")
            .fix(format!("`windtunnel {}`", down.join(" ")))
            .repair(Repair::Windtunnel(words(&down))),
        );
    }
    for (name, dags) in &leftovers.profiles {
        findings.push(
            Finding::warning(
                Code::LeftoverCluster,
                format!("the minikube profile `{name}` was left by an environment that is gone"),
            )
            .found(format!(
                "it mounts {} as windtunnel has it done, and no such environment is remembered",
                dags.display()
            ))
            .needed("no cluster without an environment", "it takes memory and disk, and nobody uses it")
            .fix(format!("if it is nobody's: `minikube delete --profile {name}`")),
        );
    }
    for (reference, bytes, folder) in &leftovers.images {
        findings.push(
            Finding::warning(Code::LeftoverImage, format!("the node image `{reference}` was kept for nobody"))
                .found(format!("{}, of the environment that was at {}", size(*bytes), folder.display()))
                .needed("no node image without an environment", "it takes disk, and no `up` will use it")
                .fix(format!("`docker image rm {reference}`")),
        );
    }
    for name in &leftovers.forwards {
        let stop = ["forward", "stop", "--name", name];
        findings.push(
            Finding::warning(Code::LeftoverForward, format!("the forward of `{name}` runs, and its cluster is gone"))
                .needed("a cluster, or no forward", "it holds a port and reaches nobody")
                .fix(format!("`windtunnel {}`", stop.join(" ")))
                .repair(Repair::Windtunnel(words(&stop))),
        );
    }
    let without_cluster = leftovers.without_cluster.iter().filter(|(name, _)| !leftovers.forwards.contains(name));
    for (name, was_installed) in without_cluster {
        let finding =
            Finding::warning(Code::LeftoverState, format!("the environment `{name}` has no cluster any more"))
                .found("somebody else removed it, or its making was cut short")
                .needed("a cluster, or no environment", "its keys and settings are kept for nothing")
                .fix(format!("make it anew: `windtunnel up --name {name}`"))
                .fix(format!("or forget it: `windtunnel down --yes --name {name}`"));
        // Its cluster may live in an engine that is not asked now: keys of an Airflow are not removed unasked.
        let repair = Repair::Windtunnel(words(&["down", "--yes", "--name", name]));
        findings.push(if *was_installed { finding } else { finding.repair(repair) });
    }
    let is_clean = findings.is_empty();
    let detail = if is_clean { "none" } else { "" }.to_owned();
    vec![Check { check: "leftovers", detail, skipped: false, findings }]
}

#[cfg(test)]
mod tests {
    use super::super::super::facts::Leftovers;
    use super::super::samples;
    use super::*;

    #[test]
    fn each_leftover_has_the_command_that_removes_it() {
        let plan = samples::plan();
        let mut facts = samples::facts(&plan);
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        facts.leftovers = Some(Leftovers {
            without_cluster: [("a", false), ("b", true), ("d", true)]
                .map(|(name, was)| (name.to_owned(), was))
                .to_vec(),
            without_state: names(&["c"]),
            forwards: names(&["b"]),
            profiles: vec![("e".to_owned(), "/old/dags".into())],
            images: vec![("windtunnel.local/kept/f:1".to_owned(), 2_000_000_000, "/old/state/f".into())],
            clusters: 1,
        });
        let checks = judge(&facts);
        let found: Vec<_> = checks[0].findings.iter().map(|finding| (finding.code, finding.repair.clone())).collect();
        let run = |words: &[&str]| Some(Repair::Windtunnel(names(words)));
        assert_eq!(
            found,
            [
                (Some(Code::LeftoverCluster), run(&["down", "--yes", "--name", "c"])),
                // Who made a profile is not known for sure, nor whether the engine is another machine's.
                (Some(Code::LeftoverCluster), None),
                (Some(Code::LeftoverImage), None),
                (Some(Code::LeftoverForward), run(&["forward", "stop", "--name", "b"])),
                (Some(Code::LeftoverState), run(&["down", "--yes", "--name", "a"])),
                (Some(Code::LeftoverState), None),
            ]
        );
    }
}
