//! The command line: arguments in, results, progress and errors out. No logic of its own.

mod args;
mod output;

pub use args::{
    BuildArgs, Cli, Command, InitArgs, OptimizeArgs, PackArgs, PreviewArgs, PublishArgs, RefreshArgs,
    ServeArgs,
};

use crate::error::{Error, Result};
use crate::optimize::{OptimizeOptions, Work, optimize};
use crate::packs::{Bases, Full, Level, PackOptions, parse_level};
use crate::preview::{Limits, PreviewOptions, preview, write_page};
use crate::publish::{Patterns, Pictures, Policies, PublishOptions, publish, read_notes};
use crate::server::{ServeConfig, serve};
use crate::setup::{InitConfig, init, refresh};
use manifests::release::{ChannelName, GameId, Version};
use output::{Bar, Output};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Platforms that may have a launch command of their own.
const PLATFORMS: [&str; 4] = ["linux", "windows", "macos", "any"];

/// Runs a command; prints what it did, or why it could not. Returns the exit status: 0 if it could.
#[must_use]
pub fn run(cli: &Cli) -> u8 {
    let output = Output { json: cli.json };
    let done = match &cli.command {
        Command::Init(args) => run_init(args, output),
        Command::Publish(args) => run_publish(args, output),
        Command::Preview(args) => run_preview(args, output),
        Command::Optimize(args) => run_optimize(args, output),
        Command::Refresh(args) => run_refresh(args, output),
        Command::Serve(args) => run_serve(args, output),
    };
    match done {
        Ok(()) => 0,
        Err(error) => {
            output.error(&error);
            error.exit_status()
        }
    }
}

fn run_init(args: &InitArgs, output: Output) -> Result<()> {
    let config =
        InitConfig { data: args.data.clone(), keys: args.keys.clone(), public_url: args.public_url.clone() };
    let made = init(&config)?;
    let text = format!(
        "The repository is ready. Give launchers this file: {}\n\
         The keys in {} sign releases: keep a copy in another place, and show them to nobody.",
        made.root.display(),
        made.keys.display()
    );
    output.say("initialised", &made, &text);
    Ok(())
}

/// What is to be published, and how; where the keys lie is `publish`'s own affair.
fn publish_options(args: &BuildArgs, release: &str, keys: PathBuf) -> Result<PublishOptions> {
    Ok(PublishOptions {
        build: args.build.clone(),
        data: args.data.clone(),
        keys,
        game: GameId::parse(&args.game)?,
        version: Version::parse(release)?,
        channel: ChannelName::parse(&args.channel)?,
        notes: args.notes.as_deref().map(read_notes).transpose()?.unwrap_or_default(),
        pictures: Pictures::read(args.icon.as_deref(), args.hero.as_deref())?,
        launch: launch_commands(&args.launch)?,
        exec: Patterns::new(&args.exec)?,
        policies: Policies {
            keep_if_changed: Patterns::new(&args.keep_if_changed)?,
            merge_never: Patterns::new(&args.merge_never)?,
            delete_on_remove: Patterns::new(&args.delete_on_remove)?,
        },
        piece_len: args.piece_len,
        packs: pack_options(&args.packs, PackOptions::default().level)?,
    })
}

fn run_publish(args: &PublishArgs, output: Output) -> Result<()> {
    let options = publish_options(&args.of, &args.release, args.keys.clone())?;
    let done = publish(&options, &Bar::new())?;
    output.say("published", &done, &output::published(&done));
    Ok(())
}

fn run_preview(args: &PreviewArgs, output: Output) -> Result<()> {
    let options = PreviewOptions {
        publish: publish_options(&args.of, &args.release, PathBuf::new())?,
        limits: Limits { max_patch_bytes: args.max_patch_bytes, max_temp_bytes: args.max_temp_bytes },
    };
    let done = preview(&options, &Bar::new())?;
    if let Some(file) = &args.html {
        write_page(&done, file)?;
    }
    output.say("preview", &done, &done.to_text());
    done.check()
}

fn run_optimize(args: &OptimizeArgs, output: Output) -> Result<()> {
    let keys = || {
        let why = "signing needs them".to_owned();
        args.keys.clone().ok_or(Error::Option { option: "--keys", value: String::new(), why })
    };
    let options = OptimizeOptions {
        data: args.data.clone(),
        game: GameId::parse(&args.game)?,
        version: args.release.as_deref().map(Version::parse).transpose()?,
        packs: pack_options(&args.packs, Level::Best)?,
        work: match (args.build_only, args.sign) {
            (true, _) => Work::Build(args.out.clone()),
            (_, true) => Work::Sign { keys: keys()?, packs: args.packs_from.clone() },
            _ => Work::All(keys()?),
        },
    };
    let done = optimize(&options, &Bar::new())?;
    output.say("optimized", &done, &output::optimized(&done));
    Ok(())
}

fn pack_options(args: &PackArgs, default: Level) -> Result<PackOptions> {
    let refuse =
        |value: &str, why: &str| Error::Option { option: "--base", value: value.into(), why: why.into() };
    let bases = match args.base.as_slice() {
        [] => Bases::Usual,
        [none] if none == "none" => Bases::None,
        versions if versions.iter().any(|version| version == "none") => {
            return Err(refuse("none", "it stands alone"));
        }
        versions => Bases::These(versions.iter().map(|text| Version::parse(text)).collect::<Result<_, _>>()?),
    };
    if args.threads == Some(0) {
        let why = "there must be one at least".to_owned();
        return Err(Error::Option { option: "--threads", value: "0".to_owned(), why });
    }
    let level = args.level.as_deref().map_or(Ok(default), parse_level)?;
    let full = parse_full(&args.full)?;
    Ok(PackOptions { bases, level, threads: args.threads, full })
}

fn parse_full(text: &str) -> Result<Full> {
    match text {
        "auto" => Ok(Full::Auto),
        "always" => Ok(Full::Always),
        "never" => Ok(Full::Never),
        _ => {
            let why = "it must be auto, always or never".to_owned();
            Err(Error::Option { option: "--full", value: text.to_owned(), why })
        }
    }
}

fn launch_commands(texts: &[String]) -> Result<BTreeMap<String, String>> {
    let mut commands = BTreeMap::new();
    for text in texts {
        let (platform, command) = match text.split_once('=') {
            Some((platform, command)) if PLATFORMS.contains(&platform) => (platform, command),
            _ => ("any", text.as_str()),
        };
        if commands.insert(platform.to_owned(), command.to_owned()).is_some() {
            let why = format!("there already is a command for {platform}");
            return Err(Error::Option { option: "--launch", value: text.clone(), why });
        }
    }
    Ok(commands)
}

fn run_refresh(args: &RefreshArgs, output: Output) -> Result<()> {
    #[derive(Serialize)]
    struct Nothing {}
    refresh(&args.data)?;
    output.say("refreshed", &Nothing {}, "The repository's metadata is signed afresh.");
    Ok(())
}

fn run_serve(args: &ServeArgs, output: Output) -> Result<()> {
    #[derive(Serialize)]
    struct Listening {
        http: std::net::SocketAddr,
        peer: Option<std::net::SocketAddr>,
        releases: usize,
    }
    #[derive(Serialize)]
    struct Stopped {
        web_bytes: u64,
        peer_bytes: u64,
    }
    let runtime = tokio::runtime::Runtime::new().map_err(|error| Error::Seeding(error.to_string()))?;
    runtime.block_on(async {
        let running = serve(ServeConfig::from(args)).await?;
        let listening = Listening {
            http: running.http_addr(),
            peer: running.peer_addr(),
            releases: running.stats().releases,
        };
        let peers = listening.peer.map_or("no peers".to_owned(), |peer| format!("peers on {peer}"));
        let text = format!("Serving {} releases: http on {}, {peers}.", listening.releases, listening.http);
        output.say("listening", &listening, &text);
        told_to_stop().await;
        // Open downloads are given time to finish; who asks twice does not want to wait.
        let stats = tokio::select! {
            stats = running.shutdown() => stats,
            () = told_to_stop() => return Err(Error::Interrupted),
        };
        let stopped = Stopped { web_bytes: stats.web_bytes, peer_bytes: stats.peer_bytes };
        output.say("stopped", &stopped, "Stopped.");
        Ok(())
    })
}

/// Returns at Ctrl-C, or SIGTERM where there is such a thing.
async fn told_to_stop() {
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = interrupt => {}
        () = terminated() => {}
    }
}

#[cfg(unix)]
async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut signal) => {
            signal.recv().await;
        }
        Err(_) => std::future::pending().await,
    }
}

#[cfg(not(unix))]
async fn terminated() {
    std::future::pending().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bases_in_a_table() {
        let parse = |base: &[&str]| {
            let base = base.iter().map(|&text| text.to_owned()).collect();
            pack_options(&PackArgs { base, level: None, threads: None, full: "auto".to_owned() }, Level::Best)
                .map(|options| options.bases)
        };
        let these =
            |texts: &[&str]| Bases::These(texts.iter().map(|text| Version::parse(text).unwrap()).collect());
        assert_eq!(parse(&[]).unwrap(), Bases::Usual);
        assert_eq!(parse(&["none"]).unwrap(), Bases::None);
        assert_eq!(parse(&["1.0", "2"]).unwrap(), these(&["1.0", "2"]));
        assert_eq!(parse(&["1.0", "none"]).unwrap_err().code(), "E-OPTION");
        assert_eq!(parse(&["a b"]).unwrap_err().code(), "E-NAME");
        let none = PackArgs { base: Vec::new(), level: None, threads: Some(0), full: "auto".to_owned() };
        assert_eq!(pack_options(&none, Level::Best).unwrap_err().code(), "E-OPTION");
    }

    #[test]
    fn launch_commands_in_a_table() {
        let parse = |texts: &[&str]| {
            let texts: Vec<_> = texts.iter().map(|&text| text.to_owned()).collect();
            launch_commands(&texts).map(|map| map.into_iter().collect::<Vec<_>>())
        };
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(parse(&["bin/game --x=1"]).unwrap(), [pair("any", "bin/game --x=1")]);
        assert_eq!(
            parse(&["windows=game.exe", "linux=./game"]).unwrap(),
            [pair("linux", "./game"), pair("windows", "game.exe")]
        );
        assert_eq!(parse(&["A=1 ./game"]).unwrap(), [pair("any", "A=1 ./game")]);
        assert_eq!(parse(&["./a", "./b"]).unwrap_err().code(), "E-OPTION");
    }
}
