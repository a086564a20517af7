//! The events of `-o json`: one JSON object a line on stdout, append-only.

use serde::Serialize;

use crate::codes::Code;
use crate::error::Failure;

/// What a program that drives `up` or `down` sees. `event` names the kind.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// What an upgrade changes: one for each object that comes (`+`) or goes (`-`), and for each field (`~`).
    Change {
        /// The line on the screen.
        change: String,
    },
    /// It ended without success. Always the last event.
    Failure {
        /// Kind, message, evidence and hints.
        #[serde(flatten)]
        failure: Failure,
    },
    /// Where an image is; a second time with the time that it took, where it had to be brought.
    Image {
        /// `node`, `database`, `airflow`, `redis`, or the name of a container.
        role: String,
        /// The image's name.
        reference: String,
        /// `node`, `bundle`, `engine`, or the registry that it is downloaded from.
        from: String,
        /// Of its archive, in the node or the engine, or to be downloaded; where that is known.
        #[serde(skip_serializing_if = "Option::is_none")]
        bytes: Option<u64>,
        /// From begin to end, where it had to be brought.
        #[serde(skip_serializing_if = "Option::is_none")]
        milliseconds: Option<u64>,
    },
    /// What a pod is doing now; sent when that changes.
    Pod {
        /// The pod's name.
        pod: String,
        /// Words as on the screen: `pulling image`, `2/4 ready`.
        state: String,
    },
    /// It ended with success. Always the last event.
    Result {
        /// What the command made, as `status -o json` names things.
        #[serde(flatten)]
        result: serde_json::Value,
    },
    /// A step ended.
    StepFinished {
        /// The step's stable name: `start_cluster`.
        step: &'static str,
        /// Whether it did what it is for.
        ok: bool,
        /// What the line on the screen says after the mark.
        detail: String,
        /// From begin to end.
        milliseconds: u64,
    },
    /// A step began.
    StepStarted {
        /// The step's stable name: `start_cluster`.
        step: &'static str,
        /// What the line on the screen says.
        title: String,
    },
    /// What may be the cause why pods are not ready yet; once for each cause and object. What it ends with is `failure`, or all is well after
    /// all.
    Suspicion {
        /// Number and name of the cause: `code` and `cause`.
        #[serde(flatten)]
        code: Code,
        /// What it is about, in words.
        object: String,
        /// What is wrong with it.
        message: String,
        /// Quoted messages and log lines.
        evidence: Vec<String>,
        /// Since the step began.
        milliseconds: u64,
    },
    /// Something the user must know and that stops nothing.
    Warning {
        /// One sentence.
        message: String,
    },
}
