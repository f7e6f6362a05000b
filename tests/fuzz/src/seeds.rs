//! Writes what each target starts from into `corpus/<target>/`.

use std::fs;
use std::path::Path;

fn main() -> std::io::Result<()> {
    for target in samara_tests::fuzz::TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name);
        fs::create_dir_all(&folder)?;
        for (number, seed) in (target.seeds)().iter().enumerate() {
            fs::write(folder.join(format!("seed-{number}")), seed)?;
        }
    }
    Ok(())
}
