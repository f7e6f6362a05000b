//! `cargo demo`: a studio, a seedbox and four players on loopback. See `samara_tests::demo`.

use std::process::ExitCode;

use clap::Parser;
use samara_tests::demo;

fn main() -> ExitCode {
    match demo::run(&demo::Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}
