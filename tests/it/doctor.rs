//! `windtunnel doctor`: everything in one report, whatever is there, and the same checks before `up`.

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::context::{Run, TestContext, assert_run};

impl TestContext {
    /// The engine answers what only `doctor` asks.
    pub(crate) fn for_doctor(&self) {
        self.on("docker", "version", &["stdout Engine", "stdout containerd"]);
        self.on("docker", "network ls", &["stdout 1", "stdout 2"]);
        self.on("docker", "network inspect", &["stdout bridge 172.17.0.0/16 ", "stdout kind fc00::/64 172.18.0.0/16 "]);
        self.edit_engine(|info| {
            info["OperatingSystem"] = "Test OS".into();
            info["Driver"] = "overlay2".into();
            info["CgroupVersion"] = "2".into();
            info["Name"] = "test".into();
        });
    }

    /// A link to the fakes, named as a tool, somewhere else than on PATH.
    fn fake_at(&self, inside: &str) {
        let path = self.path(inside);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_fake-tool"), path).unwrap();
    }
}

/// The codes of all findings.
fn codes(document: &Value) -> Vec<&str> {
    let checks = document["checks"].as_array().unwrap().iter();
    checks
        .flat_map(|check| check["findings"].as_array().unwrap())
        .map(|finding| finding["code"].as_str().unwrap())
        .collect()
}

#[test]
fn a_machine_that_has_everything() {
    let context = TestContext::new();
    context.for_doctor();
    let run = context.run(&["doctor"]);
    assert!(run.code == 0 && run.stdout.contains("0 errors, 0 warnings, "), "{run}");
    assert!(run.stdout.contains("docker 28.2.2 on Test OS") && run.stdout.contains("names"), "{run}");
    assert!(!context.environment("").exists() && !context.path("project/dags").exists(), "{run}");
    let run = context.run(&["doctor", "-o", "json"]);
    let document: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((&document["healthy"], codes(&document)), (&Value::Bool(true), Vec::new()), "{run}");
}

#[test]
fn names_are_looked_for_in_a_container_of_an_image_that_is_there() {
    let context = TestContext::new();
    context.for_doctor();
    context.forget_variable("WINDTUNNEL_BUNDLE");
    let asked = |run: &Run| run.journal.iter().any(|line| line.starts_with("docker run --rm --pull never "));
    let run = context.run(&["doctor"]);
    assert!(run.code == 0 && run.stdout.contains("- names") && !asked(&run), "{run}");
    context.on("docker", "image inspect apache/airflow:3.3.2", &[r#"stdout {"Id":"sha256:0"}"#]);
    context.on("docker", "run", &["exit 2"]);
    let run = context.run(&["doctor"]);
    assert!(run.code == 0 && run.stdout.contains("warning[WT128]") && asked(&run), "{run}");
    context.on("docker", "run", &["exit 125"]);
    assert!(context.run(&["doctor"]).stdout.contains("0 errors, 0 warnings"));
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let context = TestContext::new();
    context.without("kind");
    context.without("helm");
    context.edit_engine(|info| info["MemTotal"] = (1_u64 << 30).into());
    assert_run!(context, &["up"]);
    assert!(!context.environment("").exists());
}

#[test]
fn without_an_engine_all_the_rest_is_still_told() {
    let context = TestContext::new();
    context.without("docker");
    context.without("helm");
    let run = context.run(&["doctor", "-o", "json"]);
    let document: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((run.code, codes(&document)), (3, vec!["WT101", "WT107"]), "{run}");
    let run = context.run(&["doctor"]);
    assert!(run.stdout.contains("✓ kind") && run.stdout.contains("- memory"), "{run}");
    assert!(run.stderr.contains("2 checks failed") && run.stderr.contains("windtunnel doctor --fix"), "{run}");
}

#[test]
fn what_was_asked_for_comes_first_and_alone() {
    let context = TestContext::new();
    context.without("kind");
    context.write_file("project/flows", "a file");
    for command in ["up", "doctor"] {
        let run = context.run(&[command, "--dags", "flows"]);
        assert!(run.code == 2 && run.stderr.contains("is not a folder") && !run.stderr.contains("kind"), "{run}");
    }
}

#[test]
fn a_tool_of_windtunnels_own_folder_stands_in_for_one_that_is_missing_or_too_old() {
    let context = TestContext::new();
    context.fake_at("cache/windtunnel/tools/helm-v3.19.0/helm");
    let has_own = |context: &TestContext| {
        context.for_doctor();
        let run = context.run(&["doctor"]);
        (run.code, run.stdout.contains("cache/windtunnel/tools/helm-v3.19.0/helm"))
    };
    assert_eq!(has_own(&context), (0, false), "the one on PATH is well");
    context.without("helm");
    assert_eq!(has_own(&context), (0, true));
    assert_eq!(context.run(&["up", "--dry-run"]).code, 0);
}

#[test]
fn a_program_for_another_processor_is_named() {
    let context = TestContext::new();
    context.without("kind");
    let mut header = vec![0_u8; 64];
    header[..6].copy_from_slice(b"\x7fELF\x02\x01");
    let other = if cfg!(target_arch = "x86_64") { 0xb7 } else { 0x3e };
    header[18] = other;
    std::fs::write(context.path("bin/kind"), header).unwrap();
    std::fs::set_permissions(context.path("bin/kind"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let run = context.run(&["up"]);
    assert!(run.code == 3 && run.stderr.contains("error[WT120]: `kind` is built for linux/"), "{run}");
}

#[test]
fn a_proxy_without_exceptions_is_warned_of_and_its_password_is_not_told() {
    let context = TestContext::new();
    let variables = [("HTTPS_PROXY", "http://me:hidden@proxy:3128")];
    let run = context.run_with(&["up", "--dry-run"], &variables);
    assert!(run.code == 0 && run.stderr.contains("warning: the proxy comes between"), "{run}");
    context.for_doctor();
    let run = context.run_with(&["doctor"], &variables);
    assert!(run.code == 0 && run.stdout.contains("warning[WT124]") && !run.stdout.contains("hidden"), "{run}");
}

#[test]
fn podman_behind_the_docker_command() {
    let context = TestContext::new();
    context.on(
        "docker",
        "info",
        &["stdout {\"host\":{},\"store\":{\"graphDriverName\":\"overlay\"},\"version\":{\"Version\":\"5.0\"}}"],
    );
    let run = context.run(&["up"]);
    assert!(run.code == 3 && run.stderr.contains("error[WT113]"), "{run}");
}

#[test]
fn what_was_left_is_found_and_removed() {
    let context = TestContext::new();
    context.for_doctor();
    context.write_file("state/environments/old/lock", "");
    let run = context.run(&["doctor", "-o", "json"]);
    let document: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((run.code, codes(&document)), (0, vec!["WT130"]), "{run}");
    context.on("docker", "container inspect old-control-plane", &["stderr Error: No such container", "exit 1"]);
    let run = context.run(&["doctor", "--fix", "--yes"]);
    assert!(run.code == 0 && run.stdout.contains("0 errors, 0 warnings"), "{run}");
    assert!(!context.path("state/environments/old").exists(), "{run}");
}

#[test]
fn nothing_is_repaired_without_a_yes() {
    let context = TestContext::new();
    context.for_doctor();
    context.without("kind");
    let run = context.run(&["doctor", "--fix"]);
    assert!(run.code == 2 && run.stderr.contains("there is nobody to ask"), "{run}");
    assert!(run.stderr.contains("kind-v0.30.0/kind, sha256 "), "{run}");
    assert!(!context.path("cache/windtunnel/tools").exists());
}
