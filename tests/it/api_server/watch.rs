//! Answers `watch=true`: what happened since the version that was asked for, then what happens, until the client leaves.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use futures_util::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Bytes, Frame};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::address::{Address, Query};
use super::store::{Change, Store};
use super::{Body, metadata_only};

/// What a watch is after, and how far it has come.
pub(crate) struct Watch {
    pub(crate) store: Arc<Mutex<Store>>,
    pub(crate) changed: watch::Receiver<u64>,
    /// How many requests are to fail.
    pub(crate) failing: Arc<Mutex<u32>>,
    pub(crate) collection: Address,
    pub(crate) query: Query,
    pub(crate) partial: bool,
}

impl Watch {
    /// The body of the answer, which ends with the connection, or when the server fails.
    pub(crate) fn body(self) -> Body {
        let asked = self.query.value("resourceVersion").and_then(|version| version.parse().ok()).unwrap_or(0);
        let first = if asked == 0 { self.initial() } else { (asked, String::new()) };
        let frames = stream::unfold((self, first), |(mut watch, (mut version, mut text))| async move {
            while text.is_empty() {
                (version, text) = watch.news(version);
                let ended = text.is_empty() && watch.changed.changed().await.is_err();
                if ended || *watch.failing.lock().unwrap() > 0 {
                    return None;
                }
            }
            let frame = Ok::<_, Infallible>(Frame::data(Bytes::from(text)));
            Some((frame, (watch, (version, String::new()))))
        });
        StreamBody::new(frames).boxed_unsync()
    }

    /// Everything that is there, as though it had just come, and the mark that ends it for those who asked for one.
    fn initial(&self) -> (u64, String) {
        let store = self.store.lock().unwrap();
        let mut text = String::new();
        for object in store.list(&self.collection).filter(|object| self.query.selects(object)) {
            text += &self.line("ADDED", object);
        }
        if self.query.value("sendInitialEvents") == Some("true") {
            let annotations = json!({"k8s.io/initial-events-end": "true"});
            let metadata = json!({"resourceVersion": store.version().to_string(), "annotations": annotations});
            let kind = self.collection.kind().unwrap_or_default();
            let object = json!({"apiVersion": self.collection.group_version, "kind": kind, "metadata": metadata});
            text += &self.line("BOOKMARK", &object);
        }
        (store.version(), text)
    }

    fn news(&mut self, after: u64) -> (u64, String) {
        self.changed.mark_unchanged();
        let store = self.store.lock().unwrap();
        let is_meant = |change: &&Change| self.collection.holds(&change.address) && self.query.selects(&change.object);
        let lines = store.changes_after(after).filter(is_meant).map(|change| self.line(change.what, &change.object));
        (store.version(), lines.collect())
    }

    fn line(&self, what: &str, object: &Value) -> String {
        let object = if self.partial { metadata_only(object) } else { object.clone() };
        format!("{}\n", json!({"type": what, "object": object}))
    }
}
