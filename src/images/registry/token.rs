//! How a registry wants to be asked: its challenge, and the token that it is answered with (distribution/distribution, `docs/spec/auth`).

use hyper_util::client::proxy::matcher::Matcher;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::connection::{Question, ask};
use super::credentials::Login;
use super::trouble::Trouble;
use super::{authorization, uri};
use crate::codes::Code;
use crate::images::reference::Reference;

/// The header `Authorization` that a challenge asks for; `None` where a login is asked for and there is none.
pub(super) async fn authorize(
    challenges: &[&str],
    login: Option<&Login>,
    image: &Reference,
    proxy: &Matcher,
) -> Result<Option<SecretString>, Trouble> {
    let words = |scheme: &str| {
        challenges.iter().find_map(|challenge| {
            let (name, rest) = challenge.split_once(' ').unwrap_or((challenge, ""));
            name.eq_ignore_ascii_case(scheme).then_some(rest)
        })
    };
    if let Some(words) = words("Bearer") {
        return token(words, login, image, proxy).await.map(Some);
    }
    if words("Basic").is_some() {
        return Ok(login.and_then(Login::basic));
    }
    let message = format!("{} wants to be asked in a way that is not known: {}", image.registry, challenges.join(", "));
    Err(Trouble::new(Code::RegistryFailed, message))
}

/// What the place that gives tokens answers; the name differs.
#[derive(Deserialize)]
struct Given {
    token: Option<SecretString>,
    access_token: Option<SecretString>,
}

async fn token(
    words: &str,
    login: Option<&Login>,
    image: &Reference,
    proxy: &Matcher,
) -> Result<SecretString, Trouble> {
    let Reference { registry, repository, .. } = image;
    let failed = |what: &str| Trouble::new(Code::RegistryFailed, format!("{registry} {what}"));
    let realm = parameter(words, "realm").ok_or_else(|| failed("does not say where it gives tokens"))?;
    let mut query = vec![("scope", format!("repository:{repository}:pull"))];
    query.extend(parameter(words, "service").map(|service| ("service", service.to_owned())));
    let query: Vec<String> = query.into_iter().map(|(name, value)| format!("{name}={}", encoded(&value))).collect();
    let query = query.join("&");
    let (url, headers, form) = if let Some(Login::Token(refresh)) = login {
        // A token to get tokens with is a secret, so it goes as a form (distribution/distribution, `docs/spec/auth/oauth.md`).
        let refresh = encoded(refresh.expose_secret());
        let form = format!("grant_type=refresh_token&client_id=windtunnel&{query}&refresh_token={refresh}");
        (uri(realm)?, Vec::new(), Some(form.into()))
    } else {
        let sign = if realm.contains('?') { '&' } else { '?' };
        let basic = login.and_then(Login::basic);
        let headers = basic.as_ref().map(authorization).transpose()?.into_iter().collect();
        (uri(&format!("{realm}{sign}{query}"))?, headers, None)
    };
    if url.scheme_str() != Some("https") && !image.is_loopback() {
        return Err(failed("gives tokens without encryption"));
    }
    let answer = ask(&Question { url: &url, headers: &headers, form }, proxy).await?;
    if !answer.status.is_success() {
        return Err(Trouble::of(&answer, registry, repository, &image.version, login.is_some()));
    }
    let given: Given = serde_json::from_slice(&answer.body).map_err(|_| failed("gives tokens that cannot be read"))?;
    let token = given.token.or(given.access_token).ok_or_else(|| failed("gave no token"))?;
    Ok(format!("Bearer {}", token.expose_secret()).into())
}

/// A parameter of a challenge: `realm="https://auth.docker.io/token"`.
fn parameter<'a>(words: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = words;
    loop {
        let (key, after) = rest.split_once('=')?;
        let (value, next) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_at(after.find(',').unwrap_or(after.len())),
        };
        if key.trim().eq_ignore_ascii_case(name) {
            return Some(value);
        }
        rest = next.trim_start_matches([',', ' ']);
    }
}

/// A value as a part of a query.
fn encoded(value: &str) -> String {
    value.bytes().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~:/".contains(&byte) {
            text.push(char::from(byte));
        } else {
            use std::fmt::Write;
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parameters_of_a_challenge_are_found_by_their_names() {
        let words = r#"realm="https://auth.docker.io/token",service="registry.docker.io", scope="repository:a/b:pull,push",error=x"#;
        assert_eq!(parameter(words, "realm"), Some("https://auth.docker.io/token"));
        assert_eq!(parameter(words, "scope"), Some("repository:a/b:pull,push"));
        assert_eq!(parameter(words, "error"), Some("x"));
        assert_eq!(parameter(words, "none"), None);
        assert_eq!(parameter(r#"realm="cut"#, "realm"), None);
    }

    #[test]
    fn a_service_is_encoded_for_the_query() {
        assert_eq!(encoded("token service&x"), "token%20service%26x");
    }
}
