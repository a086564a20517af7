//! What an upgrade changes: the manifests as installed and as they will be, compared object by object and field by field. Pure.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::cluster::shortened;
use crate::error::{During, Failure, Kind};
use crate::redact::is_telling;

/// How much of a value is shown, in characters.
const SHOWN: usize = 60;

/// Fields and their values, or objects and their fields.
type Fields = BTreeMap<String, Value>;

/// One line for each object that comes or goes, and for each field that changes. Values of secrets are not told.
///
/// # Errors
/// A text is not YAML.
pub fn changes(before: &str, after: &str) -> Result<Vec<String>, Failure> {
    let (before, after) = (objects(before)?, objects(after)?);
    let mut lines = Vec::new();
    for (name, object) in &before {
        match after.get(name) {
            None => lines.push(format!("- {name}")),
            Some(now) => lines.extend(changed_fields(name, object, now)),
        }
    }
    lines.extend(after.keys().filter(|name| !before.contains_key(*name)).map(|name| format!("+ {name}")));
    Ok(lines)
}

fn objects(manifests: &str) -> Result<Fields, Failure> {
    let mut objects = Fields::new();
    for document in serde_yaml::Deserializer::from_str(manifests) {
        let object = Value::deserialize(document).during(Kind::Chart, "Helm's manifests cannot be read")?;
        let (kind, name) = (object["kind"].as_str(), object["metadata"]["name"].as_str());
        if let (Some(kind), Some(name)) = (kind, name) {
            objects.insert(format!("{}/{name}", kind.to_lowercase()), object);
        }
    }
    Ok(objects)
}

fn changed_fields(name: &str, before: &Value, after: &Value) -> Vec<String> {
    let (before, after) = (fields(before), fields(after));
    let is_secret = name.starts_with("secret/");
    let mut paths: Vec<&String> = before.keys().chain(after.keys()).collect();
    paths.sort();
    paths.dedup();
    // A checksum tells that something else changed, which has a line of its own.
    let told = paths.into_iter().filter(|path| !path.contains(".annotations.checksum/"));
    let changed = told.filter(|path| before.get(*path) != after.get(*path));
    let line = |path: &String| {
        let is_hidden = is_secret || path.split(['.', '[', ']']).any(is_telling);
        let (before, after) = (before.get(path), after.get(path));
        let change = if is_hidden { hidden_change(before, after).to_owned() } else { change(before, after) };
        format!("~ {name}: {path} {change}")
    };
    changed.map(line).collect()
}

fn change(before: Option<&Value>, after: Option<&Value>) -> String {
    match (before, after) {
        (Some(Value::String(before)), Some(Value::String(after))) if before.contains('\n') || after.contains('\n') => {
            let is_in = |text: &str, line: &str| text.lines().any(|other| other == line);
            let new = after.lines().filter(|line| !is_in(before, line)).count();
            let gone = before.lines().filter(|line| !is_in(after, line)).count();
            format!("changes: {new} lines come, {gone} go")
        }
        (Some(before), Some(after)) => format!("{} → {}", shown(before), shown(after)),
        (None, Some(after)) => format!("is new: {}", shown(after)),
        (Some(before), None) => format!("goes: {}", shown(before)),
        (None, None) => String::new(),
    }
}

/// The same without the values.
const fn hidden_change(before: Option<&Value>, after: Option<&Value>) -> &'static str {
    match (before, after) {
        (None, _) => "is new",
        (_, None) => "goes",
        _ => "changes",
    }
}

fn shown(value: &Value) -> String {
    let first_line = |text: &str| text.lines().next().unwrap_or("\"\"").to_owned();
    shortened(&value.as_str().map_or_else(|| value.to_string(), first_line), SHOWN)
}

/// Every value that is no map and no list, by its path; entries of a list by their names, where they have such.
fn fields(object: &Value) -> Fields {
    let mut found = Fields::new();
    collect(object, String::new(), &mut found);
    found
}

fn collect(value: &Value, path: String, found: &mut Fields) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            // The path has it already.
            let name = map.get("name").and_then(Value::as_str).filter(|name| path.ends_with(&format!("[{name}]")));
            let is_told = |key: &str| key == "name" && name.is_some() && map.len() > 1;
            for (key, value) in map.iter().filter(|(key, _)| !is_told(key)) {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                collect(value, path, found);
            }
        }
        Value::Array(list) if !list.is_empty() => {
            for (index, value) in list.iter().enumerate() {
                let key = value["name"].as_str().map_or_else(|| index.to_string(), str::to_owned);
                collect(value, format!("{path}[{key}]"), found);
            }
        }
        plain => {
            found.insert(path, plain.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "\
kind: Deployment
metadata: {name: a}
spec:
  replicas: 1
  containers:
    - name: scheduler
      image: airflow:3.3.1
      env: [{name: DATABASE_PASSWORD, value: one}]
---
kind: ConfigMap
metadata: {name: settings}
data:
  airflow.cfg: |
    a = 1
    b = 2
---
kind: Secret
metadata: {name: keys}
data: {any: b25l}
---
kind: Service
metadata: {name: old}
";

    #[test]
    fn each_field_has_its_line_and_secrets_are_not_told() {
        let after = BEFORE
            .replace("3.3.1", "3.3.2")
            .replace("value: one", "value: two")
            .replace("b = 2", "b = 3")
            .replace("b25l", "dHdv")
            .replace("name: old", "name: new");
        assert_eq!(
            changes(BEFORE, &after).unwrap(),
            [
                "~ configmap/settings: data.airflow.cfg changes: 1 lines come, 1 go",
                "~ deployment/a: spec.containers[scheduler].env[DATABASE_PASSWORD].value changes",
                "~ deployment/a: spec.containers[scheduler].image airflow:3.3.1 → airflow:3.3.2",
                "~ secret/keys: data.any changes",
                "- service/old",
                "+ service/new",
            ]
        );
        assert_eq!(changes(BEFORE, BEFORE).unwrap(), [""; 0]);
    }

    #[test]
    fn an_entry_that_comes_has_no_line_for_its_name() {
        let after = BEFORE
            .replace("{name: DATABASE_PASSWORD, value: one}", "{name: LEVEL, value: debug}")
            .replace("      image:", "      ports: [{name: http}]\n      image:");
        assert_eq!(
            changes(BEFORE, &after).unwrap(),
            [
                "~ deployment/a: spec.containers[scheduler].env[DATABASE_PASSWORD].value goes",
                "~ deployment/a: spec.containers[scheduler].env[LEVEL].value is new: debug",
                "~ deployment/a: spec.containers[scheduler].ports[http].name is new: http",
            ]
        );
    }

    #[test]
    fn the_order_of_entries_with_names_does_not_count() {
        let list = |first: &str, second: &str| {
            format!("kind: A\nmetadata: {{name: a}}\nlist: [{{name: {first}, v: 1}}, {{name: {second}, v: 1}}]\n")
        };
        assert_eq!(changes(&list("x", "y"), &list("y", "x")).unwrap(), [""; 0]);
    }
}
