//! The cause in Helm's own words, where it fails before there is anything to wait for.

use crate::codes::Code;
use crate::error::Failure;

/// Parts of what Helm and the API server say, lower case, and what they stand for; the first that fits counts.
const WORDS: [(&str, Code); 16] = [
    ("another operation (install/upgrade/rollback) is in progress", Code::ReleasePending),
    ("because it is being terminated", Code::NamespaceTerminating),
    ("exceeded quota", Code::QuotaExceeded),
    (" usage per persistentvolumeclaim is", Code::LimitRange),
    ("admission webhook", Code::WebhookDenied),
    ("failed calling webhook", Code::WebhookDenied),
    ("cannot be imported into the current release", Code::ObjectForeign),
    ("field is immutable", Code::ObjectImmutable),
    ("updates to statefulset spec for fields other than", Code::ObjectImmutable),
    ("field can not be less than", Code::ObjectImmutable),
    ("forbidden: only dynamically provisioned pvc can be resized", Code::ObjectImmutable),
    ("don't meet the specifications of the schema", Code::ValuesRefused),
    ("failed parsing --set data", Code::ValuesRefused),
    ("parse error", Code::ChartBroken),
    ("execution error at", Code::ChartBroken),
    ("connection refused", Code::ApiUnreachable),
];

/// Adds the cause and its own hint to a failure of Helm's.
pub(super) fn name_cause(failure: Failure, namespace: &str) -> Failure {
    let text = failure.evidence.join("\n").to_lowercase();
    let Some((_, code)) = WORDS.iter().find(|(part, _)| text.contains(part)) else { return failure };
    let hint = match code {
        Code::QuotaExceeded => format!("see what is used: `kubectl describe quota --namespace {namespace}`"),
        Code::LimitRange => format!("see what is allowed: `kubectl describe limitrange --namespace {namespace}`"),
        Code::ObjectForeign => {
            "remove the object if nobody needs it, or use another namespace: `windtunnel up --namespace NAME`"
                .to_owned()
        }
        Code::ObjectImmutable => {
            "go back to the former value, or remove the environment first: `windtunnel down`".to_owned()
        }
        Code::ValuesRefused | Code::ChartBroken => {
            "correct the value that it names in the profile, with `--values` or `--set`, then `windtunnel up`"
                .to_owned()
        }
        _ => format!("what it means: `windtunnel explain {}`", code.id()),
    };
    failure.code(*code).hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    #[test]
    fn helms_words_name_the_cause() {
        for (words, code) in [
            (
                "Error: UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress",
                Some(Code::ReleasePending),
            ),
            (
                "Error: values don't meet the specifications of the schema(s) in the following chart(s):",
                Some(Code::ValuesRefused),
            ),
            (
                "Error: unable to continue with install: Service \"a\" in namespace \"b\" exists and cannot be imported into the current release: invalid ownership metadata",
                Some(Code::ObjectForeign),
            ),
            (
                "Error: execution error at (airflow/templates/check-values.yaml:3:4): a name is needed",
                Some(Code::ChartBroken),
            ),
            ("Error: parse error at (lite/templates/web.yaml:7): unclosed action", Some(Code::ChartBroken)),
            ("Error: something new", None),
        ] {
            let failure = Failure::new(Kind::Chart, "helm failed").evidence(words);
            assert_eq!(name_cause(failure, "n").code, code, "{words}");
        }
    }
}
