//! `windtunnel credentials`: how to log in.

use secrecy::ExposeSecret;
use serde::Serialize;

use crate::error::{Failure, Kind};
use crate::plan;
use crate::state::{Credentials, EnvironmentPaths, Record, USER, document};
use crate::surroundings::Surroundings;
use crate::ui::Ui;

#[derive(Serialize)]
struct Login<'a> {
    url: String,
    user: &'a str,
    password: &'a str,
}

/// Prints address, user and password: the one place where a secret is shown, for it is what was asked for.
///
/// # Errors
/// No environment of this name, or its files are missing or damaged.
pub fn credentials(name: &str, ui: &Ui, surroundings: &Surroundings) -> Result<(), Failure> {
    let paths = surroundings.paths.environment(name);
    let record = Record::require(&paths, name)?;
    let credentials = read(&paths, name)?;
    let login = Login { url: plan::url(record.port), user: USER, password: credentials.admin_password.expose_secret() };
    if ui.is_json() {
        ui.document(&login);
    } else {
        ui.data(&format!("address   {}\nuser      {}\npassword  {}\n", login.url, login.user, login.password));
    }
    Ok(())
}

/// The credentials of an environment that is there.
pub(super) fn read(paths: &EnvironmentPaths, name: &str) -> Result<Credentials, Failure> {
    document::read(&paths.credentials()).into_result()?.ok_or_else(|| {
        Failure::new(Kind::NoEnvironment, format!("the credentials of environment `{name}` are not on this machine"))
            .evidence(format!("{} is not there", paths.credentials().display()))
            .hint("to have them made or taken from the cluster: `windtunnel up`")
    })
}
