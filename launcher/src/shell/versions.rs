//! What versions of a game there are, and what a player can do with each: take it and stay, go back to it with what is kept
//! here, or follow another channel.

use crate::engine::{Failure, Happened, Outcome, ReleaseList};
use crate::shell::deeds::Effect;
use crate::shell::desk::Desk;
use crate::shell::library::{Game, GameKey};
use crate::shell::queue::Job;

/// What the repository says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Listed {
    /// It is asked.
    #[default]
    Asking,
    /// This.
    Known(ReleaseList),
    /// Nothing.
    Failed(Failure),
}

/// What versions of a game there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Versions {
    /// As the repository says.
    pub listed: Listed,
    /// The release that can be gone back to without network.
    pub kept: Option<String>,
}

/// One version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Row {
    /// Its name.
    pub release: String,
    /// Bytes of all its files, where that is known.
    pub bytes: Option<u64>,
    /// Patch notes.
    pub notes: String,
    /// Channels that point at it.
    pub channels: Vec<String>,
    /// It is in the folder.
    pub is_here: bool,
    /// The player stays on it.
    pub stays: bool,
    /// It can be gone back to without network.
    pub is_kept: bool,
}

/// What following a channel means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Means {
    /// An install comes from there.
    Install,
    /// Its release is the one that is here.
    Same,
    /// An update to its release.
    Update,
    /// Its release is older: what is here stays until the channel has a newer one.
    Older,
    /// The studio has stopped it: what is here stays.
    Halted,
}

/// One channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelRow {
    /// Its name.
    pub name: String,
    /// Where it points.
    pub release: String,
    /// The game follows it.
    pub is_followed: bool,
    /// What following it means.
    pub means: Means,
}

impl Versions {
    /// The versions of a game, the newest first. What is in the folder and what is kept are told without a repository too.
    #[must_use]
    pub fn rows(&self, game: &Game) -> Vec<Row> {
        let mut rows = Vec::new();
        if let Listed::Known(list) = &self.listed {
            rows.extend(list.releases.iter().map(|one| {
                let points = list.channels.iter().filter(|channel| channel.release == one.release);
                Row {
                    release: one.release.clone(),
                    bytes: one.bytes,
                    notes: one.notes.clone(),
                    channels: points.map(|channel| channel.name.clone()).collect(),
                    ..Row::default()
                }
            }));
        }
        for known in [&game.installed, &self.kept].into_iter().flatten() {
            if !rows.iter().any(|row| row.release == *known) {
                rows.push(Row { release: known.clone(), ..Row::default() });
            }
        }
        for row in &mut rows {
            let is = |release: &Option<String>| release.as_ref() == Some(&row.release);
            (row.is_here, row.stays) = (is(&game.installed), is(&game.pin));
            row.is_kept = is(&self.kept) && !row.is_here;
        }
        rows
    }

    /// The channels of a game, and what following each means.
    #[must_use]
    pub fn channels(&self, game: &Game) -> Vec<ChannelRow> {
        let Listed::Known(list) = &self.listed else { return Vec::new() };
        let place = |release: &str| list.releases.iter().position(|one| one.release == release);
        let rows = list.channels.iter().map(|channel| {
            let means = match &game.installed {
                None => Means::Install,
                Some(here) if *here == channel.release => Means::Same,
                Some(_) if channel.halted => Means::Halted,
                // Newest first: further down is older. A release that is listed no more is older than any that is.
                Some(here) => match (place(here), place(&channel.release)) {
                    (Some(here), Some(there)) if there > here => Means::Older,
                    _ => Means::Update,
                },
            };
            ChannelRow {
                name: channel.name.clone(),
                release: channel.release.clone(),
                is_followed: channel.name == game.channel,
                means,
            }
        });
        rows.collect()
    }
}

impl Desk {
    /// What versions of a game there are, once somebody asked.
    #[must_use]
    pub fn versions(&self, game: GameKey) -> Option<&Versions> {
        self.versions.get(&game)
    }

    /// The player wants to see them. What was known is shown until the answer is there.
    pub(super) fn versions_of(&mut self, key: GameKey) -> Vec<Effect> {
        self.versions.retain(|other, _| *other == key);
        let versions = self.versions.entry(key).or_default();
        if matches!(versions.listed, Listed::Failed(_)) {
            versions.listed = Listed::Asking;
        }
        self.errands.list(key);
        self.ask_what_is_kept(key)
    }

    /// Which release is kept, for who looks at the versions.
    pub(super) fn ask_what_is_kept(&mut self, key: GameKey) -> Vec<Effect> {
        let Some(versions) = self.versions.get_mut(&key) else { return Vec::new() };
        let status = self.library.get(key).and_then(|game| self.errands.status(game));
        if status.is_none() {
            versions.kept = None;
        }
        status.map(Effect::Engine).into_iter().collect()
    }

    /// The repository or the folder has answered.
    pub(super) fn versions_told(&mut self, key: GameKey, what: &Happened) {
        let Some(versions) = self.versions.get_mut(&key) else { return };
        match what {
            Happened::Done { outcome, .. } => match &**outcome {
                Outcome::Listed(list) => versions.listed = Listed::Known(list.clone()),
                Outcome::Status(report) => versions.kept.clone_from(&report.previous),
                _ => {}
            },
            // What was known still helps; a folder that says nothing keeps nothing.
            Happened::Failed(error) if versions.listed == Listed::Asking => {
                versions.listed = Listed::Failed((&**error).into());
            }
            _ => {}
        }
    }

    /// The player takes a release, and stays on it.
    pub(super) fn take(&mut self, key: GameKey, release: String) -> Vec<Effect> {
        let Some(game) = self.library.get_mut(key) else { return Vec::new() };
        game.pin = Some(release);
        let job = if game.installed.is_some() { Job::Update } else { Job::Install };
        let mut effects = vec![Effect::SaveLibrary];
        effects.extend(self.begin(key, job));
        effects
    }

    /// The player follows another channel: nothing is fetched until he or his settings say so.
    pub(super) fn follow(&mut self, key: GameKey, channel: String) -> Vec<Effect> {
        let Some(game) = self.library.get_mut(key).filter(|game| game.channel != channel) else {
            return Vec::new();
        };
        (game.channel, game.offered) = (channel, None);
        self.offers.remove(&key);
        self.halted.remove(&key);
        self.errands.look(std::iter::once(key));
        vec![Effect::SaveLibrary]
    }

    /// A release that was chosen is not fetched after all: updates come again.
    pub(super) fn not_taken(&mut self, key: GameKey) {
        if let Some(game) = self.library.get_mut(key)
            && game.pin != game.installed
        {
            game.pin = None;
        }
    }
}

#[cfg(test)]
#[path = "versions_tests.rs"]
mod tests;
