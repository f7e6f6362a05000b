//! Builds the launcher and makes the packages that players get; `--help` says which.

use std::path::PathBuf;

use clap::Parser;
use samara_tests::package::{self, Given, Target};

/// Builds the launcher and makes its packages: a .deb and a portable .tar.gz; for Windows a .zip that is portable and can set
/// itself up. Made twice from the same program they are the same to the byte.
#[derive(Parser)]
struct Args {
    /// Where the packages go; the folder is made.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The brand file of a studio; what it names lies beside it.
    #[arg(long, value_name = "FILE")]
    brand: Option<PathBuf>,
    /// For which system; for Windows, tests/scripts/win builds it.
    #[arg(long, value_enum, default_value = "linux")]
    target: Target,
    /// Packs this launcher instead of building one.
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// The packages are tried and thrown away: that launcher may be one that was built for the tests.
    #[arg(long, requires = "program")]
    for_tests: bool,
}

fn main() -> anyhow::Result<()> {
    let Args { out, brand, target, program, for_tests } = Args::parse();
    let given = program.as_deref().map(|file| Given { file, for_tests });
    for made in package::make(&out, brand.as_deref(), target, given)? {
        println!("{}", made.display());
    }
    Ok(())
}
