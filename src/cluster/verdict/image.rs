//! An image that cannot be had, with the causes told apart by containerd's words (1.6 to 2.x; they come from its `remotes/docker` package).
//!
//! What a registry says about a name stays so: not found, no permission, rate limit, wrong platform, invalid name, never pull and an untrusted
//! certificate are terminal at once. A network may come back: terminal with the second failed attempt, which the kubelet makes after 10 s, or a minute
//! after the first, for of a pod with many events the API server hears no more of some (client-go, `EventCorrelator`: 25 an object). A failure that
//! is not known here is terminal with the third attempt.

use k8s_openapi::api::core::v1::Pod;

use super::Verdict;
use super::view::{ContainerView, View, first_time, last_time, message, times};
use crate::codes::Code;

/// Attempts and seconds until the network is given up.
const NETWORK_ATTEMPTS: i32 = 2;
const NETWORK_LASTING: u64 = 10;
/// Seconds after which it is given up however many attempts are known.
const NETWORK_AWAY: u64 = 60;
/// Attempts until an unknown failure counts.
const ATTEMPTS: i32 = 3;

/// Parts of containerd's and the kubelet's messages, lower case, and the code they stand for; the first that fits counts.
/// The network comes before the registry's answers: `lookup …: no such host` is also a "not found".
const CAUSES: [(Code, &[&str]); 7] = [
    (Code::ImageRateLimited, &["toomanyrequests", "429 too many requests", "pull rate limit"]),
    (
        Code::ImageWrongPlatform,
        &["no match for platform in manifest", "no matching manifest for", "does not match the specified platform"],
    ),
    (Code::ImageUntrustedRegistry, &["x509:", "server gave http response to https client"]),
    (Code::NodeDiskFull, &["no space left on device"]),
    (
        Code::ImageNoNetwork,
        &[
            "no such host",
            "i/o timeout",
            "connection refused",
            "connection reset",
            "connection timed out",
            "network is unreachable",
            "no route to host",
            "server misbehaving",
            "temporary failure in name resolution",
            "tls handshake timeout",
            "client.timeout exceeded",
            "deadline exceeded",
            "proxyconnect",
            "unexpected eof",
            "502 bad gateway",
            "503 service unavailable",
            "504 gateway timeout",
        ],
    ),
    (
        Code::ImageUnauthorized,
        &[
            "pull access denied",
            "insufficient_scope",
            "unauthorized",
            "authorization failed",
            "403 forbidden",
            "denied:",
        ],
    ),
    (Code::ImageNotFound, &["not found", "manifest unknown", "name unknown", "404"]),
];

pub(super) fn judge(view: &View<'_>, pod: &Pod, container: &ContainerView<'_>) -> Option<Verdict> {
    let (reason, waiting) = container.waiting();
    let image = container.spec.image.as_deref().unwrap_or_default();
    let attempts = Attempts::of(view, pod, image);
    // Since Kubernetes 1.32 a back-off quotes the cause, before it is only in the events.
    let text = if reason == "ErrImagePull" || waiting.contains("ErrImagePull:") || attempts.last.is_empty() {
        waiting.to_owned()
    } else {
        attempts.last.clone()
    };
    let code = match reason {
        "ErrImageNeverPull" => Code::ImageNeverPull,
        "InvalidImageName" => Code::ImageInvalidName,
        "ErrImagePull"
        | "ImagePullBackOff"
        | "RegistryUnavailable"
        | "ImageInspectError"
        | "SignatureValidationFailed" => classify(&text, image),
        _ => return None,
    };
    let terminal = match code {
        Code::ImageNoNetwork => {
            let least = if attempts.count >= NETWORK_ATTEMPTS { NETWORK_LASTING } else { NETWORK_AWAY };
            attempts.seconds >= least
        }
        Code::ImagePullFailed => attempts.count >= ATTEMPTS,
        _ => true,
    };
    let verdict = Verdict::new(code, container.of(pod), format!("image `{image}` {}", what(code)));
    let verdict = verdict.evidence(text).terminal_if(terminal);
    Some(hints(view, code).into_iter().fold(verdict, Verdict::hint))
}

/// What the events tell about the attempts to pull one image for one pod.
struct Attempts {
    count: i32,
    /// Since the first one.
    seconds: u64,
    /// What the last one said.
    last: String,
}

impl Attempts {
    fn of(view: &View<'_>, pod: &Pod, image: &str) -> Self {
        let start = format!("Failed to pull image \"{image}\"");
        let mut failed: Vec<_> =
            view.events(&pod.metadata).filter(|event| message(event).starts_with(&start)).collect();
        failed.sort_by_key(|event| last_time(event).map(|time| time.0));
        Self {
            count: failed.iter().map(|event| times(event)).sum(),
            seconds: failed
                .iter()
                .map(|event| view.seconds_since(first_time(event).as_ref()))
                .max()
                .unwrap_or_default(),
            last: failed.last().map(|event| message(event).to_owned()).unwrap_or_default(),
        }
    }
}

fn classify(text: &str, image: &str) -> Code {
    // A name may contain anything, also `denied:1`.
    let text = if image.is_empty() { text.to_lowercase() } else { text.replace(image, "").to_lowercase() };
    let known = CAUSES.iter().find(|(_, parts)| parts.iter().any(|part| text.contains(part)));
    known.map_or(Code::ImagePullFailed, |(code, _)| *code)
}

fn what(code: Code) -> &'static str {
    match code {
        Code::ImageInvalidName => "is not a valid name",
        Code::ImageNeverPull => "is not in the node, and must not be pulled",
        Code::ImageNoNetwork => "cannot be pulled: the node does not reach the registry",
        Code::ImageNotFound => "does not exist in its registry",
        Code::ImageRateLimited => "cannot be pulled now: the registry's rate limit is reached",
        Code::ImageUnauthorized => "does not exist, or needs a login",
        Code::ImageUntrustedRegistry => "cannot be pulled: the node does not trust the registry",
        Code::ImageWrongPlatform => "does not exist for this machine's processor",
        Code::NodeDiskFull => "cannot be stored: the node's disk is full",
        _ => "cannot be pulled",
    }
}

fn hints(view: &View<'_>, code: Code) -> Vec<String> {
    let again = view.command("up");
    match code {
        Code::ImageInvalidName | Code::ImageNotFound | Code::ImageWrongPlatform => {
            vec![format!("correct the image's name or tag in the profile, then {again}")]
        }
        Code::ImageUnauthorized => vec![
            format!("correct the image's name in the profile, then {again}"),
            format!(
                "or log in with `docker login` and pull it on this machine with `docker pull`, then {again} loads it"
            ),
        ],
        Code::ImageRateLimited => {
            vec![format!(
                "log in with `docker login` and pull it on this machine with `docker pull`, then {again} loads it"
            )]
        }
        Code::ImageNoNetwork | Code::ImageUntrustedRegistry | Code::ImagePullFailed => vec![
            format!("pull it on this machine with `docker pull`, then {again} loads it"),
            "or use a bundle: `windtunnel up --bundle FOLDER`".to_owned(),
        ],
        Code::NodeDiskFull => {
            vec![format!("free disk space for the container engine: `docker system df`, then {again}")]
        }
        _ => vec![format!("load the image into the node: {again}")],
    }
}

#[cfg(test)]
mod tests {
    use super::{Code, classify};

    /// Messages as containerd and the kubelet write them; the version is the one it was seen with.
    const MESSAGES: [(Code, &str); 21] = [
        // containerd 1.6.20 under Kubernetes 1.34.4, captured
        (
            Code::ImageNotFound,
            r#"rpc error: code = NotFound desc = failed to pull and unpack image "localhost:5000/acme/none:1": failed to resolve reference "localhost:5000/acme/none:1": localhost:5000/acme/none:1: not found"#,
        ),
        (
            Code::ImageUnauthorized,
            r#"failed to pull and unpack image "localhost:5000/acme/denied:1": failed to resolve reference "localhost:5000/acme/denied:1": pulling from host localhost:5000 failed with status code [manifests 1]: 403 Forbidden"#,
        ),
        (
            Code::ImageRateLimited,
            r#"failed to pull and unpack image "localhost:5000/acme/limited:1": failed to resolve reference "localhost:5000/acme/limited:1": pulling from host localhost:5000 failed with status code [manifests 1]: 429 Too Many Requests"#,
        ),
        (
            Code::ImageWrongPlatform,
            r#"rpc error: code = NotFound desc = failed to pull and unpack image "localhost:5000/acme/arm:1": no match for platform in manifest: not found"#,
        ),
        (
            Code::ImageNoNetwork,
            r#"failed to pull and unpack image "registry.invalid/none:1": failed to resolve reference "registry.invalid/none:1": failed to do request: Head "https://registry.invalid/v2/none/manifests/1": dial tcp: lookup registry.invalid on 172.18.0.3:53: no such host"#,
        ),
        // containerd 1.7, 2.1
        (
            Code::ImageNotFound,
            r#"rpc error: code = NotFound desc = failed to pull and unpack image "docker.io/library/nginx:nope": failed to resolve reference "docker.io/library/nginx:nope": docker.io/library/nginx:nope: not found"#,
        ),
        // a registry v2 behind containerd 1.6
        (
            Code::ImageNotFound,
            r#"rpc error: code = Unknown desc = failed to pull and unpack image "registry:5000/a:1": failed to copy: httpReadSeeker: failed open: unexpected status code https://registry:5000/v2/a/manifests/1: 404 Not Found - manifest unknown"#,
        ),
        // containerd 1.6, 1.7: a repository that Docker Hub does not have, or that is private
        (
            Code::ImageUnauthorized,
            r#"rpc error: code = Unknown desc = failed to pull and unpack image "docker.io/acme/private:1": failed to resolve reference "docker.io/acme/private:1": pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed"#,
        ),
        (
            Code::ImageUnauthorized,
            r#"failed to pull and unpack image "ghcr.io/acme/private:1": failed to resolve reference "ghcr.io/acme/private:1": failed to authorize: failed to fetch anonymous token: unexpected status from GET request to https://ghcr.io/token?scope=repository%3Aacme%2Fprivate%3Apull&service=ghcr.io: 401 Unauthorized"#,
        ),
        (
            Code::ImageUnauthorized,
            r#"failed to resolve reference "ghcr.io/acme/private:1": unexpected status from HEAD request to https://ghcr.io/v2/acme/private/manifests/1: 403 Forbidden"#,
        ),
        (
            Code::ImageRateLimited,
            r#"failed to pull and unpack image "docker.io/library/postgres:17": failed to copy: httpReadSeeker: failed open: unexpected status code https://registry-1.docker.io/v2/library/postgres/manifests/sha256:1234: 429 Too Many Requests - Server message: toomanyrequests: You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit"#,
        ),
        (
            Code::ImageWrongPlatform,
            r#"rpc error: code = NotFound desc = failed to pull and unpack image "docker.io/amd64/busybox:1": no match for platform in manifest: not found"#,
        ),
        (Code::ImageWrongPlatform, r"no matching manifest for linux/arm64/v8 in the manifest list entries"),
        (
            Code::ImageNoNetwork,
            r#"failed to resolve reference "docker.io/library/nginx:1": failed to do request: Head "https://registry-1.docker.io/v2/library/nginx/manifests/1": dial tcp: lookup registry-1.docker.io on 172.18.0.1:53: no such host"#,
        ),
        (
            Code::ImageNoNetwork,
            r#"failed to do request: Head "https://registry-1.docker.io/v2/library/nginx/manifests/1": dial tcp 44.205.64.79:443: i/o timeout"#,
        ),
        (
            Code::ImageNoNetwork,
            r#"failed to do request: Head "http://127.0.0.1:5000/v2/a/manifests/1": dial tcp 127.0.0.1:5000: connect: connection refused"#,
        ),
        (
            Code::ImageNoNetwork,
            r#"failed to do request: Head "https://registry-1.docker.io/v2/library/nginx/manifests/1": dial tcp: lookup registry-1.docker.io on [::1]:53: server misbehaving"#,
        ),
        (
            Code::ImageNoNetwork,
            r#"failed to do request: Head "https://ghcr.io/v2/a/b/manifests/1": net/http: TLS handshake timeout"#,
        ),
        (
            Code::ImageUntrustedRegistry,
            r#"failed to do request: Head "https://registry.corp/v2/a/manifests/1": tls: failed to verify certificate: x509: certificate signed by unknown authority"#,
        ),
        (
            Code::NodeDiskFull,
            r"failed to extract layer sha256:1234: write /var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/9/fs/usr/lib/x: no space left on device",
        ),
        (Code::ImagePullFailed, r"failed to extract layer sha256:1234: archive/tar: invalid tar header"),
    ];

    #[test]
    fn the_causes_of_a_failed_pull_are_told_apart() {
        for (code, message) in MESSAGES {
            assert_eq!(classify(message, "localhost:5000/acme/denied:1"), code, "{message}");
        }
    }
}
