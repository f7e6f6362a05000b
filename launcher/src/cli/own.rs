//! `launcher self`: the launcher's own version and updates.

use std::process::ExitCode;

use serde_json::{Value, json};

use crate::cli::own_args::Own;
use crate::cli::{FAILED, Screen, json};
use crate::engine::{Failure, Sources};
use crate::selfupdate::place::Me;
use crate::selfupdate::pointer::{Pointer, State, Why};
use crate::selfupdate::update::{self, Done, Request, Told};
use crate::selfupdate::{Kind, start};

pub(super) fn run(own: &Own, screen: &mut Screen) -> ExitCode {
    let me = Me::get();
    if matches!(own, Own::Check | Own::Update(_)) {
        start::came_up(Kind::Line);
    }
    let done = match own {
        Own::Status => Ok(status(me)),
        Own::Check => fetch(me, Request { only_look: true, ..asked() }, screen),
        Own::Update(args) => fetch(me, args.request(), screen),
        Own::Rollback => update::go_back(me).map(|next| Answer {
            text: format!("Version {next} starts with the next start."),
            line: json!({ "event": "done", "running": me.release, "next": next }),
        }),
        #[cfg(windows)]
        Own::Setup => crate::setup::set_up(&me.packaged).map(|folder| Answer {
            text: format!("It is in {} and in the start menu.", folder.display()),
            line: json!({ "event": "done", "folder": folder }),
        }),
        #[cfg(windows)]
        Own::Remove => crate::setup::remove(&me.packaged).map(|folder| Answer {
            text: format!("It was removed from {}. Games and settings stay.", folder.display()),
            line: json!({ "event": "done", "folder": folder }),
        }),
        Own::Probe => return probe(screen),
    };
    match done {
        Ok(answer) if screen.json => {
            screen.print(&answer.line);
            ExitCode::SUCCESS
        }
        Ok(answer) => {
            screen.line.clear();
            println!("{}", answer.text);
            ExitCode::SUCCESS
        }
        Err(failure) => {
            screen.fail(&failure);
            ExitCode::from(FAILED)
        }
    }
}

/// What is printed in the end.
struct Answer {
    text: String,
    line: Value,
}

fn asked() -> Request {
    Request { by_player: true, only_look: false, sources: Sources::default(), download_limit: None }
}

fn fetch(me: &Me, request: Request, screen: &mut Screen) -> Result<Answer, Failure> {
    let mut tell = |told: Told<'_>| match told {
        Told::Progress(view) if screen.json => screen.print(&json::progress(view)),
        Told::Progress(view) => screen.line.draw(view),
        Told::Note(note) => screen.say(&note),
    };
    let done = update::update(me, request, &mut tell)?;
    let (outcome, release, text) = match &done {
        Done::Offered(release) => ("offered", Some(release), format!("Version {release} is offered.")),
        Done::Waiting(release) => {
            ("ready", Some(release), format!("Version {release} starts with the next start."))
        }
        Done::Newest => ("newest", None, format!("Version {} is the newest.", me.release)),
        Done::Refused(release, Why::Failed) => (
            "refused",
            Some(release),
            format!("Version {release} did not start here and is not taken again."),
        ),
        Done::Refused(release, Why::Left) => {
            ("refused", Some(release), format!("You went back from version {release}."))
        }
    };
    let line = json!({ "event": "done", "running": me.release, "outcome": outcome, "release": release });
    Ok(Answer { text, line })
}

fn status(me: &Me) -> Answer {
    let pointer = me.place.as_ref().map(crate::selfupdate::place::Place::pointer).unwrap_or_default();
    let next = update::next(&pointer, &me.own);
    let Pointer { active, previous, refused, untold, .. } = &pointer;
    let state = active.as_ref().map(|active| match active.state {
        State::Trial => "trial",
        State::Works => "works",
        State::Good => "good",
    });
    let source = me.source.as_ref();
    let line = json!({
        "event": "done",
        "running": me.release,
        "packaged": me.own,
        "next": next,
        "active": active.as_ref().map(|active| &active.build.release),
        "state": state,
        "starts": active.as_ref().map(|active| active.starts),
        "previous": previous.as_ref().map(|previous| &previous.build.release),
        "refused": refused.iter().map(|refused| &refused.release).collect::<Vec<_>>(),
        "taken_back": untold,
        "repo": source.map(|source| source.url.as_str()),
        "root": source.map(|source| &source.root.sha256),
    });
    let from = source.map_or("It does not update itself.".to_owned(), |source| {
        format!("Updates come from {} (root {}).", source.url, source.root.sha256)
    });
    let text =
        format!("Version {} runs, {next} starts next; the package has {}.\n{from}", me.release, me.own);
    Answer { text, line }
}

/// Its answer is for a launcher, not for people.
fn probe(screen: &mut Screen) -> ExitCode {
    match update::probe() {
        Ok(well) => {
            println!("{well}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            screen.fail(&(&error).into());
            ExitCode::from(FAILED)
        }
    }
}
