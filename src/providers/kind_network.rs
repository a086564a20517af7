//! The network of kind's nodes goes with the last node, if it came with one of windtunnel's: a network that was there before is somebody's.
//!
//! Noted is the id of the network, for all environments of this machine together. An empty note means that there was none when the
//! making of a node began, and nobody has looked since.

use std::path::Path;

use crate::error::{During, Failure, Kind};
use crate::state;
use crate::tools::docker::Docker;
use crate::ui::Ui;

/// Before a node is made: notes that there is no network yet.
///
/// # Errors
/// The engine does not answer, or the note cannot be written.
pub async fn expect(docker: &Docker, note: &Path, ui: &Ui) -> Result<(), Failure> {
    match docker.kind_network(ui).await? {
        None => state::write_private(note, b""),
        Some(_) => Ok(()),
    }
}

/// After it was made: notes which network came with it.
///
/// # Errors
/// As [`expect`].
pub async fn remember(docker: &Docker, note: &Path, ui: &Ui) -> Result<(), Failure> {
    if read(note)?.is_none_or(|noted| !noted.is_empty()) {
        return Ok(());
    }
    match docker.kind_network(ui).await? {
        Some(id) => state::write_private(note, id.as_bytes()),
        None => Ok(()),
    }
}

/// Lets a stopped node into the network again that it was in, which is made anew where it is gone: `docker network prune` takes one whose
/// nodes are all stopped.
///
/// # Errors
/// As [`expect`], and the engine refuses.
pub async fn restore(docker: &Docker, note: &Path, container: &str, ui: &Ui) -> Result<(), Failure> {
    if docker.kind_network(ui).await?.is_none() {
        state::write_private(note, b"")?;
        let id = docker.make_kind_network(ui).await?;
        state::write_private(note, id.as_bytes())?;
    }
    docker.rejoin_kind_network(container, ui).await
}

/// Removes the network that is noted, unless somebody still uses it.
///
/// # Errors
/// The engine does not answer, or the note cannot be read or removed.
pub async fn remove(docker: &Docker, note: &Path, ui: &Ui) -> Result<(), Failure> {
    let Some(noted) = read(note)? else { return Ok(()) };
    let is_gone = match docker.kind_network(ui).await? {
        Some(id) if noted.is_empty() || noted == id => docker.remove_network_without_nodes(&id, ui).await?,
        // Ours is gone; what has its name now is somebody's.
        Some(_) | None => true,
    };
    if is_gone { state::remove_file(note) } else { Ok(()) }
}

fn read(note: &Path) -> Result<Option<String>, Failure> {
    match std::fs::read_to_string(note) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        read => read.map(Some).during(Kind::Usage, format!("cannot read {}", note.display())),
    }
}
