//! Every code that the verdict on a cluster's objects can give has a fault that was recorded from a real cluster, and is tested with it.

use std::collections::BTreeSet;
use std::fs::{read_dir, read_to_string};
use std::path::PathBuf;

use windtunnel::codes::Code;

const VERDICT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/cluster/verdict");
/// Files of tests, which name codes that they expect.
const TESTS: [&str; 4] = ["others.rs", "recorded.rs", "samples.rs", "tests.rs"];
/// Codes that are not judged by what a recording holds, and why.
const NOT_RECORDED: [(Code, &str); 1] =
    [(Code::ServiceLeadsNowhere, "it is judged by the Service, which is asked for when the web server is silent")];

#[test]
fn every_code_of_a_verdict_has_a_recorded_fault() {
    let sources = files("", "rs").into_iter().filter(|path| !TESTS.iter().any(|name| path.ends_with(name)));
    let text: String = sources.map(|path| shipped(&read_to_string(path).unwrap())).collect();
    let can_be_given: BTreeSet<&str> =
        Code::ALL.iter().filter(|code| names(&text, **code)).map(|code| code.name()).collect();
    assert!(can_be_given.len() > 50, "{can_be_given:?}");

    let excepted = NOT_RECORDED.map(|(code, _)| code.name().to_owned());
    let recorded: Vec<String> = recordings().iter().map(|path| code_of(&read_to_string(path).unwrap())).collect();
    assert!(excepted.iter().all(|code| !recorded.contains(code)), "recorded all the same: {excepted:?}");
    let met: BTreeSet<&str> = recorded.iter().chain(&excepted).map(String::as_str).collect();
    assert_eq!(can_be_given, met, "those that can be given, and those with a recorded fault");
}

#[test]
fn every_recorded_fault_is_judged() {
    let tests = read_to_string(format!("{VERDICT}/recorded.rs")).unwrap();
    for path in recordings() {
        let name = format!("\"{}\"", path.file_stem().unwrap().to_str().unwrap());
        assert!(tests.contains(&name), "{name} is not in the list of src/cluster/verdict/recorded.rs");
    }
}

fn recordings() -> Vec<PathBuf> {
    files("testdata/recorded", "yaml")
}

fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let paths = read_dir(format!("{VERDICT}/{folder}")).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|found| found == extension)).collect()
}

/// A file without its unit tests.
fn shipped(text: &str) -> String {
    text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned()
}

fn names(text: &str, code: Code) -> bool {
    let name = format!("Code::{code:?}");
    text.match_indices(&name).any(|(at, _)| !text[at + name.len()..].starts_with(char::is_alphanumeric))
}

/// The code in the first document: `{kind: Recording, code: quota_exceeded, …}`.
fn code_of(text: &str) -> String {
    let (_, rest) = text.split_once("code: ").unwrap();
    rest.split(',').next().unwrap().to_owned()
}
