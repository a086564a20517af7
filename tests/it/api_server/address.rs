//! Where an object or a collection is in the Kubernetes API: the path of a request, taken apart.

use serde_json::Value;

use super::store::RESOURCES;

/// A path of the API, without its query.
#[derive(Clone, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Address {
    /// `v1`, `apps/v1`.
    pub(crate) group_version: String,
    /// The plural: `pods`.
    pub(crate) resource: String,
    pub(crate) namespace: Option<String>,
    /// `None` for a collection.
    pub(crate) name: Option<String>,
    /// `log`, `portforward`.
    pub(crate) subresource: Option<String>,
}

impl Address {
    /// Reads a path; `None` where it is none of the API's.
    pub(crate) fn read(path: &str) -> Option<Self> {
        let mut parts = path.trim_matches('/').split('/');
        let group_version = match parts.next()? {
            "api" => parts.next()?.to_owned(),
            "apis" => format!("{}/{}", parts.next()?, parts.next()?),
            _ => return None,
        };
        let rest: Vec<&str> = parts.collect();
        let own = |text: &&str| Some((*text).to_owned());
        let (namespace, rest) = match rest.as_slice() {
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (own(namespace), rest),
            all => (None, all),
        };
        let (resource, rest) = rest.split_first()?;
        Some(Self {
            group_version,
            resource: (*resource).to_owned(),
            namespace,
            name: rest.first().and_then(own),
            subresource: rest.get(1).and_then(own),
        })
    }

    /// Where an object belongs.
    pub(crate) fn of(object: &Value) -> Self {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let (group_version, kind) = (object["apiVersion"].as_str().unwrap(), object["kind"].as_str().unwrap());
        let resource = RESOURCES.iter().find(|(known, _, named, _)| (*known, *named) == (group_version, kind));
        let (_, resource, _, namespaced) =
            resource.unwrap_or_else(|| panic!("the fake knows no {group_version} {kind}"));
        Self {
            group_version: group_version.to_owned(),
            resource: (*resource).to_owned(),
            namespace: text(&object["metadata"]["namespace"]).filter(|_| *namespaced),
            name: text(&object["metadata"]["name"]),
            subresource: None,
        }
    }

    /// Whether an object's address is in this collection.
    pub(crate) fn holds(&self, object: &Self) -> bool {
        self.group_version == object.group_version
            && self.resource == object.resource
            && (self.namespace.is_none() || self.namespace == object.namespace)
    }

    /// The kind of the objects here.
    pub(crate) fn kind(&self) -> Option<&'static str> {
        let known =
            RESOURCES.iter().find(|(group, plural, ..)| *group == self.group_version && *plural == self.resource);
        known.map(|(_, _, kind, _)| *kind)
    }
}

/// What a request asks for besides the path.
#[derive(Clone, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads what stands behind the `?`.
    pub(crate) fn read(text: &str) -> Self {
        let pair = |pair: &str| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key), decode(value))
        };
        Self(text.split('&').filter(|pair| !pair.is_empty()).map(pair).collect())
    }

    /// The value of a key, if it is there.
    pub(crate) fn value(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
    }

    /// Whether an object is one of those that the selectors mean. Equality is all that the fake knows.
    pub(crate) fn selects(&self, object: &Value) -> bool {
        let labels = &object["metadata"]["labels"];
        let by_label = |term: &str| match term.split_once('=') {
            Some((key, value)) => labels[key].as_str() == Some(value.trim_start_matches('=')),
            None => !labels[term].is_null(),
        };
        let by_field = |term: &str| {
            let (path, value) = term.split_once('=').unwrap_or((term, ""));
            let is_unlike = path.ends_with('!');
            let field = path.trim_end_matches('!').split('.').fold(object, |value, key| &value[key]);
            (field.as_str() == Some(value.trim_start_matches('='))) != is_unlike
        };
        let terms = |key| self.value(key).unwrap_or_default().split(',').filter(|term| !term.is_empty());
        terms("labelSelector").all(by_label) && terms("fieldSelector").all(by_field)
    }
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (first, tail) {
            (b'+', _) => bytes.push(b' '),
            (b'%', [high, low, after @ ..]) => {
                let digits = [*high, *low];
                bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
                rest = after;
            }
            _ => bytes.push(*first),
        }
    }
    String::from_utf8(bytes).unwrap()
}
