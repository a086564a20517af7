//! A program in a container, run to its end: the only place that knows the interface for it (`pods/exec`).

use std::io::{Error, Result};
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use kube::Api;
use kube::api::AttachParams;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::Cluster;
use crate::error::{During, Failure, Kind};
use crate::images::size::size;

/// Bytes that are handed over at once.
const PIECE: usize = 256 * 1024;
/// How many of the last lines of stderr are evidence.
const WORDS: usize = 8;
/// Bytes of stderr that are kept.
const MOST_WORDS: u64 = 64 * 1024;

/// What runs where.
#[derive(Clone, Copy, Debug)]
pub struct Exec<'a> {
    /// The pod's namespace.
    pub namespace: &'a str,
    /// The pod.
    pub pod: &'a str,
    /// The container.
    pub container: &'a str,
    /// Program and arguments. Never a secret: whoever may see the pod's processes can read them.
    pub command: &'a [&'a str],
    /// What it reads on stdin. It must not wait for the end of that: API servers before Kubernetes 1.30 cannot tell it.
    pub input: &'a [u8],
    /// Bytes that it may write on stdout.
    pub limit: u64,
    /// How long it may take.
    pub deadline: Duration,
}

impl Cluster {
    /// Runs it and returns what it wrote on stdout. `on_bytes` is told how many bytes came so far.
    ///
    /// # Errors
    /// The pod is not there or does not run; the program fails, with its last words; it writes more than `limit`; timeout after `deadline`.
    pub async fn exec(&self, exec: Exec<'_>, on_bytes: impl FnMut(u64)) -> std::result::Result<Vec<u8>, Failure> {
        let program = exec.command.first().copied().unwrap_or_default();
        let ended = tokio::time::timeout(exec.deadline, self.run(exec, program, on_bytes)).await;
        ended.unwrap_or_else(|_| {
            let seconds = exec.deadline.as_secs();
            let message = format!("`{program}` in pod `{}` did not end within {seconds} s", exec.pod);
            Err(Failure::new(Kind::Timeout, message))
        })
    }

    async fn run(
        &self,
        exec: Exec<'_>,
        program: &str,
        mut on_bytes: impl FnMut(u64),
    ) -> std::result::Result<Vec<u8>, Failure> {
        let doing = || format!("cannot run `{program}` in pod `{}`", exec.pod);
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), exec.namespace);
        let parameters = AttachParams::default()
            .container(exec.container)
            .stdin(!exec.input.is_empty())
            .max_stdin_buf_size(PIECE)
            .max_stdout_buf_size(PIECE);
        let mut process =
            pods.exec(exec.pod, exec.command.iter().copied(), &parameters).await.during(Kind::Cluster, doing())?;
        let (status, stdin) = (process.take_status(), process.stdin());
        let (Some(status), Some(stdout), Some(stderr)) = (status, process.stdout(), process.stderr()) else {
            return Err(Failure::bug("a program was run without its streams"));
        };
        let reading = async {
            tokio::try_join!(
                async { read(stdout, exec.limit, &mut on_bytes).await.during(Kind::Cluster, doing()) },
                async { read(stderr, MOST_WORDS, |_| {}).await.during(Kind::Cluster, doing()) },
            )
        };
        let (output, words) = tokio::select! {
            read = reading => read?,
            // A program that has ended reads no more, and what was to be written then has nowhere to go.
            error = write(stdin, exec.input) => return Err(error).during(Kind::Cluster, doing()),
        };
        let Some(status) = status.await else {
            process.join().await.during(Kind::Cluster, doing())?;
            return Err(Failure::new(Kind::Cluster, doing()).evidence("the connection to the pod was closed"));
        };
        judge(program, exec.pod, &status, &words).map(|()| output)
    }
}

/// Reads to the end.
async fn read(mut stream: impl AsyncRead + Unpin, limit: u64, mut on_bytes: impl FnMut(u64)) -> Result<Vec<u8>> {
    let mut read = Vec::new();
    let mut piece = vec![0; PIECE];
    loop {
        let count = stream.read(&mut piece).await?;
        if count == 0 {
            return Ok(read);
        }
        read.extend_from_slice(&piece[..count]);
        if read.len() as u64 > limit {
            return Err(Error::other(format!("it writes more than {}", size(limit))));
        }
        on_bytes(read.len() as u64);
    }
}

/// Writes all of `input`, and then waits for whoever read it to end. Returns only with an error.
async fn write(stream: Option<impl AsyncWrite + Unpin>, input: &[u8]) -> Error {
    if let Some(mut stream) = stream {
        let written = async {
            stream.write_all(input).await?;
            stream.flush().await
        };
        if let Err(error) = written.await {
            return error;
        }
        // Kept open: where its end cannot be told, the whole connection would be closed instead.
        std::future::pending::<()>().await;
    }
    std::future::pending().await
}

/// How it ended, by the status that the kubelet sends last (kubernetes/kubernetes, `pkg/kubelet/server/remotecommand`).
fn judge(program: &str, pod: &str, status: &Status, words: &[u8]) -> std::result::Result<(), Failure> {
    if status.status.as_deref() == Some("Success") {
        return Ok(());
    }
    let causes = status.details.iter().flat_map(|details| details.causes.iter().flatten());
    let code = causes.into_iter().find(|cause| cause.reason.as_deref() == Some("ExitCode"));
    let ending = match code.and_then(|cause| cause.message.as_deref()) {
        Some(code) => format!("failed with exit code {code}"),
        None => status.message.clone().unwrap_or_default(),
    };
    let words = String::from_utf8_lossy(words);
    let lines: Vec<&str> = words.lines().collect();
    let last = lines[lines.len().saturating_sub(WORDS)..].iter().copied();
    Err(Failure::new(Kind::Unhealthy, format!("`{program}` in pod `{pod}` {ending}")).evidence_lines(last))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_program_that_failed_is_named_with_its_code_and_its_last_words() {
        let status = serde_json::from_value(json!({
            "status": "Failure", "reason": "NonZeroExitCode", "message": "command terminated with non-zero exit code",
            "details": {"causes": [{"reason": "ExitCode", "message": "3"}]},
        }));
        let failure = judge("psql", "a-0", &status.unwrap(), b"one\ntwo\n").unwrap_err();
        assert_eq!(failure.message, "`psql` in pod `a-0` failed with exit code 3");
        assert_eq!(failure.evidence, ["one", "two"]);
        let status = serde_json::from_value(json!({"status": "Failure", "message": "no such file"})).unwrap();
        assert_eq!(judge("psql", "a-0", &status, b"").unwrap_err().message, "`psql` in pod `a-0` no such file");
        judge("psql", "a-0", &serde_json::from_value(json!({"status": "Success"})).unwrap(), b"a warning").unwrap();
    }

    #[tokio::test]
    async fn what_is_too_much_is_not_read_to_its_end() {
        assert_eq!(read(&b"four"[..], 4, |_| {}).await.unwrap(), b"four");
        assert_eq!(read(&b"fiver"[..], 4, |_| {}).await.unwrap_err().to_string(), "it writes more than 4 B");
    }
}
