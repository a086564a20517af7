//! The kinds of cluster that windtunnel makes: how each is found, made, started and removed.

pub mod kind;
