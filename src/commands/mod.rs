//! One public function for each word of the command line.

mod announce;
pub mod backup;
mod bring_up;
pub mod config;
mod contexts;
pub mod credentials;
pub mod doctor;
pub mod down;
pub mod explain;
pub mod forward;
pub mod init;
mod interrupted;
pub mod kubeconfig;
pub mod list;
pub mod logs;
pub mod open;
mod passphrase;
pub mod profiles;
mod remembered;
pub mod report;
pub mod reset;
pub mod restore;
pub mod smoke;
pub mod start;
pub mod status;
pub mod stop;
pub mod up;
pub mod why;
pub mod wizard;
mod work;

pub use interrupted::interrupted;
