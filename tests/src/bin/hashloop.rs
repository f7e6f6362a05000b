//! The yardstick for `launcher verify`: hashes every file below a folder on all cores and does nothing else.
//!
//! The same leaves, one SHA-256 after the other with the processor's own instructions (`verify` does sixteen side by side
//! where there is AVX-512), files read with plain `read`, the longest first; no trees, no records, no comparing. What lies
//! in `.samara/` is left out.

#![allow(clippy::disallowed_methods, reason = "a tool's own files")]

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Bytes read at once by each thread, as `verify` does.
const CHUNK: usize = 1 << 20;

fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: hashloop DIR");
        return ExitCode::from(2);
    };
    match run(&folder) {
        Ok((files, bytes)) => {
            println!("{{\"files\":{files},\"bytes\":{bytes}}}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("hashloop: {}: {error}", folder.display());
            ExitCode::FAILURE
        }
    }
}

fn run(folder: &Path) -> std::io::Result<(usize, u64)> {
    let mut files = Vec::new();
    list(folder, &mut files)?;
    files.sort_by_key(|(len, _)| std::cmp::Reverse(*len));
    let (next, bytes) = (AtomicUsize::new(0), AtomicU64::new(0));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let work = || -> std::io::Result<()> {
            let mut chunk = vec![0; CHUNK];
            while let Some((_, path)) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                bytes.fetch_add(hash(path, &mut chunk)?, Ordering::Relaxed);
            }
            Ok(())
        };
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let broken = || std::io::Error::other("a thread broke off");
        running.into_iter().try_for_each(|thread| thread.join().unwrap_or_else(|_| Err(broken())))
    })?;
    Ok((files.len(), bytes.into_inner()))
}

fn list(folder: &Path, files: &mut Vec<(u64, PathBuf)>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() && entry.file_name() != ".samara" {
            list(&entry.path(), files)?;
        } else if kind.is_file() {
            files.push((entry.metadata()?.len(), entry.path()));
        }
    }
    Ok(())
}

fn hash(path: &Path, chunk: &mut [u8]) -> std::io::Result<u64> {
    let mut file = File::open(path)?;
    let mut total = 0;
    loop {
        let mut filled = 0;
        while let Some(rest) = chunk.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match file.read(rest)? {
                0 => break,
                count => filled += count,
            }
        }
        for block in chunk.get(..filled).unwrap_or_default().chunks(manifests::hash::BLOCK_LEN as usize) {
            std::hint::black_box(manifests::hash::leaf(block));
        }
        total += filled as u64;
        if filled < chunk.len() {
            return Ok(total);
        }
    }
}
