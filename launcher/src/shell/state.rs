//! The one primary button of a game, and what else can be done with it.

use crate::engine::Phase;
use crate::shell::queue::Hold;

/// All that the button depends on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// The release in the folder.
    pub installed: Option<String>,
    /// The release the channel offers.
    pub offered: Option<String>,
    /// The studio has stopped this update.
    pub halted: bool,
    /// The player stays on the release he has.
    pub pinned: bool,
    /// A check found damage that was not mended.
    pub damaged: bool,
    /// The game runs: the program's name.
    pub playing: Option<String>,
    /// Where its operation stands, while the engine has one.
    pub phase: Option<Phase>,
    /// Its operation was asked to stop.
    pub stopping: bool,
    /// It is in the queue, and does not run for this reason.
    pub hold: Option<Hold>,
    /// The code of the error that its last operation ended with.
    pub failure: Option<&'static str>,
    /// No network.
    pub offline: bool,
}

/// What pressing a button does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Does {
    /// Put the game on the disk.
    Install,
    /// Bring it to the offered release.
    Update,
    /// Let it go on.
    Resume,
    /// Stop at the next safe point.
    Pause,
    /// Start the game.
    Play,
    /// Check it and fetch what is damaged.
    Repair,
    /// Go back to the release before.
    Rollback,
    /// Remove it from this computer; asked before.
    Uninstall,
    /// Start at once, whatever the schedule and the rules say.
    StartNow,
    /// Show what takes the space, and how to choose another folder.
    FreeSpace,
}

/// What a game waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wait {
    /// The game to end: the program's name.
    Game(String),
    /// Room on the disk.
    Space,
    /// A network.
    Network,
    /// The time of day that the player chose: minutes until then.
    Schedule(u16),
    /// A connection that does not cost by the byte.
    Unmetered,
    /// Mains power.
    Power,
    /// The game that is being played, another one.
    OtherGame,
    /// Downloads that come first: how many.
    Turn(usize),
    /// The switch to the new release, which is not stopped.
    Applying,
    /// What was asked to stop.
    Stopping,
    /// The game's files to be removed.
    Removing,
    /// The end of the studio's halt.
    Studio,
}

/// The primary button.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Button {
    /// Press it.
    Press(Does),
    /// It says what it waits for; pressing it may do something about that.
    Waiting(Wait, Option<Does>),
}

impl Button {
    /// What pressing it does.
    #[must_use]
    pub fn does(&self) -> Option<Does> {
        match self {
            Self::Press(does) => Some(*does),
            Self::Waiting(_, does) => *does,
        }
    }
}

/// The one thing a player most likely wants to do with a game, and can.
#[must_use]
pub fn button(facts: &Facts) -> Button {
    if let Some(phase) = facts.phase.filter(|phase| !phase.is_final() && *phase != Phase::Seeding) {
        return at_work(facts, phase);
    }
    if let Some(button) = facts.hold.and_then(|hold| held(facts, hold)) {
        return button;
    }
    // Nothing is done with it. An update that failed does not take Play away: the old release is whole.
    if let Some(program) = &facts.playing {
        return Button::Waiting(Wait::Game(program.clone()), None);
    }
    if facts.failure == Some("E-DISK-FULL") && (facts.installed.is_none() || facts.damaged) {
        return Button::Waiting(Wait::Space, Some(Does::FreeSpace));
    }
    match &facts.installed {
        None if facts.offline => Button::Waiting(Wait::Network, None),
        None if facts.halted => Button::Waiting(Wait::Studio, None),
        None if facts.failure.is_some() => Button::Press(Does::Resume),
        None => Button::Press(Does::Install),
        Some(_) if facts.damaged && facts.offline => Button::Press(Does::Play),
        Some(_) if facts.damaged => Button::Press(Does::Repair),
        Some(_) if has_update(facts) && facts.failure == Some("E-DISK-FULL") => Button::Press(Does::Play),
        Some(_) if has_update(facts) && !facts.offline => Button::Press(Does::Update),
        Some(_) => Button::Press(Does::Play),
    }
}

/// Whether a newer release can be had.
#[must_use]
pub fn has_update(facts: &Facts) -> bool {
    let differs = facts.offered.is_some() && facts.offered != facts.installed;
    differs && facts.installed.is_some() && !facts.pinned && !facts.halted
}

/// What else is offered beside the primary button.
#[must_use]
pub fn beside(facts: &Facts) -> Vec<Does> {
    let primary = button(facts).does();
    let idle =
        facts.phase.is_none_or(|phase| phase.is_final() || phase == Phase::Seeding) && facts.hold.is_none();
    // Until the switch the old release is in place, whole.
    let between = matches!(facts.phase, Some(Phase::Applying | Phase::Recovering | Phase::Removing));
    let whole = facts.installed.is_some() && !between && !facts.damaged;
    let offers = [
        (Does::Play, whole && facts.playing.is_none()),
        (Does::Update, idle && has_update(facts) && !facts.offline && facts.playing.is_none()),
        (Does::Repair, idle && facts.installed.is_some() && !facts.offline && facts.playing.is_none()),
    ];
    offers.into_iter().filter(|(does, is)| *is && Some(*does) != primary).map(|(does, _)| does).collect()
}

/// Whether nothing is done with it, and nothing waits.
#[must_use]
pub fn is_idle(facts: &Facts) -> bool {
    let idle = facts.phase.is_none_or(|phase| phase.is_final() || phase == Phase::Seeding);
    idle && matches!(facts.hold, None | Some(Hold::Failed)) && facts.playing.is_none()
}

/// Whether it can be taken back a release or removed: it is here, and nothing is done with it.
#[must_use]
pub fn can_be_managed(facts: &Facts) -> bool {
    let idle = facts.phase.is_none_or(|phase| phase.is_final() || phase == Phase::Seeding);
    idle && facts.installed.is_some() && facts.playing.is_none()
}

fn at_work(facts: &Facts, phase: Phase) -> Button {
    match phase {
        _ if facts.stopping => Button::Waiting(Wait::Stopping, None),
        Phase::Removing => Button::Waiting(Wait::Removing, None),
        // The engine waits before the switch while the game runs; what is downloaded is kept.
        Phase::Waiting | Phase::Applying if facts.playing.is_some() => {
            Button::Waiting(Wait::Game(facts.playing.clone().unwrap_or_default()), None)
        }
        Phase::Applying | Phase::Recovering => Button::Waiting(Wait::Applying, None),
        _ => Button::Press(Does::Pause),
    }
}

fn held(facts: &Facts, hold: Hold) -> Option<Button> {
    let now = Some(Does::StartNow);
    Some(match hold {
        Hold::Paused => Button::Press(Does::Resume),
        // What the error's card offers stands there; here is what can be done without it.
        Hold::Failed => return None,
        Hold::GameRuns => Button::Waiting(Wait::Game(facts.playing.clone().unwrap_or_default()), None),
        Hold::Offline if facts.installed.is_some() && !facts.damaged => Button::Press(Does::Play),
        Hold::Offline => Button::Waiting(Wait::Network, None),
        Hold::Playing => Button::Waiting(Wait::OtherGame, now),
        Hold::Metered => Button::Waiting(Wait::Unmetered, now),
        Hold::Battery => Button::Waiting(Wait::Power, now),
        Hold::Schedule { opens_in } => Button::Waiting(Wait::Schedule(opens_in), now),
        Hold::Turn { before } => Button::Waiting(Wait::Turn(before), now),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHASES: [Phase; 12] = [
        Phase::Waiting,
        Phase::Recovering,
        Phase::Checking,
        Phase::Scanning,
        Phase::Downloading,
        Phase::Rebuilding,
        Phase::Applying,
        Phase::Seeding,
        Phase::Removing,
        Phase::Paused,
        Phase::Done,
        Phase::Failed,
    ];

    /// Facts told in words: `1>2` installed and offered, `-` for none, then conditions.
    fn facts(text: &str) -> Facts {
        let mut words = text.split_whitespace();
        let (installed, offered) = words.next().unwrap().split_once('>').unwrap();
        let known = |text: &str| (text != "-").then(|| text.to_owned());
        let mut facts = Facts { installed: known(installed), offered: known(offered), ..Facts::default() };
        for word in words {
            match word {
                "halted" => facts.halted = true,
                "pinned" => facts.pinned = true,
                "damaged" => facts.damaged = true,
                "stopping" => facts.stopping = true,
                "offline" => facts.offline = true,
                "plays" => facts.playing = Some("game".to_owned()),
                "full" => (facts.failure, facts.hold) = (Some("E-DISK-FULL"), Some(Hold::Failed)),
                "failed" => (facts.failure, facts.hold) = (Some("E-NO-SOURCES"), Some(Hold::Failed)),
                "hold:paused" => facts.hold = Some(Hold::Paused),
                "hold:offline" => facts.hold = Some(Hold::Offline),
                "hold:plays" => facts.hold = Some(Hold::GameRuns),
                "hold:other" => facts.hold = Some(Hold::Playing),
                "hold:metered" => facts.hold = Some(Hold::Metered),
                "hold:battery" => facts.hold = Some(Hold::Battery),
                "hold:schedule" => facts.hold = Some(Hold::Schedule { opens_in: 90 }),
                "hold:turn" => facts.hold = Some(Hold::Turn { before: 2 }),
                word => {
                    let phase = PHASES.into_iter().find(|phase| phase.word() == word);
                    facts.phase = Some(phase.unwrap_or_else(|| panic!("{word}")));
                }
            }
        }
        facts
    }

    fn said(button: &Button) -> String {
        match button {
            Button::Press(does) => format!("{does:?}"),
            Button::Waiting(wait, None) => format!("wait {wait:?}"),
            Button::Waiting(wait, Some(does)) => format!("wait {wait:?} {does:?}"),
        }
    }

    #[test]
    fn one_button_for_every_state() {
        for (given, button_is, beside_are) in [
            // Nothing going on.
            ("->-", "Install", ""),
            ("->2", "Install", ""),
            ("->2 offline", "wait Network", ""),
            ("->2 halted", "wait Studio", ""),
            ("2>2", "Play", "Repair"),
            ("2>-", "Play", "Repair"),
            ("1>2", "Update", "Play Repair"),
            ("1>2 pinned", "Play", "Repair"),
            ("1>2 halted", "Play", "Repair"),
            ("1>2 offline", "Play", ""),
            ("2>2 damaged", "Repair", ""),
            ("1>2 damaged", "Repair", "Update"),
            ("2>2 damaged offline", "Play", ""),
            ("2>2 plays", r#"wait Game("game")"#, ""),
            ("1>2 plays", r#"wait Game("game")"#, ""),
            ("2>2 done", "Play", "Repair"),
            ("2>2 seeding", "Play", "Repair"),
            ("1>2 seeding", "Update", "Play Repair"),
            ("2>2 seeding plays", r#"wait Game("game")"#, ""),
            // An install.
            ("->2 waiting", "Pause", ""),
            ("->2 checking", "Pause", ""),
            ("->2 scanning", "Pause", ""),
            ("->2 downloading", "Pause", ""),
            ("->2 rebuilding", "Pause", ""),
            ("->2 applying", "wait Applying", ""),
            ("->2 recovering", "wait Applying", ""),
            ("->2 downloading stopping", "wait Stopping", ""),
            ("->2 paused hold:paused", "Resume", ""),
            ("->2 hold:paused", "Resume", ""),
            ("->2 hold:offline", "wait Network", ""),
            ("->2 full", "wait Space FreeSpace", ""),
            ("->2 failed", "Resume", ""),
            ("->2 failed offline", "wait Network", ""),
            // An update: the old release is there until the switch.
            ("1>2 checking", "Pause", "Play"),
            ("1>2 downloading", "Pause", "Play"),
            ("1>2 rebuilding", "Pause", "Play"),
            ("1>2 downloading plays", "Pause", ""),
            ("1>2 applying", "wait Applying", ""),
            ("1>2 applying plays", r#"wait Game("game")"#, ""),
            ("1>2 waiting plays", r#"wait Game("game")"#, ""),
            ("1>2 recovering", "wait Applying", ""),
            ("1>2 downloading stopping", "wait Stopping", "Play"),
            ("1>2 hold:paused", "Resume", "Play"),
            ("1>2 paused hold:paused", "Resume", "Play"),
            ("1>2 hold:offline offline", "Play", ""),
            ("1>2 damaged hold:offline offline", "wait Network", ""),
            ("1>2 hold:plays plays", r#"wait Game("game")"#, ""),
            ("1>2 hold:other", "wait OtherGame StartNow", "Play"),
            ("1>2 hold:metered", "wait Unmetered StartNow", "Play"),
            ("1>2 hold:battery", "wait Power StartNow", "Play"),
            ("1>2 hold:schedule", "wait Schedule(90) StartNow", "Play"),
            ("1>2 hold:turn", "wait Turn(2) StartNow", "Play"),
            ("1>2 full", "Play", ""),
            ("1>2 failed", "Update", "Play"),
            ("1>2 damaged full", "wait Space FreeSpace", ""),
            ("1>2 failed plays", r#"wait Game("game")"#, ""),
            // Removing.
            ("1>2 removing", "wait Removing", ""),
            ("1>2 removing stopping", "wait Stopping", ""),
        ] {
            let facts = facts(given);
            assert_eq!(said(&button(&facts)), button_is, "{given}");
            let beside: Vec<String> = beside(&facts).iter().map(|does| format!("{does:?}")).collect();
            assert_eq!(beside.join(" "), beside_are, "beside: {given}");
        }
    }

    /// Every phase with every condition: what is offered can be done.
    #[test]
    fn nothing_is_offered_that_would_do_harm() {
        let words =
            ["", "offline", "damaged", "plays", "stopping", "halted", "pinned", "full", "hold:paused"];
        for releases in ["->-", "->2", "2>2", "1>2"] {
            for phase in PHASES {
                for (one, other) in words.iter().flat_map(|one| words.iter().map(move |other| (one, other))) {
                    let facts = facts(&format!("{releases} {} {one} {other}", phase.word()));
                    let mut offered = beside(&facts);
                    offered.extend(button(&facts).does());
                    let told = format!("{facts:?}: {offered:?}");
                    let plays = offered.contains(&Does::Play);
                    assert!(!plays || facts.installed.is_some(), "{told}");
                    assert!(!plays || facts.playing.is_none(), "{told}");
                    assert!(
                        !plays || !matches!(phase, Phase::Applying | Phase::Recovering | Phase::Removing)
                    );
                    assert!(!offered.contains(&Does::Update) || has_update(&facts), "{told}");
                    assert!(!offered.contains(&Does::Pause) || !phase.is_final(), "{told}");
                }
            }
        }
    }
}
