//! `windtunnel doctor`: everything in one report, whatever is there, and the same checks before `up`.

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::context::{Run, TestContext, assert_run};

impl TestContext {
    /// The engine answers what only `doctor` asks.
    pub(crate) fn for_doctor(&self) {
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

/// A Deployment of three pods that ask for so much, and a Job that does not stay.
fn asking(memory: &str, cpu: &str) -> String {
    let pod = format!(
        "{{containers: [{{name: scheduler, image: 'windtunnel.local/airflow:3.3.2', resources: {{requests: {{memory: {memory}, cpu: {cpu}}}}}}}]}}"
    );
    format!(
        "kind: Deployment\nmetadata: {{name: big}}\nspec: {{replicas: 3, template: {{spec: {pod}}}}}\n---\n\
         kind: Job\nmetadata: {{name: once}}\nspec: {{template: {{spec: {pod}}}}}\n"
    )
}

#[test]
fn what_the_rendered_chart_asks_for_is_what_is_needed() {
    let context = TestContext::new();
    context.for_doctor();
    context.write_file("tools/rendered.yaml", &asking("32Gi", "2"));
    let run = context.run(&["up"]);
    assert!(run.code == 3 && run.stderr.contains("64.0 GiB of memory are free, 97.0 GiB are needed (WT104)"), "{run}");
    assert!(run.stderr.contains("the engine has 4 processors, 7.05 are needed (WT118)"), "{run}");
    assert!(!context.environment("").exists() && !context.path("tools/node").exists(), "{run}");
    let run = context.run(&["doctor"]);
    assert!(run.code == 3 && run.stdout.contains("64.0 GiB of memory are free, 97.0 GiB are needed (WT104)"), "{run}");
    context.write_file("tools/rendered.yaml", &asking("1Gi", "100m"));
    let run = context.run(&["doctor"]);
    assert!(run.code == 0 && run.stdout.contains("64.0 GiB free, 4.0 GiB needed"), "{run}");
    assert!(run.stdout.contains("4, 1.35 needed"), "{run}");
}

#[test]
fn an_environment_that_runs_has_its_share_already() {
    let context = TestContext::new();
    context.up();
    context.write_file("tools/rendered.yaml", &asking("32Gi", "2"));
    let run = context.run(&["up", "--dry-run", "--set", "triggerer.enabled=true"]);
    assert!(!run.stderr.contains("WT104"), "{run}");
    let run = context.run(&["doctor", "--set", "triggerer.enabled=true"]);
    assert!(run.stdout.contains("the environment runs, and has its share"), "{run}");
}

#[test]
fn what_is_wrong_with_folder_and_bundle_stands_beside_all_the_rest() {
    let context = TestContext::new();
    context.for_doctor();
    std::fs::create_dir(context.path("project/dags")).unwrap();
    std::fs::set_permissions(context.path("project/dags"), std::fs::Permissions::from_mode(0o000)).unwrap();
    context.write_file("bundle/airflow.tar", "this stands for windtunnel.local/airflow:3.3.3");
    context.edit_engine(|info| info["Architecture"] = "riscv64".into());
    let run = context.run(&["doctor", "-o", "json"]);
    let document: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((run.code, codes(&document)), (3, vec!["WT213", "WT214", "WT138"]), "{run}");
    let run = context.run(&["up"]);
    assert!(run.code == 3 && run.stderr.contains("3 things are missing or wrong"), "{run}");
    context.without("docker");
    let run = context.run(&["doctor", "-o", "json", "--bundle", "nowhere"]);
    let document: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((run.code, codes(&document)), (3, vec!["WT101", "WT213", "WT138"]), "{run}");
    std::fs::set_permissions(context.path("project/dags"), std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_tool_of_a_bundle_that_cannot_be_read_is_not_missed() {
    let context = TestContext::new();
    context.for_doctor();
    context.without("kind");
    let run = context.run(&["doctor", "--bundle", "nowhere"]);
    assert!(run.code == 3 && run.stdout.contains("error[WT213]") && !run.stdout.contains("WT107"), "{run}");
}

#[test]
fn a_chart_that_helm_refuses_stands_beside_a_tool_that_is_missing() {
    let context = TestContext::new();
    context.for_doctor();
    context.without("kind");
    context.on("helm", "template", &["stderr Error: parse error at (lite/templates/web.yaml:7)", "exit 1"]);
    let run = context.run(&["doctor", "-o", "json"]);
    let document: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((run.code, codes(&document)), (3, vec!["WT107", "WT906"]), "{run}");
}

#[test]
fn up_looks_around_in_the_engine_too() {
    let context = TestContext::new();
    context.on("docker", "version", &["stdout Podman Engine"]);
    context.write_file("state/environments/old/lock", "");
    let run = context.run(&["up", "--dry-run"]);
    for command in ["docker version", "docker network ls", "docker network inspect", "docker container ls --all"] {
        assert!(run.asked.iter().any(|line| line.starts_with(command)), "{command}: {:?}", run.asked);
    }
    assert!(run.code == 0 && run.stderr.contains("(WT113)") && run.stderr.contains("(WT130)"), "{run}");
}

#[test]
fn a_tool_that_hides_another_is_told() {
    let context = TestContext::new();
    context.for_doctor();
    let tool = |inside: &str, text: &str| {
        context.write_file(inside, text);
        std::fs::set_permissions(context.path(inside), std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    let path = format!("{}:{}", context.path("first").display(), context.path("bin").display());
    let doctor = || context.run_with(&["doctor"], &[("PATH", &path)]);
    tool("first/kind", "not a program");
    let run = doctor();
    assert!(run.code == 3 && run.stdout.contains("error[WT121]"), "{run}");
    assert!(run.stdout.contains("a newer one comes later on PATH: kind 0.30.0 at "), "{run}");
    tool("first/kind", "#!/bin/sh\necho kind v0.29.0\n");
    let run = doctor();
    assert!(run.code == 0 && run.stdout.contains("warning[WT121]: kind 0.29.0 hides the newer 0.30.0"), "{run}");
    tool("first/kind", "#!/bin/sh\necho kind v0.31.0\n");
    let run = doctor();
    assert!(run.code == 0 && run.stdout.contains("; not used: 0.30.0 at ") && !run.stdout.contains("WT121"), "{run}");
    tool("first/kind", "#!/bin/sh\necho kind v1.0.0\n");
    assert!(doctor().stdout.contains("warning[WT141]: kind 1.0.0 is newer than what windtunnel was tested with"));
}

#[test]
#[cfg(target_os = "linux")]
fn limits_are_raised_with_sudo_after_a_yes() {
    const SYSCTL: &str = "sysctl -w 'fs.inotify.max_user_watches=524288' 'fs.inotify.max_user_instances=512'";
    let context = TestContext::new();
    context.for_doctor();
    // Only an engine that has this machine's memory has its kernel.
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap();
    let memory: u64 = memory.split_whitespace().nth(1).unwrap().parse().unwrap();
    context.edit_engine(|info| info["MemTotal"] = (memory * 1024).into());
    // No limit is enough for so many clusters; their names are none of windtunnel's.
    let clusters: Vec<String> = (0..200_000).map(|number| format!("Other_{number}")).collect();
    context.write_file("tools/clusters", &(clusters.join("\n") + "\n"));
    context.on("docker", "container ls --all --format", &["stdout-file clusters"]);
    for tool in ["sudo", "sysctl"] {
        context.with(tool);
        context.on(tool, "", &[]);
    }
    let ran = |run: &Run| run.journal.iter().find(|line| line.contains("sysctl")).cloned();
    let run = context.run(&["doctor"]);
    assert!(run.stdout.contains("warning[WT116]") && ran(&run).is_none(), "{run}");
    let run = context.run(&["doctor", "--fix"]);
    assert!(run.code == 2 && run.stderr.contains("there is nobody to ask") && run.stderr.contains(SYSCTL), "{run}");
    assert_eq!(ran(&run), None, "{run}");
    let run = context.run(&["doctor", "--fix", "--yes"]);
    // Root needs no sudo.
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    let words = if is_root { SYSCTL.to_owned() } else { format!("sudo {SYSCTL}") };
    assert_eq!(ran(&run), Some(words), "{run}");
    assert!(run.stdout.contains("warning[WT116]"), "the fake raised nothing: {run}");
}
