//! The programs that windtunnel drives: docker, kind, helm. Each is found once, asked for its version, and run by
//! [`process`], the only place that knows how a child is started.

pub mod docker;
pub mod find;
pub mod helm;
pub mod kind;
pub mod minikube;
pub mod process;
