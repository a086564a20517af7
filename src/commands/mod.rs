//! One public function for each word of the command line.

pub mod forward;
