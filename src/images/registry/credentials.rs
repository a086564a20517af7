//! docker's logins: `config.json` and the credential helpers that it names (docs.docker.com/reference/cli/docker/login).

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::trouble::Trouble;
use crate::codes::Code;
use crate::error::Kind;
use crate::surroundings::Logins;
use crate::tools::find;
use crate::tools::process::Command;
use crate::ui::Ui;

/// The name of Docker Hub in docker's configuration.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";
/// How long a helper may take: it may ask for a password on a screen of its own.
const HELPER: Duration = Duration::from_secs(30);
/// What a helper gives as the user where the secret is no password but a token to get tokens with.
const TOKEN_USER: &str = "<token>";
/// What a helper says where it has none (docker/docker-credential-helpers, `credentials/error.go`).
const NOT_FOUND: &str = "credentials not found";

/// What a registry is shown.
#[derive(Clone, Debug)]
pub(super) enum Login {
    /// User and password.
    Password(String, SecretString),
    /// A token to get tokens with.
    Token(SecretString),
}

impl Login {
    /// The header `Authorization: Basic`, where there is a user.
    pub(super) fn basic(&self) -> Option<SecretString> {
        match self {
            Self::Password(user, password) => {
                let pair = format!("{user}:{}", password.expose_secret());
                Some(format!("Basic {}", STANDARD.encode(pair)).into())
            }
            Self::Token(_) => None,
        }
    }
}

/// `config.json`, as far as logins go.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Config {
    auths: BTreeMap<String, Entry>,
    cred_helpers: BTreeMap<String, String>,
    creds_store: Option<String>,
}

/// One entry of `auths`; where a helper keeps the login it is empty.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: Option<SecretString>,
    identitytoken: Option<SecretString>,
}

/// What a helper answers to `get`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Helped {
    username: String,
    secret: SecretString,
}

/// The login for a registry, if there is one.
pub(super) async fn login(registry: &str, logins: &Logins, ui: &Ui) -> Result<Option<Login>, Trouble> {
    let path = logins.folder.join("config.json");
    let text = match std::fs::read(&path) {
        Ok(text) => SecretString::from(String::from_utf8_lossy(&text).into_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unusable(&path, &error.to_string())),
    };
    // The parser's own words could quote a secret.
    let config: Config = serde_json::from_str(text.expose_secret()).map_err(|error| {
        unusable(&path, &format!("line {}, column {} is not what docker writes", error.line(), error.column()))
    })?;
    let key = if registry == "docker.io" { DOCKER_HUB } else { registry };
    if let Some(helper) = config.cred_helpers.get(key).or(config.creds_store.as_ref()).filter(|name| !name.is_empty()) {
        return from_helper(helper, key, logins, ui).await;
    }
    let host = |name: &str| {
        name.trim_start_matches("https://").trim_start_matches("http://").split('/').next() == Some(registry)
    };
    let entry =
        config.auths.get(key).or_else(|| config.auths.iter().find(|(name, _)| host(name)).map(|(_, entry)| entry));
    let Some(entry) = entry else { return Ok(None) };
    if let Some(token) = entry.identitytoken.as_ref().filter(|token| !token.expose_secret().is_empty()) {
        return Ok(Some(Login::Token(token.clone())));
    }
    let Some(auth) = entry.auth.as_ref().filter(|auth| !auth.expose_secret().is_empty()) else { return Ok(None) };
    let pair = STANDARD.decode(auth.expose_secret().trim()).ok().and_then(|pair| String::from_utf8(pair).ok());
    let pair = pair.as_deref().and_then(|pair| pair.trim_end_matches('\0').split_once(':'));
    let (user, password) = pair.ok_or_else(|| unusable(&path, &format!("the login for {registry} is damaged")))?;
    Ok(Some(Login::Password(user.to_owned(), password.into())))
}

async fn from_helper(helper: &str, key: &str, logins: &Logins, ui: &Ui) -> Result<Option<Login>, Trouble> {
    let program = format!("docker-credential-{helper}");
    let failed = |words: &str| Trouble::new(Code::RegistryLoginNeeded, format!("docker's `{program}` failed: {words}"));
    let path =
        find::on_path(&program, &logins.search_path, &logins.folder, "install it, or log in anew: `docker login`");
    let path = path.map_err(|failure| failed(&failure.message))?;
    let command = Command::new(path).arg("get").input(key).deadline(HELPER);
    let output = command.outcome(Kind::Image, ui).await.map_err(|failure| failed(&failure.message))?;
    if output.code != Some(0) {
        // Helpers say on stdout why not.
        let words = format!("{}{}", output.stdout, output.stderr.join(" "));
        return if words.contains(NOT_FOUND) {
            Ok(None)
        } else {
            Err(failed(words.lines().next().unwrap_or("it says nothing")))
        };
    }
    let answer = SecretString::from(output.stdout);
    let given: Helped =
        serde_json::from_str(answer.expose_secret()).map_err(|_| failed("it printed something unexpected"))?;
    Ok(Some(if given.username == TOKEN_USER {
        Login::Token(given.secret)
    } else {
        Login::Password(given.username, given.secret)
    }))
}

fn unusable(path: &Path, words: &str) -> Trouble {
    Trouble::new(Code::RegistryLoginNeeded, format!("docker's logins in {} cannot be read: {words}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::ui::Manner;

    async fn found(config: &str, registry: &str, helper: Option<&str>) -> Result<Option<Login>, Trouble> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config.json"), config).unwrap();
        if let Some(script) = helper {
            let path = folder.path().join("docker-credential-safe");
            std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        let logins = Logins { folder: folder.path().to_owned(), search_path: folder.path().into() };
        login(registry, &logins, &Ui::new(Manner::default())).await
    }

    fn basic(login: Option<Login>) -> String {
        login.unwrap().basic().unwrap().expose_secret().to_owned()
    }

    #[tokio::test]
    async fn a_login_is_found_by_its_registry() {
        let config = r#"{"auths":{"https://index.docker.io/v1/":{"auth":"bWU6aHVi"},"https://quay.io/v2/":{"auth":"bWU6cXVheQ=="}}}"#;
        assert_eq!(basic(found(config, "docker.io", None).await.unwrap()), "Basic bWU6aHVi");
        assert_eq!(basic(found(config, "quay.io", None).await.unwrap()), "Basic bWU6cXVheQ==");
        assert!(found(config, "ghcr.io", None).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_helper_is_told_the_registry_on_stdin_and_nothing_is_shown() {
        let config = r#"{"auths":{"ghcr.io":{}},"credHelpers":{"ghcr.io":"safe"}}"#;
        let script = r#"[ "$1" = get ] && [ "$(cat)" = ghcr.io ] && echo '{"ServerURL":"ghcr.io","Username":"me","Secret":"s3cret"}'"#;
        let login = found(config, "ghcr.io", Some(script)).await.unwrap();
        assert!(!format!("{login:?}").contains("s3cret"));
        assert_eq!(basic(login), "Basic bWU6czNjcmV0");
        let script = "echo 'credentials not found in native keychain'; exit 1";
        assert!(found(r#"{"credsStore":"safe"}"#, "ghcr.io", Some(script)).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn what_cannot_be_used_is_said_without_the_secret() {
        let words = |config, helper| async move { found(config, "ghcr.io", helper).await.unwrap_err().words };
        assert!(
            words(r#"{"auths":{"ghcr.io":{"auth":"s3cret"}}}"#, None)
                .await
                .ends_with("the login for ghcr.io is damaged")
        );
        assert!(words(r#"{"auths":"s3cret"}"#, None).await.ends_with("column 17 is not what docker writes"));
        let config = r#"{"credsStore":"safe"}"#;
        assert!(words(config, None).await.starts_with("docker's `docker-credential-safe` failed: "));
        assert!(words(config, Some("echo locked; exit 1")).await.ends_with("failed: locked"));
    }
}
