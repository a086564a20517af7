//! One file for each line that `up` shows, each `ensure`-shaped: look, act only if needed, look again.

pub mod check_web;
pub mod smoke;
