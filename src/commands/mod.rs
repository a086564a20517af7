//! One public function for each word of the command line.

pub mod credentials;
pub mod forward;
pub mod open;
pub mod smoke;
