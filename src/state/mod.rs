//! What windtunnel remembers on this machine: a folder for each environment, its record, credentials, lock and kubeconfig.
//!
//! Files are 0600 and written atomically, folders 0700. Nothing here knows a cluster.

mod credentials;
pub mod document;
mod extra_port;
mod file;
mod forward;
pub mod lock;
mod paths;
mod record;

pub use credentials::{Credentials, USER, expose};
pub use extra_port::ExtraPort;
pub use file::{read_json, remove_file, write_json, write_private};
pub use forward::{ForwardCondition, ForwardRoute, ForwardSettings, ForwardState, ForwardStatus, ForwardedPort};
pub use lock::Lock;
pub use paths::{EnvironmentPaths, Paths};
pub use record::{Record, RecordedImage, new_id};
