//! The main job of Samara in one program: publish, install by four players at once, update, damage, repair.
//!
//! Seedbox and launchers are the shipped ones, driven through the same interfaces as their programs.

mod player;
mod progress;
mod table;
mod world;

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use launcher::engine::{Outcome, Sources, Summary};

use crate::fixtures::{GameSize, compare_trees, generate_release};
use player::Player;
use progress::Progress;
use table::{Row, Table};
use world::World;

/// How many players install at the same time.
const PLAYERS: usize = 4;
/// What each player, and the seedbox in all, may send: bytes per second.
const UPLOAD_LIMIT: u64 = 20_000_000;
/// The generated game is cut into pieces of this many bytes, so that a repair by pieces would cost a whole MiB.
const PIECE_BYTES: u32 = 1 << 20;

/// Shows Samara's main job on this machine: a seedbox and four launchers on loopback.
#[derive(Debug, Parser)]
#[command(name = "cargo demo", max_term_width = 100)]
pub struct Arguments {
    /// Where the repository and the installs go; default: a fresh folder that is removed at the end.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Two builds of your own instead of the generated game: the old one and the new one.
    #[arg(long, value_name = "FOLDER", num_args = 1, action = clap::ArgAction::Append)]
    build: Vec<PathBuf>,
    /// End after the table instead of serving on.
    #[arg(long)]
    exit: bool,
}

/// Runs the demo to its end, or until Ctrl-C when it keeps serving.
///
/// # Errors
/// Whatever step failed, and when an install is not identical to its build.
pub fn run(arguments: &Arguments) -> Result<()> {
    let scratch = Scratch::new(arguments.dir.as_deref())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        tokio::select! {
            result = perform(arguments, &scratch.path) => result,
            _ = tokio::signal::ctrl_c() => { eprintln!("\nstopped"); Ok(()) }
        }
    })
}

async fn perform(arguments: &Arguments, dir: &Path) -> Result<()> {
    let builds = builds(arguments, dir)?;
    let progress = Progress::new();
    let mut table = Table::default();

    progress.step("The studio makes keys and a repository, and publishes 1.0");
    let world = World::start(&dir.join("studio"), UPLOAD_LIMIT).await?;
    world.publish(&builds[0], "1.0", builds_piece_bytes(arguments)).await?;

    progress.step(&format!("{PLAYERS} players install 1.0 at the same time"));
    let mut players = (1..=PLAYERS).map(|n| Player::new(n, dir, UPLOAD_LIMIT)).collect::<Result<Vec<_>>>()?;
    let installs = together(&mut players, &progress, |player| player.install(&world)).await?;
    check_trees(&players, &builds[0])?;
    table.push(Row::of_all("install 1.0, 4 players", &installs));

    progress.step("The studio publishes 1.1; everybody updates");
    world.publish(&builds[1], "1.1", builds_piece_bytes(arguments)).await?;
    let updates = together(&mut players, &progress, Player::update).await?;
    check_trees(&players, &builds[1])?;
    table.push(Row::of_all("update to 1.1, 4 players", &updates));

    for (name, sources) in [
        ("repair one byte", Sources { peers: true, web: true }),
        ("repair, no peers", Sources { peers: false, web: true }),
    ] {
        let player = &mut players[0];
        let damaged = damage(&player.dir)?;
        progress.step(&format!("One byte of {}'s {} is damaged; {name}", player.name, damaged.display()));
        let repair = repair(player, sources, &progress).await?;
        check_trees(std::slice::from_ref(player), &builds[1])?;
        table.push(Row::of_all(name, std::slice::from_ref(&repair)));
    }
    progress.finish();
    println!("{table}");
    if arguments.exit {
        for player in players {
            player.close().await;
        }
        return world.stop().await;
    }
    println!("{}", what_next(&world, &players, dir));
    // Served until Ctrl-C, which `run` waits for.
    std::future::pending().await
}

/// Starts an operation on every player, then waits for all; every player goes on seeding meanwhile.
async fn together(
    players: &mut [Player],
    progress: &Progress,
    start: impl Fn(&mut Player) -> Result<()>,
) -> Result<Vec<Summary>> {
    for player in players.iter_mut() {
        player.rest().await?;
        start(player)?;
    }
    let watching = progress.watch(players);
    let mut summaries = Vec::new();
    for player in players.iter_mut() {
        match player.outcome().await? {
            Outcome::Installed(summary) => summaries.push(summary),
            other => bail!("{}: unexpected outcome {other:?}", player.name),
        }
    }
    watching.done();
    Ok(summaries)
}

async fn repair(player: &mut Player, sources: Sources, progress: &Progress) -> Result<Summary> {
    player.rest().await?;
    player.repair(sources)?;
    let watching = progress.watch(std::slice::from_ref(player));
    let outcome = player.outcome().await?;
    watching.done();
    let Outcome::Verified(report) = outcome else { bail!("unexpected outcome {outcome:?}") };
    ensure!(!report.wounds.is_empty(), "the damage was not found");
    report.repair.context("nothing was repaired")
}

/// The two builds: the user's own, or generated.
fn builds(arguments: &Arguments, dir: &Path) -> Result<[PathBuf; 2]> {
    match &arguments.build[..] {
        [old, new] => Ok([old.clone(), new.clone()]),
        [] => {
            let builds = [dir.join("build-1.0"), dir.join("build-1.1")];
            for (release, build) in (1..).zip(&builds) {
                if !build.exists() {
                    generate_release(build, GameSize::Demo, release).context("generating the game")?;
                }
            }
            Ok(builds)
        }
        _ => bail!("give --build twice: the old build, then the new one"),
    }
}

fn builds_piece_bytes(arguments: &Arguments) -> Option<u32> {
    arguments.build.is_empty().then_some(PIECE_BYTES)
}

fn check_trees(players: &[Player], build: &Path) -> Result<()> {
    for player in players {
        let differences = compare_trees(build, &player.dir)?;
        ensure!(differences.is_empty(), "{} differs from the build: {differences:?}", player.dir.display());
    }
    Ok(())
}

/// Flips one byte in the middle of the largest file below `dir`, leaving its size and times as a bad disk would.
fn damage(dir: &Path) -> Result<PathBuf> {
    use std::io::{Read, Seek, SeekFrom, Write};
    let largest = walkdir::WalkDir::new(dir)
        .into_iter()
        .filter_entry(|entry| entry.file_name() != ".samara")
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_file())
        .max_by_key(|entry| entry.metadata().map_or(0, |metadata| metadata.len()))
        .context("the install is empty")?;
    let modified = fs::metadata(largest.path())?.modified()?;
    let mut file = OpenOptions::new().read(true).write(true).open(largest.path())?;
    let middle = file.metadata()?.len() / 2;
    let mut byte = [0];
    file.seek(SeekFrom::Start(middle))?;
    file.read_exact(&mut byte)?;
    file.seek(SeekFrom::Start(middle))?;
    file.write_all(&[byte[0] ^ 0x55])?;
    file.set_modified(modified)?;
    Ok(largest.path().strip_prefix(dir)?.to_path_buf())
}

fn what_next(world: &World, players: &[Player], dir: &Path) -> String {
    format!(
        "The seedbox and {} players keep serving; Ctrl-C ends them. Things to try from another terminal:\n\n  \
         curl {url}metrics\n  \
         cargo run --profile demo -p launcher -- install --repo {url} --trust {root} --game {game} --dir {fifth}\n  \
         cargo run --profile demo -p launcher -- plan --dir {fifth}\n  \
         cargo run --profile demo -p launcher -- verify --repair --dir {fifth}\n\n\
         The same in the window, with a library of its own:\n\n  \
         XDG_DATA_HOME={window} cargo run --profile demo -p launcher -- 'samara://add?repo={url}&game={game}'\n",
        players.len(),
        url = world.url(),
        root = world.root_json().display(),
        game = world::GAME,
        fifth = dir.join("player-5").display(),
        window = dir.join("window").display(),
    )
}

/// The demo's folder: given by the user and kept, or fresh and removed.
struct Scratch {
    path: PathBuf,
    _temporary: Option<tempfile::TempDir>,
}

impl Scratch {
    fn new(given: Option<&Path>) -> Result<Self> {
        if let Some(dir) = given {
            if dir.exists() && fs::read_dir(dir)?.next().is_some() {
                bail!("{} is not empty: give --dir a new folder", dir.display());
            }
            fs::create_dir_all(dir)?;
            return Ok(Self { path: fs::canonicalize(dir)?, _temporary: None });
        }
        let temporary = tempfile::Builder::new().prefix("samara-demo-").tempdir()?;
        Ok(Self { path: temporary.path().to_path_buf(), _temporary: Some(temporary) })
    }
}
