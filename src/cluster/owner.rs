//! Whose an object is: the marks that everything made for an environment carries, and the one judgement on them.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Map, Value};

use crate::codes::Code;
use crate::error::{Failure, Kind};
use crate::plan::Plan;
use crate::state::Record;

/// The label that names the environment an object was made for.
pub const ENVIRONMENT_LABEL: &str = "windtunnel.dev/environment";
/// The label that tells that environment from every other one of its name.
pub const ID_LABEL: &str = "windtunnel.dev/environment-id";
/// The annotation by which Helm knows what it made.
pub(super) const RELEASE: &str = "meta.helm.sh/release-name";

/// An environment, as the owner of objects.
#[derive(Clone, Copy, Debug)]
pub struct Owner<'a> {
    /// Its name.
    pub environment: &'a str,
    /// Its id; one that was made before there were ids has none until the next `up`.
    pub id: Option<&'a str>,
}

impl<'a> From<&'a Plan> for Owner<'a> {
    fn from(plan: &'a Plan) -> Self {
        Self { environment: &plan.name, id: plan.id.as_deref() }
    }
}

impl<'a> From<&'a Record> for Owner<'a> {
    fn from(record: &'a Record) -> Self {
        Self { environment: &record.name, id: record.id.as_deref() }
    }
}

impl Owner<'_> {
    /// The labels of what is made for it.
    pub(super) fn labels(self) -> Map<String, Value> {
        let managed = ("app.kubernetes.io/managed-by".to_owned(), "windtunnel".into());
        let named = (ENVIRONMENT_LABEL.to_owned(), self.environment.into());
        let id = self.id.map(|id| (ID_LABEL.to_owned(), id.into()));
        [managed, named].into_iter().chain(id).collect()
    }

    /// Whether an object is its own: it has the name, and the id if it has any. What was made before there were ids has the name alone.
    #[must_use]
    pub(super) fn owns(self, metadata: &ObjectMeta) -> bool {
        label(metadata, ENVIRONMENT_LABEL) == Some(self.environment)
            && label(metadata, ID_LABEL).is_none_or(|id| Some(id) == self.id)
    }

    /// Whether an object is its own, or was made by Helm for one of `releases`, which are its own.
    #[must_use]
    pub(super) fn has(self, metadata: &ObjectMeta, releases: &[String]) -> bool {
        let annotations = metadata.annotations.as_ref();
        let of_release = annotations.and_then(|annotations| annotations.get(RELEASE));
        let of_revision = label(metadata, "name").filter(|_| label(metadata, "owner") == Some("helm"));
        let is_another = label(metadata, ID_LABEL).is_some_and(|id| Some(id) != self.id)
            || label(metadata, ENVIRONMENT_LABEL).is_some_and(|name| name != self.environment);
        let is_of = |release: &str| releases.iter().any(|known| known == release);
        !is_another
            && (self.owns(metadata)
                || of_release.is_some_and(|release| is_of(release))
                || of_revision.is_some_and(is_of))
    }
}

/// The value of a label.
pub(super) fn label<'a>(metadata: &'a ObjectMeta, key: &str) -> Option<&'a str> {
    metadata.labels.as_ref().and_then(|labels| labels.get(key)).map(String::as_str)
}

/// That an object is somebody else's, and stays as it is.
pub(super) fn foreign(object: &str, namespace: &str, metadata: &ObjectMeta) -> Failure {
    let message = format!("{object} in the namespace `{namespace}` was not made by windtunnel for this environment");
    let made = metadata.creation_timestamp.as_ref().map(|made| format!("it was made {}", made.0));
    let id = label(metadata, ID_LABEL).map(|id| format!("it carries the id {id} of another environment"));
    Failure::new(Kind::Foreign, message).code(Code::ObjectForeign).evidence_lines(id.into_iter().chain(made)).hint(
        "choose another name: `windtunnel up --name NAME`, or another namespace: `windtunnel up --namespace NAME`",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEMO: Owner<'_> = Owner { environment: "demo", id: Some("1") };

    fn of(text: &str) -> ObjectMeta {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn an_object_is_ours_by_name_and_id_or_by_the_mark_of_our_own_helm_release() {
        let releases = ["demo".to_owned()];
        for ours in [
            r#"{"labels":{"windtunnel.dev/environment":"demo","windtunnel.dev/environment-id":"1"}}"#,
            r#"{"labels":{"windtunnel.dev/environment":"demo"}}"#,
            r#"{"labels":{"owner":"helm","name":"demo"}}"#,
            r#"{"annotations":{"meta.helm.sh/release-name":"demo"}}"#,
        ] {
            assert!(DEMO.has(&of(ours), &releases), "{ours}");
        }
        assert!(!DEMO.has(&of(r#"{"annotations":{"meta.helm.sh/release-name":"demo"}}"#), &[]));
        assert!(!DEMO.has(&of(r#"{"labels":{"name":"demo"}}"#), &releases));
    }

    #[test]
    fn an_environment_of_the_same_name_is_another_one_by_its_id() {
        let releases = ["demo".to_owned()];
        for theirs in [
            r#"{"labels":{"windtunnel.dev/environment":"demo","windtunnel.dev/environment-id":"2"}}"#,
            r#"{"labels":{"owner":"helm","name":"demo","windtunnel.dev/environment-id":"2"}}"#,
            r#"{"labels":{"windtunnel.dev/environment":"other"},"annotations":{"meta.helm.sh/release-name":"demo"}}"#,
        ] {
            assert!(!DEMO.owns(&of(theirs)) && !DEMO.has(&of(theirs), &releases), "{theirs}");
        }
        let of_before = Owner { id: None, ..DEMO };
        assert!(
            !of_before
                .owns(&of(r#"{"labels":{"windtunnel.dev/environment":"demo","windtunnel.dev/environment-id":"2"}}"#))
        );
    }
}
