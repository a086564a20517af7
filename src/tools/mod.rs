//! The programs that windtunnel drives: docker, kind, minikube, helm. Each is found once, asked for its version, and run by
//! [`process`], the only place that knows how a child is started. [`download`] has those that are missing.

pub mod binary;
pub mod docker;
pub mod download;
pub mod find;
pub mod helm;
pub mod host;
pub mod kind;
pub mod minikube;
pub mod process;
pub mod release;
mod unpack;

/// A digest in hexadecimal digits.
#[must_use]
pub fn hexadecimal(digest: &[u8]) -> String {
    use std::fmt::Write;
    digest.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
