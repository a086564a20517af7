//! The keys and passwords of one environment: random, made once, kept here and in a Secret of the namespace.

use base64::Engine;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};

use super::document::{Document, Step};
use crate::error::Failure;

/// The name of the one user.
pub const USER: &str = "admin";

/// Never printed by `Debug`; written only to the 0600 file and to the Secret.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// The web user's password.
    #[serde(serialize_with = "expose")]
    pub admin_password: SecretString,
    /// PostgreSQL's password.
    #[serde(serialize_with = "expose")]
    pub database_password: SecretString,
    /// Encrypts connections and variables in the database: 32 bytes in URL-safe base64, as Fernet wants it.
    #[serde(serialize_with = "expose")]
    pub fernet_key: SecretString,
    /// Signs sessions and requests for logs.
    #[serde(serialize_with = "expose")]
    pub api_secret_key: SecretString,
    /// Signs the tokens of the REST and execution interfaces; at least 64 characters, for HS512.
    #[serde(serialize_with = "expose")]
    pub jwt_secret: SecretString,
}

impl Document for Credentials {
    const STEPS: &'static [Step] = &[];
}

impl Credentials {
    /// Draws everything anew from the operating system.
    ///
    /// # Errors
    /// The operating system has no randomness to give.
    pub fn random() -> Result<Self, Failure> {
        Ok(Self {
            admin_password: password::<15>()?,
            database_password: password::<24>()?,
            fernet_key: URL_SAFE.encode(bytes::<32>()?).into(),
            api_secret_key: URL_SAFE_NO_PAD.encode(bytes::<32>()?).into(),
            jwt_secret: URL_SAFE_NO_PAD.encode(bytes::<64>()?).into(),
        })
    }

    /// Name and value of every secret, as keys of the Secret.
    #[must_use]
    pub fn entries(&self) -> [(&'static str, &str); 5] {
        [
            ("admin-password", self.admin_password.expose_secret()),
            ("api-secret-key", self.api_secret_key.expose_secret()),
            ("database-password", self.database_password.expose_secret()),
            ("fernet-key", self.fernet_key.expose_secret()),
            ("jwt-secret", self.jwt_secret.expose_secret()),
        ]
    }

    /// The credentials out of the Secret's entries, where all of them are there.
    #[must_use]
    pub fn from_entries(entry: impl Fn(&str) -> Option<String>) -> Option<Self> {
        Some(Self {
            admin_password: entry("admin-password")?.into(),
            database_password: entry("database-password")?.into(),
            fernet_key: entry("fernet-key")?.into(),
            api_secret_key: entry("api-secret-key")?.into(),
            jwt_secret: entry("jwt-secret")?.into(),
        })
    }
}

/// `N` random bytes, as letters that a URL, a shell and a command line take as they are: with a dash at its beginning,
/// `airflow users create --password` and `redis-server --requirepass` would read an option.
fn password<const N: usize>() -> Result<SecretString, Failure> {
    Ok(URL_SAFE_NO_PAD.encode(bytes::<N>()?).replace('-', "_").into())
}

/// `N` random bytes.
///
/// # Errors
/// The operating system has none to give.
pub(super) fn bytes<const N: usize>() -> Result<[u8; N], Failure> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| Failure::bug(format!("no randomness: {error}")))?;
    Ok(bytes)
}

/// Writes a secret as it is, where it is to be kept.
///
/// # Errors
/// Those of the serializer.
pub fn expose<S: Serializer>(secret: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose_secret())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_environments_share_nothing() {
        let (one, two) = (Credentials::random().unwrap(), Credentials::random().unwrap());
        for ((name, first), (_, second)) in one.entries().iter().zip(two.entries()) {
            assert_ne!(*first, second, "{name}");
        }
    }

    #[test]
    fn the_fernet_key_is_32_bytes_and_the_jwt_secret_long_enough() {
        let credentials = Credentials::random().unwrap();
        assert_eq!(URL_SAFE.decode(credentials.fernet_key.expose_secret()).unwrap().len(), 32);
        assert!(credentials.jwt_secret.expose_secret().len() >= 64);
    }

    #[test]
    fn no_password_can_be_read_as_an_option() {
        for _ in 0..1000 {
            let Credentials { admin_password, database_password, .. } = Credentials::random().unwrap();
            for password in [admin_password, database_password] {
                assert!(!password.expose_secret().contains('-'), "{}", password.expose_secret());
            }
        }
    }

    #[test]
    fn debug_output_hides_every_secret() {
        let credentials = Credentials::random().unwrap();
        let shown = format!("{credentials:?}");
        assert!(credentials.entries().iter().all(|(_, secret)| !shown.contains(secret)));
    }
}
