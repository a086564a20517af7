use serde_json::json;

use super::*;

#[test]
fn a_known_secret_is_found_in_every_form() {
    let mut redactor = Redactor::default();
    redactor.learn("p@ss/w\"ord");
    for text in [
        "the log says p@ss/w\"ord.",
        &format!("data: {}", STANDARD.encode("p@ss/w\"ord")),
        "postgresql://u:p%40ss%2Fw%22ord@db",
        r#"{"x":"p@ss/w\"ord"}"#,
    ] {
        let clean = redactor.text(text);
        assert!(clean.contains(REMOVED) && !clean.contains("ss/w") && !clean.contains("ss%2F"), "{clean}");
    }
}

#[test]
fn what_looks_like_a_secret_goes_and_the_rest_stays() {
    let redactor = Redactor::default();
    let clean = |text: &str| redactor.text(text);
    assert_eq!(clean("see postgresql://airflow:hunter2@db:5432/x"), "see postgresql://airflow:[removed]@db:5432/x");
    assert_eq!(clean("Authorization: Bearer abcdefgh12345"), "Authorization: Bearer [removed]");
    assert_eq!(clean("token eyJhbGciOiJIUzUxMiJ9.eyJzdWIiOiIxIn0.c2ln went"), "token [removed] went");
    assert_eq!(clean("PGPASSWORD=hunter2 psql"), "PGPASSWORD=[removed] psql");
    assert_eq!(clean(r#"{"password": "hunter2", "user": "a"}"#), r#"{"password": "[removed]", "user": "a"}"#);
    for innocent in [
        "http://127.0.0.1:7070/home 12:30:01 pod a-b-c of 3 is ready",
        "{\"url\": \"http://127.0.0.1:7070\",\n\"mail\": \"a@b\"}",
        r#"{"automountServiceAccountToken": false, "credentialsSecret": "demo-credentials"}"#,
    ] {
        assert_eq!(clean(innocent), innocent);
    }
}

#[test]
fn a_fields_name_tells_that_its_value_is_a_secret() {
    let mut redactor = Redactor::default();
    redactor.learn_from(&json!({
        "data": {"metadataConnection": {"pass": "x"}, "webserverSecretKey": "planted-1"},
        "env": [{"name": "AIRFLOW_CONN_SHOP", "value": "planted-2"}, {"name": "TZ", "value": "Europe/Berlin"}],
        "secretName": "airflow-keys",
    }));
    let clean = redactor.text("planted-1 planted-2 Europe/Berlin airflow-keys");
    assert_eq!(clean, "[removed] [removed] Europe/Berlin airflow-keys");
}

#[test]
fn a_secret_is_found_in_whatever_form_it_is_written() {
    let redactor = Redactor::default();
    for (text, clean) in [
        // Addresses.
        ("pull https://planted0token@github.com/x.git now", "pull https://[removed]@github.com/x.git now"),
        ("postgresql://u:planted/w0rd@h/db", "postgresql://u:[removed]@h/db"),
        ("postgresql://u:planted@w0rd?x@h/db", "postgresql://u:[removed]@h/db"),
        ("http://proxy:planted,1@10.0.0.1:3128", "http://proxy:[removed]@10.0.0.1:3128"),
        ("redis://:planted@h:6379/0 redis://h:6379", "redis://:[removed]@h:6379/0 redis://h:6379"),
        // Names.
        ("    pass: planted", "    pass: [removed]"),
        ("{user: a, pass: planted}", "{user: a, pass: [removed]}"),
        ("SHOP_PASS=planted&with;more", "SHOP_PASS=[removed]"),
        ("dbPass: 'it''s planted'", "dbPass: '[removed]'"),
        (r#"{"dbPass": "planted \" too"}"#, r#"{"dbPass": "[removed]"}"#),
        (
            r#"{"a": "{\"password\": \"planted\", \"user\": \"x\"}"}"#,
            r#"{"a": "{\"password\": \"[removed]\", \"user\": \"x\"}"}"#,
        ),
        ("args: --set data.metadataConnection.pass=planted", "args: --set data.metadataConnection.pass=[removed]"),
        ("key: password=planted", "key: password=[removed]"),
        ("AccountName=a;AccountKey=planted==", "AccountName=a;AccountKey=[removed]"),
        ("https://a.blob/x?sv=2024&sig=planted%3D", "https://a.blob/x?sv=2024&sig=[removed]"),
        // A variable of a container: in YAML, in JSON, in Python, in JSON within JSON.
        ("- name: SHOP_PASS\n  value: planted\n", "- name: SHOP_PASS\n  value: [removed]\n"),
        ("\"name\": \"SHOP_PASS\",\n  \"value\": \"planted\"", "\"name\": \"SHOP_PASS\",\n  \"value\": \"[removed]\""),
        ("{'name': 'SHOP_PASS',\n 'value': 'planted'", "{'name': 'SHOP_PASS',\n 'value': '[removed]'"),
        (r#"{\"name\":\"SHOP_PASS\",\"value\":\"planted\"}"#, r#"{\"name\":\"SHOP_PASS\",\"value\":\"[removed]\"}"#),
        ("psql --db-pass planted --verbose", "psql --db-pass [removed] --verbose"),
        ("\"--db-pass\",\n  \"planted\"", "\"--db-pass\",\n  \"[removed]\""),
        // Headers.
        ("Authorization: Basic cGxhbnRlZA==", "Authorization: Basic [removed]"),
        ("{'authorization': 'token planted'}", "{'authorization': 'token [removed]'}"),
        // Blocks and keys.
        ("  password: |\n    planted\n    words\n  user: a\n", "  password: |\n    [removed]\n  user: a\n"),
        ("- sshKey: >-\n    planted\n  user: a\n", "- sshKey: >-\n  [removed]\n  user: a\n"),
        (
            "-----BEGIN PRIVATE KEY-----\n  MIIEplanted\n-----END PRIVATE KEY----- x",
            "-----BEGIN PRIVATE KEY-----[removed] x",
        ),
        (
            "-----BEGIN RSA PRIVATE KEY-----\\nplantedMIIEpQIBAAKCAQEA7b\\nplantedMIIEpQIBAAKCAQEA7b",
            "-----BEGIN RSA PRIVATE KEY-----[removed]",
        ),
        ("it is LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0t=", "it is [removed]"),
        // Tokens that say what they are.
        ("with AKIAIOSFODNN7EXAMPLE done", "with [removed] done"),
        ("with ghp_0123456789abcdefghij done", "with [removed] done"),
    ] {
        assert_eq!(redactor.text(text), clean, "of {text}");
    }
}

#[test]
fn what_is_no_secret_stays() {
    let redactor = Redactor::default();
    for innocent in [
        "12 passed, compass: north, bypass=yes, PWD=/opt/airflow",
        "dial tcp 10.96.0.10:53: connect: connection refused",
        "oci://localhost:5000/airflow@sha256:abcdef and docker.io/apache/airflow:3.3.2",
        "ssh://git@github.com/x.git and https://pypi.org/simple/x@1.0",
        "tolerations: [{key: node-role, operator: Exists}]",
        "- name: TZ\n  value: Europe/Berlin\n",
        "passed: |\n  of all\n",
        "  File \"/opt/airflow/dags/broken.py\", line 3, in <module>",
    ] {
        assert_eq!(redactor.text(innocent), innocent);
    }
}

#[test]
fn what_was_learned_is_found_anywhere() {
    let mut redactor = Redactor::default();
    redactor.learn_from(&json!({
        "data": {"metadataConnection": {"pass": "planted-1", "user": "airflow"}},
        "connection": "postgresql://shop:pl%40nted-2@db/shop",
        "extraSecrets": {"more": {"stringData": "A: planted-3\nB: planted-4\n"}},
        "objects": [{"kind": "Secret", "data": {"x": STANDARD.encode("planted-5\n")}}],
        "tokens": ["planted-6", "planted-7"],
        "args": ["--db-pass", "planted-13", "--verbose", "quietly"],
        "annotation": "{\"env\":[{\"name\":\"TOKEN\",\"value\":\"planted-14\"}]}",
        "pin": {"accessKey": 123_456_789},
        "tls.key": "-----BEGIN X-----\nplanted-8-line\nplanted-9-line\n",
        "password": "airflow",
    }));
    redactor.learn_assignments(&[
        "a.pass=plan\\,ted-10,env[0].name=SHOP_TOKEN,env[0].value=planted-11".to_owned(),
        "url=http://u:planted-12@h".to_owned(),
    ]);
    let secrets = "planted-1 pl%40nted-2 pl@nted-2 planted-3 planted-4 planted-5 planted-6 planted-7 123456789 planted-8-line \
                   planted-9-line plan,ted-10 planted-11 planted-12 planted-13 planted-14";
    let clean = redactor.text(secrets);
    assert!(clean.split(' ').all(|word| word == REMOVED), "{clean}");
    assert_eq!(redactor.text("apache/airflow"), "apache/airflow", "a password that everybody has");
    let header = STANDARD.encode("admin:planted-11");
    assert!(!redactor.text(&header).contains(&header[8..16]), "{}", redactor.text(&header));
}
