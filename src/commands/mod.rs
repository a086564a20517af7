//! One public function for each word of the command line.

pub mod up;
pub mod status;
pub mod down;
pub mod smoke;
pub mod open;
pub mod credentials;
pub mod kubeconfig;
pub mod logs;
pub mod forward;
mod announce;
