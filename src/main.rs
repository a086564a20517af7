//! Parses the command line, looks at the surroundings once, runs the command, and turns its end into an exit code.

use std::process::ExitCode;
use std::task::Poll;

use windtunnel::cli::{self, Cli, Command, ConfigCommand, ForwardCommand, Origins, completions};
use windtunnel::commands;
use windtunnel::error::{During, Failure, Kind};
use windtunnel::state::Paths;
use windtunnel::surroundings::{Logins, Proxies, Surroundings};
use windtunnel::tools::process;
use windtunnel::ui::Ui;

fn main() -> ExitCode {
    let (cli, origins) = cli::parse();
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    let ci = std::env::var_os("CI").is_some();
    let ui = Ui::new(cli.global.manner(ci));
    if cli.command.is_none() && !ui.can_ask() {
        cli::help();
    }
    let surroundings = look_around();
    let ended = surroundings.as_ref().map_err(Clone::clone).and_then(|surroundings| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .during(Kind::Bug, "cannot make the asynchronous runtime")?;
        let command = run(&cli, &origins, &ui, surroundings);
        let ended = if matches!(cli.command, Some(Command::Forward(ForwardCommand::Run(_)))) {
            // Being told to end is how a forward ends well: it lets its connections finish.
            runtime.block_on(command)
        } else {
            runtime.block_on(until_interrupted(command, &cli, &ui, surroundings))
        };
        // A child that is still being waited for must not keep us.
        runtime.shutdown_background();
        ended
    });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let name = cli.global.name.clone().or_else(|| ui.work().environment);
            let named = name.zip(surroundings.as_ref().ok());
            let failure = match named.filter(|(name, surroundings)| !surroundings.name_option(name).is_empty()) {
                Some((name, _)) => failure.for_environment(&name),
                None => failure,
            };
            ui.failure(&failure);
            ExitCode::from(failure.kind.exit_code())
        }
    }
}

async fn run(cli: &Cli, origins: &Origins, ui: &Ui, surroundings: &Surroundings) -> Result<(), Failure> {
    let named = cli.global.name.as_deref();
    // Only where an environment is worked on: a broken windtunnel.yaml must not keep a completion script from being printed.
    let name = || {
        let name = named.map_or_else(|| surroundings.usual_name(), |name| Ok(name.to_owned()))?;
        windtunnel::plan::check_name("environment name", &name).map(|()| name)
    };
    let Some(command) = &cli.command else { return Box::pin(commands::wizard::wizard(named, ui, surroundings)).await };
    match command {
        Command::Up(arguments) => commands::up::up(arguments, &name()?, ui, surroundings).await,
        Command::Status => commands::status::status(&name()?, ui, surroundings).await,
        Command::List(arguments) => commands::list::list(arguments, ui, surroundings).await,
        Command::Doctor(arguments) => commands::doctor::doctor(arguments, &name()?, ui, surroundings).await,
        Command::Stop => commands::stop::stop(&name()?, ui, surroundings).await,
        Command::Start => commands::start::start(&name()?, ui, surroundings).await,
        Command::Reset(arguments) => commands::reset::reset(arguments, &name()?, ui, surroundings).await,
        Command::Down(arguments) => commands::down::down(arguments, &name()?, ui, surroundings).await,
        Command::Report(arguments) => {
            Box::pin(commands::report::report(arguments, origins, &name()?, ui, surroundings)).await
        }
        Command::Backup(arguments) => commands::backup::backup(arguments, &name()?, ui, surroundings).await,
        Command::Restore(arguments) => {
            Box::pin(commands::restore::restore(arguments, &name()?, ui, surroundings)).await
        }
        Command::Smoke => commands::smoke::smoke(&name()?, ui, surroundings).await,
        Command::Why(arguments) => commands::why::why(arguments, &name()?, ui, surroundings).await,
        Command::Open => commands::open::open(&name()?, ui, surroundings).await,
        Command::Credentials => commands::credentials::credentials(&name()?, ui, surroundings),
        Command::Kubeconfig => commands::kubeconfig::kubeconfig(&name()?, ui, surroundings),
        Command::Logs(arguments) => commands::logs::logs(arguments, &name()?, ui, surroundings).await,
        Command::Forward(command) => commands::forward::forward(command, &name()?, ui, surroundings).await,
        Command::Init => commands::init::init(named, ui, surroundings),
        Command::Config(ConfigCommand::Show(settings)) => {
            commands::config::show(settings, origins, &name()?, ui, surroundings)
        }
        Command::Config(ConfigCommand::Schema) => {
            commands::config::schema(ui);
            Ok(())
        }
        Command::Profiles { command } => commands::profiles::profiles(command.as_ref(), ui),
        Command::Explain { code } => commands::explain::explain(code.as_deref(), ui),
        Command::Completions { shell } => {
            ui.data(&completions(*shell));
            Ok(())
        }
    }
}

/// Ctrl-C and a polite end from outside stop everything at one place, children with it: they are told to end and waited for.
async fn until_interrupted(
    command: impl Future<Output = Result<(), Failure>>,
    cli: &Cli,
    ui: &Ui,
    surroundings: &Surroundings,
) -> Result<(), Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    // The last one: the terminal was closed.
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let signals: Result<Vec<_>, _> = kinds.into_iter().map(signal).collect();
    let mut signals = signals.during(Kind::Bug, "cannot listen for signals")?;
    let mut told_to_end = std::future::poll_fn(|context| {
        let is_told = signals.iter_mut().any(|signal| signal.poll_recv(context).is_ready());
        if is_told { Poll::Ready(()) } else { Poll::Pending }
    });
    let ended = tokio::select! {
        () = &mut told_to_end => None,
        ended = command => Some(ended),
    };
    let Some(ended) = ended else {
        // The command is gone by now, and has told its children.
        tokio::select! {
            () = &mut told_to_end => process::kill_told(),
            () = process::await_told(ui) => {}
        }
        return Err(commands::interrupted(cli.command.as_ref(), ui, surroundings));
    };
    // A question that Ctrl-C left says so itself.
    if ended.as_ref().map_or_else(|failure| failure.kind == Kind::Interrupted, |()| true) {
        return ended;
    }
    // A child that died of the same Ctrl-C must not be taken for the cause, so whatever signal is here already goes first.
    tokio::select! {
        biased;
        () = &mut told_to_end => Err(commands::interrupted(cli.command.as_ref(), ui, surroundings)),
        () = tokio::task::yield_now() => ended,
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
fn look_around() -> Result<Surroundings, Failure> {
    use etcetera::BaseStrategy;
    let folders = etcetera::base_strategy::choose_base_strategy()
        .during(Kind::Usage, "the home folder is not known: set HOME")?;
    let named = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(std::path::PathBuf::from);
    let text = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let either = |name: &str| text(name).or_else(|| text(&name.to_uppercase()));
    let state = named("WINDTUNNEL_STATE").or_else(|| Some(folders.state_dir()?.join("windtunnel")));
    let kubeconfig = match named("KUBECONFIG") {
        Some(files) => std::env::split_paths(&files).collect(),
        None => vec![folders.home_dir().join(".kube/config")],
    };
    // As minikube itself does it (kubernetes/minikube, `pkg/minikube/localpath`).
    let minikube = match named("MINIKUBE_HOME") {
        Some(home) if home.ends_with(".minikube") => home,
        Some(home) => home.join(".minikube"),
        None => folders.home_dir().join(".minikube"),
    };
    let folder = std::env::current_dir().during(Kind::Usage, "the current folder cannot be used")?;
    let search_path = std::env::var_os("PATH").unwrap_or_default();
    Ok(Surroundings {
        logins: Logins {
            folder: named("DOCKER_CONFIG").unwrap_or_else(|| folders.home_dir().join(".docker")),
            search_path: search_path.clone(),
        },
        kubeconfig: kubeconfig.into_iter().map(|file| folder.join(file)).collect(),
        minikube: folder.join(minikube),
        folder,
        search_path,
        program: std::env::current_exe().during(Kind::Bug, "cannot find this program's own file")?,
        paths: Paths::new(
            state.ok_or_else(|| Failure::usage("the folder for state is not known: set WINDTUNNEL_STATE"))?,
        ),
        cache: folders.cache_dir().join("windtunnel"),
        user: rustix::process::geteuid().as_raw(),
        proxies: Proxies { http: either("http_proxy"), https: either("https_proxy"), no: either("no_proxy") },
        certificates: named("SSL_CERT_FILE"),
        passphrase: text("WINDTUNNEL_PASSPHRASE").map(Into::into),
    })
}
