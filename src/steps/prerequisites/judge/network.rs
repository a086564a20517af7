//! Clocks, names and addresses.

use super::super::facts::{Facts, Names, Route, Subnet};
use super::super::finding::{Check, Finding};
use crate::codes::Code;
use crate::tools::host::Host;

/// The pods of a kind cluster (kind's documentation, "Networking").
pub(super) const PODS: &str = "10.244.0.0/16";
/// Its Services.
pub(super) const SERVICES: &str = "10.96.0.0/16";
/// A virtual machine's clock that slept shows minutes; `docker info` itself takes up to a second or two.
const SKEW: i64 = 10;
/// Certificates are valid from five minutes before they are made (kubernetes/kubernetes, `cert.NewSelfSignedCACert`).
const BROKEN_SKEW: i64 = 300;
/// Routes to half of the world, as a VPN sets them for everything, clash with nothing in particular.
const NARROW: u8 = 12;

pub(super) fn judge(facts: &Facts<'_>) -> Vec<Check> {
    let network = &facts.network;
    let mut checks = Vec::new();
    let host = facts.machine.host;
    for (name, whose, ahead) in
        [("clock", "the engine's", network.clock), ("node's clock", "the node's", network.node_clock)]
    {
        if let Some(ahead) = ahead {
            checks.push(Check::of(name, skew(host, whose, ahead), format!("{whose} agrees with this machine's")));
        }
    }
    match &network.names {
        Names::Unknown => {}
        Names::NotAsked(why) => checks.push(Check::skipped("names", *why)),
        Names::Found(name) => checks.push(Check::passed("names", format!("{name} is found inside the engine"))),
        Names::NotFound(name, words) => checks.push(Check::found("names", unresolved(facts, name, words))),
    }
    // Elsewhere, as in a virtual machine, other routes count than this machine's.
    if facts.machine.has_engine && !network.routes.is_empty() {
        checks.push(Check::of("addresses", clash(facts), "no route of this machine is in the way of the cluster"));
    }
    checks
}

fn skew(host: Host, whose: &str, ahead: i64) -> Option<Finding> {
    let (seconds, way) = (ahead.abs(), if ahead > 0 { "ahead of" } else { "behind" });
    let what = format!("{whose} clock is {seconds} s {way} this machine's");
    let finding = match seconds {
        BROKEN_SKEW.. => Finding::error(Code::ClockSkew, what),
        SKEW.. => Finding::warning(Code::ClockSkew, what),
        _ => return None,
    };
    let finding = finding.needed(
        format!("less than {SKEW} s"),
        "certificates and tokens are valid from a moment on, and times in logs mislead",
    );
    Some(
        finding.fix(format!("restart the engine's virtual machine, or set this machine's clock: {}", host.set_clock())),
    )
}

fn unresolved(facts: &Facts<'_>, name: &str, words: &[String]) -> Finding {
    let finding =
        Finding::warning(Code::EngineNameResolution, format!("containers of the engine do not find `{name}`"));
    let finding = words.iter().take(3).fold(finding, |finding, line| finding.found(line.clone()));
    let finding =
        finding.needed("a name server that containers reach", "tasks would not find what is outside of the cluster");
    let finding = if facts.machine.has_engine {
        let (settings, restart) = (facts.machine.host.engine_settings(), facts.machine.host.restart_engine());
        finding.fix(format!(
            "name one in {settings}: `{{\"dns\": [\"ADDRESS\"]}}`, then {restart}; 127.0.0.53 is not one that containers reach"
        ))
    } else {
        finding.fix("restart the engine's virtual machine, or reconnect the VPN")
    };
    finding.fix("without a network this is as it is: `windtunnel up --bundle FOLDER` needs none")
}

/// A route elsewhere to what the cluster takes for its own: the node is not reached, or pods do not reach what is there.
fn clash(facts: &Facts<'_>) -> Option<Finding> {
    let network = &facts.network;
    let own = [("the pods", PODS), ("the Services", SERVICES)];
    let own = own.into_iter().filter_map(|(name, text)| Some((name.to_owned(), Subnet::parse(text)?)));
    let docker = network.subnets.iter().map(|(name, subnet)| (format!("Docker's network `{name}`"), *subnet));
    // A bridge of the engine's own is the way to its network.
    let is_bridge = |route: &&Route| {
        network.bridges.contains(&route.interface)
            || ["br-", "docker", "veth", "cni", "kind"].iter().any(|begin| route.interface.starts_with(begin))
    };
    let routes: Vec<&Route> =
        network.routes.iter().filter(|route| !is_bridge(route) && route.to.bits >= NARROW).collect();
    let clashes: Vec<(String, Subnet, &Route)> = own
        .chain(docker)
        .flat_map(|(name, subnet)| {
            let name = &name;
            let hits = routes.iter().filter(move |route| route.to.overlaps(subnet));
            hits.map(move |route| (name.clone(), subnet, *route)).collect::<Vec<_>>()
        })
        .collect();
    let (name, subnet, route) = clashes.first()?;
    let finding = Finding::warning(
        Code::SubnetClash,
        format!("{name} and the network behind {} have the same addresses", route.interface),
    );
    let finding = finding.found(format!("{name} {subnet}, route to {} through {}", route.to, route.interface));
    let finding = finding.needed(
        "addresses that nobody else has",
        "packets go to one of the two only: the node is not reached, or pods do not reach the other",
    );
    Some(if name.starts_with("Docker") {
        finding.fix(format!("give Docker other addresses in {}: `{{\"default-address-pools\": [{{\"base\": \"192.168.128.0/17\", \"size\": 24}}]}}`, restart it, and remove the network: `docker network rm kind`", facts.machine.host.engine_settings()))
    } else {
        finding.fix("leave the VPN while you work with the cluster, if tasks need nothing behind it")
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::finding::Severity;
    use super::super::samples;
    use super::*;

    #[test]
    fn clocks() {
        for (ahead, expected) in [
            (0, None),
            (-9, None),
            (40, Some((Severity::Warning, "the engine's clock is 40 s ahead of this machine's"))),
            (-3600, Some((Severity::Error, "the engine's clock is 3600 s behind this machine's"))),
        ] {
            let found = skew(Host::Systemd, "the engine's", ahead);
            assert_eq!(found.as_ref().map(|finding| (finding.severity, finding.what.as_str())), expected);
        }
    }

    #[test]
    fn routes_that_clash() {
        let plan = samples::plan();
        for (interface, to, expected) in [
            ("wlan0", "192.168.1.0/24", None),
            ("tun0", "10.0.0.0/8", None),
            ("tun0", "10.96.0.0/12", Some("the Services and the network behind tun0 have the same addresses")),
            ("tun0", "10.244.7.0/24", Some("the pods and the network behind tun0 have the same addresses")),
            ("br-2f1", "172.18.0.0/16", None),
            // `"bridge": "mine"` in daemon.json.
            ("mine", "172.18.0.0/16", None),
            (
                "vpn",
                "172.18.5.0/24",
                Some("Docker's network `kind` and the network behind vpn have the same addresses"),
            ),
        ] {
            let mut facts = samples::facts(&plan);
            facts.network.routes = vec![Route { interface: interface.to_owned(), to: Subnet::parse(to).unwrap() }];
            facts.network.bridges = vec!["mine".to_owned()];
            facts.network.subnets = vec![("kind".to_owned(), Subnet::parse("172.18.0.0/16").unwrap())];
            assert_eq!(clash(&facts).as_ref().map(|finding| finding.what.as_str()), expected, "{interface} {to}");
        }
    }

    #[test]
    fn names_inside_the_engine() {
        let plan = samples::plan();
        let mut facts = samples::facts(&plan);
        facts.network.names = Names::NotFound("registry-1.docker.io".to_owned(), vec!["exit code 2".to_owned()]);
        let checks = judge(&facts);
        assert_eq!(checks[1].findings[0].code, Some(Code::EngineNameResolution));
        assert_eq!(checks[1].findings[0].severity, Severity::Warning);
    }
}
