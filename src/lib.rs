//! windtunnel gives a data engineer a real Airflow on a real local Kubernetes with one command, and takes it away again with one.
//!
//! # Map
//!
//! `commands` holds one public function for each word of the command line, `steps` one file for each line that `up` shows. `providers`,
//! `stacks`, `charts` and `images` say what differs between clusters, charts and sources of both; `cluster` is all that knows Kubernetes' interface,
//! `airflow` all that knows Airflow's; `tools` runs docker, kind and helm; `state` is what is remembered on this machine.
//!
//! # Invariants, enforced by `tests/it/invariants.rs`
//!
//! 1. Only `tools::process` names `duct`; only `cluster` names `kube` and `k8s_openapi`; only `ui` names `console`, `indicatif` and `dialoguer`;
//!    only `cli` and `main` name `clap`.
//! 2. `plan`, `profile`, `stacks`, `cluster::verdict` and `steps::prerequisites::judge` do no I/O and never print.
//! 3. Dependencies point down: `commands → steps → {providers, stacks, images, cluster, airflow} → {tools, state} → error → codes`; `ui` is handed in.
//! 4. Nothing reads the process environment after `main`.
//! 5. No secret on a command line, in a log, in an event or in a report.
//! 6. Every child's exit status is looked at; every wait has a deadline and says what it waits for.

pub mod airflow;
pub mod charts;
pub mod cli;
pub mod cluster;
pub mod codes;
pub mod commands;
pub mod error;
pub mod images;
pub mod plan;
pub mod profile;
pub mod providers;
pub mod redact;
pub mod stacks;
pub mod state;
pub mod steps;
pub mod surroundings;
pub mod tools;
pub mod ui;
