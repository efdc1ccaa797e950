//! Parses the command line, calls one function, turns the result into an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(counterfoil::cli::main() as u8)
}
