//! The `seedbox` program; everything it does is in the library.

use clap::Parser as _;
use std::io::IsTerminal as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::try_from_env("SEEDBOX_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn,seedbox=info"));
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr).init();
    ExitCode::from(seedbox::cli::run(&seedbox::cli::Cli::parse()))
}
