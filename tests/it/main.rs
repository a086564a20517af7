//! Tests from outside the crate: what its source may look like.

mod invariants;
