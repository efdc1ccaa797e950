//! Parses the command line, calls one function, turns the result into an exit code.

fn main() {}
