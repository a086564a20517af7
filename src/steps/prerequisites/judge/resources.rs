//! Memory, processors and disk, against what the chart's pods and the control plane ask for.

use super::super::facts::Facts;
use super::super::finding::{Check, Finding};
use super::super::resources::{GIB, Room};
use crate::cluster::capacity::Capacity;
use crate::cluster::requests::{Amount, Pods, total};
use crate::codes::Code;
use crate::stacks;
use crate::tools::docker::Info;

/// What a node's control plane takes: memory measured with Kubernetes 1.34 and rounded up; of processors kubeadm's control plane asks for 0.95,
/// the network and kube-proxy for the rest.
const CONTROL_PLANE: Amount = Amount { millicores: 1050, memory: GIB };
/// What the smallest chart asks for of processors, where the chart cannot be rendered.
const USUAL_MILLICORES: u64 = 600;
/// The node's copy of its own image's /var, the images, the database and logs of a first day.
const DISK: u64 = 6 * GIB;
const NAMES: [&str; 3] = ["memory", "processors", "disk"];

pub(super) fn judge(facts: &Facts<'_>) -> Vec<Check> {
    if facts.existing.is_some() {
        return nodes(facts);
    }
    if facts.engine.is_none() {
        return Vec::new();
    }
    let (Some(room), Some(info)) = (&facts.room, facts.info()) else {
        return NAMES.map(|name| Check::skipped(name, "not known without an engine")).to_vec();
    };
    // An environment that runs has taken its share already.
    if facts.is_running() {
        return NAMES.map(|name| Check::skipped(name, "the environment runs, and has its share")).to_vec();
    }
    let airflow = match &facts.pods {
        Some(Ok(pods)) => total(pods),
        // Without the chart's own word, what it usually says.
        _ => Amount { millicores: USUAL_MILLICORES, memory: stacks::memory_request(facts.plan.profile.stack) },
    };
    let needed = CONTROL_PLANE.plus(airflow);
    let disk = room.disk.map_or_else(
        || Check::skipped("disk", format!("{} is not on this machine", info.docker_root_dir.display())),
        |disk| Check::of("disk", short_disk(disk), format!("{} free where the engine keeps its data", size(disk))),
    );
    let memory = format!("{} free, {} needed", size(room.memory), size_needed(needed.memory));
    let number = format!("{}, {} needed", room.processors, processors(needed.millicores));
    vec![
        Check::of("memory", short_memory(room, info, airflow), memory),
        Check::of("processors", few_processors(room, info, airflow), number),
        disk,
    ]
}

fn short_memory(room: &Room, info: &Info, airflow: Amount) -> Option<Finding> {
    let needed = CONTROL_PLANE.plus(airflow).memory;
    let (own, others) = (size(CONTROL_PLANE.memory), size_needed(airflow.memory));
    (room.memory < needed).then(|| {
        Finding::error(
            Code::MemoryShort,
            format!("{} of memory are free, {} are needed", size(room.memory), size_needed(needed)),
        )
        .found(format!("{own} for the cluster, {others} for Airflow and its database"))
        .needed(size_needed(needed), "Kubernetes places a pod only where its request fits")
        .fix(more(room, info, "memory", needed.div_ceil(GIB) + 1))
    })
}

fn few_processors(room: &Room, info: &Info, airflow: Amount) -> Option<Finding> {
    let needed = CONTROL_PLANE.plus(airflow).millicores;
    let (count, words) = (u64::from(room.processors), processors(needed));
    let plural = if count == 1 { "" } else { "s" };
    (0 < count && count * 1000 < needed).then(|| {
        Finding::error(Code::CpuShort, format!("the engine has {count} processor{plural}, {words} are needed"))
            .found(format!(
                "{} for the cluster, {} for Airflow and its database",
                processors(CONTROL_PLANE.millicores),
                processors(airflow.millicores)
            ))
            .needed(words, "Kubernetes places a pod only where its request fits")
            .fix(more(room, info, "cpu", needed.div_ceil(1000)))
    })
}

/// What the nodes of a cluster that exists have to give. Whether more of them come when they are needed is not known, so only a pod that
/// fits none of them is an error.
fn nodes(facts: &Facts<'_>) -> Vec<Check> {
    let skipped = |why: &str| NAMES[..2].iter().map(|name| Check::skipped(name, why)).collect();
    let capacity = match (&facts.existing, &facts.capacity) {
        (Some(Err(_)), _) => return skipped("not known without the cluster"),
        (_, Err(why)) => return skipped(why),
        (_, Ok(capacity)) => capacity,
    };
    match &facts.pods {
        Some(Ok(_)) if capacity.nodes.is_empty() => skipped("not known: no node says what it has"),
        Some(Ok(pods)) => {
            vec![MEMORY.judge(capacity, pods), PROCESSORS.judge(capacity, pods)]
        }
        _ => skipped("not known without the chart's manifests"),
    }
}

/// Memory or processors, and how they are counted and said.
struct Resource {
    name: &'static str,
    code: Code,
    of: fn(Amount) -> u64,
    free: fn(u64) -> String,
    needed: fn(u64) -> String,
    is: &'static str,
}

const MEMORY: Resource = Resource {
    name: "memory",
    code: Code::MemoryShort,
    of: |amount| amount.memory,
    free: size,
    needed: size_needed,
    is: "of memory are",
};
const PROCESSORS: Resource = Resource {
    name: "processors",
    code: Code::CpuShort,
    of: |amount| amount.millicores,
    free: processors_free,
    needed: processors,
    is: "processors are",
};

impl Resource {
    fn judge(&self, capacity: &Capacity, pods: &[Pods]) -> Check {
        let Self { name, code, of, free, needed, is } = self;
        let why = "Kubernetes places a pod only where its request fits";
        let largest = pods.iter().max_by_key(|pods| of(pods.each));
        let node = capacity.nodes.iter().map(|node| of(*node)).max().unwrap_or_default();
        if let Some(pods) = largest.filter(|pods| of(pods.each) > node) {
            let asked = needed(of(pods.each));
            let finding = Finding::error(
                *code,
                format!("{}: {asked} {is} needed, no node has more than {}", pods.of, free(node)),
            );
            let finding = finding.needed(format!("a node with {asked}"), why);
            return Check::found(
                name,
                finding.fix("ask for less: `resources` in the values; or use a cluster with a larger node"),
            );
        }
        let all = capacity.nodes.iter().fold(Amount::default(), |sum, node| sum.plus(*node));
        let asked = of(total(pods));
        let Some(taken) = capacity.taken else {
            let detail = format!("{} on {} nodes, {} needed", free(of(all)), capacity.nodes.len(), needed(asked));
            return Check::passed(name, format!("{detail}; what other pods have taken is not known"));
        };
        let left = of(all.minus(taken));
        let finding = (left < asked).then(|| {
            Finding::warning(*code, format!("the nodes have {} left, {} {is} needed", free(left), needed(asked)))
                .found(format!("{} in all, other pods have asked for {}", free(of(all)), needed(of(taken))))
                .needed(needed(asked), why)
                .fix("remove what nobody needs there, ask for less in the values, or add a node")
        });
        Check::of(name, finding, format!("{} left on the nodes, {} needed", free(left), needed(asked)))
    }
}

fn short_disk(disk: u64) -> Option<Finding> {
    (disk < DISK).then(|| {
        Finding::error(
            Code::DiskShort,
            format!("{} of disk are free where Docker keeps its data, {} are needed", size(disk), size(DISK)),
        )
        .needed(size(DISK), "the node's file system, the images, the database and the logs are kept there")
        .fix("see what Docker keeps: `docker system df`; remove what nothing uses: `docker system prune`")
    })
}

/// How the virtual machine of an engine gets more, by the name that it gives itself.
fn more(room: &Room, info: &Info, what: &str, count: u64) -> String {
    let (system, name) = (info.operating_system.to_lowercase(), info.name.to_lowercase());
    let text = if room.is_here {
        match what {
            "memory" => {
                return "close other programs, or give Docker more memory (Docker Desktop: Settings, Resources)"
                    .to_owned();
            }
            _ => return format!("ask for less in the values, or use a machine with {count} processors"),
        }
    } else if name.contains("colima") {
        format!("`colima stop`, then `colima start --{what} {count}`")
    } else if system.contains("orbstack") {
        let (key, count) = if what == "memory" { ("memory_mib", count * 1024) } else { ("cpu", count) };
        format!("`orb config set {key} {count}`")
    } else if name.contains("rancher") || name.contains("lima") {
        let key = if what == "memory" { "memory-in-gb" } else { "number-cpus" };
        format!("`rdctl set --virtual-machine.{key} {count}`")
    } else if name.contains("podman") {
        let count = if what == "memory" { count * 1024 } else { count };
        let option = if what == "memory" { "memory" } else { "cpus" };
        format!("`podman machine stop`, then `podman machine set --{option} {count}`")
    } else {
        let what = if what == "memory" { "memory" } else { "processors" };
        return format!("give Docker more {what} (Docker Desktop: Settings, Resources)");
    };
    format!("give the engine's virtual machine more: {text}")
}

/// Whole tenths, so that a number just below what is needed does not look like it.
fn size(bytes: u64) -> String {
    gibibytes(bytes.saturating_mul(10) / GIB)
}

/// What is needed likewise does not look like less.
fn size_needed(bytes: u64) -> String {
    gibibytes(bytes.saturating_mul(10).div_ceil(GIB))
}

fn gibibytes(tenths: u64) -> String {
    format!("{}.{} GiB", tenths / 10, tenths % 10)
}

/// Processors that are needed: `1.65`.
fn processors(millicores: u64) -> String {
    hundredths(millicores.div_ceil(10))
}

/// Processors that there are.
fn processors_free(millicores: u64) -> String {
    hundredths(millicores / 10)
}

fn hundredths(number: u64) -> String {
    let text = format!("{}.{:02}", number / 100, number % 100);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::super::finding::Severity;
    use super::super::samples;
    use super::*;

    fn messages(change: impl FnOnce(&mut Room, &mut Info)) -> Vec<(String, String)> {
        let plan = samples::plan();
        let mut facts = samples::facts(&plan);
        if let (Some(room), Some(Ok(info))) = (&mut facts.room, &mut facts.engine) {
            change(room, info);
        }
        let checks = judge(&facts);
        let findings = checks.into_iter().flat_map(|check| check.findings);
        findings.map(|finding| (finding.what, finding.fixes[0].clone())).collect()
    }

    #[test]
    fn too_little_is_said_with_both_numbers() {
        let all = messages(|room, _| *room = Room { processors: 1, memory: 2 * GIB, disk: Some(GIB), is_here: true });
        let all: Vec<&str> = all.iter().map(|(what, _)| what.as_str()).collect();
        assert_eq!(
            all,
            [
                "2.0 GiB of memory are free, 2.7 GiB are needed",
                "the engine has 1 processor, 1.65 are needed",
                "1.0 GiB of disk are free where Docker keeps its data, 6.0 GiB are needed",
            ]
        );
        assert!(messages(|room, _| room.disk = None).is_empty());
    }

    fn pods(of: &str, count: u64, millicores: u64, gibibytes: u64) -> Pods {
        Pods { of: of.to_owned(), count, each: Amount { millicores, memory: gibibytes * GIB } }
    }

    #[test]
    fn what_is_needed_is_what_the_rendered_pods_ask_for() {
        let plan = samples::plan();
        let mut facts = samples::facts(&plan);
        let mut judged = |asked: Option<Vec<Pods>>| -> Vec<String> {
            facts.pods = asked.map(Ok);
            let checks = judge(&facts);
            let words =
                |check: &Check| check.findings.first().map_or(check.detail.clone(), |finding| finding.what.clone());
            checks[..2].iter().map(words).collect()
        };
        let three = vec![pods("Deployment a", 3, 2000, 2), pods("Job b", 0, 9000, 9), pods("worker pod", 1, 500, 2)];
        assert_eq!(judged(Some(three)), ["8.0 GiB of memory are free, 9.0 GiB are needed", "8, 7.55 needed"]);
        let many = vec![pods("Deployment a", 7, 1000, 1)];
        assert_eq!(
            judged(Some(many)),
            ["8.0 GiB free, 8.0 GiB needed", "the engine has 8 processors, 8.05 are needed"]
        );
        assert_eq!(judged(None), ["8.0 GiB free, 2.7 GiB needed", "8, 1.65 needed"], "what the chart usually asks for");
    }

    #[test]
    fn the_nodes_of_a_cluster_that_exists_are_compared_pod_by_pod_and_in_all() {
        let node = |gibibytes| Amount { millicores: 2000, memory: gibibytes * GIB };
        let judged = |taken: Option<u64>, asked: Pods| {
            let capacity = Capacity { nodes: vec![node(4), node(2)], taken: taken.map(node) };
            let check = MEMORY.judge(&capacity, &[asked, pods("Job small", 0, 10, 1)]);
            match check.findings.first() {
                Some(finding) => (Some(finding.severity), finding.what.clone()),
                None => (None, check.detail),
            }
        };
        let fits = judged(Some(1), pods("Deployment a", 2, 100, 2));
        assert_eq!(fits, (None, "5.0 GiB left on the nodes, 4.0 GiB needed".to_owned()));
        let (severity, words) = judged(Some(3), pods("Deployment a", 2, 100, 2));
        assert_eq!(
            (severity, words.as_str()),
            (Some(Severity::Warning), "the nodes have 3.0 GiB left, 4.0 GiB of memory are needed")
        );
        let (severity, words) = judged(Some(0), pods("Deployment a", 1, 100, 5));
        let expected = "Deployment a: 5.0 GiB of memory are needed, no node has more than 4.0 GiB";
        assert_eq!((severity, words.as_str()), (Some(Severity::Error), expected));
        let (severity, words) = judged(None, pods("Deployment a", 9, 100, 2));
        let expected = "6.0 GiB on 2 nodes, 18.0 GiB needed; what other pods have taken is not known";
        assert_eq!((severity, words.as_str()), (None, expected));
    }

    #[test]
    fn a_virtual_machine_gets_more_in_its_own_words() {
        for (system, name, fix) in [
            ("Ubuntu 24.04", "colima", "`colima start --memory 4`"),
            ("OrbStack", "orbstack", "`orb config set memory_mib 4096`"),
            ("Alpine Linux v3.20", "lima-rancher-desktop", "`rdctl set --virtual-machine.memory-in-gb 4`"),
            ("Docker Desktop", "docker-desktop", "Docker Desktop: Settings, Resources"),
        ] {
            let found = messages(|room, info| {
                (room.memory, room.is_here) = (2 * GIB, false);
                (info.operating_system, info.name) = (system.to_owned(), name.to_owned());
            });
            assert!(found[0].1.contains(fix), "{found:?}");
        }
    }
}
