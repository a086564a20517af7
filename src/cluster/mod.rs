//! The only place that knows Kubernetes' interface: the client, what is observed, the verdict on it, the wait, logs, and the forward.

mod access;
mod api_server;
mod ask_again;
pub mod capacity;
mod client;
mod evidence;
pub mod exec;
mod followed;
pub mod forward;
mod kube_proxy;
pub mod kubeconfig;
pub mod logs;
pub mod namespace;
mod node_images;
pub mod objects;
mod observe;
pub mod owner;
pub mod pause;
pub mod record;
pub mod release;
pub mod removal;
pub mod requests;
mod restart;
mod secret;
mod service;
mod smoke_files;
pub mod standing;
pub mod survey;
pub mod termination;
pub mod verdict;
pub mod wait;
pub mod worker;
pub mod workload;

pub use client::Cluster;
pub use node_images::NodeImages;

/// The name under which windtunnel applies objects.
const FIELD_MANAGER: &str = "windtunnel";

/// A text of at most `width` characters; where it is longer, its end shows that.
pub(crate) fn shortened(text: &str, width: usize) -> String {
    if text.chars().count() <= width { text.to_owned() } else { text.chars().take(width - 1).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_long_text_is_cut_at_a_character() {
        assert_eq!(super::shortened("migrate: running 11 s", 70), "migrate: running 11 s");
        assert_eq!(super::shortened(&"ä".repeat(80), 70).chars().count(), 70);
    }
}
