//! Tests from outside the crate: what its source may look like, and what the binary does against scripted tools and a fake cluster.
//!
//! A run's exit code, stdout, stderr and the commands it gave are compared with `tests/it/snapshots`. `INSTA_UPDATE=always` writes them
//! anew.

#![allow(clippy::unwrap_used, reason = "a test ends by panicking")]

mod airflow_server;
mod api_server;
mod bundle;
mod container_runtime;
mod context;
mod fence;
mod file_server;
mod invariants;
mod objects;
mod owner;
mod recorded;
mod registry;
mod report;
mod reset;
mod scripts;

mod backup;
mod bad_input;
mod bundles;
mod capacity;
mod cluster;
mod doctor;
mod down;
mod downloads;
mod ending;
mod existing;
mod explain;
mod foreign;
mod forward;
mod images;
mod inspect;
mod kept;
mod list;
mod logs;
mod lost;
mod minikube;
mod prerequisites;
mod print;
mod project;
mod side_by_side;
mod status;
mod stop;
mod surroundings;
mod terminal;
mod up;
mod upgrade;
mod wait;
mod why;
mod wizard;
