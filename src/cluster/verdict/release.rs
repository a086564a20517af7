//! A Helm release in the middle of which a Helm was stopped that windtunnel did not run, or in which it is still at work.
//!
//! Helm marks a revision as `pending-install`, `pending-upgrade` or `pending-rollback` while it works on it, and refuses every other work on the
//! release until the mark is gone (helm/helm, `pkg/action/install.go`, `upgrade.go`). Nobody can tell from outside whether it is still at work.
//! Terminal at once: nothing of windtunnel's ends it. A mark of windtunnel's own is none, for whoever has the environment's lock is the only one.

use super::super::release::Revision;
use super::super::workload::Expected;
use super::Verdict;
use crate::codes::Code;

/// Judges the newest revision of a release.
#[must_use]
pub fn judge(expected: Expected<'_>, release: &str, newest: &Revision) -> Option<Verdict> {
    if !newest.is_pending() || newest.was_begun_here() {
        return None;
    }
    let Revision { number, status, .. } = newest;
    let act = if status == "pending-install" { "uninstall" } else { "rollback" };
    let kubeconfig = expected.command("kubeconfig");
    let helm = format!("helm --kubeconfig \"$({})\" --namespace {}", kubeconfig.trim_matches('`'), expected.namespace);
    let object = format!("Helm release `{release}`");
    let verdict =
        Verdict::new(Code::ReleasePending, object, format!("it is {status}: a Helm is at work on it, or was stopped"))
            .evidence(format!("revision {number} was not begun by windtunnel"))
            .hint(format!("see whether somebody is at work on it: `{helm} history {release}`"))
            .hint(format!("if nobody is: `{helm} {act} {release}`, then {}", expected.command("up")));
    Some(verdict)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

    use super::super::super::release::newest;
    use super::*;
    use crate::cluster::release::INPUTS_LABEL;

    const EXPECTED: Expected<'_> = Expected { environment: "airflow-cluster", namespace: "data", workloads: &[] };

    fn judged(status: &str, inputs: Option<&str>) -> Option<Verdict> {
        let labels = [("owner", "helm"), ("name", "a"), ("status", status), ("version", "3")].into_iter();
        let labels = labels.chain(inputs.map(|inputs| (INPUTS_LABEL, inputs)));
        let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        let secret = ObjectMeta { labels: Some(labels), ..ObjectMeta::default() };
        judge(EXPECTED, "a", &newest([secret]).unwrap())
    }

    #[test]
    fn what_ends_it_depends_on_what_was_begun() {
        for (status, act) in
            [("pending-install", "uninstall"), ("pending-upgrade", "rollback"), ("pending-rollback", "rollback")]
        {
            let verdict = judged(status, None).unwrap();
            assert!(verdict.terminal && verdict.line().contains(status), "{verdict:?}");
            let command = format!("`helm --kubeconfig \"$(windtunnel kubeconfig)\" --namespace data {act} a`");
            assert!(verdict.hints[1].contains(&command), "{verdict:?}");
        }
    }

    #[test]
    fn one_that_has_ended_or_is_windtunnels_own_is_in_nobodys_way() {
        assert_eq!(judged("deployed", None), None);
        assert_eq!(judged("failed", None), None);
        assert_eq!(judged("pending-install", Some("0f")), None);
    }
}
