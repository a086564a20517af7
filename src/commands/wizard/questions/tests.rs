use super::*;
use crate::plan::{Wishes, resolve};
use crate::ui::Answer;

fn a_plan() -> Plan {
    let profile = profile::shipped("lite").unwrap();
    let wishes = Wishes { port: Some(45_871), ..Wishes::default() };
    resolve(&wishes, None, "lite".to_owned(), profile, Path::new("/project"), &[]).unwrap()
}

fn context(name: &str, server: &str) -> Context {
    Context { name: name.to_owned(), server: server.to_owned(), namespace: "default".to_owned(), current: true }
}

/// What Enter answers; where it answers nothing, the first choice.
fn enter(question: &Question) -> Answer {
    match &question.ask {
        Ask::Choice { options, default } => Answer::Text(options[default.unwrap_or(0)].value.clone()),
        Ask::Text { default, check } => {
            check(default).unwrap();
            Answer::Text(default.clone())
        }
        Ask::YesNo(default) => Answer::YesNo(*default),
    }
}

/// Answers by Enter, but for these topics, until nothing is left to ask.
fn answer(scene: Scene<'_>, given: &[(Topic, Answer)]) -> (Vec<Topic>, Answers) {
    let mut answers = Answers::of(scene);
    let mut asked = Vec::new();
    while let Some((topic, question)) = next(scene, &answers) {
        let given = given.iter().rev().find(|(about, _)| *about == topic);
        answers.take(topic, given.map_or_else(|| enter(&question), |(_, answer)| answer.clone()));
        asked.push(topic);
        assert!(asked.len() < 30, "{asked:?}");
    }
    (asked, answers)
}

fn text(text: &str) -> Answer {
    Answer::Text(text.to_owned())
}

#[test]
fn enter_all_the_way_is_what_up_does_by_itself() {
    let (found, plan) = (Found::sample(Vec::new()), a_plan());
    let scene = Scene { found: &found, plan: &plan, before: None };
    let (asked, answers) = answer(scene, &[]);
    let expected = [Topic::Provider, Topic::Profile, Topic::Dags, Topic::Example, Topic::Port, Topic::Smoke];
    assert_eq!(asked, expected);
    assert_eq!(shell_words::join(answers.command(scene, "")), "windtunnel up --smoke");
    let file = serde_json::to_value(answers.file(scene)).unwrap();
    let expected = serde_json::json!({"name": "airflow-cluster", "provider": "kind", "profile": "lite", "dags": "dags", "port": 45871});
    assert_eq!(file, expected);
}

#[test]
fn an_existing_cluster_is_never_chosen_by_enter_alone() {
    let (found, plan) = (Found::sample(vec![context("work", "https://127.0.0.1:6443")]), a_plan());
    let scene = Scene { found: &found, plan: &plan, before: None };
    assert!(!answer(scene, &[]).0.contains(&Topic::Context));
    let mut answers = Answers::of(scene);
    answers.take(Topic::Provider, text("existing"));
    let (topic, question) = next(scene, &answers).unwrap();
    assert_eq!(topic, Topic::Context);
    assert!(matches!(question.ask, Ask::Choice { default: None, .. }));
}

#[test]
fn minikube_is_asked_for_its_limits() {
    let (found, plan) = (Found::sample(Vec::new()), a_plan());
    let scene = Scene { found: &found, plan: &plan, before: None };
    let minikube = (Topic::Provider, text("minikube"));
    let (asked, answers) = answer(scene, std::slice::from_ref(&minikube));
    assert!(asked.contains(&Topic::Cpus) && asked.contains(&Topic::Memory), "{asked:?}");
    assert_eq!(shell_words::join(answers.command(scene, "")), "windtunnel up --provider minikube --smoke");
    let (_, answers) = answer(scene, &[minikube, (Topic::Cpus, text("4")), (Topic::Memory, text("6g"))]);
    let command = shell_words::join(answers.command(scene, ""));
    assert_eq!(command, "windtunnel up --provider minikube --cpus 4 --memory 6g --smoke");
    assert_eq!(serde_json::to_value(answers.file(scene)).unwrap()["memory"], "6g");
    check_cpus("many").unwrap_err();
}

#[test]
fn a_remote_cluster_needs_a_yes_of_its_own() {
    let (found, plan) = (Found::sample(vec![context("work", "https://k8s.example.com")]), a_plan());
    let scene = Scene { found: &found, plan: &plan, before: None };
    let existing = (Topic::Provider, text("existing"));
    let (asked, answers) = answer(scene, &[existing.clone(), (Topic::Remote, Answer::YesNo(true))]);
    assert!(asked.contains(&Topic::Remote) && answers.remote);
    let command = shell_words::join(answers.command(scene, " --name two"));
    assert_eq!(command, "windtunnel up --name two --provider existing --context work --allow-remote --smoke");
    let mut answers = Answers::of(scene);
    for (topic, answer) in [existing, (Topic::Context, text("work")), (Topic::Remote, Answer::YesNo(false))] {
        answers.take(topic, answer);
    }
    assert_eq!(next(scene, &answers).unwrap().0, Topic::Context);
}

#[test]
fn a_namespace_in_use_is_told_with_what_is_in_it() {
    let (found, plan) = (Found::sample(vec![context("work", "https://127.0.0.1:6443")]), a_plan());
    let scene = Scene { found: &found, plan: &plan, before: None };
    let mut answers = Answers::of(scene);
    for (topic, answer) in
        [(Topic::Provider, text("existing")), (Topic::Context, text("work")), (Topic::Namespace, text("data"))]
    {
        answers.take(topic, answer);
    }
    answers.taken = Some(Taken::By(vec!["service/shop".to_owned()]));
    let (topic, question) = next(scene, &answers).unwrap();
    assert_eq!(topic, Topic::Adopt);
    assert!(question.notes.concat().contains("data is in use") && question.notes.concat().contains("service/shop"));
    answers.take(topic, Answer::YesNo(false));
    assert_eq!(next(scene, &answers).unwrap().0, Topic::Namespace);
}

#[test]
fn names_that_cannot_be_are_refused_with_the_reason() {
    let found = Found::sample(Vec::new());
    let question = name(&found, "taken");
    let Ask::Text { default, check } = question.ask else { panic!() };
    assert_eq!(default, "taken-2");
    assert!(check("taken").unwrap_err().contains("did not make it"));
    assert!(check("Air_flow").unwrap_err().contains("`A` is not allowed"));
    check("shop").unwrap();
}

#[test]
fn a_port_must_be_free() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap().port();
    assert!(why_not(None, taken).unwrap_err().contains("is taken by"));
    why_not(Some(taken), taken).unwrap();
    let (found, plan) = (Found::sample(Vec::new()), Plan { port: taken, ..a_plan() });
    let scene = Scene { found: &found, plan: &plan, before: None };
    assert!(port_notes(scene)[0].contains("another one is proposed"));
    let Ask::Text { default, check } = port(scene) else { panic!() };
    assert_ne!(default, taken.to_string());
    for wrong in ["0", "65536", "web", "-1"] {
        assert_eq!(check(wrong).unwrap_err(), "a port is a number from 1 to 65535");
    }
}
