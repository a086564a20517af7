//! The only place that knows Kubernetes' interface: the client, what is observed, the verdict on it, the wait, logs, and the forward.

mod access;
mod api_server;
mod ask_again;
mod client;
mod evidence;
pub mod forward;
pub mod kubeconfig;
pub mod logs;
pub mod namespace;
mod node_images;
pub mod objects;
mod observe;
pub mod pause;
pub mod release;
pub mod removal;
mod restart;
mod secret;
mod smoke_files;
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
