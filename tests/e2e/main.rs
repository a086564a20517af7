//! The real binary on real clusters of kind and minikube, driven as a user drives it: `cargo test --test e2e`, which `scripts/test.sh` does.
//!
//! `WINDTUNNEL_E2E_BUNDLE` is the bundle that the clusters are made of, `WINDTUNNEL_E2E_REGISTRY` the program of the reference registry server,
//! `WINDTUNNEL_E2E_ARTEFACTS` the folder for the screenshot, the seconds
//! and, after a failure, what the cluster looked like (`target/e2e` by default), `WINDTUNNEL_E2E_NODE_DOCKER` a node image of one's own with a
//! Docker Engine in it, `WINDTUNNEL_E2E_FAULTS` parts of the titles of those faults of `faults/matrix.yaml` that are to be met, with commas,
//! `WINDTUNNEL_E2E_ENGINE` a folder with an engine of one's own (see `store`). Clusters are heavy: one test at a time, one cluster for each.

#![expect(clippy::unwrap_used, reason = "a test ends where something is not as it must be")]
#![expect(clippy::disallowed_methods, reason = "tests read their own settings and drive programs themselves")]

mod airflow;
mod artefacts;
mod backup;
mod browser;
mod charts;
mod docker;
mod endurance;
mod engine;
mod environment;
mod existing;
mod faults;
mod forward;
mod http;
mod images;
mod kill;
mod leftovers;
mod lifecycle;
mod main_path;
mod minikube;
mod outcome;
mod place;
mod readme;
mod registry;
mod remains;
mod side_by_side;
mod sockets;
mod steady;
mod store;
mod traces;
mod until;
