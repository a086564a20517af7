//! kubectl commands for people to type; windtunnel itself runs none.

use std::path::PathBuf;

/// `kubectl WORDS` for a cluster that these kubeconfig files name. `usual` are the files that kubectl reads by itself.
#[must_use]
pub fn kubectl(files: &[PathBuf], usual: &[PathBuf], words: &str) -> String {
    let quoted = |file: &PathBuf| shell_words::quote(&file.to_string_lossy()).into_owned();
    match files {
        files if files == usual => format!("kubectl {words}"),
        [file] => format!("kubectl --kubeconfig {} {words}", quoted(file)),
        // The option takes one file, the variable several.
        files => format!("KUBECONFIG={} kubectl {words}", files.iter().map(quoted).collect::<Vec<_>>().join(":")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_unless_kubectl_reads_them_anyway() {
        let usual = ["/home/me/.kube/config".into()];
        let of = |files: &[&str]| {
            let files: Vec<PathBuf> = files.iter().map(PathBuf::from).collect();
            kubectl(&files, &usual, "--context work get nodes")
        };
        assert_eq!(of(&["/home/me/.kube/config"]), "kubectl --context work get nodes");
        assert_eq!(of(&["/a b/config"]), "kubectl --kubeconfig '/a b/config' --context work get nodes");
        assert_eq!(of(&["/a", "/b"]), "KUBECONFIG=/a:/b kubectl --context work get nodes");
    }
}
