use super::*;

fn parse(text: &str) -> Result<ProjectFile, Failure> {
    ProjectFile::parse(text, Path::new("windtunnel.yaml"))
}

#[test]
fn a_file_that_says_nothing_is_valid() {
    for text in ["", "# only a comment\n", "---\n", &render(&ProjectFile::default())] {
        assert_eq!(parse(text).unwrap(), ProjectFile::default(), "{text}");
    }
}

#[test]
fn every_commented_key_is_valid_without_its_sign() {
    let text = KEYS.map(|(_, _, example)| example).join("\n");
    let file = parse(&text).unwrap();
    let wishes = file.wishes(Path::new("/project"));
    for (key, ..) in KEYS {
        assert!(wishes.says(key), "{key}");
    }
}

#[test]
fn the_keys_are_those_of_the_document() {
    let schema = serde_json::to_value(schemars::schema_for!(ProjectFile)).unwrap();
    let mut keys: Vec<&str> = KEYS.iter().map(|(key, ..)| *key).collect();
    let properties: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
    keys.sort_unstable();
    assert_eq!(keys, properties);
}

#[test]
fn what_is_written_is_read_back() {
    let file = ProjectFile {
        name: Some("true".to_owned()),
        profile: Some("./mine: yaml".to_owned()),
        dags: Some("../a folder".into()),
        port: NonZeroU16::new(7171),
        values: Some(vec!["one.yaml".into(), "two.yaml".into()]),
        set: Some(vec!["a=b".to_owned()]),
        ..ProjectFile::default()
    };
    let text = render(&file);
    assert_eq!(parse(&text).unwrap(), file, "{text}");
    assert!(text.contains("\nport: 7171\n") && text.contains("\nname: \"true\"\n"), "{text}");
}

#[test]
fn an_unknown_key_is_answered_with_its_line_and_the_nearest() {
    let failure = parse("name: shop\nprot: 7171\n").unwrap_err();
    assert_eq!(failure.evidence, ["unknown key `prot` in line 2"]);
    assert_eq!(failure.hints, ["did you mean `port`?"]);
    let failure = parse("wobble: 1\n").unwrap_err();
    assert!(failure.hints[0].starts_with("the keys are: name, provider"), "{:?}", failure.hints);
}

#[test]
fn a_consent_is_no_key() {
    for (text, option) in [("adopt_namespace: true\n", "--adopt-namespace"), ("allow-remote: true\n", "--allow-remote")]
    {
        let failure = parse(text).unwrap_err();
        assert!(failure.evidence[0].ends_with("in line 1") && failure.hints[0].contains(option), "{failure:?}");
    }
}

#[test]
fn a_wrong_value_is_answered_with_its_line() {
    for (text, words) in [
        ("name: shop\nport: web\n", "line 2"),
        ("port: 0\n", "nonzero"),
        ("port: 65536\n", "65536"),
        ("timeout: -1\n", "-1"),
        ("provider: k3s\n", "`existing`"),
        ("values: one.yaml\n", "sequence"),
        ("name: a\nname: b\n", "duplicate"),
        ("name: [\n", "line"),
        ("- name\n", "keys with values"),
        ("dags: ~/dags\n", "shell"),
    ] {
        let failure = parse(text).unwrap_err();
        assert!(failure.evidence[0].contains(words), "{text}: {:?}", failure.evidence);
    }
}

#[test]
fn paths_are_those_of_the_files_folder() {
    let file = parse("dags: flows\nprofile: ./mine.yaml\nbundle: /bundle\nvalues: [../v.yaml]\n").unwrap();
    let wishes = file.wishes(Path::new("/project"));
    assert_eq!(wishes.dags.as_deref(), Some(Path::new("/project/flows")));
    assert_eq!(wishes.profile.as_deref(), Some("/project/mine.yaml"));
    assert_eq!(wishes.bundle.as_deref(), Some(Path::new("/bundle")));
    assert_eq!(wishes.values, [Path::new("/project/../v.yaml")]);
}

#[test]
fn a_key_is_found_in_its_line() {
    assert_eq!(line_of("# port: 1\nname: a\nport : 2\n", "port"), 3);
}

#[test]
fn the_schema_for_editors_is_up_to_date() {
    let generated = serde_json::to_string_pretty(&schemars::schema_for!(ProjectFile)).unwrap() + "\n";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/profiles/windtunnel.schema.json");
    if std::fs::read_to_string(path).is_ok_and(|committed| committed == generated) {
        return;
    }
    std::fs::write(path, generated).unwrap();
    panic!("profiles/windtunnel.schema.json was out of date and has been written anew: commit it");
}
