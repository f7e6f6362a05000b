//! The launcher program; see the library for what it does.

use std::process::ExitCode;

fn main() -> ExitCode {
    launcher::cli::main()
}
