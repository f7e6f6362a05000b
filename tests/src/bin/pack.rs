//! Makes and applies packs between two folders and prints what it cost as JSON: for comparison with other programs.
//!
//! `apply` works on one core, so that CPU-seconds and peak memory are those of one worker.
#![allow(clippy::disallowed_methods, reason = "a program that reads and writes the files it was asked for")]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::{Context as _, bail, ensure};
use clap::{Parser, Subcommand, ValueEnum};
use manifests::hash::TreeHasher;
use manifests::pack::{self, Content, CreateOptions, Limits, PackFile, PackProgress, PackStage, TreeRef};
use manifests::path::{LinkTarget, SafePath};
use manifests::release::{Art, FileKind, GameId, ManifestFile, ReleaseManifest, Version};

/// Makes or applies a pack.
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Makes the pack that turns OLD into NEW.
    Create {
        /// The old build; `-` for none.
        old: PathBuf,
        /// The new build.
        new: PathBuf,
        /// The pack to write.
        out: PathBuf,
        #[arg(long, value_enum, default_value = "normal")]
        level: LevelArg,
        #[arg(long, default_value_t = 1)]
        threads: usize,
        /// Print the files that cost most, this many.
        #[arg(long, default_value_t = 0)]
        top: usize,
    },
    /// Applies PACK to OLD, writing changed files into an empty folder, and compares them with NEW where it is given.
    Apply {
        /// The old build; `-` for none.
        old: PathBuf,
        /// The pack.
        pack: PathBuf,
        /// Where changed files are written.
        out: PathBuf,
        /// The new build: its files' identities, and what the result is compared with.
        #[arg(long)]
        new: PathBuf,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum LevelArg {
    Fast,
    Normal,
    Best,
}

struct Quiet;

impl PackProgress for Quiet {
    fn stage(&self, _: PackStage, _: u64) {}
    fn advance(&self, _: u64) {}
    fn cancelled(&self) -> bool {
        false
    }
}

/// A folder's files by their ordinal.
struct Folder {
    paths: Vec<PathBuf>,
    files: Vec<ManifestFile>,
    /// The file read last: large files are read in pieces.
    open: Mutex<Option<(u32, File)>>,
}

impl Folder {
    fn scan(root: &Path) -> anyhow::Result<Self> {
        let mut files = BTreeMap::new();
        if root != Path::new("-") {
            for entry in walkdir::WalkDir::new(root) {
                let entry = entry?;
                let full = entry.path();
                let relative = full.strip_prefix(root)?.to_string_lossy().replace('\\', "/");
                if entry.file_type().is_dir() {
                    continue;
                }
                let path = SafePath::parse(&relative)?;
                let file = if entry.file_type().is_symlink() {
                    let target = std::fs::read_link(full)?;
                    let Ok(target) = LinkTarget::parse(&path, &target.to_string_lossy()) else { continue };
                    ManifestFile::symlink(path.clone(), target)
                } else {
                    ManifestFile::file(path.clone(), identity(full)?, false)
                };
                files.insert(path, (full.to_owned(), file));
            }
        }
        let (paths, files) = files.into_values().unzip();
        Ok(Self { paths, files, open: Mutex::new(None) })
    }

    fn tree(&self) -> TreeRef<'_> {
        TreeRef { files: &self.files, content: self }
    }
}

fn identity(path: &Path) -> anyhow::Result<manifests::release::FileIdentity> {
    let mut hasher = TreeHasher::default();
    let mut file = File::open(path)?;
    let mut buffer = [0; 64 << 10];
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok(hasher.finish().identity);
        }
        hasher.update(&buffer[..count]);
    }
}

#[cfg(unix)]
fn read_exact_at(file: &File, buf: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buf, offset)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut buf: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !buf.is_empty() {
        let count = std::os::windows::fs::FileExt::seek_read(file, buf, offset)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        buf = &mut buf[count..];
        offset += count as u64;
    }
    Ok(())
}

impl Content for Folder {
    fn read_at(&self, file: u32, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let taken = self.open.lock().ok().and_then(|mut open| open.take_if(|(at, _)| *at == file));
        let handle = match taken {
            Some((_, handle)) => handle,
            None => File::open(self.paths.get(file as usize).ok_or(io::ErrorKind::NotFound)?)?,
        };
        let done = read_exact_at(&handle, buf, offset);
        if let Ok(mut open) = self.open.lock() {
            *open = Some((file, handle));
        }
        done
    }

    fn len(&self, file: u32) -> io::Result<u64> {
        self.files.get(file as usize).map(|file| file.identity.len).ok_or(io::ErrorKind::NotFound.into())
    }
}

/// CPU-seconds of this process.
#[cfg(unix)]
fn cpu_s() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Where the platform does not tell without more ado, seconds that passed.
#[cfg(not(unix))]
fn cpu_s() -> f64 {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    START.get_or_init(std::time::Instant::now).elapsed().as_secs_f64()
}

/// Most memory this process had, in bytes; 0 where the platform does not tell.
fn peak_rss() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

/// Bytes of the manifest that goes with the tree.
fn manifest_bytes(files: &[ManifestFile]) -> anyhow::Result<usize> {
    let manifest = ReleaseManifest {
        game: GameId::parse("game")?,
        version: Version::parse("1")?,
        sequence: 1,
        allowed_channels: Default::default(),
        files: files.to_vec(),
        piece_len: 1 << 20,
        info_hash_v1: [1; 20],
        info_hash_v2: [1; 32],
        info_hash_v1_only: None,
        launch: Default::default(),
        notes: String::new(),
        art: Art::default(),
    };
    Ok(manifest.encode()?.len())
}

fn base_of<'a>(folder: &'a Folder, root: &Path) -> Option<TreeRef<'a>> {
    (root != Path::new("-")).then(|| folder.tree())
}

fn create(
    old_dir: &Path,
    new_dir: &Path,
    out: &Path,
    options: &CreateOptions,
    top: usize,
) -> anyhow::Result<serde_json::Value> {
    let start = cpu_s();
    let (old, new) = (Folder::scan(old_dir)?, Folder::scan(new_dir)?);
    let scan_cpu = cpu_s() - start;
    let mut file = BufWriter::new(File::create(out)?);
    let start = cpu_s();
    let created = pack::create(base_of(&old, old_dir), new.tree(), options, &mut file, &Quiet)?;
    file.flush()?;
    let total_cpu = cpu_s() - start;
    let report = &created.report;
    let mut costs: Vec<_> = report.files.iter().collect();
    costs.sort_by_key(|cost| std::cmp::Reverse(cost.frame_bytes));
    for cost in costs.iter().take(top) {
        let path = new.files.get(cost.file as usize).map_or("", |file| file.path.as_str());
        let hint = cost.hint.name();
        eprintln!(
            "{:>10} of {:>10} (+{} copied) {hint} {path}",
            cost.frame_bytes, cost.rebuilt_bytes, cost.copied_bytes
        );
    }
    let segments: BTreeMap<&str, serde_json::Value> = report
        .methods
        .iter()
        .map(|(method, totals)| {
            let (count, bytes_in, bytes_out) = (totals.count, totals.bytes_in, totals.bytes_out);
            (method.name(), serde_json::json!({"count": count, "bytes_in": bytes_in, "bytes_out": bytes_out}))
        })
        .collect();
    Ok(serde_json::json!({
        "pack_bytes": created.len,
        "index_bytes": created.index_bytes.len(),
        "manifest_bytes": manifest_bytes(&new.files)?,
        "frames": created.index.frames.len(),
        "prefix_bytes": created.index.frames.iter().map(|frame| frame.prefix_len()).sum::<u64>(),
        "copied_bytes": report.files.iter().map(|file| file.copied_bytes).sum::<u64>(),
        "rebuilt_bytes": report.files.iter().map(|file| file.rebuilt_bytes).sum::<u64>(),
        "decode_memory": created.index.frames.iter().map(|frame| frame.memory).max(),
        "scan_cpu": scan_cpu,
        "match_cpu": report.match_cpu_s,
        "compress_cpu": report.compress_cpu_s,
        "create_cpu": report.match_cpu_s + report.compress_cpu_s,
        "proof_cpu": report.proof_cpu_s,
        "total_cpu": total_cpu,
        "peak_rss": peak_rss(),
        "segments": segments,
    }))
}

/// The file being written, its parents made.
#[derive(Default)]
struct Writer {
    open: Option<(u32, File)>,
}

impl Writer {
    fn write(&mut self, files: &[ManifestFile], root: &Path, file: u32, bytes: &[u8]) -> anyhow::Result<()> {
        if self.open.as_ref().is_none_or(|(at, _)| *at != file) {
            let path = root.join(files.get(file as usize).context("no such file")?.path.as_str());
            let parent = path.parent().context("a path without folder")?;
            let created = File::create(&path).or_else(|_| {
                std::fs::create_dir_all(parent)?;
                File::create(&path)
            });
            self.open = Some((file, created?));
        }
        let Some((_, handle)) = &mut self.open else { bail!("no file is open") };
        Ok(handle.write_all(bytes)?)
    }
}

fn apply(old_dir: &Path, pack: &Path, out: &Path, new_dir: &Path) -> anyhow::Result<serde_json::Value> {
    let (old, new) = (Folder::scan(old_dir)?, Folder::scan(new_dir)?);
    std::fs::create_dir_all(out)?;
    ensure!(std::fs::read_dir(out)?.next().is_none(), "{} is not empty", out.display());
    let file = File::open(pack)?;
    let len = file.metadata()?.len();
    let read = |offset: u64, buf: &mut [u8]| read_exact_at(&file, buf, offset);
    let pack = PackFile::new(len, &read);

    let start = cpu_s();
    let (index, _) = pack.index(&Limits::default())?;
    let mut writer = Writer::default();
    let mut failed = None;
    let proof =
        pack::prove(&pack, &index, base_of(&old, old_dir), &new.files, &Quiet, &mut |file, _, bytes| {
            writer.write(&new.files, out, file, bytes).map_err(|error| {
                failed = Some(error);
                pack::PackError::Cancelled
            })
        });
    let proof = proof.map_err(|error| failed.unwrap_or_else(|| error.into()))?;
    drop(writer);
    let apply_cpu = cpu_s() - start;
    let peak_rss = peak_rss();
    let hash_copy_cpu = hash_and_copy(&new, &index, out)?;
    compare(&new, &index, out)?;
    Ok(serde_json::json!({
        "apply_cpu": apply_cpu,
        "hash_copy_cpu": hash_copy_cpu,
        "peak_rss": peak_rss,
        "files": proof.files,
        "bytes": proof.bytes,
    }))
}

/// What the same files cost when they are only read, hashed and written: the measure for `apply_cpu`.
fn hash_and_copy(new: &Folder, index: &pack::Index, out: &Path) -> anyhow::Result<f64> {
    let copy = out.with_extension("copy");
    std::fs::create_dir_all(&copy)?;
    let start = cpu_s();
    let mut writer = Writer::default();
    let mut buffer = vec![0; 256 << 10];
    for recipe in &index.files {
        let len = new.len(recipe.file)?;
        let mut hasher = TreeHasher::default();
        let mut at = 0;
        while at < len {
            let now = usize::try_from(len - at).map_or(buffer.len(), |rest| rest.min(buffer.len()));
            new.read_at(recipe.file, at, &mut buffer[..now])?;
            hasher.update(&buffer[..now]);
            writer.write(&new.files, &copy, recipe.file, &buffer[..now])?;
            at += now as u64;
        }
        hasher.finish();
    }
    drop(writer);
    let cpu = cpu_s() - start;
    std::fs::remove_dir_all(&copy)?;
    Ok(cpu)
}

/// Every listed file byte for byte.
fn compare(new: &Folder, index: &pack::Index, out: &Path) -> anyhow::Result<()> {
    for recipe in &index.files {
        let at = recipe.file as usize;
        let (Some(original), Some(file)) = (new.paths.get(at), new.files.get(at)) else {
            bail!("no such file")
        };
        ensure!(file.kind == FileKind::File, "{} is a link", file.path);
        let rebuilt = out.join(file.path.as_str());
        let (mut a, mut b) = (File::open(original)?, File::open(&rebuilt)?);
        let (mut left, mut right) = ([0; 64 << 10], [0; 64 << 10]);
        ensure!(a.metadata()?.len() == b.metadata()?.len(), "{} has another length", file.path);
        loop {
            let count = a.read(&mut left)?;
            if count == 0 {
                break;
            }
            b.read_exact(&mut right[..count])?;
            ensure!(left[..count] == right[..count], "{} differs", file.path);
        }
    }
    Ok(())
}

fn main() -> anyhow::Result<()> {
    let line = match Args::parse().command {
        Command::Create { old, new, out, level, threads, top } => {
            let level = match level {
                LevelArg::Fast => pack::Level::Fast,
                LevelArg::Normal => pack::Level::Normal,
                LevelArg::Best => pack::Level::Best,
            };
            create(&old, &new, &out, &CreateOptions { level, threads }, top)?
        }
        Command::Apply { old, pack, out, new } => apply(&old, &pack, &out, &new)?,
    };
    println!("{line}");
    Ok(())
}
