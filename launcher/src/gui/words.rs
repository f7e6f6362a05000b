//! States in words: keys of texts for what the shell and the engine tell.

use std::time::Duration;

use crate::engine::Phase;
use crate::gui::text::Texts;
use crate::shell::state::{Button, Does, Facts, Wait, has_update};
use crate::shell::why::{Remedy, Why};

/// The label of a button that does this.
#[must_use]
pub fn does(texts: &Texts, does: Does) -> String {
    texts.say(match does {
        Does::Install => "does-install",
        Does::Update => "does-update",
        Does::Resume => "does-resume",
        Does::Pause => "does-pause",
        Does::Play => "does-play",
        Does::Repair => "does-repair",
        Does::Rollback => "does-rollback",
        Does::Uninstall => "does-uninstall",
        Does::StartNow => "does-start-now",
        Does::FreeSpace => "does-free-space",
    })
}

/// What a game waits for.
#[must_use]
pub fn wait(texts: &Texts, wait: &Wait) -> String {
    match wait {
        // It ran when it was queued; which program that is was not asked yet.
        Wait::Game(program) if program.is_empty() => texts.say("wait-this-game"),
        Wait::Game(program) => texts.tell("wait-game", &[("program", program.as_str().into())]),
        Wait::Space => texts.say("wait-space"),
        Wait::Network => texts.say("wait-network"),
        Wait::Schedule(minutes) => {
            let time = texts.bare_duration(Duration::from_secs(u64::from(*minutes) * 60));
            texts.tell("wait-schedule", &[("time", time.into())])
        }
        Wait::Unmetered => texts.say("wait-unmetered"),
        Wait::Power => texts.say("wait-power"),
        Wait::OtherGame => texts.say("wait-other-game"),
        Wait::Turn(before) => texts.tell("wait-turn", &[("before", (*before).into())]),
        Wait::Applying => texts.say("wait-applying"),
        Wait::Stopping => texts.say("wait-stopping"),
        Wait::Removing => texts.say("wait-removing"),
        Wait::Studio => texts.say("wait-studio"),
    }
}

/// The label of the primary button.
#[must_use]
pub fn button(texts: &Texts, button: &Button) -> String {
    match button {
        Button::Press(what) => does(texts, *what),
        Button::Waiting(what, _) => wait(texts, what),
    }
}

/// Where an operation stands.
#[must_use]
pub fn phase(texts: &Texts, phase: Phase) -> String {
    texts.say(match phase {
        Phase::Waiting => "phase-waiting",
        Phase::Recovering => "phase-recovering",
        Phase::Checking => "phase-checking",
        Phase::Scanning => "phase-scanning",
        Phase::Downloading => "phase-downloading",
        Phase::Rebuilding => "phase-rebuilding",
        Phase::Applying => "phase-applying",
        Phase::Seeding => "phase-seeding",
        Phase::Removing => "phase-removing",
        Phase::Paused => "phase-paused",
        Phase::Done => "phase-done",
        Phase::Failed => "phase-failed",
    })
}

/// A game's state in a few words, for its card.
#[must_use]
pub fn state(texts: &Texts, facts: &Facts) -> String {
    let release = |release: &Option<String>| release.clone().unwrap_or_default();
    if facts.playing.is_some() {
        texts.say("state-playing")
    } else if let Some(at) = facts.phase.filter(|phase| !phase.is_final()) {
        phase(texts, at)
    } else if facts.failure.is_some() {
        texts.say("state-failed")
    } else if facts.hold.is_some() {
        match crate::shell::state::button(facts) {
            Button::Waiting(what, _) => wait(texts, &what),
            Button::Press(_) => texts.say("phase-paused"),
        }
    } else if facts.damaged {
        texts.say("state-damaged")
    } else if has_update(facts) {
        texts.tell("state-update", &[("release", release(&facts.offered).into())])
    } else if facts.installed.is_none() {
        texts.say("state-not-installed")
    } else if facts.halted {
        texts.say("state-halted")
    } else if facts.pinned {
        texts.tell("state-pinned", &[("release", release(&facts.installed).into())])
    } else {
        texts.tell("state-installed", &[("release", release(&facts.installed).into())])
    }
}

/// What bounds a download.
#[must_use]
pub fn why(texts: &Texts, why: Why) -> String {
    let limited = |key, limit| {
        let rate = texts.tell("unit-rate", &[("bytes", texts.bytes(limit).into())]);
        texts.tell(key, &[("rate", crate::gui::text::bare(&rate).to_owned().into())])
    };
    texts.say(match why {
        Why::Cap { limit } => return limited("why-cap", limit),
        Why::CapWhilePlaying { limit } => return limited("why-cap-playing", limit),
        Why::Line => "why-line",
        Why::Disk => "why-disk",
        Why::Processor => "why-processor",
        Why::Silence => "why-silence",
        Why::NoPeersAllowed => "why-no-peers-allowed",
        Why::FewPeers => "why-few-peers",
        Why::Sources => "why-sources",
        Why::Unknown => "why-unknown",
    })
}

/// What can be done about it; none where there is nothing but waiting.
#[must_use]
pub fn remedy(texts: &Texts, remedy: Remedy) -> Option<String> {
    let key = match remedy {
        Remedy::RaiseLimit => "remedy-raise-limit",
        Remedy::AllowPeers => "remedy-allow-peers",
        Remedy::OtherDisk => "remedy-other-disk",
        Remedy::CheckNetwork => "remedy-check-network",
        Remedy::Nothing => return None,
    };
    Some(texts.say(key))
}
