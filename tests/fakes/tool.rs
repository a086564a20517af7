//! The scripted stand-in for docker, kind, minikube and helm: it behaves by its file name, as `$FAKE_TOOLS/NAME.script` says.
//!
//! A script is a list of rules; the first that fits is followed. Each begins with `on` and the words that its command has, in order,
//! though not side by side; the first must be the first argument. Paths count by their end. The other lines, in order:
//!
//! ```text
//! on create cluster             the words
//! when MARK / unless MARK       fits only if the file MARK is there, or is not
//! stdout TEXT / stderr TEXT     prints a line
//! stdout-file FILE              prints a file
//! mark MARK / unmark MARK       makes or removes the file MARK, which later calls see
//! await MARK                    waits until the file MARK is there, at most 20 seconds
//! copy FILE OPTION              copies a file to where the value of OPTION points, or the variable, where it is $VARIABLE; or to a path
//! post URL                      sends the arguments, one a line, to an http address
//! exit CODE                     ends; 0 where there is none
//! ```
//!
//! A variable of the environment that would lead the real tool elsewhere is an error.
//!
//! Every call appends its words, quoted for a shell, to `$FAKE_TOOLS/journal`, with the bytes it read on stdin, if any. A command
//! that no rule fits ends with exit code 97.

#![expect(
    clippy::disallowed_methods,
    reason = "a fake has an environment of its own, and no windtunnel to get it from"
)]

use std::fs;
use std::io::{self, Error, IsTerminal, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// The exit code where no rule fits.
const UNEXPECTED: u8 = 97;
/// Variables by which the real tool would work on another cluster, and the one value that is harmless.
const MISLEADING: [(&str, &str, &str); 10] = [
    ("helm", "HELM_DRIVER", ""),
    ("helm", "HELM_KUBEAPISERVER", ""),
    ("helm", "HELM_KUBEASUSER", ""),
    ("helm", "HELM_KUBECONTEXT", ""),
    ("helm", "HELM_KUBETOKEN", ""),
    ("helm", "HELM_NAMESPACE", ""),
    ("kind", "KIND_CLUSTER_NAME", ""),
    ("kind", "KIND_EXPERIMENTAL_DOCKER_NETWORK", ""),
    ("kind", "KIND_EXPERIMENTAL_PROVIDER", "docker"),
    ("minikube", "MINIKUBE_PROFILE", ""),
];
/// How long `await` waits.
const PATIENCE: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    match run() {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            let _ = writeln!(io::stderr(), "fake tool: {error}");
            ExitCode::from(UNEXPECTED)
        }
    }
}

fn run() -> io::Result<u8> {
    let mut words = std::env::args();
    let program = words.next().ok_or_else(|| Error::other("no file name"))?;
    let name = Path::new(&program).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let arguments: Vec<String> = words.collect();
    let folder = PathBuf::from(std::env::var_os("FAKE_TOOLS").ok_or_else(|| Error::other("FAKE_TOOLS is not set"))?);

    let mut line = shell_words::join(std::iter::once(&name).chain(&arguments));
    let mut input = Vec::new();
    if !io::stdin().is_terminal() {
        io::stdin().read_to_end(&mut input)?;
    }
    if !input.is_empty() {
        line = format!("{line} < {} bytes", input.len());
    }
    let mut journal = fs::OpenOptions::new().create(true).append(true).open(folder.join("journal"))?;
    // One write, so that lines of fakes that run side by side do not mix.
    journal.write_all((line.clone() + "\n").as_bytes())?;

    if speaks_to_a_cluster(&arguments) {
        let is_set = |variable: &str| std::env::var(variable).is_ok_and(|value| !value.is_empty());
        if name == "helm" && is_set("HTTPS_PROXY") {
            for variable in ["NO_PROXY", "no_proxy"] {
                let past = std::env::var(variable).unwrap_or_default();
                if !past.split(',').any(|host| host == "127.0.0.1") {
                    return Err(Error::other(format!(
                        "a proxy is between the cluster and {line}, by {variable}={past}"
                    )));
                }
            }
        }
        for (_, variable, harmless) in MISLEADING.iter().filter(|(tool, ..)| *tool == name) {
            let value = std::env::var(variable).unwrap_or_default();
            if !value.is_empty() && value != *harmless {
                return Err(Error::other(format!("{variable}={value} reached {line}")));
            }
        }
    }
    let script = format!("\n{}", fs::read_to_string(folder.join(format!("{name}.script")))?);
    let rules = script.split("\non ").skip(1);
    match rules.map(str::trim_end).find(|rule| fits(rule, &arguments, &folder)) {
        Some(rule) => follow(rule, &arguments, &folder),
        None => Err(Error::other(format!("no rule for: {line}"))),
    }
}

fn speaks_to_a_cluster(arguments: &[String]) -> bool {
    let own = ["version", "template", "pull", "show"];
    !arguments.first().is_some_and(|first| own.contains(&first.as_str()))
}

/// The lines of a rule as word and rest; the first is without its `on`.
fn lines(rule: &str) -> impl Iterator<Item = (&str, &str)> {
    rule.lines().skip(1).map(|line| line.trim_start().split_once(' ').unwrap_or((line.trim(), "")))
}

fn fits(rule: &str, arguments: &[String], folder: &Path) -> bool {
    let mut wanted = rule.lines().next().unwrap_or_default().split_whitespace().peekable();
    let is = |argument: &str, word: &str| argument == word || argument.ends_with(&format!("/{word}"));
    let begins = arguments.first().zip(wanted.peek()).is_none_or(|(argument, word)| is(argument, word));
    for argument in arguments {
        wanted.next_if(|word| is(argument, word));
    }
    let marks = lines(rule).all(|(word, mark)| match word {
        "when" => folder.join(mark).exists(),
        "unless" => !folder.join(mark).exists(),
        _ => true,
    });
    begins && wanted.peek().is_none() && marks
}

fn follow(rule: &str, arguments: &[String], folder: &Path) -> io::Result<u8> {
    for (word, rest) in lines(rule) {
        match word {
            "when" | "unless" => {}
            "stdout" => writeln!(io::stdout(), "{rest}")?,
            "stderr" => writeln!(io::stderr(), "{rest}")?,
            "stdout-file" => io::stdout().write_all(&fs::read(folder.join(rest))?)?,
            "mark" => fs::write(folder.join(rest), "")?,
            "unmark" => remove_if_there(&folder.join(rest))?,
            "await" => wait_for(&folder.join(rest))?,
            "copy" => copy(rest, arguments, folder)?,
            "post" => post(rest, arguments)?,
            "exit" => return rest.parse().map_err(Error::other),
            other => return Err(Error::other(format!("no such line in a script: {other}"))),
        }
    }
    Ok(0)
}

fn remove_if_there(mark: &Path) -> io::Result<()> {
    match fs::remove_file(mark) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn wait_for(mark: &Path) -> io::Result<()> {
    let started = Instant::now();
    while !mark.exists() {
        if started.elapsed() > PATIENCE {
            return Err(Error::other(format!("{} did not come", mark.display())));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

fn copy(rest: &str, arguments: &[String], folder: &Path) -> io::Result<()> {
    let (file, option) = rest.split_once(' ').ok_or_else(|| Error::other("copy wants a file and an option"))?;
    let target = if let Some(variable) = option.strip_prefix('$') {
        std::env::var(variable).ok()
    } else if option.starts_with('/') {
        Some(option.to_owned())
    } else {
        let position = arguments.iter().position(|argument| argument == option);
        position.and_then(|position| arguments.get(position + 1)).cloned()
    };
    let target = target.ok_or_else(|| Error::other(format!("no value of {option}")))?;
    fs::copy(folder.join(file), target).map(drop)
}

fn post(url: &str, arguments: &[String]) -> io::Result<()> {
    let (host, path) = url.strip_prefix("http://").and_then(|rest| rest.split_once('/')).unwrap_or_default();
    let body = arguments.join("\n");
    let head = format!("POST /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {}", body.len());
    let mut stream = TcpStream::connect(host)?;
    write!(stream, "{head}\r\n\r\n{body}")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    if answer.starts_with("HTTP/1.1 200") { Ok(()) } else { Err(Error::other(answer)) }
}
