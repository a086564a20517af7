//! The only place that knows Kubernetes' interface: the client, what is observed, the verdict on it, the wait, logs, and the forward.

mod client;
pub mod forward;
pub mod logs;
mod observe;
pub mod survey;
pub mod verdict;
pub mod wait;
pub mod workload;

pub use client::Cluster;
