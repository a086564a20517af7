//! Pulls by the engine: how far they are, and which failures are worth another attempt.

use std::collections::BTreeMap;
use std::time::Duration;

use super::locate::{Located, Lost};
use super::reference::Reference;
use super::registry::{LONGEST_RETRY_AFTER, Layer, Registries, Trouble};
use crate::codes::Code;
use crate::error::Failure;
use crate::tools::docker::Docker;

/// How often an image is pulled before its registry is given up. The engine keeps the layers that came, and itself asks for each again.
const ATTEMPTS: u32 = 5;
/// The first pause between two attempts; each next one is twice as long.
const PAUSE: Duration = Duration::from_secs(1);
/// How docker names a layer: the digest's first digits.
const SHORT: usize = 12;

/// Parts of docker's words, lower case, and the cause they stand for; the first that fits counts. The network comes before the registry's
/// answers: `lookup …: no such host` is also a "not found".
const CAUSES: [(Code, &[&str]); 5] = [
    (Code::RegistryRateLimited, &["toomanyrequests", "too many requests", "429", "pull rate limit"]),
    (Code::RegistryWrongPlatform, &["no matching manifest for", "does not match the specified platform"]),
    (Code::RegistryUntrusted, &["x509:", "server gave http response to https client"]),
    (
        Code::RegistryUnreachable,
        &[
            "no such host",
            "timeout",
            "connection refused",
            "connection reset",
            "network is unreachable",
            "no route to host",
            "server misbehaving",
            "temporary failure",
            "deadline exceeded",
            "proxyconnect",
            "eof",
            "broken pipe",
            "short read",
            "500 internal",
            "502 bad",
            "503 service",
            "504 gateway",
            "download failed after attempts",
        ],
    ),
    (Code::RegistryLoginNeeded, &["pull access denied", "unauthorized", "403 forbidden", "denied:", "no basic auth"]),
];

/// How much of an image has come.
#[derive(Debug)]
pub struct Progress {
    /// Bytes of each layer that have come, and all of them, by docker's short name.
    layers: BTreeMap<String, (u64, u64)>,
}

impl Progress {
    /// Nothing yet of these layers.
    #[must_use]
    pub fn new(layers: &[Layer]) -> Self {
        let short =
            |layer: &Layer| layer.digest.split(':').next_back().unwrap_or_default().chars().take(SHORT).collect();
        Self { layers: layers.iter().map(|layer| (short(layer), (0, layer.size))).collect() }
    }

    /// Bytes that have come, and all of them.
    #[must_use]
    pub fn bytes(&self) -> (u64, u64) {
        self.layers.values().fold((0, 0), |(came, all), layer| (came + layer.0, all + layer.1))
    }

    /// Reads a piece of what docker draws: `c1d2…: Downloading [==>  ]  1.2MB/34MB`.
    pub fn see(&mut self, piece: &str) {
        let Some((layer, words)) = piece.split_once(": ") else { return };
        let Some((came, all)) = self.layers.get_mut(layer.trim()) else { return };
        match words.trim() {
            "Already exists" | "Download complete" | "Verifying Checksum" | "Pull complete" => *came = *all,
            words if words.starts_with("Downloading") => {
                let numbers = words.split_whitespace().next_back().and_then(|numbers| numbers.split_once('/'));
                if let Some(bytes) = numbers.and_then(|(bytes, _)| bytes_of(bytes)) {
                    *came = bytes.min(*all);
                }
            }
            words if words.starts_with("Retrying") => *came = 0,
            _ => {}
        }
    }
}

/// `12.3MB`, as docker writes it: with powers of 1000 (docker/go-units, `HumanSize`).
fn bytes_of(text: &str) -> Option<u64> {
    let (number, unit) = text.split_at(text.find(|sign: char| sign.is_ascii_alphabetic())?);
    let factor = match unit {
        "B" => 1.0,
        "kB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        _ => return None,
    };
    let bytes = number.trim().parse::<f64>().ok()? * factor;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "no image has 2^63 bytes, and none less than 0"
    )]
    Some(bytes.round() as u64)
}

/// Pulls an image into the engine. What passes by itself is waited for, within limits: `saying` is told; what does not is not tried again.
///
/// # Errors
/// docker cannot be run. `Ok(Some)`, where the image cannot be had.
pub async fn pull(
    located: &Located,
    platform: &str,
    docker: &Docker,
    registries: &Registries<'_>,
    mut on_piece: impl FnMut(&str),
    saying: impl Fn(&str),
) -> Result<Option<Lost>, Failure> {
    let image = &located.image;
    let mut pause = PAUSE;
    for attempt in 1.. {
        let output = docker.pull(&image.reference, registries.ui, &mut on_piece).await?;
        if output.code == Some(0) {
            return Ok(None);
        }
        let mut trouble = classify(&output.stderr.join(" "), &image.reference);
        if trouble.code == Code::RegistryRateLimited {
            // docker does not tell for how long; the registry does, if it is asked.
            let reference = Reference::parse(&image.reference);
            if let Some(reference) = reference
                && let Err(told) = registries.find_once(&reference, platform).await
                && told.code == Code::RegistryRateLimited
            {
                trouble = told.again();
            }
        }
        let wait = trouble.retry_after.unwrap_or(pause);
        if !trouble.is_passing || attempt >= ATTEMPTS || wait > LONGEST_RETRY_AFTER {
            return Ok(Some(Lost { image: Box::new(image.clone()), trouble }));
        }
        saying(&format!("{}: {}: again in {} s", image.reference, trouble.words, wait.as_secs()));
        tokio::time::sleep(wait).await;
        pause *= 2;
    }
    unreachable!("the last attempt returns")
}

/// What docker's words mean.
fn classify(words: &str, reference: &str) -> Trouble {
    // A name may contain anything, also `denied:1`.
    let text = words.replace(reference, "").to_lowercase();
    let is = |parts: &[&str]| parts.iter().any(|part| text.contains(part));
    let code = if is(&["manifest unknown", "name unknown"]) {
        Code::RegistryImageMissing
    } else {
        CAUSES.iter().find(|(_, parts)| is(parts)).map_or(Code::PullFailed, |(code, _)| *code)
    };
    let words = words.trim().trim_start_matches("Error response from daemon: ");
    let trouble = Trouble::new(code, format!("docker says: {words}"));
    let passes = [Code::RegistryRateLimited, Code::RegistryUnreachable].contains(&code);
    if passes { trouble.again() } else { trouble }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_of_a_pull_are_those_of_its_layers() {
        let layer = |digit: char, size| Layer { digest: format!("sha256:{}", digit.to_string().repeat(64)), size };
        let mut progress = Progress::new(&[layer('a', 30_000_000), layer('b', 2_000)]);
        assert_eq!(progress.bytes(), (0, 30_002_000));
        for (piece, came) in [
            ("17: Pulling from library/postgres", 0),
            ("aaaaaaaaaaaa: Pulling fs layer ", 0),
            ("aaaaaaaaaaaa: Downloading [====>      ]   12.3MB/30MB", 12_300_000),
            ("bbbbbbbbbbbb: Downloading  512B/2kB", 12_300_512),
            ("bbbbbbbbbbbb: Download complete", 12_302_000),
            ("aaaaaaaaaaaa: Retrying in 5 seconds", 2_000),
            ("aaaaaaaaaaaa: Pull complete", 30_002_000),
        ] {
            progress.see(piece);
            assert_eq!(progress.bytes().0, came, "{piece}");
        }
    }

    #[test]
    fn only_what_passes_is_tried_again() {
        for (words, code, passes) in [
            ("manifest for a/b:1 not found: manifest unknown: manifest unknown", Code::RegistryImageMissing, false),
            (
                "pull access denied for a/b, repository does not exist or may require 'docker login'",
                Code::RegistryLoginNeeded,
                false,
            ),
            (
                "Get \"http://localhost:5000/v2/\": unauthorized: authentication required",
                Code::RegistryLoginNeeded,
                false,
            ),
            (
                "no matching manifest for linux/arm64/v8 in the manifest list entries",
                Code::RegistryWrongPlatform,
                false,
            ),
            ("toomanyrequests: You have reached your unauthenticated pull rate limit", Code::RegistryRateLimited, true),
            (
                "Get \"https://registry-1.docker.io/v2/\": dial tcp: lookup registry-1.docker.io: no such host",
                Code::RegistryUnreachable,
                true,
            ),
            (
                "Get \"https://registry.corp/v2/\": tls: failed to verify certificate: x509: certificate signed by unknown authority",
                Code::RegistryUntrusted,
                false,
            ),
            (
                "Get \"https://10.0.0.5:5000/v2/\": http: server gave HTTP response to HTTPS client",
                Code::RegistryUntrusted,
                false,
            ),
            ("unexpected EOF", Code::RegistryUnreachable, true),
            ("failed to register layer: write /x: no space left on device", Code::PullFailed, false),
        ] {
            let trouble = classify(words, "denied:1");
            assert_eq!((trouble.code, trouble.is_passing), (code, passes), "{words}");
        }
    }
}
