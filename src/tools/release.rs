//! The releases of kind, Helm and minikube that windtunnel downloads, each with its digest.
//!
//! Digests: kind's and Helm's as their release pages have them, each found alike in at least three public build files; minikube's of
//! `deploy/minikube/releases-v2.json` in kubernetes/minikube, by which minikube checks itself.

use std::path::{Path, PathBuf};

use super::binary;

/// One release of a tool.
#[derive(Debug, Eq, PartialEq)]
pub struct Release {
    /// The program's name.
    pub tool: &'static str,
    /// Its version, as its makers write it.
    pub version: &'static str,
    /// The address of the folder of its files.
    folder: &'static str,
    files: [File; 4],
}

/// The file of one platform.
#[derive(Debug, Eq, PartialEq)]
pub struct File {
    /// `linux/amd64`.
    platform: &'static str,
    /// Its name, at its makers' and in a mirror.
    pub name: &'static str,
    /// Its SHA-256.
    pub sha256: &'static str,
    /// Where the program is inside it; `None` where the file is the program.
    pub member: Option<&'static str>,
}

const fn program(platform: &'static str, name: &'static str, sha256: &'static str) -> File {
    File { platform, name, sha256, member: None }
}

const fn archive(platform: &'static str, name: &'static str, sha256: &'static str, member: &'static str) -> File {
    File { platform, name, sha256, member: Some(member) }
}

const RELEASES: [Release; 3] = [
    Release {
        tool: "kind",
        version: "v0.30.0",
        folder: "https://github.com/kubernetes-sigs/kind/releases/download/v0.30.0",
        files: [
            program(
                "linux/amd64",
                "kind-linux-amd64",
                "517ab7fc89ddeed5fa65abf71530d90648d9638ef0c4cde22c2c11f8097b8889",
            ),
            program(
                "linux/arm64",
                "kind-linux-arm64",
                "7ea2de9d2d190022ed4a8a4e3ac0636c8a455e460b9a13ccf19f15d07f4f00eb",
            ),
            program(
                "darwin/amd64",
                "kind-darwin-amd64",
                "4f0b6e3b88bdc66d922c08469f05ef507d4903dd236e6319199bb9c868eed274",
            ),
            program(
                "darwin/arm64",
                "kind-darwin-arm64",
                "ceaf40df1d1551c481fb50e3deb5c3deecad5fd599df5469626b70ddf52a1518",
            ),
        ],
    },
    Release {
        tool: "helm",
        version: "v3.19.0",
        folder: "https://get.helm.sh",
        files: [
            archive(
                "linux/amd64",
                "helm-v3.19.0-linux-amd64.tar.gz",
                "a7f81ce08007091b86d8bd696eb4d86b8d0f2e1b9f6c714be62f82f96a594496",
                "linux-amd64/helm",
            ),
            archive(
                "linux/arm64",
                "helm-v3.19.0-linux-arm64.tar.gz",
                "440cf7add0aee27ebc93fada965523c1dc2e0ab340d4348da2215737fc0d76ad",
                "linux-arm64/helm",
            ),
            archive(
                "darwin/amd64",
                "helm-v3.19.0-darwin-amd64.tar.gz",
                "09a108c0abda42e45af172be65c49125354bf7cd178dbe10435e94540e49c7b9",
                "darwin-amd64/helm",
            ),
            archive(
                "darwin/arm64",
                "helm-v3.19.0-darwin-arm64.tar.gz",
                "31513e1193da4eb4ae042eb5f98ef9aca7890cfa136f4707c8d4f70e2115bef6",
                "darwin-arm64/helm",
            ),
        ],
    },
    Release {
        tool: "minikube",
        version: "v1.38.1",
        folder: "https://github.com/kubernetes/minikube/releases/download/v1.38.1",
        files: [
            program(
                "linux/amd64",
                "minikube-linux-amd64",
                "099477eaf248bcb5bcea8ce78a2898e93ac01461c35189da1848c3de82ecd22e",
            ),
            program(
                "linux/arm64",
                "minikube-linux-arm64",
                "a0b8a1ebfc8c07a247271d8df98ac0ddd7c8c855b601d402463e2e50c08c6bab",
            ),
            program(
                "darwin/amd64",
                "minikube-darwin-amd64",
                "db11dffba835609988e4e98c3a91a38653ce66ddfa8ea3aaea92d87c54a0a348",
            ),
            program(
                "darwin/arm64",
                "minikube-darwin-arm64",
                "f9b0c70bb7daf38c683c0b6e46dc1b612600247ae826bf74576807746a919ee8",
            ),
        ],
    },
];

/// The release of a tool; `None` where windtunnel downloads no such tool.
#[must_use]
pub fn of(tool: &str) -> Option<&'static Release> {
    const ALL: &[Release; 3] = &RELEASES;
    ALL.iter().find(|release| release.tool == tool)
}

impl Release {
    /// The file for this machine; `None` where none is known.
    #[must_use]
    pub fn here(&self) -> Option<&File> {
        let platform = binary::platform_here();
        self.files.iter().find(|file| file.platform == platform)
    }

    /// Where a file is to be had: from its makers, or from a mirror, which is a folder with files of the same names.
    #[must_use]
    pub fn address(&self, file: &File, mirror: Option<&str>) -> String {
        format!("{}/{}", mirror.unwrap_or(self.folder).trim_end_matches('/'), file.name)
    }

    /// Where the program is kept: a new version has a place of its own.
    #[must_use]
    pub fn own_path(&self, cache: &Path) -> PathBuf {
        cache.join("tools").join(format!("{}-{}", self.tool, self.version)).join(self.tool)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_release_has_a_file_and_a_digest_for_each_platform() {
        let mut digests = Vec::new();
        for release in &RELEASES {
            for file in &release.files {
                let dashed = file.platform.replace('/', "-");
                assert!(file.name.contains(&dashed) && file.name.starts_with(release.tool), "{file:?}");
                assert!(file.member.is_none_or(|member| member == format!("{dashed}/{}", release.tool)), "{file:?}");
                assert!(
                    file.sha256.len() == 64 && file.sha256.bytes().all(|byte| byte.is_ascii_hexdigit()),
                    "{file:?}"
                );
                assert!(release.address(file, None).starts_with("https://"));
                digests.push(file.sha256);
            }
        }
        digests.sort_unstable();
        digests.dedup();
        assert_eq!(digests.len(), 12);
    }

    #[test]
    fn a_mirror_is_a_folder_of_the_same_files() {
        let kind = of("kind").unwrap();
        assert_eq!(kind.address(&kind.files[0], Some("http://mirror/tools/")), "http://mirror/tools/kind-linux-amd64");
        assert_eq!(kind.own_path(Path::new("/cache")), Path::new("/cache/tools/kind-v0.30.0/kind"));
        assert!(of("docker").is_none());
    }
}
