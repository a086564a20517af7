//! Parses the command line, looks at the surroundings once, runs the command, and turns its end into an exit code.
fn main() {}
