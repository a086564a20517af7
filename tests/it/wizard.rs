//! `windtunnel` alone on a terminal: the whole dialogue, leaving at each question, answers that cannot be.

use std::path::Path;

use rexpect::session::PtySession;
use serde_json::json;

use crate::context::TestContext;
use crate::objects::put_in;
use crate::terminal::{CURSOR, end, spawn, spawn_with};

/// A part of each question, in the order of asking, where nothing is there yet.
const QUESTIONS: [&str; 8] = [
    "Name of the environment",
    "Which cluster",
    "Which Airflow",
    "Folder with your DAGs",
    "Put an example DAG into it",
    "Port of the web interface",
    "Run the smoke test",
    "ring it up?",
];

fn answer(session: &mut PtySession, question: &str, keys: &str) -> String {
    let before = session.exp_string(question).unwrap();
    session.send(keys).unwrap();
    session.flush().unwrap();
    before
}

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).unwrap().next().is_none()
}

fn assert_nothing_changed(context: &TestContext) {
    assert!(is_empty(&context.path("project")) && is_empty(&context.path("state")) && is_empty(&context.path("home")));
}

/// Every line that was drawn fits on a narrow terminal.
fn assert_narrow(shown: &str) {
    // rexpect takes each byte for a character.
    let bytes: Vec<u8> = shown.chars().filter_map(|sign| u8::try_from(u32::from(sign)).ok()).collect();
    let text = String::from_utf8_lossy(&bytes);
    let plain = console::strip_ansi_codes(&text);
    let wide: Vec<_> = plain.split(['\r', '\n']).filter(|line| line.chars().count() > 80).collect();
    assert!(wide.is_empty(), "{wide:#?}");
}

#[test]
fn enter_all_the_way() {
    let context = TestContext::new();
    let mut session = spawn(&context, &[]);
    let mut shown = String::new();
    for question in QUESTIONS {
        // The fake Airflow runs no DAG.
        let keys = if question.contains("smoke") { "n" } else { "\r" };
        shown += &answer(&mut session, question, keys);
        shown += question;
    }
    assert_narrow(&shown);
    for words in [
        "docker 28.2.2",
        "kind 0.30.0",
        "helm 3.19.0",
        "none, and it stays so",
        "airflow-cluster (new, nothing else is in it)",
        "The same in one line",
        "windtunnel up\r",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    let (rest, code) = end(session);
    assert!(code == 0 && rest.contains("Airflow is ready"), "{code} {rest}");
    let file = std::fs::read_to_string(context.path("project/windtunnel.yaml")).unwrap();
    assert!(file.contains("\nprovider: kind\n") && file.contains("\ndags: dags\n"), "{file}");
    assert!(context.path("project/dags/example.py").exists());
    let again = context.run(&["up"]);
    assert_eq!(again.code, 0, "the file says what the wizard did: {again}");
}

#[test]
fn ctrl_c_or_esc_at_each_question_changes_nothing() {
    let context = TestContext::new();
    for key in ["\u{3}", "\u{1b}"] {
        for last in 0..QUESTIONS.len() {
            let mut session = spawn(&context, &[]);
            for question in &QUESTIONS[..last] {
                answer(&mut session, question, "\r");
            }
            answer(&mut session, QUESTIONS[last], key);
            let (shown, code) = end(session);
            assert_eq!(code, 130, "{key:?} at {}: {shown}", QUESTIONS[last]);
            assert!(shown.contains("nothing was changed"), "{shown}");
            assert!(shown.rfind(CURSOR) >= shown.rfind("\u{1b}[?25l"), "{shown:?}");
            assert_nothing_changed(&context);
        }
    }
}

#[test]
fn the_last_question_is_answered_with_no() {
    let context = TestContext::new();
    let mut session = spawn(&context, &[]);
    for question in &QUESTIONS[..7] {
        answer(&mut session, question, "\r");
    }
    answer(&mut session, QUESTIONS[7], "n");
    let (shown, code) = end(session);
    assert!(code == 130 && shown.contains("nothing was changed"), "{code} {shown}");
    assert_nothing_changed(&context);
}

#[test]
fn answers_that_cannot_be_are_asked_for_again() {
    let context = TestContext::new();
    context.write_file("elsewhere", "");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().map(|address| (taken, address.port())).unwrap();
    let mut session = spawn(&context, &[]);
    answer(&mut session, "Name of the environment", "Air_flow\r");
    session.exp_string("`A` is not allowed").unwrap();
    answer(&mut session, "Name of the environment", "shop\r");
    answer(&mut session, "Which cluster", "\r");
    answer(&mut session, "Which Airflow", "\r");
    answer(&mut session, "Folder with your DAGs", "../elsewhere\r");
    session.exp_string("is not a folder").unwrap();
    // What was typed wrong is taken back.
    answer(&mut session, "Folder with your DAGs", "flowz\u{7f}s\r");
    answer(&mut session, "Put an example DAG", "n");
    for wrong in ["0", "65536", "web"] {
        answer(&mut session, "Port of the web interface", &format!("{wrong}\r"));
        session.exp_string("a number from 1 to 65535").unwrap();
    }
    answer(&mut session, "Port of the web interface", &format!("{}\r", taken.1));
    session.exp_string("is taken by").unwrap();
    answer(&mut session, "Port of the web interface", "\r");
    answer(&mut session, "Run the smoke test", "\r");
    session.exp_string("windtunnel up --name shop --dags flows --smoke").unwrap();
    answer(&mut session, "bring it up?", "\u{1b}");
    assert_eq!(end(session).1, 130);
    assert_nothing_changed(&context);
}

#[test]
fn plain_lines_only() {
    let context = TestContext::new();
    let mut session = spawn(&context, &["--plain"]);
    let mut shown = answer(&mut session, "Name of the environment [airflow-cluster]: ", "\n");
    shown += &answer(&mut session, "Number from 1 to 1 [1]: ", "7\n");
    shown += &answer(&mut session, "type a number from 1 to 1", "");
    shown += &answer(&mut session, "Number from 1 to 1 [1]: ", "1\n");
    shown += &answer(&mut session, "Which Airflow", "\n");
    shown += &answer(&mut session, "Folder with your DAGs [dags]: ", "\n");
    shown += &answer(&mut session, "Put an example DAG into it [yes]: ", "maybe\n");
    shown += &answer(&mut session, "type yes or no", "no\n");
    shown += &answer(&mut session, "Port of the web interface [", "\n");
    shown += &answer(&mut session, "Run the smoke test [yes]: ", "no\n");
    shown += &answer(&mut session, "bring it up? [yes]: ", "\n");
    let (rest, code) = end(session);
    assert_eq!(code, 0, "{rest}");
    assert!(rest.contains("done: kind-airflow-cluster"), "{rest}");
    assert!(!(shown + &rest).contains('\u{1b}'), "{rest:?}");
    assert!(!context.path("project/dags/example.py").exists());
}

#[test]
fn plain_questions_are_left_by_ctrl_c_ctrl_d_or_esc() {
    let context = TestContext::new();
    for keys in ["\u{3}", "\u{4}", "\u{1b}\n"] {
        for (last, question) in QUESTIONS.iter().enumerate() {
            let mut session = spawn(&context, &["--plain"]);
            for question in &QUESTIONS[..last] {
                answer(&mut session, question, "\n");
            }
            answer(&mut session, question, "");
            // A terminal passes on the end of the input only where a line begins.
            session.exp_string("]: ").unwrap();
            answer(&mut session, "", keys);
            let (shown, code) = end(session);
            assert_eq!(code, 130, "{keys:?} at {question}: {shown}");
            assert_nothing_changed(&context);
        }
    }
}

#[test]
fn an_existing_cluster_and_a_namespace_in_use() {
    let context = TestContext::new();
    context.api.change(|store| {
        store.put(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "data"}}));
        put_in(store, "data", json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "shop"}}));
    });
    let far = json!({"name": "far", "context": {"cluster": "far", "user": "me"}});
    let near = json!({"name": "near", "context": {"cluster": "near", "user": "me", "namespace": "mine"}});
    let kubeconfig = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "far", "contexts": [far, near],
        "users": [{"name": "me", "user": {}}],
        "clusters": [{"name": "far", "cluster": {"server": "https://k8s.example.com"}},
                     {"name": "near", "cluster": {"server": context.api.url()}}],
    });
    context.write_file("kubeconfig", &kubeconfig.to_string());
    let file = context.path("kubeconfig").display().to_string();
    let mut session = spawn_with(&context, &["--plain"], &[("KUBECONFIG", &file)]);
    session.exp_string("far (current), near").unwrap();
    answer(&mut session, "Name of the environment", "\n");
    session.exp_string("Your current kubeconfig context stays as it is: far.").unwrap();
    answer(&mut session, "Number from 1 to 2 [1]: ", "2\n");
    answer(&mut session, "Which context", "");
    answer(&mut session, "Number from 1 to 2: ", "\n");
    session.exp_string("type a number from 1 to 2").unwrap();
    answer(&mut session, "Number from 1 to 2: ", "1\n");
    session.exp_string("far is at https://k8s.example.com.").unwrap();
    answer(&mut session, "Use it all the same [no]: ", "\n");
    answer(&mut session, "Number from 1 to 2: ", "2\n");
    answer(&mut session, "Namespace [airflow-cluster]: ", "data\n");
    session.exp_string("The namespace data is in use").unwrap();
    session.exp_string("service/shop").unwrap();
    answer(&mut session, "Install beside them [no]: ", "\n");
    answer(&mut session, "Namespace [airflow-cluster]: ", "data\n");
    answer(&mut session, "Install beside them [no]: ", "yes\n");
    for question in ["Which Airflow", "Port of the web", "Run the smoke"] {
        answer(&mut session, question, "\n");
    }
    session.exp_string("far, and it stays that").unwrap();
    session.exp_string("data (in use, installed beside what is there)").unwrap();
    let command = "windtunnel up --provider existing --context near --namespace data --adopt-namespace --smoke";
    session.exp_string(command).unwrap();
    answer(&mut session, "bring it up?", "no\n");
    assert_eq!(end(session).1, 130);
    assert_nothing_changed(&context);
}

#[test]
fn what_is_missing_is_said_instead_of_asking() {
    for tool in ["docker", "kind", "helm"] {
        let context = TestContext::new();
        context.forget_variable("WINDTUNNEL_BUNDLE");
        context.without(tool);
        let (shown, code) = end(spawn(&context, &[]));
        assert!(code == 3 && shown.contains(&format!("`{tool}` is not on PATH")), "{code} {shown}");
        assert!(shown.contains("hint:") && !shown.contains("Name of the environment"), "{shown}");
        assert_nothing_changed(&context);
    }
}

#[test]
fn a_file_that_is_there_is_the_default_and_stays() {
    let context = TestContext::new();
    context.write_file("project/windtunnel.yaml", "name: shop # mine\ndags: flows\n");
    context.write_file("project/flows/one.py", "");
    let mut session = spawn(&context, &[]);
    session.exp_string("it stays as it is").unwrap();
    for question in QUESTIONS.iter().filter(|question| !question.contains("example")) {
        let keys = if question.contains("ring it up") { "n" } else { "\r" };
        answer(&mut session, question, keys);
    }
    assert_eq!(end(session).1, 130);
    let file = std::fs::read_to_string(context.path("project/windtunnel.yaml")).unwrap();
    assert_eq!(file, "name: shop # mine\ndags: flows\n");
}

#[test]
fn an_environment_that_is_there_is_continued() {
    let context = TestContext::new();
    context.up();
    context.on("docker", "container ls", &["stdout airflow-cluster"]);
    let mut session = spawn(&context, &[]);
    session.exp_string("airflow-cluster is there already: it is continued or repaired").unwrap();
    // Its cluster, namespace and DAG folder are settled, and its own forward is no stranger on the port.
    for (question, keys) in [(QUESTIONS[0], "\r"), (QUESTIONS[2], "\r"), (QUESTIONS[5], "\r"), (QUESTIONS[6], "n")] {
        let shown = answer(&mut session, question, keys);
        assert!(!shown.contains("Which cluster") && !shown.contains("is taken by windtunnel, so"), "{shown}");
    }
    let shown = answer(&mut session, QUESTIONS[7], "\r");
    assert!(shown.contains("kind, brought up before") && shown.contains("windtunnel up\r"), "{shown}");
    let (rest, code) = end(session);
    assert!(code == 0 && rest.contains("Airflow is ready"), "{code} {rest}");
}

#[test]
fn a_name_that_is_given_and_a_yes_are_not_asked_for() {
    let context = TestContext::new();
    let mut session = spawn(&context, &["--yes", "--plain", "--name", "airflow-cluster"]);
    for question in &QUESTIONS[1..6] {
        let shown = answer(&mut session, question, "\n");
        assert!(!shown.contains(QUESTIONS[0]), "{shown}");
    }
    answer(&mut session, QUESTIONS[6], "no\n");
    let (rest, code) = end(session);
    assert!(code == 0 && rest.contains("Airflow is ready") && !rest.contains(QUESTIONS[7]), "{code} {rest}");
}

#[test]
fn nobody_to_ask_is_answered_with_the_help() {
    let context = TestContext::new();
    for arguments in [&["--no-input"][..], &["-o", "json"]] {
        let (shown, code) = end(spawn(&context, arguments));
        assert!(code == 2 && shown.contains("Usage: windtunnel"), "{code} {shown}");
    }
}
