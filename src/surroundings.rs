//! What `main` reads of the process it lives in, once; nothing else looks at the environment.

use std::ffi::OsString;
use std::path::PathBuf;

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
    /// Where files are kept that can be made again: pulled images, `~/.cache/windtunnel` by default.
    pub cache: PathBuf,
    /// The user that files of the DAG folder belong to, as a number.
    pub user: u32,
}
