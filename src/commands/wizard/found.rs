//! What is there before anything is asked: engine, tools, clusters, contexts, room, the port.

use std::path::PathBuf;

use crate::cluster::forward::{port_holder, port_is_free};
use crate::cluster::kubeconfig::{self, Context};
use crate::error::Failure;
use crate::images::bundle::Bundle;
use crate::plan::{ClusterPlan, Plan, Provider};
use crate::steps::prerequisites::{Room, measure};
use crate::surroundings::Surroundings;
use crate::tools::docker::Docker;
use crate::tools::find::Places;
use crate::tools::minikube::Minikube;
use crate::tools::{helm, kind};
use crate::ui::Ui;

/// How many names of one kind are shown.
const NAMED: usize = 4;

/// What was found.
pub(super) struct Found {
    /// The folder of the command.
    pub(super) folder: PathBuf,
    /// `docker 28.2.2`, or why there is none.
    engine: String,
    /// `kind 0.30.0`, or why there is none.
    tools: Vec<String>,
    /// What the engine has to give.
    pub(super) room: Option<Room>,
    /// kind clusters, whoever made them.
    pub(super) clusters: Vec<String>,
    /// The contexts of the user's kubeconfig.
    pub(super) contexts: Vec<Context>,
    /// windtunnel's own environments.
    pub(super) environments: Vec<String>,
    /// The port that is usual here, and who holds it.
    port: (u16, Option<String>),
    /// What a cluster can be had from, best first.
    pub(super) providers: Vec<Provider>,
}

/// Looks at all of it.
///
/// # Errors
/// Helm is missing, or there is nothing that a cluster could be had from: the reason with its remedy.
pub(super) async fn look(plan: &Plan, ui: &Ui, surroundings: &Surroundings) -> Result<Found, Failure> {
    let Surroundings { search_path, folder, .. } = surroundings;
    let bundle = plan.bundle.as_deref().map(Bundle::open).transpose()?;
    let [for_kind, for_helm, for_minikube] = ["kind", "helm", "minikube"]
        .map(|name| Places { bundled: bundle.as_ref().and_then(|bundle| bundle.tool(name)), surroundings });
    let (engine, kind, helm, minikube) = tokio::join!(
        async {
            let docker = Docker::find(search_path, folder)?;
            let info = docker.info(ui).await?;
            Ok::<_, Failure>((info, docker.kind_clusters(ui).await?))
        },
        kind::Kind::find(&for_kind, ui),
        helm::Helm::find(&for_helm, ui),
        Minikube::find(&for_minikube, ui),
    );
    let helm = helm?;
    let contexts = kubeconfig::contexts(kubeconfig(plan, surroundings))?;
    let mut providers = Vec::new();
    if engine.is_ok() && kind.is_ok() {
        providers.push(Provider::Kind);
    }
    if minikube.is_ok() {
        providers.push(Provider::Minikube);
    }
    if !contexts.is_empty() {
        providers.push(Provider::Existing);
    }
    let kind_line = match &kind {
        Ok(kind) => format!("kind {}", kind.tool.version),
        Err(failure) => failure.message.clone(),
    };
    if providers.is_empty() {
        return Err(engine.err().or(kind.err()).unwrap_or_else(|| Failure::bug("no provider, and no reason")));
    }
    let mut tools = vec![kind_line, format!("helm {}", helm.tool.version)];
    tools.extend(minikube.map(|minikube| format!("minikube {}", minikube.tool.version)));
    let (engine, room, clusters) = match engine {
        Ok((info, clusters)) => (format!("docker {}", info.server_version), Some(measure(&info)), clusters),
        Err(failure) => (failure.message, None, Vec::new()),
    };
    let port = plan.port;
    let holder = (!port_is_free(port)).then(|| port_holder(port).unwrap_or_else(|| "another program".to_owned()));
    Ok(Found {
        folder: folder.clone(),
        engine,
        tools,
        room,
        clusters,
        contexts,
        environments: surroundings.paths.environment_names()?,
        port: (port, holder),
        providers,
    })
}

/// The kubeconfig that contexts are chosen from: one that was named, or the user's own.
pub(super) fn kubeconfig<'a>(plan: &'a Plan, surroundings: &'a Surroundings) -> &'a [PathBuf] {
    match &plan.cluster {
        ClusterPlan::Existing { kubeconfig, .. } => kubeconfig,
        _ => &surroundings.kubeconfig,
    }
}

impl Found {
    /// The context that kubectl and Helm use unasked.
    pub(super) fn current(&self) -> Option<&Context> {
        self.contexts.iter().find(|context| context.current)
    }

    /// What the person sees first.
    pub(super) fn lines(&self) -> Vec<String> {
        let mark = |context: &Context| {
            if context.current { format!("{} (current)", context.name) } else { context.name.clone() }
        };
        let contexts: Vec<String> = self.contexts.iter().map(mark).collect();
        let (port, holder) = &self.port;
        let port_line = holder.as_ref().map_or_else(|| "free".to_owned(), |holder| format!("taken by {holder}"));
        let room = self.room.map_or_else(|| "not known without an engine".to_owned(), |room| room.to_string());
        [
            ("engine", self.engine.clone()),
            ("tools", self.tools.join(", ")),
            ("machine", room),
            ("environments", some(&self.environments)),
            ("kind clusters", some(&self.clusters)),
            ("contexts", some(&contexts)),
            (format!("port {port}").as_str(), port_line),
        ]
        .map(|(what, value)| format!("  {what:14} {value}"))
        .to_vec()
    }
}

/// The first names of a list, and how many there are beside them.
fn some(names: &[String]) -> String {
    match names {
        [] => "none".to_owned(),
        names if names.len() <= NAMED => names.join(", "),
        names => format!("{} and {} more", names[..NAMED].join(", "), names.len() - NAMED),
    }
}

#[cfg(test)]
impl Found {
    /// A machine with an engine, kind, and these contexts.
    pub(super) fn sample(contexts: Vec<Context>) -> Self {
        Self {
            folder: "/project".into(),
            engine: "docker 28.2.2".to_owned(),
            tools: vec!["kind 0.30.0".to_owned(), "helm 3.19.5".to_owned()],
            room: None,
            clusters: vec!["taken".to_owned()],
            providers: if contexts.is_empty() {
                vec![Provider::Kind]
            } else {
                vec![Provider::Kind, Provider::Existing]
            },
            contexts,
            environments: Vec::new(),
            port: (7070, Some("python3 (process 4711)".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_are_cut_and_no_line_is_wide() {
        let contexts = (0..9).map(|number| Context {
            name: format!("ctx{number}"),
            server: String::new(),
            namespace: String::new(),
            current: number == 1,
        });
        let lines = Found::sample(contexts.collect()).lines();
        assert!(lines.iter().any(|line| line.ends_with("ctx0, ctx1 (current), ctx2, ctx3 and 5 more")), "{lines:#?}");
        assert!(lines.iter().any(|line| line.contains("taken by python3")), "{lines:#?}");
        assert!(lines.iter().all(|line| line.len() <= 80), "{lines:#?}");
    }
}
