//! The binary: parse, run, say how it went.

use std::process::ExitCode;

fn main() -> ExitCode {
    countersign::cli::args::main()
}
