//! A machine that lacks something: which thing, and where to get it, before anything is touched.

use crate::context::{TestContext, assert_run};

fn untouched(context: &TestContext) {
    assert!(!context.environment("environment.json").exists());
    assert!(!context.path("project/dags").exists());
    assert!(!context.path("tools/node").exists());
}

#[test]
fn docker_is_missing() {
    let context = TestContext::new();
    context.without("docker");
    assert_run!(context, &["up"]);
    untouched(&context);
}

#[test]
fn kind_is_missing() {
    let context = TestContext::new();
    context.without("kind");
    assert_run!(context, &["up"]);
    untouched(&context);
}

#[test]
fn helm_is_missing() {
    let context = TestContext::new();
    context.without("helm");
    assert_run!(context, &["up"]);
    untouched(&context);
}

#[test]
fn kind_is_too_old() {
    let context = TestContext::new();
    context.on("kind", "version", &["stdout kind v0.20.0 go1.20.5 linux/amd64"]);
    assert_run!(context, &["up"]);
    untouched(&context);
}

#[test]
fn helm_is_too_old() {
    let context = TestContext::new();
    context.on("helm", "version", &["stdout v3.9.4"]);
    assert_run!(context, &["up"]);
    untouched(&context);
}

#[test]
fn another_program_is_called_helm() {
    let context = TestContext::new();
    context.on("helm", "version", &["stdout The Helm text editor"]);
    assert_run!(context, &["up"]);
    untouched(&context);
}

#[test]
fn kind_does_not_start() {
    let context = TestContext::new();
    std::fs::remove_file(context.path("bin/kind")).unwrap();
    context.write_file("bin/kind", "not a program");
    make_executable(&context, "bin/kind");
    assert_run!(context, &["up"]);
    untouched(&context);
}

#[test]
fn the_engine_is_not_running() {
    let context = TestContext::new();
    let errors =
        "\"Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?\"";
    context.on(
        "docker",
        "info",
        &[&format!("stdout {{\"ID\":\"\",\"ServerVersion\":\"\",\"ServerErrors\":[{errors}]}}"), "exit 1"],
    );
    assert_run!(context, &["up"]);
    untouched(&context);
    assert_run!(context, &["down", "--yes"]);
}

#[test]
fn no_permission_on_the_socket() {
    let context = TestContext::new();
    let error =
        "stderr permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock";
    context.on("docker", "info", &[error, "exit 1"]);
    assert_run!(context, &["up"]);
    untouched(&context);
}

#[test]
fn the_engine_says_something_unexpected() {
    let context = TestContext::new();
    for garbage in ["stdout <html>", "stdout {\"ServerVersion\": 28}", "exit 0"] {
        context.on("docker", "info", &[garbage]);
        assert_run!(context, &["up"]);
    }
    untouched(&context);
}

#[test]
fn the_engine_runs_no_linux_containers() {
    let context = TestContext::new();
    context.edit_engine(|info| info["OSType"] = "windows".into());
    assert_run!(context, &["up"]);
    untouched(&context);
}

#[test]
fn too_little_memory() {
    let context = TestContext::new();
    context.edit_engine(|info| info["MemTotal"] = (1_u64 << 30).into());
    assert_run!(context, &["up"]);
    untouched(&context);
}

#[test]
fn too_little_disk() {
    let context = TestContext::new();
    // A file system that has no room at all.
    context.edit_engine(|info| info["DockerRootDir"] = "/proc".into());
    assert_run!(context, &["up"]);
    untouched(&context);
}

fn make_executable(context: &TestContext, file: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(context.path(file), std::fs::Permissions::from_mode(0o755)).unwrap();
}
