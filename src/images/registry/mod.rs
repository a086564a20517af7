//! The registry protocol, as far as it takes to know whether an image can be had (opencontainers/distribution-spec).

mod connection;
mod credentials;
mod manifest;
mod token;
mod trouble;

use std::time::Duration;

use hyper::Uri;
use hyper::header::{ACCEPT, AUTHORIZATION, HeaderName, HeaderValue, LOCATION, WWW_AUTHENTICATE};
use hyper_util::client::proxy::matcher::Matcher;
use secrecy::{ExposeSecret, SecretString};

use super::reference::Reference;
use crate::codes::Code;
use crate::surroundings::{Logins, Proxies};
use crate::ui::Ui;
use connection::{Answer, Question, ask};
pub use manifest::{Layer, Manifest};
pub use trouble::Trouble;

/// What is accepted as a manifest: an index of several platforms, or the manifest of one; docker's types and OCI's.
const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, \
    application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json";
/// How often a request is sent whose failure may pass.
const ATTEMPTS: u32 = 3;
/// The first pause between two; the next is twice as long.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest that a registry's wish to be left alone is fulfilled. Beyond it is a failure: nobody knows what else there is to wait for.
pub const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(30);
/// How often a redirection is followed: from a registry to its store.
const REDIRECTIONS: u32 = 5;

/// The way to registries, and the logins there.
pub struct Registries<'a> {
    /// docker's logins.
    pub logins: &'a Logins,
    /// The proxies of the surroundings.
    pub proxies: &'a Proxies,
    /// The way to the terminal.
    pub ui: &'a Ui,
}

impl Registries<'_> {
    /// Looks for an image of this platform, `linux/amd64`. `waiting` is told of pauses.
    ///
    /// # Errors
    /// Why it cannot be had.
    pub async fn find(&self, image: &Reference, platform: &str, waiting: impl Fn(&str)) -> Result<Manifest, Trouble> {
        let mut pause = PAUSE;
        for attempt in 1.. {
            let trouble = match self.find_once(image, platform).await {
                Err(trouble) if attempt < ATTEMPTS => trouble,
                ended => return ended,
            };
            let wait = match trouble.retry_after {
                Some(after) if after <= LONGEST_RETRY_AFTER => after,
                None if trouble.is_passing => pause,
                _ => return Err(trouble),
            };
            waiting(&format!("{}: again in {} s", trouble.words, wait.as_secs()));
            tokio::time::sleep(wait).await;
            pause *= 2;
        }
        unreachable!("the last attempt returns")
    }

    /// Looks once, without a pause.
    pub(super) async fn find_once(&self, image: &Reference, platform: &str) -> Result<Manifest, Trouble> {
        let mut conversation = Conversation::with(self, image);
        let answer = conversation.ask("manifests", &image.version).await?;
        match manifest::read(&answer.body, image)? {
            manifest::Document::Index(index) => {
                let digest = index.digest_for(platform, image)?;
                let answer = conversation.ask("manifests", &digest).await?;
                manifest::read(&answer.body, image)?.of_one_platform(image)
            }
            manifest::Document::One(manifest) => {
                let config = conversation.ask("blobs", manifest.config()).await?;
                manifest::check_platform(&config.body, platform, image)?;
                Ok(manifest)
            }
        }
    }
}

/// The questions about one image: the first may be answered with the wish for a token, which all others carry.
struct Conversation<'a> {
    registries: &'a Registries<'a>,
    image: &'a Reference,
    matcher: Matcher,
    /// The header `Authorization`.
    authorization: Option<SecretString>,
}

impl<'a> Conversation<'a> {
    fn with(registries: &'a Registries<'a>, image: &'a Reference) -> Self {
        // Plain HTTP is spoken with a registry of this machine alone.
        let matcher = Proxies { http: None, ..registries.proxies.clone() }.matcher();
        Self { registries, image, matcher, authorization: None }
    }

    /// A manifest by tag or digest, or a blob by digest.
    async fn ask(&mut self, what: &str, version: &str) -> Result<Answer, Trouble> {
        let Reference { registry, repository, .. } = self.image;
        let scheme = if self.image.is_loopback() { "http" } else { "https" };
        let url = uri(&format!("{scheme}://{}/v2/{repository}/{what}/{version}", self.image.host()))?;
        let mut answer = self.send(&url).await?;
        let mut with_login = false;
        if answer.status == 401 && self.authorization.is_none() {
            let login = credentials::login(registry, self.registries.logins, self.registries.ui).await?;
            with_login = login.is_some();
            let challenges = answer.headers.get_all(WWW_AUTHENTICATE);
            let challenges: Vec<&str> = challenges.iter().filter_map(|value| value.to_str().ok()).collect();
            self.authorization = token::authorize(&challenges, login.as_ref(), self.image, &self.matcher).await?;
            if self.authorization.is_some() {
                answer = self.send(&url).await?;
            }
        }
        if answer.status.is_success() {
            return Ok(answer);
        }
        Err(Trouble::of(&answer, registry, repository, version, with_login))
    }

    /// Follows a registry to its store, which is not shown what was meant for the registry.
    async fn send(&self, url: &Uri) -> Result<Answer, Trouble> {
        let mut url = url.clone();
        let mut headers = vec![(ACCEPT, HeaderValue::from_static(MANIFESTS))];
        headers.extend(self.authorization.as_ref().map(authorization).transpose()?);
        for _ in 0..REDIRECTIONS {
            let question = Question { url: &url, headers: &headers, form: None };
            let answer = ask(&question, &self.matcher).await?;
            let Some(location) = answer.header(LOCATION).filter(|_| answer.status.is_redirection()) else {
                return Ok(answer);
            };
            let absolute = if location.starts_with('/') {
                let authority = url.authority().map_or("", |authority| authority.as_str());
                format!("{}://{authority}{location}", url.scheme_str().unwrap_or("https"))
            } else {
                location.to_owned()
            };
            let next = uri(&absolute)?;
            if next.scheme_str() != url.scheme_str() {
                return Err(Trouble::new(
                    Code::RegistryFailed,
                    format!("{} redirects to another scheme", self.image.registry),
                ));
            }
            if next.authority() != url.authority() {
                headers.retain(|(name, _)| *name != AUTHORIZATION);
            }
            url = next;
        }
        Err(Trouble::new(Code::RegistryFailed, format!("{} redirects in circles", self.image.registry)))
    }
}

fn authorization(value: &SecretString) -> Result<(HeaderName, HeaderValue), Trouble> {
    let value = HeaderValue::try_from(value.expose_secret());
    let mut value = value.map_err(|_| Trouble::new(Code::RegistryLoginNeeded, "docker's login is no header value"))?;
    value.set_sensitive(true);
    Ok((AUTHORIZATION, value))
}

fn uri(text: &str) -> Result<Uri, Trouble> {
    text.parse().map_err(|error| Trouble::new(Code::RegistryFailed, format!("{text} is no address: {error}")))
}
