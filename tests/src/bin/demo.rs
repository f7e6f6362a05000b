//! `cargo demo`: a studio, a seedbox and four players on loopback. See `samara_tests::demo`.

use std::process::ExitCode;

use clap::Parser;
use samara_tests::demo;

fn main() -> ExitCode {
    // `cargo demo --exit` and `cargo demo -- --exit` mean the same.
    let arguments = std::env::args_os().filter(|argument| argument != "--");
    match demo::run(&demo::Arguments::parse_from(arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}
