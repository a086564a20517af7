//! What `main` reads of the process it lives in, once; nothing else looks at the environment.

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use hyper_util::client::proxy::matcher::Matcher;
use secrecy::SecretString;

use crate::error::{During, Failure, Kind};
use crate::plan::{DEFAULT_NAME, FILE, Origin, ProjectFile, Wishes};
use crate::state::Paths;

/// The process's surroundings, as plain data.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The folder that the command was given in.
    pub folder: PathBuf,
    /// Where programs are looked for, as in `PATH`.
    pub search_path: OsString,
    /// This very program, to start the forward with.
    pub program: PathBuf,
    /// Where the environments are kept.
    pub paths: Paths,
    /// The files of the user's own kubeconfig, as `KUBECONFIG` names them, absolute; read only where a context was named or is to be chosen.
    pub kubeconfig: Vec<PathBuf>,
    /// minikube's own folder, where its profiles are: `~/.minikube` by default.
    pub minikube: PathBuf,
    /// Where files are kept that can be made again: pulled images, `~/.cache/windtunnel` by default.
    pub cache: PathBuf,
    /// docker's logins at registries.
    pub logins: Logins,
    /// The user that files of the DAG folder belong to, as a number.
    pub user: u32,
    /// The proxies that programs of this user go through.
    pub proxies: Proxies,
    /// The file of certificates that programs of this user trust, of `SSL_CERT_FILE`, where it is set.
    pub certificates: Option<PathBuf>,
    /// The passphrase of backups, of `WINDTUNNEL_PASSPHRASE`, where it is set.
    pub passphrase: Option<SecretString>,
}

/// The proxy variables, lower case before upper case, as curl and Go read them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Proxies {
    /// `http_proxy`. It may hold a password.
    pub http: Option<String>,
    /// `https_proxy`. It may hold a password.
    pub https: Option<String>,
    /// `no_proxy`: hosts, domains, addresses and subnets, separated by commas.
    pub no: Option<String>,
}

impl Proxies {
    /// What `no_proxy` must say for a child that is to speak to these hosts past the proxies; `None` where there is none.
    #[must_use]
    pub fn past(&self, hosts: &[String]) -> Option<String> {
        self.http.as_ref().or(self.https.as_ref())?;
        Some(self.no.iter().chain(hosts).map(String::as_str).collect::<Vec<_>>().join(","))
    }

    /// What tells which address is asked through which proxy.
    #[must_use]
    pub fn matcher(&self) -> Matcher {
        let Self { http, https, no } = self.clone();
        let text = Option::unwrap_or_default;
        Matcher::builder().http(text(http)).https(text(https)).no(text(no)).build()
    }
}

/// Where docker's logins are.
#[derive(Clone, Debug)]
pub struct Logins {
    /// The folder of docker's `config.json`.
    pub folder: PathBuf,
    /// Where credential helpers are looked for.
    pub search_path: OsString,
}

/// The `windtunnel.yaml` that holds for a folder.
#[derive(Clone, Debug)]
pub struct Project {
    /// Where it is.
    pub path: PathBuf,
    /// What it says.
    pub file: ProjectFile,
    text: String,
}

impl Project {
    /// The environment that the file is about.
    #[must_use]
    pub fn name(&self) -> &str {
        self.file.name.as_deref().unwrap_or(DEFAULT_NAME)
    }

    /// The folder that its paths are relative to.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(&self.path)
    }

    /// What it says, as wishes.
    #[must_use]
    pub fn wishes(&self) -> Wishes {
        self.file.wishes(self.folder())
    }

    /// Where in the file a key stands.
    #[must_use]
    pub fn origin(&self, key: &str) -> Origin {
        Origin::File { path: self.path.clone(), line: crate::plan::line_of(&self.text, key) }
    }
}

impl Surroundings {
    /// The project's file: that of the command's folder, else of the nearest folder above that has one.
    ///
    /// # Errors
    /// It cannot be read, is not valid, or is somebody else's and in a folder above: it could name programs to run.
    pub fn project(&self) -> Result<Option<Project>, Failure> {
        for folder in self.folder.ancestors() {
            let path = folder.join(FILE);
            let doing = || format!("cannot read {}", path.display());
            let metadata = match std::fs::metadata(&path) {
                Ok(metadata) => metadata,
                Err(error)
                    if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) =>
                {
                    continue;
                }
                Err(error) => return Err(error).during(Kind::Usage, doing()),
            };
            if folder != self.folder && ![0, self.user].contains(&metadata.uid()) {
                return Err(Failure::new(Kind::Foreign, format!("{} belongs to somebody else", path.display()))
                    .evidence(format!("its owner is user {}, you are user {}", metadata.uid(), self.user))
                    .hint("to go on without it, have a file of your own in this folder: `windtunnel init`"));
            }
            let text = std::fs::read_to_string(&path).during(Kind::Usage, doing())?;
            let file = ProjectFile::parse(&text, &path)?;
            return Ok(Some(Project { path, file, text }));
        }
        Ok(None)
    }

    /// The environment that a command without `--name` works on here.
    ///
    /// # Errors
    /// As [`Surroundings::project`].
    pub fn usual_name(&self) -> Result<String, Failure> {
        Ok(self.project()?.map_or_else(|| DEFAULT_NAME.to_owned(), |project| project.name().to_owned()))
    }

    /// What a command for the environment `name` needs on its line here.
    #[must_use]
    pub fn name_option(&self, name: &str) -> String {
        let is_usual = self.usual_name().is_ok_and(|usual| usual == name);
        if is_usual { String::new() } else { format!(" --name {name}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_folder(folder: &Path) -> Surroundings {
        Surroundings {
            folder: folder.to_owned(),
            search_path: OsString::new(),
            program: PathBuf::new(),
            paths: Paths::new(folder.join("state")),
            kubeconfig: Vec::new(),
            minikube: PathBuf::new(),
            cache: PathBuf::new(),
            logins: Logins { folder: PathBuf::new(), search_path: OsString::new() },
            user: rustix::process::geteuid().as_raw(),
            proxies: Proxies::default(),
            certificates: None,
            passphrase: None,
        }
    }

    #[test]
    fn a_child_goes_past_the_proxies_to_what_is_named_besides() {
        let hosts = ["192.168.49.2".to_owned()];
        let proxies = Proxies { https: Some("http://proxy:1".into()), no: Some("a,b".into()), ..Proxies::default() };
        assert_eq!(proxies.past(&hosts).as_deref(), Some("a,b,192.168.49.2"));
        assert_eq!(Proxies { https: None, ..proxies }.past(&hosts), None);
    }

    #[test]
    fn the_nearest_file_above_counts() {
        let root = tempfile::tempdir().unwrap();
        let deep = root.path().join("project/flows/daily");
        std::fs::create_dir_all(&deep).unwrap();
        let surroundings = in_folder(&deep);
        assert_eq!(surroundings.usual_name().unwrap(), DEFAULT_NAME);
        std::fs::write(root.path().join("project").join(FILE), "name: shop\n").unwrap();
        assert_eq!(surroundings.usual_name().unwrap(), "shop");
        assert_eq!(
            (surroundings.name_option("shop").as_str(), surroundings.name_option("two").as_str()),
            ("", " --name two")
        );
        std::fs::write(root.path().join("project/flows").join(FILE), "# nothing\n").unwrap();
        assert_eq!(surroundings.usual_name().unwrap(), DEFAULT_NAME);
    }

    #[test]
    fn a_strangers_file_above_is_not_used() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("mine");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(root.path().join(FILE), "bundle: /evil\n").unwrap();
        let mut surroundings = in_folder(&folder);
        surroundings.user += 1;
        let is_root = rustix::process::geteuid().is_root();
        assert_eq!(surroundings.project().is_err(), !is_root);
        surroundings.folder = root.path().to_owned();
        assert!(surroundings.project().unwrap().is_some());
    }
}
