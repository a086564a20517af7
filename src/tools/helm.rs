//! The helm command, 3 or 4.

use std::path::{Path, PathBuf};
use std::time::Duration;

use semver::Version;
use serde::Deserialize;

use super::find::{self, Places, Tool, Wanted};
use super::process::Command;
use crate::error::{During, Failure, Kind};
use crate::profile::Place;
use crate::surroundings::Proxies;
use crate::ui::Ui;

/// The first Helm with `upgrade --labels` that is also past its first faults.
const OLDEST: Version = Version::new(3, 14, 0);
/// The Helm that windtunnel works with.
pub const WANTED: Wanted = Wanted {
    name: "helm",
    words: &["version", "--template", "{{.Version}}"],
    oldest: OLDEST,
    newest_major: 4,
    install: "install Helm: https://helm.sh/docs/intro/install/",
};

/// Variables by which Helm would speak to another cluster, as somebody else, or keep its releases elsewhere (helm/helm, `pkg/cli/environment.go`).
const WITHHELD: [&str; 11] = [
    "HELM_DRIVER",
    "HELM_DRIVER_SQL_CONNECTION_STRING",
    "HELM_KUBEAPISERVER",
    "HELM_KUBEASGROUPS",
    "HELM_KUBEASUSER",
    "HELM_KUBECAFILE",
    "HELM_KUBECONTEXT",
    "HELM_KUBEINSECURE_SKIP_TLS_VERIFY",
    "HELM_KUBETLS_SERVER_NAME",
    "HELM_KUBETOKEN",
    "HELM_NAMESPACE",
];

/// A Helm that is new enough.
#[derive(Clone, Debug)]
pub struct Helm {
    /// Path and version.
    pub tool: Tool,
    /// What a child must be told to go past to the cluster.
    pub proxies: Proxies,
}

/// Which release, where.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// The release's name.
    pub release: &'a str,
    /// Its namespace.
    pub namespace: &'a str,
    /// The private kubeconfig.
    pub kubeconfig: &'a Path,
    /// The context in it.
    pub context: &'a str,
}

impl Helm {
    /// Finds one that works.
    ///
    /// # Errors
    /// There is none, or it is something else, or too old.
    pub async fn find(places: &Places<'_>, ui: &Ui) -> Result<Self, Failure> {
        let proxies = places.surroundings.proxies.clone();
        find::usable(&WANTED, places, ui).await.map(|tool| Self { tool, proxies })
    }

    /// Installs or upgrades a chart and returns when its objects are made: what comes of them is judged by us.
    ///
    /// # Errors
    /// Helm refuses the values or the cluster refuses the objects.
    pub async fn upgrade_install(
        &self,
        target: Target<'_>,
        chart: &Path,
        values: &[PathBuf],
        set: &[String],
        labels: &str,
        ui: &Ui,
    ) -> Result<(), Failure> {
        let command = self
            .command(target, &["upgrade", "--install", target.release])
            .args(["--labels", labels, "--history-max", "5", "--timeout", "5m"])
            .arg(chart);
        with_values(command, values, set).run(Kind::Chart, ui).await.map(drop)
    }

    /// The manifests that an upgrade would install in this cluster.
    ///
    /// # Errors
    /// Helm refuses the values, or the cluster does not answer; or Helm prints something else.
    pub async fn upgraded_manifest(
        &self,
        target: Target<'_>,
        chart: &Path,
        values: &[PathBuf],
        set: &[String],
        ui: &Ui,
    ) -> Result<String, Failure> {
        #[derive(Deserialize)]
        struct Release {
            manifest: String,
        }
        let command =
            self.command(target, &["upgrade", target.release, "--dry-run=server", "--output", "json"]).arg(chart);
        let command = with_values(command, values, set);
        let output = command.run(Kind::Chart, ui).await?;
        let release: Release = serde_json::from_str(&output.stdout)
            .during(Kind::Chart, format!("`{}` printed something unexpected", command.line()))?;
        Ok(release.manifest)
    }

    /// The manifests of a release as it is installed.
    ///
    /// # Errors
    /// There is no such release, or the cluster does not answer.
    pub async fn manifest(&self, target: Target<'_>, ui: &Ui) -> Result<String, Failure> {
        let command = self.command(target, &["get", "manifest", target.release]);
        Ok(command.run(Kind::Chart, ui).await?.stdout)
    }

    /// Installs an earlier revision again, as a new one.
    ///
    /// # Errors
    /// Helm or the cluster refuse.
    pub async fn rollback(&self, target: Target<'_>, revision: u32, ui: &Ui) -> Result<(), Failure> {
        let revision = revision.to_string();
        let command = self.command(target, &["rollback", target.release, &revision, "--history-max", "5"]);
        command.args(["--timeout", "5m"]).run(Kind::Chart, ui).await.map(drop)
    }

    /// The manifests that a chart makes of values, without a cluster; those of tests are left out.
    ///
    /// # Errors
    /// Helm refuses the values.
    pub async fn template(
        &self,
        release: &str,
        namespace: &str,
        chart: &Path,
        values: &[PathBuf],
        set: &[String],
        ui: &Ui,
    ) -> Result<String, Failure> {
        let command = Command::new(&self.tool.path).args(["template", release, "--namespace", namespace]);
        let command = with_values(command.arg("--skip-tests").arg(chart), values, set);
        command.run(Kind::Chart, ui).await.map(|output| output.stdout)
    }

    /// Downloads a chart's archive into a folder. What Helm learns of repositories on the way stays in `cache`.
    ///
    /// # Errors
    /// Helm cannot have it.
    pub async fn pull(
        &self,
        place: Place<'_>,
        version: &str,
        folder: &Path,
        cache: &Path,
        ui: &Ui,
    ) -> Result<(), Failure> {
        let command = Command::new(&self.tool.path).arg("pull");
        let command = match place {
            Place::Repository(url, name) => command.args([name, "--repo", url, "--version", version]),
            // An archive's address names the version itself.
            Place::Address(url) if url.starts_with("oci://") => command.args([url, "--version", version]),
            Place::Address(url) | Place::Path(url) => command.arg(url),
        };
        let command = command.env("HELM_CACHE_HOME", cache).env("HELM_REPOSITORY_CACHE", cache.join("repository"));
        let command = command.arg("--destination").arg(folder).deadline(Duration::from_mins(2));
        command.run(Kind::Chart, ui).await.map(drop)
    }

    /// The revisions of a release, as Helm lists them; nothing where there is no such release.
    ///
    /// # Errors
    /// Helm or the cluster refuse.
    pub async fn history(&self, target: Target<'_>, ui: &Ui) -> Result<String, Failure> {
        let command = self.command(target, &["history", target.release]);
        Ok(command.run(Kind::Chart, ui).await?.stdout)
    }

    /// Uninstalls a release, if there is one.
    ///
    /// # Errors
    /// Helm or the cluster refuse.
    pub async fn uninstall(&self, target: Target<'_>, ui: &Ui) -> Result<(), Failure> {
        let command =
            self.command(target, &["uninstall", target.release]).args(["--ignore-not-found", "--timeout", "5m"]);
        command.run(Kind::Chart, ui).await.map(drop)
    }

    fn command(&self, target: Target<'_>, words: &[&str]) -> Command {
        let command = Command::new(&self.tool.path)
            .args(words)
            .args(["--namespace", target.namespace, "--kube-context", target.context, "--kubeconfig"])
            .arg(target.kubeconfig)
            // Else what Helm learns of the cluster goes to ~/.kube/cache, and outlives it (kubernetes/cli-runtime, `config_flags.go`).
            .without_env(&WITHHELD)
            .env("KUBECACHEDIR", target.kubeconfig.with_file_name("kube-cache"))
            .deadline(Duration::from_secs(330));
        // As windtunnel itself does: no proxy comes between it and the cluster. A plugin that gets a login may need one.
        match self.proxies.past(&hosts(target.kubeconfig)) {
            Some(no) => command.env("NO_PROXY", &no).env("no_proxy", &no),
            None => command,
        }
    }
}

/// The hosts of the API servers that a kubeconfig names; none where it cannot be read, which Helm then says itself.
fn hosts(kubeconfig: &Path) -> Vec<String> {
    #[derive(Deserialize)]
    struct Document {
        clusters: Vec<Named>,
    }
    #[derive(Deserialize)]
    struct Named {
        cluster: Server,
    }
    #[derive(Deserialize)]
    struct Server {
        server: String,
    }
    let text = std::fs::read_to_string(kubeconfig).unwrap_or_default();
    let document: Document = serde_yaml::from_str(&text).unwrap_or(Document { clusters: Vec::new() });
    let servers = document.clusters.iter().filter_map(|named| named.cluster.server.parse::<hyper::Uri>().ok());
    // Go takes an address in brackets for a name.
    servers.filter_map(|server| server.host().map(|host| host.trim_matches(['[', ']']).to_owned())).collect()
}

/// The values of a chart: files first, then single ones, which win.
fn with_values(command: Command, values: &[PathBuf], set: &[String]) -> Command {
    let command = values.iter().fold(command, |command, file| command.arg("--values").arg(file));
    set.iter().fold(command, |command, assignment| command.arg("--set").arg(assignment))
}
