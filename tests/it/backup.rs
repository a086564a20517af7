//! `backup` and `restore`: what is refused before anything is touched. What they do is for tests/e2e, which has a database.

use std::path::PathBuf;

use semver::Version;
use windtunnel::backup::{Content, FORMAT, Keys, Manifest, write};
use windtunnel::profile::StackName;

use crate::context::{Run, TestContext, assert_run};

pub(crate) const PASSPHRASE: [(&str, &str); 1] = [("WINDTUNNEL_PASSPHRASE", "correct horse battery")];

impl TestContext {
    /// A backup of an environment with this Airflow, sealed with [`PASSPHRASE`].
    pub(crate) fn write_backup(&self, airflow: Version) -> PathBuf {
        let path = self.path("project/a.backup");
        let manifest = Manifest {
            format: FORMAT,
            windtunnel: "0.1.0".to_owned(),
            environment: "elsewhere".to_owned(),
            stack: StackName::Lite,
            airflow,
            time: "2026-11-23T07:00:00Z".parse().unwrap(),
            database: 170_012,
            content: Content { runs: 1, connections: 2, variables: 3 },
            sha256: String::new(),
        };
        let keys = Keys { fernet_key: "the-fernet-key".into(), admin_password: "the-password".into() };
        write(&path, true, &PASSPHRASE[0].1.into(), manifest, &keys, b"a dump").unwrap();
        path
    }

    fn restore(&self, passphrase: &[(&str, &str)]) -> Run {
        let run = self.run_with(&["restore", "a.backup", "--yes"], passphrase);
        assert!(run.journal.is_empty(), "nothing may be touched: {run}");
        run
    }
}

/// The run, as a snapshot.
macro_rules! assert_shown {
    ($context:expr, $run:expr) => {{
        let run = $run;
        $context.settings().bind(|| insta::assert_snapshot!(run.to_string()));
    }};
}

#[test]
fn without_an_environment() {
    let context = TestContext::new();
    assert_run!(context, &["backup", "a.backup"]);
    context.write_backup(Version::new(3, 3, 2));
    assert_shown!(context, context.restore(&PASSPHRASE));
}

#[test]
fn a_file_that_is_there_is_replaced_by_force_alone() {
    let context = TestContext::new();
    context.up();
    context.write_file("project/a.backup", "precious");
    assert_shown!(context, context.run_with(&["backup", "a.backup"], &PASSPHRASE));
    assert_shown!(context, context.run_with(&["backup", "nowhere/a.backup"], &PASSPHRASE));
    assert_eq!(std::fs::read_to_string(context.path("project/a.backup")).unwrap(), "precious");
}

#[test]
fn a_passphrase_that_is_none() {
    let context = TestContext::new();
    context.up();
    assert_run!(context, &["backup", "a.backup"]);
    assert_shown!(context, context.run_with(&["backup", "a.backup"], &[("WINDTUNNEL_PASSPHRASE", "short")]));
    context.write_file("project/empty", "\n");
    assert_run!(context, &["backup", "a.backup", "--passphrase-file", "empty"]);
    assert!(!context.path("project/a.backup").exists());
}

#[test]
fn a_database_that_does_not_answer() {
    let context = TestContext::new();
    context.up();
    let run = context.run_with(&["backup", "a.backup"], &PASSPHRASE);
    assert!(run.code == 4 && run.stderr.contains("the environment must run: `windtunnel up`"), "{run}");
    assert_eq!(
        std::fs::read_dir(context.path("project")).unwrap().flatten().count(),
        1,
        "only the DAG folder is there"
    );
}

#[test]
fn what_is_no_backup() {
    let context = TestContext::new();
    context.up();
    assert_shown!(context, context.restore(&PASSPHRASE));
    context.write_file("project/a.backup", "PK and more");
    assert_shown!(context, context.restore(&PASSPHRASE));
    let path = context.write_backup(Version::new(3, 3, 2));
    assert_shown!(context, context.restore(&[("WINDTUNNEL_PASSPHRASE", "another passphrase")]));
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    assert_shown!(context, context.restore(&PASSPHRASE));
}

#[test]
fn another_airflow() {
    let context = TestContext::new();
    context.up();
    context.write_backup(Version::new(3, 4, 0));
    assert_shown!(context, context.restore(&PASSPHRASE));
    context.write_backup(Version::new(2, 11, 0));
    assert_shown!(context, context.restore(&PASSPHRASE));
}
