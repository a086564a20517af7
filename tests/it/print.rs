//! Commands that print something and change nothing.

use crate::context::{TestContext, assert_run};

/// Help shows the value of every variable that is set.
fn without_settings() -> TestContext {
    let context = TestContext::new();
    context.forget_variable("WINDTUNNEL_BUNDLE");
    context.forget_variable("WINDTUNNEL_PORT");
    context
}

#[test]
fn help() {
    let context = without_settings();
    assert_run!(context, &["--help"]);
}

#[test]
fn help_of_every_command() {
    let context = without_settings();
    for command in ["up", "status", "down", "smoke", "logs", "forward", "credentials", "config", "init", "profiles"] {
        assert_run!(context, &[command, "--help"]);
    }
}

#[test]
fn without_a_command() {
    let context = TestContext::new();
    let run = context.run(&[]);
    assert_eq!(run.code, 2, "{run}");
    assert!(run.stderr.contains("Usage: windtunnel"), "{run}");
}

#[test]
fn version() {
    let context = TestContext::new();
    let run = context.run(&["--version"]);
    let expected = format!("windtunnel {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!((run.code, run.stdout, run.stderr.as_str()), (0, expected, ""));
}

#[test]
fn completions() {
    let context = TestContext::new();
    for (shell, sign) in [("bash", "_windtunnel()"), ("zsh", "#compdef windtunnel"), ("fish", "complete -c windtunnel")]
    {
        let run = context.run(&["completions", shell]);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run}");
        assert!(run.stdout.contains(sign), "{run}");
    }
    assert_run!(context, &["completions", "csh"]);
}

#[test]
fn credentials() {
    let context = TestContext::new();
    context.up();
    let file = std::fs::read_to_string(context.environment("credentials.json")).unwrap();
    let kept: serde_json::Value = serde_json::from_str(&file).unwrap();
    let password = kept["admin_password"].as_str().unwrap();
    let text = context.run(&["credentials"]);
    assert!(text.code == 0 && text.stdout.contains(password), "{text}");
    let json = context.run(&["credentials", "-o", "json"]);
    let document: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(document["password"], password);
    let shown = format!("{text}{json}").replace(password, "[PASSWORD]");
    context.settings().bind(|| insta::assert_snapshot!(shown));
}

#[test]
fn kubeconfig() {
    let context = TestContext::new();
    assert_run!(context, &["kubeconfig"]);
    context.up();
    assert_run!(context, &["kubeconfig"]);
    assert_run!(context, &["kubeconfig", "-o", "json"]);
}

#[test]
fn every_file_of_the_state_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let context = TestContext::new();
    context.up();
    let mode = |path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(context.environment("")), 0o700);
    for file in ["credentials.json", "environment.json", "kind.json", "lock", "values.json"] {
        assert_eq!(mode(context.environment(file)), 0o600, "{file}");
    }
}
