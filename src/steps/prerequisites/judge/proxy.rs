//! Proxies and private certificates: what comes between this machine, the engine and the registries.

use super::super::facts::{Certificates, Facts, Subnet};
use super::super::finding::{Check, Finding};
use super::network::{PODS, SERVICES};
use crate::codes::Code;
use crate::surroundings::Proxies;

/// Names of this machine and of what is inside a cluster.
const NAMES: [&str; 4] = ["127.0.0.1", "localhost", ".svc", ".cluster.local"];

pub(super) fn judge(facts: &Facts<'_>) -> Vec<Check> {
    let proxies = &facts.network.proxies;
    let mut checks = vec![Check::of(
        "proxy",
        bypass(facts),
        if has_proxy(proxies) { "all that is near is left out" } else { "none is set" },
    )];
    if facts.info().is_some() && facts.plan.bundle.is_none() && has_proxy(proxies) {
        checks.push(Check::of("engine's proxy", engine_without_proxy(facts), "it has one of its own"));
    }
    checks.push(Check::of("certificates", certificates(facts), "the system's"));
    checks
}

const fn has_proxy(proxies: &Proxies) -> bool {
    proxies.http.is_some() || proxies.https.is_some()
}

fn bypass(facts: &Facts<'_>) -> Option<Finding> {
    let proxies = &facts.network.proxies;
    if !has_proxy(proxies) {
        return None;
    }
    let no = proxies.no.as_deref().unwrap_or_default();
    let entries: Vec<&str> = no.split([',', ' ']).map(str::trim).filter(|entry| !entry.is_empty()).collect();
    let node = facts.network.subnets.iter().find(|(name, _)| name == "kind").map(|(_, subnet)| subnet.to_string());
    let subnets = [PODS.to_owned(), SERVICES.to_owned()].into_iter().chain(node);
    let missing: Vec<String> = (NAMES.map(str::to_owned).into_iter().chain(subnets))
        .filter(|wanted| !entries.iter().any(|entry| covers(entry, wanted)))
        .collect();
    (!missing.is_empty()).then(|| {
        let all = entries.iter().map(|entry| (*entry).to_owned()).chain(missing.iter().cloned()).collect::<Vec<_>>();
        Finding::warning(Code::ProxyBypass, "the proxy comes between this machine and the cluster")
            .found(format!("no_proxy lacks {}", missing.join(", ")))
            .needed("no_proxy with the addresses of this machine and of the cluster", "kind hands the variables to its node, where kubelet, pods and Helm would ask the proxy for their neighbours")
            .fix(format!("`export NO_PROXY={0} no_proxy={0}`", all.join(",")))
    })
}

/// Whether an entry of `no_proxy` stands for a name, an address or a subnet: the same, a domain above it, or a wider subnet.
fn covers(entry: &str, wanted: &str) -> bool {
    let domain = entry.trim_start_matches('*').trim_start_matches('.');
    let is_domain = wanted.trim_start_matches('.') == domain || wanted.ends_with(&format!(".{domain}"));
    let subnet = |text: &str| Subnet::parse(text).or_else(|| Subnet::parse(&format!("{text}/32")));
    entry == "*" || is_domain || subnet(entry).zip(subnet(wanted)).is_some_and(|(entry, wanted)| entry.covers(wanted))
}

/// Where the engine is on this machine, it pulls by its own settings, not by this shell's.
fn engine_without_proxy(facts: &Facts<'_>) -> Option<Finding> {
    let info = facts.info()?;
    let has_none = info.http_proxy.is_empty() && info.https_proxy.is_empty();
    (has_none && facts.machine.has_engine).then(|| {
        Finding::warning(Code::EngineProxy, "this shell has a proxy, and the Docker Engine has none")
            .found("`docker info` names no proxy")
            .needed(
                "the proxy in the engine's own settings",
                "it pulls images, and does not see the variables of this shell",
            )
            .fix(format!(
                "set it in {}: `{{\"proxies\": {{\"https-proxy\": \"http://PROXY:PORT\"}}}}`, then {}",
                facts.machine.host.engine_settings(),
                facts.machine.host.restart_engine()
            ))
            .fix("or use no registry at all: `windtunnel up --bundle FOLDER`")
    })
}

fn certificates(facts: &Facts<'_>) -> Option<Finding> {
    match &facts.network.certificates {
        Certificates::Usual => None,
        Certificates::Missing(path) => Some(
            Finding::warning(Code::PrivateCertificates, "SSL_CERT_FILE names a file that cannot be read")
                .found(path.display().to_string())
                .needed(
                    "a file of certificates, or no such variable",
                    "programs that read it trust nobody then, and no download works",
                )
                .fix("`unset SSL_CERT_FILE`, or have it name the right file"),
        ),
        // With a bundle no registry is asked, so nobody's certificate is looked at.
        Certificates::Private(..) if facts.plan.bundle.is_some() => None,
        Certificates::Private(path, count) => {
            let install = if facts.machine.system == "macos" {
                "add it to the keychain, then restart the engine: `sudo security add-trusted-cert -d -k /Library/Keychains/System.keychain FILE`".to_owned()
            } else {
                format!(
                    "copy it to /usr/local/share/ca-certificates, then `sudo update-ca-certificates`, then {}",
                    facts.machine.host.restart_engine()
                )
            };
            Some(
                Finding::warning(
                    Code::PrivateCertificates,
                    "a private certificate authority is known to this shell only",
                )
                .found(format!("SSL_CERT_FILE, {}, has {count} that the system's store lacks", path.display()))
                .needed(
                    "the authority in the system's store",
                    "the Docker Engine reads that one, and would trust no registry behind it",
                )
                .fix(install),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn what_no_proxy_covers() {
        for (entry, wanted, expected) in [
            ("localhost", "localhost", true),
            ("*", "127.0.0.1", true),
            ("127.0.0.0/8", "127.0.0.1", true),
            ("10.0.0.0/8", "10.96.0.0/16", true),
            ("10.96.0.0/16", "10.0.0.0/8", false),
            ("svc", ".svc", true),
            (".cluster.local", ".cluster.local", true),
            ("*.local", ".cluster.local", true),
            ("example.org", "localhost", false),
            ("host", "localhost", false),
        ] {
            assert_eq!(covers(entry, wanted), expected, "{entry} {wanted}");
        }
    }

    #[test]
    fn what_is_missing_is_added_to_what_is_there() {
        let plan = samples::plan();
        let mut facts = samples::facts(&plan);
        facts.network.proxies.https = Some("http://user:secret@proxy:3128".to_owned());
        facts.network.proxies.no = Some("localhost, 127.0.0.1,.corp,10.0.0.0/8".to_owned());
        facts.network.subnets = vec![("kind".to_owned(), Subnet::parse("172.18.0.0/16").unwrap())];
        let checks = judge(&facts);
        let finding = &checks[0].findings[0];
        assert_eq!(finding.found, ["no_proxy lacks .svc, .cluster.local, 172.18.0.0/16"]);
        assert!(
            finding.fixes[0].contains("no_proxy=localhost,127.0.0.1,.corp,10.0.0.0/8,.svc,"),
            "{:?}",
            finding.fixes
        );
        assert_eq!(checks[1].findings[0].code, Some(Code::EngineProxy));
        assert!(!serde_json::to_string(&checks).unwrap().contains("secret"));
        facts.network.proxies.no = Some("*".to_owned());
        assert!(judge(&facts)[0].findings.is_empty());
    }

    #[test]
    fn a_private_authority_matters_where_a_registry_is_asked() {
        let mut plan = samples::plan();
        let of = |plan: &crate::plan::Plan, certificates| {
            let mut facts = samples::facts(plan);
            facts.network.certificates = certificates;
            judge(&facts).iter().flat_map(|check| &check.findings).count()
        };
        assert_eq!(of(&plan, Certificates::Private("/ca.pem".into(), 1)), 1);
        assert_eq!(of(&plan, Certificates::Missing("/ca.pem".into())), 1);
        plan.bundle = Some("/bundle".into());
        assert_eq!(of(&plan, Certificates::Private("/ca.pem".into(), 1)), 0);
    }
}
