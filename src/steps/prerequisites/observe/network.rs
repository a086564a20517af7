//! The network: variables, certificates, routes, clocks, and names inside the engine.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;

use super::super::super::Context;
use super::super::facts::{Certificates, Names, Network, Route, Subnet};
use crate::error::{Failure, Kind};
use crate::images::bundle::Bundle;
use crate::providers::Node;
use crate::surroundings::Surroundings;
use crate::tools::docker::{Docker, Info};
use crate::tools::process::Command;
use crate::ui::Ui;

/// Where systems keep the certificates that all their programs trust (Go, `crypto/x509/root_linux.go`, `root_darwin.go`).
const STORES: [&str; 6] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/usr/local/etc/openssl/cert.pem",
];
/// A name that stands for the registries: the one that images without a host come from.
const REGISTRY: &str = "registry-1.docker.io";
/// What `getent` ends with where there is no such name (getent(1)).
const NOT_FOUND: i32 = 2;
/// How long the kernel's tables may take to be listed.
const LIST: Duration = Duration::from_secs(5);
/// How long a container may take to start and to find a name.
const NAME: Duration = Duration::from_secs(20);

/// What files and variables tell.
pub(super) fn observe(surroundings: &Surroundings) -> Network {
    Network {
        proxies: surroundings.proxies.clone(),
        certificates: surroundings
            .certificates
            .as_deref()
            .map_or(Certificates::Usual, |path| certificates(path, store().as_deref())),
        routes: std::fs::read_to_string("/proc/net/route").map(|table| routes(&table)).unwrap_or_default(),
        ..Network::default()
    }
}

/// The certificates that all programs trust, where they are in one file.
fn store() -> Option<String> {
    STORES.iter().find_map(|path| std::fs::read_to_string(path).ok())
}

fn certificates(path: &Path, store: Option<&str>) -> Certificates {
    let Ok(text) = std::fs::read_to_string(path) else { return Certificates::Missing(path.to_owned()) };
    // Without a store that can be read, as on macOS, nothing can be said.
    let Some(store) = store else { return Certificates::Usual };
    match pem(&text).difference(&pem(store)).count() {
        0 => Certificates::Usual,
        count => Certificates::Private(path.to_owned(), count),
    }
}

/// The certificates of a file, without line ends.
fn pem(text: &str) -> BTreeSet<String> {
    let blocks = text.split("-----BEGIN CERTIFICATE-----").skip(1);
    let bodies = blocks.filter_map(|block| block.split_once("-----END CERTIFICATE-----"));
    bodies.map(|(body, _)| body.split_whitespace().collect()).collect()
}

/// The routes of the kernel's table but the default one: interface, destination, gateway, flags, three numbers, mask. Addresses are
/// hexadecimal, in the machine's byte order (Linux, `net/ipv4/fib_trie.c`).
fn routes(table: &str) -> Vec<Route> {
    let address = |text: &str| u32::from_str_radix(text, 16).ok().map(|number| Ipv4Addr::from(number.to_ne_bytes()));
    let lines = table.lines().skip(1).filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let mask = address(fields.get(7)?)?.to_bits();
        let to = Subnet { address: address(fields.get(1)?)?, bits: u8::try_from(mask.leading_ones()).ok()? };
        Some(Route { interface: (*fields.first()?).to_owned(), to })
    });
    lines.filter(|route| route.to.bits > 0).collect()
}

/// The routes of the kernel's other tables, where some VPNs keep theirs (Tailscale in 52, strongSwan in 220). None where there is no iproute2
/// to list them.
pub(super) async fn other_routes(surroundings: &Surroundings, ui: &Ui) -> Vec<Route> {
    let Ok(ip) = which::which_in("ip", Some(&surroundings.search_path), &surroundings.folder) else {
        return Vec::new();
    };
    let list = ["-4", "-oneline", "route", "show", "table", "all", "type", "unicast"];
    let listed = Command::new(ip).args(list).deadline(LIST).run(Kind::Prerequisite, ui).await;
    listed.map(|output| routes_of_other_tables(&output.stdout)).unwrap_or_default()
}

/// Reads what `ip route` lists (ip-route(8)): `ADDRESS[/BITS] [via GATEWAY] dev INTERFACE … [table TABLE]`, of the main table without its name.
fn routes_of_other_tables(list: &str) -> Vec<Route> {
    let routes = list.lines().filter_map(|line| {
        let (to, rest) = line.split_once(' ')?;
        let mut words = rest.split_whitespace();
        words.clone().find(|word| *word == "table")?;
        let to = Subnet::parse(to).or_else(|| Subnet::parse(&format!("{to}/32")))?;
        words.find(|word| *word == "dev")?;
        Some(Route { interface: words.next()?.to_owned(), to })
    });
    routes.collect()
}

/// Reads the lines of [`Docker::subnets`]: the subnets by their network's name, and the interfaces. IPv6 is left out: the cluster has none.
pub(super) fn parse_subnets(lines: &[String]) -> (Vec<(String, Subnet)>, Vec<String>) {
    let (mut subnets, mut bridges) = (Vec::new(), Vec::new());
    for (name, words) in lines.iter().filter_map(|line| line.split_once(' ')) {
        for word in words.split_whitespace() {
            match Subnet::parse(word) {
                Some(subnet) => subnets.push((name.to_owned(), subnet)),
                None if word.contains(':') => {}
                None => bridges.push(word.to_owned()),
            }
        }
    }
    (subnets, bridges)
}

/// Asks the engine what it is, and how far its clock is ahead.
pub(super) async fn ask(docker: &Docker, ui: &Ui) -> (Result<Info, Failure>, Option<i64>) {
    let before = Timestamp::now();
    let engine = docker.info(ui).await;
    let after = Timestamp::now();
    let ahead = engine.as_ref().ok().and_then(|info| info.system_time).map(|time| ahead(time, before, after));
    (engine, ahead)
}

/// How far a clock is ahead that was read between two moments: none if it lies between them.
fn ahead(time: Timestamp, before: Timestamp, after: Timestamp) -> i64 {
    let seconds = |from: Timestamp, to: Timestamp| to.as_second() - from.as_second();
    if time > after {
        seconds(after, time)
    } else if time < before {
        -seconds(time, before)
    } else {
        0
    }
}

/// The same of a node that runs; `None` where none does or where it does not tell.
pub(super) async fn node_clock(docker: &Docker, node: Option<&Node>, ui: &Ui) -> Option<i64> {
    let command = docker.exec(&node?.container, ["date", "+%s"]).deadline(NAME);
    let before = Timestamp::now();
    let output = command.run(Kind::Cluster, ui).await.ok()?;
    let time = Timestamp::from_second(output.stdout.trim().parse().ok()?).ok()?;
    // The node tells whole seconds.
    let before = before.checked_sub(jiff::SignedDuration::from_secs(1)).ok()?;
    Some(ahead(time, before, Timestamp::now()))
}

/// Looks for a name in a container of an image that the engine has already. Nothing is pulled for it.
pub(super) async fn names(context: Context<'_>, docker: &Docker, bundle: Option<&Bundle>) -> Names {
    if bundle.is_some() {
        return Names::NotAsked("a bundle needs no registry");
    }
    let images = &context.plan.profile.images;
    for image in [&images.node, &images.airflow, &images.database] {
        if !matches!(docker.image(image, context.ui).await, Ok(Some(_))) {
            continue;
        }
        let command = docker.run_once(image, "getent", &["hosts", REGISTRY]).deadline(NAME);
        return match command.outcome(Kind::Prerequisite, context.ui).await {
            Ok(output) if output.code == Some(0) => Names::Found(REGISTRY.to_owned()),
            Ok(output) if output.code == Some(NOT_FOUND) => {
                let failure = command.failed(Kind::Prerequisite, &output);
                Names::NotFound(REGISTRY.to_owned(), [vec![failure.message], failure.evidence].concat())
            }
            Ok(_) => Names::NotAsked("no container could be started for it"),
            Err(failure) => Names::NotFound(REGISTRY.to_owned(), vec![failure.message]),
        };
    }
    Names::NotAsked("the engine has none of the profile's images yet")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn the_kernels_routes_are_read() {
        let table = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
                     eth0\t00000000\t010011AC\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
                     tun0\t0000600A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n";
        let route = Route { interface: "tun0".to_owned(), to: Subnet::parse("10.96.0.0/16").unwrap() };
        assert_eq!(routes(table), [route]);
        assert!(routes("").is_empty());
    }

    #[test]
    fn routes_of_other_tables_are_those_with_a_tables_name() {
        let list = "default via 192.0.2.1 dev eth0 \n10.0.0.0/8 dev tun0 scope link \n100.100.100.100 dev tailscale0 table 52 \n\
                    10.96.0.0/12 via 192.0.2.9 dev eth0 table 220 proto static \ndefault dev wg0 table 51820 \n";
        let route = |interface: &str, to| Route { interface: interface.to_owned(), to: Subnet::parse(to).unwrap() };
        let expected = [route("tailscale0", "100.100.100.100/32"), route("eth0", "10.96.0.0/12")];
        assert_eq!(routes_of_other_tables(list), expected);
    }

    #[test]
    fn a_private_certificate_is_one_that_the_store_lacks() {
        let block = |body: &str| format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        std::fs::write(&path, block("AA\nBB") + &block("CC")).unwrap();
        assert_eq!(certificates(&path, Some(&(block("AABB") + &block("CC")))), Certificates::Usual);
        assert_eq!(certificates(&path, Some(&block("CC"))), Certificates::Private(path.clone(), 1));
        assert_eq!(certificates(&path, None), Certificates::Usual);
        let absent = folder.path().join("absent");
        assert_eq!(certificates(&absent, None), Certificates::Missing(absent.clone()));
    }

    #[test]
    fn a_clock_is_ahead_of_what_lies_around_the_question() {
        let at = |second| Timestamp::from_second(second).unwrap();
        assert_eq!([ahead(at(5), at(4), at(6)), ahead(at(50), at(4), at(6)), ahead(at(1), at(4), at(6))], [0, 44, -3]);
    }

    #[test]
    fn networks_have_subnets_of_both_kinds() {
        // Docker Engine 20.10 and 29.7, the latter with a bridge of one's own.
        let lines = ["kind fc00::/64 172.18.0.0/16 ", "host ", "bridge 10.214.255.0/24 mine"].map(str::to_owned);
        let subnet = |name: &str, text: &str| (name.to_owned(), Subnet::parse(text).unwrap());
        let subnets = [subnet("kind", "172.18.0.0/16"), subnet("bridge", "10.214.255.0/24")];
        assert_eq!(parse_subnets(&lines), (subnets.to_vec(), vec!["mine".to_owned()]));
    }
}
