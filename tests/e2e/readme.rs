//! Every command that README shows works as it is shown there.

use std::path::Path;

use crate::artefacts::say;
use crate::environment::{Environment, bundle, free_port};

/// How a command of README is exercised.
enum Exercise {
    /// Run as it is, in the environment of the main path.
    Run,
    /// Run with this behind it.
    With(&'static str),
    /// Not run by itself: where the tests do it, or why they do not.
    Elsewhere(&'static str),
}

use Exercise::{Elsewhere, Run, With};

/// The longest beginning that fits decides. A command that none fits fails the tests.
const EXERCISES: [(&str, Exercise); 50] = [
    ("cat > dags/", Elsewhere("main_path.rs writes its DAG with it")),
    ("cat > values.yaml", Run),
    ("docker login", Elsewhere("a registry of the user's; images.rs has one with a login")),
    ("export KUBECONFIG=", Run),
    ("helm list", Run),
    ("kubectl get pods", Elsewhere("a program of the user's; helm takes the same kubeconfig")),
    ("mkdir -p ~/", Run),
    ("scripts/images/build.sh", With("--help")),
    ("scripts/quickstart.sh", With("--help")),
    ("scripts/test.sh", With("--help")),
    ("windtunnel backup", Elsewhere("backup.rs")),
    ("windtunnel completions", Run),
    ("windtunnel config schema", With("&& rm windtunnel.schema.json")),
    ("windtunnel config show", Run),
    ("windtunnel credentials", Run),
    ("windtunnel doctor", Run),
    ("windtunnel doctor --fix", Elsewhere("it would change this machine; tests/it has a scripted one")),
    ("windtunnel down", With("--dry-run")),
    ("windtunnel down --name", With("|| test $? = 10")),
    ("windtunnel explain", Run),
    (
        "windtunnel forward run --address",
        Elsewhere("it would let other machines in; tests/it does, at a machine of its own"),
    ),
    ("windtunnel forward start --also", Run),
    ("windtunnel forward start --only-web", Run),
    ("windtunnel forward status", Run),
    ("windtunnel forward stop", Elsewhere("what comes after needs the forward; forward.rs")),
    ("windtunnel forward unit", Run),
    ("windtunnel init", With("&& rm windtunnel.yaml")),
    ("windtunnel list", Run),
    ("windtunnel logs", Run),
    ("windtunnel profiles", Run),
    ("windtunnel profiles show", With("&& rm mine.yaml")),
    ("windtunnel report", With("&& rm report.tar.gz")),
    ("windtunnel reset", With("--dry-run")),
    ("windtunnel restore", Elsewhere("backup.rs")),
    ("windtunnel smoke", Elsewhere("main_path.rs")),
    ("windtunnel start", Run),
    ("windtunnel status", Run),
    ("windtunnel status --name", With("|| test $? = 10")),
    ("windtunnel stop", Elsewhere("lifecycle.rs; start is run all the same")),
    ("windtunnel up", Run),
    ("windtunnel up --", With("--dry-run")),
    ("windtunnel up --bundle ./bundle-2", Elsewhere("charts.rs, where chart and bundle are at hand")),
    ("windtunnel up --context", Elsewhere("existing.rs")),
    ("windtunnel up --name apache", Elsewhere("charts.rs, where the chart is at hand")),
    ("windtunnel up --name classic", Elsewhere("its chart and images are not at hand")),
    ("windtunnel up --profile ./mine.yaml --dry-run", Run),
    ("windtunnel up --provider minikube", Elsewhere("minikube.rs")),
    ("windtunnel up --set", With("--dry-run && rm values.yaml")),
    ("windtunnel up --values", With("--dry-run")),
    ("windtunnel why", Run),
];

#[test]
fn every_command_of_readme_is_exercised() {
    let commands = blocks().concat();
    assert!(!commands.is_empty(), "README shows no command");
    let unknown: Vec<_> = commands.iter().filter(|command| exercise(command).is_none()).collect();
    assert!(unknown.is_empty(), "say in tests/e2e/readme.rs how these are exercised: {unknown:#?}");
}

/// Writes the DAG that README shows into the environment's folder.
pub(crate) fn write_dag(environment: &Environment) {
    let commands = blocks().concat();
    let writes = commands.iter().find(|command| command.starts_with("cat > dags/")).expect("README shows no DAG");
    environment.shell(writes).succeeded();
}

/// Runs the commands in a healthy environment, those of one block in one shell. `task` is one that has a log.
pub(crate) fn commands_work(environment: &Environment, task: &str) {
    let root = env!("CARGO_MANIFEST_DIR");
    let bundle = bundle();
    let replacements = [
        ("hello/manual__2026-11-20T10:00:00+00:00/greet", task.to_owned()),
        ("--name second", format!("--name {}-second", environment.name)),
        ("7171", free_port().to_string()),
        ("15432", free_port().to_string()),
        ("./mine.yaml", format!("{root}/profiles/lite.yaml")),
        ("./bundle", bundle.display().to_string()),
        ("scripts/", format!("{root}/scripts/")),
    ];
    for block in blocks() {
        // Every environment, of whatever name, is of the bundle: no registry need be in reach.
        let mut script = vec![format!("PATH={0}/bin:$PATH; export WINDTUNNEL_BUNDLE={0}", bundle.display())];
        for command in block {
            let shown = replacements.iter().fold(command.clone(), |shown, (old, new)| shown.replace(old, new));
            match exercise(&command) {
                Some(Run) => script.push(shown),
                Some(With(more)) => script.push(format!("{shown} {more}")),
                Some(Elsewhere(why)) => say(&format!("  not run: {}: {why}", shown.lines().next().unwrap_or_default())),
                None => panic!("`{command}` is not known to tests/e2e/readme.rs"),
            }
        }
        environment.shell(&script.join("\n")).succeeded();
    }
}

fn exercise(command: &str) -> Option<&'static Exercise> {
    let fitting = EXERCISES.iter().filter(|(beginning, _)| command.starts_with(beginning));
    fitting.max_by_key(|(beginning, _)| beginning.len()).map(|(_, exercise)| exercise)
}

/// The commands of each block, without comments. A command has more than one line where it goes on with `\` or a here-document.
fn blocks() -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let text = text.replace("\\\n", " ");
    let mut lines = text.lines();
    let mut blocks = Vec::new();
    while lines.any(|line| ["```sh", "```text"].contains(&line)) {
        let mut commands = Vec::new();
        while let Some(line) = lines.next().filter(|line| *line != "```") {
            let mut command = line.split_once(" #").map_or(line, |(command, _)| command).trim().to_owned();
            if let Some((_, end)) = line.split_once("<< ") {
                let document: Vec<_> = lines.by_ref().take_while(|line| *line != end.trim_matches('\'')).collect();
                command = [command.as_str(), &document.join("\n"), end.trim_matches('\'')].join("\n");
            }
            if !command.is_empty() {
                commands.push(command);
            }
        }
        blocks.push(commands);
    }
    blocks
}
