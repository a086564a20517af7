//! `windtunnel explain`.

use crate::context::TestContext;

#[test]
fn a_code_is_explained_by_its_number_or_its_name() {
    let context = TestContext::new();
    let by_number = context.run(&["explain", "wt301"]);
    assert!(by_number.code == 0 && by_number.stdout.starts_with("WT301 image_not_found\n\n"), "{by_number}");
    assert_eq!(context.run(&["explain", "image_not_found"]).stdout, by_number.stdout);
    let json = context.run(&["explain", "WT301", "-o", "json"]);
    let document: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!((&document["code"], &document["cause"]), (&"WT301".into(), &"image_not_found".into()), "{json}");
    let all = context.run(&["explain"]);
    assert!(all.code == 0 && all.stdout.lines().all(|line| line.starts_with("WT")), "{all}");
}

#[test]
fn an_unknown_code_is_a_usage_error() {
    let run = TestContext::new().run(&["explain", "WT999"]);
    assert!(run.code == 2 && run.stderr.contains("there is no code `WT999`"), "{run}");
}
