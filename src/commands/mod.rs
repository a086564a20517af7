//! One public function for each word of the command line.

mod announce;
mod bring_up;
pub mod config;
mod contexts;
pub mod credentials;
pub mod doctor;
pub mod down;
pub mod explain;
pub mod forward;
pub mod init;
pub mod kubeconfig;
pub mod logs;
pub mod open;
pub mod profiles;
pub mod report;
pub mod reset;
pub mod smoke;
pub mod start;
pub mod status;
pub mod stop;
pub mod up;
pub mod why;
pub mod wizard;
