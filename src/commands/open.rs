//! `windtunnel open`: the web interface in the browser.

use crate::airflow::{Client, health};
use crate::error::Failure;
use crate::plan;
use crate::state::Record;
use crate::surroundings::Surroundings;
use crate::ui::Ui;

/// Opens the address in the browser, or says it where there is none. Only when it is Airflow that answers there.
///
/// # Errors
/// No environment of this name, or Airflow does not answer at its address.
pub async fn open(name: &str, ui: &Ui, surroundings: &Surroundings) -> Result<(), Failure> {
    let record = Record::require(&surroundings.paths.environment(name), name)?;
    health::look(&Client::new(record.port))
        .await
        .map_err(|failure| failure.hint("to make it answer: `windtunnel forward start`"))?;
    let url = plan::url(record.port);
    let opened = open::that_detached(&url);
    if ui.is_json() {
        ui.document(&serde_json::json!({ "url": url, "opened": opened.is_ok() }));
    } else if let Err(error) = opened {
        ui.warn(&format!("no browser could be opened ({error}): go to the address yourself"));
        ui.data(&format!("{url}\n"));
    } else {
        ui.say(&format!("opened {url}"));
    }
    Ok(())
}
