//! An image's name taken apart, as docker does (distribution/reference, `normalize.go`).

/// The registry of names that say none.
const DOCKER_HUB: &str = "docker.io";

/// A name with everything that docker leaves out.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reference {
    /// `docker.io`, `localhost:5000`.
    pub registry: String,
    /// `library/postgres`.
    pub repository: String,
    /// A tag, or a digest with its `sha256:`; the digest where there are both.
    pub version: String,
}

impl Reference {
    /// Takes a name apart; `None` where it is no image's name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let (name, digest) = name.split_once('@').map_or((name, None), |(name, digest)| (name, Some(digest)));
        let (name, tag) = match name.rsplit_once(':') {
            // What follows the last colon is a registry's port.
            Some((_, tag)) if tag.contains('/') => (name, None),
            Some((name, tag)) => (name, Some(tag)),
            None => (name, None),
        };
        let (registry, repository) = match name.split_once('/') {
            Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => (first, rest.to_owned()),
            Some(_) => (DOCKER_HUB, name.to_owned()),
            None => (DOCKER_HUB, format!("library/{name}")),
        };
        let registry = if registry == "index.docker.io" { DOCKER_HUB } else { registry };
        let version = digest.or(tag).unwrap_or("latest");
        let in_repository = |sign: char| sign.is_ascii_lowercase() || sign.is_ascii_digit() || "._-/".contains(sign);
        let in_version = |sign: char| sign.is_ascii_alphanumeric() || "._-:+".contains(sign);
        let in_registry = |sign: char| sign.is_ascii_alphanumeric() || ".-:[]".contains(sign);
        let is_name = repository.split('/').all(|part| !part.is_empty())
            && repository.chars().all(in_repository)
            && !version.is_empty()
            && version.chars().all(in_version)
            && registry.chars().all(in_registry);
        is_name.then(|| Self { registry: registry.to_owned(), repository, version: version.to_owned() })
    }

    /// Whether it names what is in the image, so that nothing else can ever have this name.
    #[must_use]
    pub fn is_digest(&self) -> bool {
        self.version.contains(':')
    }

    /// With the registry and the folder that docker leaves out: as containerd writes it.
    #[must_use]
    pub fn qualified(&self) -> String {
        let sign = if self.is_digest() { '@' } else { ':' };
        format!("{}/{}{sign}{}", self.registry, self.repository, self.version)
    }

    /// Where the registry answers: host, and port if it is not the usual one.
    #[must_use]
    pub fn host(&self) -> &str {
        if self.registry == DOCKER_HUB { "registry-1.docker.io" } else { &self.registry }
    }

    /// Whether the registry is on this machine: docker speaks plain HTTP to those alone (moby, `registry/config.go`).
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let host = match self.registry.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => host,
            _ => &self.registry,
        };
        host == "localhost"
            || host == "[::1]"
            || host.parse().is_ok_and(|address: std::net::Ipv4Addr| address.is_loopback())
    }

    /// Where an image is now that its maker has moved away.
    #[must_use]
    pub fn moved_to(&self) -> Option<String> {
        // Since August 2025 the catalogue of `bitnami` is frozen in `bitnamilegacy` (bitnami/charts#36336).
        let name = self.repository.strip_prefix("bitnami/").filter(|_| self.registry == DOCKER_HUB)?;
        let repository = format!("bitnamilegacy/{name}");
        Some(Self { repository, ..self.clone() }.qualified())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn qualified(name: &str) -> String {
        Reference::parse(name).unwrap().qualified()
    }

    #[test]
    fn what_docker_leaves_out_is_written_out() {
        assert_eq!(qualified("postgres:17"), "docker.io/library/postgres:17");
        assert_eq!(qualified("apache/airflow"), "docker.io/apache/airflow:latest");
        assert_eq!(qualified("windtunnel.local/airflow:3.3.2"), "windtunnel.local/airflow:3.3.2");
        assert_eq!(qualified("localhost:5000/a/b"), "localhost:5000/a/b:latest");
        assert_eq!(qualified("a:1@sha256:0123"), "docker.io/library/a@sha256:0123");
        for name in ["", "A:1", "a b:1", "a//b:1", "a:", "quay.io/"] {
            assert_eq!(Reference::parse(name), None, "{name}");
        }
    }

    #[test]
    fn only_registries_of_this_machine_speak_plain_http() {
        let is_loopback = |name: &str| Reference::parse(name).unwrap().is_loopback();
        assert!(
            ["localhost/a:1", "localhost:5000/a:1", "127.0.0.1:5000/a:1", "[::1]:5000/a:1"]
                .iter()
                .all(|name| is_loopback(name))
        );
        assert!(
            !["postgres:17", "localhost.example.org/a:1", "10.0.0.1:5000/a:1"].iter().any(|name| is_loopback(name))
        );
    }

    #[test]
    fn what_bitnami_moved_has_a_known_place() {
        let moved = |name: &str| Reference::parse(name).unwrap().moved_to();
        let legacy = "docker.io/bitnamilegacy/postgresql:16.1.0-debian-11-r15";
        assert_eq!(moved("bitnami/postgresql:16.1.0-debian-11-r15").as_deref(), Some(legacy));
        assert_eq!(moved("quay.io/bitnami/postgresql:16"), None);
    }
}
