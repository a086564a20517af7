//! What is peculiar to SELinux, WSL and macOS, as far as files tell.

use std::path::Path;

use super::super::facts::Facts;
use super::super::finding::{Check, Finding};
use crate::codes::Code;

/// The folders that virtual machines of engines on macOS show their containers: Docker Desktop's, and all of Colima's and Lima's.
const SHARED: [&str; 5] = ["/Users", "/Volumes", "/private", "/tmp", "/var/folders"];
/// How WSL mounts the drives of Windows.
const WINDOWS_DRIVES: [&str; 3] = ["9p", "drvfs", "v9fs"];

pub(super) fn judge(facts: &Facts<'_>) -> Vec<Check> {
    let machine = &facts.machine;
    let kernel = machine.kernel.to_lowercase();
    let mut checks = Vec::new();
    if kernel.contains("microsoft") {
        // WSL 1 has no kernel of its own and says `Microsoft`; that of WSL 2 ends with `microsoft-standard-WSL2`.
        let is_first = !kernel.contains("wsl2") && machine.kernel.contains("Microsoft");
        checks.push(Check::of("WSL", is_first.then(first_wsl), "version 2"));
    }
    if machine.selinux && facts.plan.cluster.provider().sees_dag_folder() {
        checks.push(Check::of("SELinux", selinux(facts), "the engine gives containers no labels"));
    }
    if facts.plan.cluster.provider().sees_dag_folder() {
        let unreadable = facts.dags.as_ref().map(|failure| {
            Finding::of(failure).needed("a folder that Airflow's user may read", "Airflow finds no DAG in any other")
        });
        let finding = unreadable.or_else(|| folder(facts));
        checks.push(Check::of("DAG folder", finding, facts.plan.dags.display().to_string()));
    }
    checks
}

fn first_wsl() -> Finding {
    Finding::error(Code::WslVersion, "this is WSL 1, which has no Linux kernel")
        .needed("WSL 2", "containers need cgroups and namespaces of a real kernel")
        .fix("in PowerShell: `wsl --set-version DISTRIBUTION 2`")
}

/// An engine without `selinux-enabled` runs containers unconfined, which is Docker's default.
fn selinux(facts: &Facts<'_>) -> Option<Finding> {
    let confines = facts.info()?.security_options.iter().any(|option| option.starts_with("name=selinux"));
    let folder = shell_words::quote(&facts.plan.dags.to_string_lossy()).into_owned();
    confines.then(|| {
        Finding::warning(Code::SelinuxMounts, "SELinux may keep Airflow from reading the DAG folder")
            .found("SELinux is enforcing, and the engine labels its containers")
            .needed(
                "the label container_file_t on the DAG folder",
                "pods read the folder through the node, and a label of your home folder forbids it",
            )
            .fix(format!("`mkdir -p {folder} && chcon -R -t container_file_t {folder}`"))
    })
}

fn folder(facts: &Facts<'_>) -> Option<Finding> {
    let (machine, dags) = (&facts.machine, &facts.plan.dags);
    let system = machine.dags_on.as_deref().unwrap_or_default();
    if machine.kernel.to_lowercase().contains("microsoft") && WINDOWS_DRIVES.contains(&system) {
        return Some(
            Finding::warning(Code::FolderSlow, "the DAG folder is on a drive of Windows")
                .found(format!("{} is on {system}", dags.display()))
                .needed("a folder of Linux", "reading it is many times slower, and every DAG is parsed again and again")
                .fix("move the project to your home folder in WSL, or name another folder: `windtunnel up --dags FOLDER`"),
        );
    }
    let is_shared = |dags: &Path| SHARED.iter().any(|folder| dags.starts_with(folder));
    (machine.system == "macos" && !is_shared(dags)).then(|| {
        Finding::warning(Code::FolderNotShared, "the engine's virtual machine may not see the DAG folder")
            .found(dags.display().to_string())
            .needed(
                "a folder below your home",
                "engines on macOS show only some folders to their containers, and an empty one instead of others",
            )
            .fix("name another folder: `windtunnel up --dags FOLDER`")
    })
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn platforms() {
        const WSL_2: &str = "Linux version 5.15.167.4-microsoft-standard-WSL2 (root@1)";
        const WSL_1: &str = "Linux version 4.4.0-19041-Microsoft (Microsoft@Microsoft.com)";
        let cases: [(&str, &str, &str, &str, Option<Code>); 6] = [
            ("linux", WSL_2, "/home/me/dags", "ext4", None),
            ("linux", WSL_2, "/mnt/c/dags", "9p", Some(Code::FolderSlow)),
            ("linux", WSL_1, "/home/me/dags", "lxfs", Some(Code::WslVersion)),
            ("linux", "Linux version 6.8", "/mnt/share/dags", "9p", None),
            ("macos", "", "/Users/me/dags", "", None),
            ("macos", "", "/opt/dags", "", Some(Code::FolderNotShared)),
        ];
        for (system, kernel, dags, on, expected) in cases {
            let mut plan = samples::plan();
            plan.dags = dags.into();
            let mut facts = samples::facts(&plan);
            facts.machine.system = system.to_owned();
            facts.machine.kernel = kernel.to_owned();
            facts.machine.dags_on = Some(on.to_owned());
            let checks = judge(&facts);
            let found: Vec<Code> =
                checks.iter().flat_map(|check| &check.findings).filter_map(|finding| finding.code).collect();
            assert_eq!(found, Vec::from_iter(expected), "{system} {kernel} {dags}");
        }
    }

    #[test]
    fn selinux_matters_where_the_engine_labels() {
        let plan = samples::plan();
        let mut facts = samples::facts(&plan);
        facts.machine.selinux = true;
        assert!(judge(&facts).iter().all(|check| check.findings.is_empty()));
        if let Some(Ok(info)) = &mut facts.engine {
            info.security_options.push("name=selinux".to_owned());
        }
        assert_eq!(judge(&facts)[0].findings[0].code, Some(Code::SelinuxMounts));
    }
}
