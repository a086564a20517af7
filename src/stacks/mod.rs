//! The charts that windtunnel installs: where image, keys, user, mounts and database go in the values, and what makes the release complete. Pure.

pub mod lite;
